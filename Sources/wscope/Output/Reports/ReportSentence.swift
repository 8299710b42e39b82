import LoadTesting

/// The result in one sentence.
struct ReportSentence {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var text: String {
    if report.messages.attempted == 0 { return capitalized(cause(.nothingMeasured)) + "." }
    if report.verdict.state == .invalid, let reason = report.verdict.reasons.first {
      return "This measurement is not valid: \(cause(reason.finding))."
    }
    if report.messages.answered == 0 {
      return "None of \(Figures.count(report.planned)) messages was answered: \(losses)."
    }
    return "\(load)\(latency); \(losses.isEmpty ? "nothing was lost" : losses)."
  }

  /// What is wrong, without the remedy.
  private func cause(_ finding: Verdict.Finding) -> String {
    let text = FindingText(report).text(finding)
    return text.firstRange(of: ". ").map { String(text[..<$0.lowerBound]) } ?? text
  }

  private func capitalized(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }

  private func plural(_ count: Int, _ noun: String) -> String {
    "\(Figures.count(count)) \(noun)\(count == 1 ? "" : "s")"
  }

  private var load: String {
    let connections = plural(report.ownConnections, "connection")
    switch report.configuration.pacing {
    case .open: return "At \(Figures.rate(report.rates.sent)) msg/s over \(connections), "
    case .closed(let inflight):
      return "With \(connections) and \(plural(inflight, "message")) in flight on each, "
        + "\(Figures.rate(report.rates.answered)) messages a second were answered, "
    }
  }

  private var latency: String {
    let summary = report.metrics[report.configuration.mode.headline]
    let levels: [PercentileLevel] = [.p99, .p90, .p50]
    let known = zip(levels, summary?.percentiles(levels) ?? [])
    let within = known.compactMap { level, percentile -> String? in
      guard case .value(let ns)? = percentile else { return nil }
      return summary?.censored == 0
        ? "\(level.text) % of answers came within \(Figures.duration(ns))"
        : "\(level.text) % of messages were answered within \(Figures.duration(ns))"
    }.first
    let beyond = known.compactMap { level, percentile -> String? in
      guard case .atLeast(let ns)? = percentile else { return nil }
      let share = PercentileLevel(thousandths: 100_000 - level.thousandths)?.text ?? "1"
      return "at least \(share) % took over \(Figures.shortDuration(ns)) or got no answer"
    }.last
    let parts = [within, beyond].compactMap(\.self)
    guard parts.isEmpty else { return parts.joined(separator: ", but ") }
    return "the slowest answer took \(Figures.percentile(summary?.max.map(Percentile.value)))"
  }

  /// Messages without an answer, and connections that were lost; empty without any.
  private var losses: String {
    let counts = report.messages
    let planned = Figures.count(report.planned)
    var parts: [String] = []
    func add(_ count: Int, _ text: String) {
      if count > 0 { parts.append(text) }
    }
    let unanswered = counts.sent &- counts.answered
    let unsent = report.planned &- counts.sent
    add(unanswered, "\(Figures.count(unanswered)) of \(planned) messages were not answered")
    add(unsent, "\(Figures.count(unsent)) of \(planned) messages were not sent")
    let failed = report.connections.failed
    add(failed, "\(plural(failed, "connection")) did not open")
    let lost = report.connections.lost
    add(lost, "\(plural(lost, "connection")) \(lost == 1 ? "was" : "were") lost")
    return parts.joined(separator: ", ")
  }
}
