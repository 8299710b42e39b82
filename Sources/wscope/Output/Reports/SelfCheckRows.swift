import LoadTesting

/// Each check of the measurement: what was measured, from which values on it matters, and what came of it.
struct SelfCheckRows {
  struct Row: Equatable {
    /// As in results.
    var name: String
    var measured: String
    var suspect: String
    var invalid: String
    /// `ok`, `suspect`, `invalid`, or `not checked`.
    var state: String
  }

  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var all: [Row] {
    let rows = plan + answers + client
    // Checks that only some runs have, as those of a merged one.
    let others = report.verdict.reasons.map(\.finding.check.rawValue)
      .filter { name in !rows.contains { $0.name == name } }
    return rows
      + report.verdict.reasons.filter { others.contains($0.finding.check.rawValue) }.map {
        Row(
          name: $0.finding.check.rawValue, measured: "see the verdict", suspect: Figures.none,
          invalid: Figures.none, state: $0.state.rawValue)
      }
  }

  private func row(
    _ check: Verdict.Finding.Check, _ measured: String?, suspect: String = Figures.none,
    invalid: String = Figures.none
  ) -> Row {
    let found = report.verdict.reasons.first { $0.finding.check == check }
    return Row(
      name: check.rawValue, measured: measured ?? Figures.none, suspect: suspect, invalid: invalid,
      state: found?.state.rawValue ?? (measured == nil || !isChecked(check) ? "not checked" : "ok"))
  }

  private func isChecked(_ check: Verdict.Finding.Check) -> Bool {
    report.isChecked || [.accounting, .nothingMeasured].contains(check)
  }

  private var isOpen: Bool { report.configuration.pacing.isOpen }

  private var plan: [Row] {
    let isMeasured = report.messages.attempted > 0
    let share =
      isMeasured && report.planned > 0
      ? Double(report.messages.attempted) / Double(report.planned) : nil
    return [
      row(.accounting, sums, invalid: "any difference"),
      row(.nothingMeasured, "\(Figures.count(report.messages.attempted)) sent", invalid: "0"),
      row(
        .target, share.map { Figures.percent($0, decimals: 2) }, suspect: "< 99.5 %",
        invalid: "< 99 %"),
      row(
        .connections, isOpen ? nil : Figures.percent(report.connectedShare, decimals: 2),
        suspect: "< 99.5 %", invalid: "< 99 %"),
      row(.cutShort, report.cutShort == nil ? "no" : "yes", suspect: "yes"),
    ]
  }

  private var sums: String {
    let (messages, sums) = (report.accounting(), report.contradictions().count)
    if messages == 0, sums == 0 { return "all sums agree" }
    return "off by \(Figures.count(messages)) messages, in \(Figures.count(sums)) sums"
  }

  private var answers: [Row] {
    let counts = report.messages
    return [
      row(.matching, "\(Figures.count(report.unmatched)) replies", invalid: "any"),
      row(
        .noAnswers, counts.sent > 0 ? "\(Figures.count(counts.answered)) answered" : nil,
        suspect: "0"),
      row(
        .unanswered, "\(Figures.count(counts.sent - counts.answered)) messages", suspect: "any"),
      row(
        .backlog,
        isOpen
          ? report.selfCheck.backlog.map {
            "\(Figures.percent($0, decimals: 0)) answered in the window"
          } ?? "none" : nil, suspect: "grows"),
      row(.overloaded, "\(Figures.count(counts.unsent)) unsent", suspect: "any"),
    ]
  }

  private var client: [Row] {
    let check = report.selfCheck
    func percent(_ share: Double?) -> String? {
      share.map { Figures.percent($0, decimals: 0) }
    }
    return [
      row(
        .late, isOpen ? report.metrics[.late]?.percentile(.p99)?.bound.map(Figures.duration) : nil,
        suspect: "> 1 ms and > 10 % of rtt p50", invalid: "> 1 ms and > 50 %"),
      row(
        .loopDelay, check.loopDelayP99.map(Figures.duration), suspect: "> 1 ms", invalid: "> 10 ms"),
      row(.busyLoop, percent(check.busiestLoop), suspect: "> 70 %", invalid: "> 90 %"),
      row(.busyHost, percent(check.host), suspect: "> 85 %", invalid: "> 97 %"),
      row(
        .throttled,
        check.throttling.map {
          "\(Figures.count($0.throttled)) of \(Figures.count($0.periods)) periods"
        }, suspect: "any", invalid: "> 5 %"),
      row(.latencyDrift, Self.change(check.latency), suspect: "> 10 %"),
      row(.throughputDrift, Self.change(check.throughput), suspect: "> 10 %"),
      row(
        .files,
        check.files.map { "\(Figures.count($0.used)) of \(Figures.count($0.limit))" },
        suspect: "> 80 %", invalid: "exhausted"),
    ]
  }

  private static func change(_ steadiness: Steadiness) -> String? {
    switch steadiness {
    case .unknown: nil
    case .steady: "steady"
    case .drifting(let change):
      (change < 0 ? "fell by " : "rose by ") + Figures.percent(change.magnitude, decimals: 0)
    }
  }
}
