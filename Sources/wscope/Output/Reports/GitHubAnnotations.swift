import LoadTesting

/// Thresholds that failed or are undecided, as commands of GitHub Actions: it shows them at the job.
struct GitHubAnnotations {
  /// GitHub shows no more of a step.
  private static let limit = 10

  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var lines: [String] {
    let lines = report.outcomes.compactMap { outcome -> String? in
      let text = ThresholdText(outcome)
      switch outcome.state {
      case .pass: return nil
      case .fail:
        return Self.command(
          "error", "\(outcome.threshold.name) \(text.measured), limit \(text.limit)")
      case .undecided:
        return Self.command("warning", "\(outcome.threshold.name) undecided: \(text.comment)")
      }
    }
    return Array(lines.prefix(Self.limit))
  }

  private static func command(_ name: String, _ message: String) -> String {
    "::\(name) title=wscope bench::\(escaped(message))"
  }

  /// The escapes that GitHub undoes in a message.
  private static func escaped(_ message: String) -> String {
    message.replacing("%", with: "%25").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
  }
}
