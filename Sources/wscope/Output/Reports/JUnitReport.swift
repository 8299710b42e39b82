import LoadTesting

/// The thresholds of a result as JUnit XML: a case for each, and one for the verdict. Names are without measured
/// values, so that a CI server can follow them from run to run.
struct JUnitReport {
  private let report: LoadReport

  init(_ report: LoadReport) {
    self.report = report
  }

  var text: String {
    TestReport(
      name: "wscope bench", started: report.run.started, seconds: seconds,
      host: ExpectationReporter.host, cases: thresholds + [verdict], classname: "wscope.bench",
      properties: properties
    ).junit
  }

  private var seconds: Double { Double(report.phase(.measure)?.duration ?? 0) / 1e9 }

  private var thresholds: [TestReport.Case] {
    report.outcomes.map { outcome in
      let text = ThresholdText(outcome)
      let problem: TestReport.Problem? =
        switch outcome.state {
        case .pass: nil
        case .fail:
          .broken(
            "measured \(text.measured), limit \(text.limit)"
              + (text.comment.isEmpty ? "" : "; \(text.comment)"))
        case .undecided: .undecided("undecided: \(text.comment)")
        }
      return TestReport.Case(
        name: outcome.threshold.text, seconds: seconds, problem: problem)
    }
  }

  /// Only an invalid measurement is not one.
  private var verdict: TestReport.Case {
    let findings = FindingText(report)
    let reasons = report.verdict.reasons.filter { $0.state == .invalid }
      .map { findings.text($0.finding) }
    return TestReport.Case(
      name: "verdict", seconds: seconds,
      problem: report.verdict.state == .invalid
        ? .undecided("invalid: " + reasons.joined(separator: "; ")) : nil)
  }

  /// Values by the names and in the units of thresholds.
  private var properties: [(name: String, value: String)] {
    var properties = [
      ("verdict", report.verdictText.lowercased()),
      ("rate.sent", "\(Figures.decimal(report.rates.sent, decimals: 3))/s"),
      ("rate.answered", "\(Figures.decimal(report.rates.answered, decimals: 3))/s"),
      ("messages.sent", "\(report.messages.sent)"),
      ("messages.answered", "\(report.messages.answered)"),
      ("errors.count", "\(report.errors.reduce(0) { $0 &+ $1.count })"),
    ]
    for metric in report.configuration.mode.metrics {
      guard let summary = report.metrics[metric] else { continue }
      for row in summary.percentiles {
        guard let bound = row.percentile.bound else { continue }
        properties.append(("\(metric.key).p\(row.level.text)", "\(bound)ns"))
      }
      if let largest = summary.largest?.bound {
        properties.append(("\(metric.key).max", "\(largest)ns"))
      }
    }
    return properties
  }
}
