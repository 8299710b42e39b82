import LoadTesting

/// The report of `bench` for a person. Lines without data are left out; there are no escapes.
struct TextReport {
  private let report: LoadReport
  private let table: MetricRows

  init(_ report: LoadReport) {
    self.report = report
    table = MetricRows(report)
  }

  /// The whole report, every line ended by LF.
  var text: String {
    (head + verdict + thresholds + connections + messages + errors + closes + generator)
      .map { $0 + "\n" }.joined()
  }

  // MARK: what was measured

  private var head: [String] {
    let plan = report.configuration
    let own = report.ownConnections
    let conns = "\(Figures.count(own)) conn\(own == 1 ? "" : "s")"
    var parts = [plan.mode.name]
    switch plan.pacing {
    case .open:
      let rate = report.ownRate ?? 0
      let each = Figures.rate(rate / Double(max(1, own)))
      parts += ["open loop", "\(conns) × \(each) msg/s = \(Figures.rate(rate))/s"]
    case .closed(let inflight):
      parts += ["closed loop", "\(conns) × \(Figures.count(inflight)) in flight"]
    }
    if let shard = report.run.shard {
      parts.append("shard \(shard.index)/\(shard.count) of \(Figures.count(plan.connections))")
    }
    parts.append(Figures.bytes(plan.payloadSize))
    if let arrival = plan.pacing.arrival { parts.append(arrival.rawValue) }
    let line = Self.line(report.target.url) + "   " + parts.joined(separator: ", ")
    var lines =
      line.count <= ReportLayout.width
      ? [line]
      : [Self.line(report.target.url)]
        + ReportLayout.wrapped(parts.joined(separator: ", "), indent: 2)
    if !plan.pacing.isOpen {
      lines.append("closed loop: latency excludes waiting; use -R for latency")
    }
    return lines
  }

  private var verdict: [String] {
    let state = report.verdict.state.rawValue.uppercased()
    let words = FindingText(report)
    var facts: [String] = []
    if isOpen, report.planned > 0 {
      let share = Double(report.messages.sent) / Double(report.planned)
      facts.append("target reached " + Figures.percent(share, decimals: 1))
    }
    if let measured = report.phase(.measure) {
      var fact = Figures.seconds(measured.duration) + " measured"
      if let warmUp = report.phase(.warmUp) {
        fact += " after \(Figures.seconds(warmUp.duration)) warm-up"
      }
      facts.append(fact)
    }
    let line = facts.joined(separator: "   ")
    guard !report.verdict.reasons.isEmpty else {
      return [([state] + facts).joined(separator: "   ")]
    }
    let reasons = report.verdict.reasons.flatMap { reason in
      ReportLayout.wrapped(
        "\(reason.state.rawValue.uppercased()): \(words.text(reason.finding))", indent: 4)
    }
    return facts.isEmpty ? reasons : reasons + [line]
  }

  private var thresholds: [String] {
    let heading = "Thresholds"
    return report.outcomes.enumerated().flatMap { index, outcome in
      ReportLayout.wrapped(
        ThresholdText(outcome).line,
        first: Figures.left(index == 0 ? heading : "", ReportLayout.headingWidth),
        indent: ReportLayout.headingWidth + 2)
    }
  }

  // MARK: connections and messages

  private var connections: [String] {
    let counts = report.connections
    var lines =
      [""]
      + ReportLayout.list(
        "Connections",
        [
          "\(Figures.count(counts.opened)) open of \(Figures.count(counts.asked))",
          "\(Figures.count(counts.failed)) failed", "\(Figures.count(counts.lost)) lost",
          "connect at \(Figures.rate(report.configuration.connectRate))/s",
        ])
    let rows = table.lines([.connect])
    guard !rows.isEmpty else { return lines }
    lines += rows
    let medians = [Metric.tcp, .tls, .upgrade].compactMap { part in
      median(part).map { "\(part.key) \($0)" }
    }
    var parts = medians.isEmpty ? [] : [medians.joined(separator: "  ") + " (p50)"]
    // There is one look-up a run, so it has no percentiles.
    if let lookUp = report.metrics[.dns]?.largest {
      parts.insert("dns " + Figures.percentile(lookUp), at: 0)
    }
    if !parts.isEmpty { lines.append("    " + parts.joined(separator: "  ")) }
    return lines + note([.connect])
  }

  private var messages: [String] {
    let counts = report.messages
    var parts = [
      "\(Figures.count(counts.sent)) sent", "\(Figures.count(counts.answered)) answered",
      "\(Figures.count(counts.unanswered)) unanswered",
    ]
    let exceptions = [
      (counts.failed, "failed"), (counts.unsent, "unsent"),
      (counts.missing, "without a connection"), (counts.dropped, "dropped"),
      (counts.inFlightAtEnd, "in flight"), (counts.late, "late replies"),
      (counts.duplicate, "double replies"), (counts.unknown, "unknown replies"),
    ]
    for (count, name) in exceptions where count != 0 {
      parts.append("\(Figures.count(count)) \(name)")
    }
    parts.append("\(Figures.rate(report.rates.answered))/s")
    if let traffic { parts.append("frames \(traffic)") }
    if let compression { parts.append(compression) }
    let metrics: [Metric] = [.roundTrip, .service, .late]
    // In the closed loop it would be the same line again.
    let shown = metrics.filter { isOpen || $0 != .service }
    let rows = table.lines(shown)
    return ReportLayout.list("Messages", parts) + warmUp + rows
      + (rows.isEmpty ? [] : legend(shown)) + note(shown)
  }

  private func note(_ metrics: [Metric]) -> [String] {
    table.note(metrics).map { ReportLayout.wrapped($0, first: "    ", indent: 4) } ?? []
  }

  private var isOpen: Bool { report.configuration.pacing.isOpen }

  /// Where the durations count from.
  private func legend(_ metrics: [Metric]) -> [String] {
    let parts = metrics.filter { report.metrics[$0] != nil }.map { metric in
      // In the closed loop a message is intended when it is sent.
      let label = isOpen || metric != .roundTrip ? metric.label : Metric.service.label
      return metric.key + (metric == .late ? ": " : " ") + label
    }
    return ReportLayout.wrapped(parts.joined(separator: "; "), first: "    ", indent: 4)
  }

  /// What went wrong before the window, which none of its figures show.
  private var warmUp: [String] {
    let counts = report.warmUp
    var parts: [String] = []
    if counts.failed > 0 { parts.append("\(Figures.count(counts.failed)) messages failed") }
    // A message or two at the very end are dropped by any wake-up that is late.
    if counts.dropped * 100 > counts.sent {
      parts.append(
        "\(Figures.count(counts.dropped)) messages were dropped at its end, not yet sent")
    }
    return parts.isEmpty ? [] : ReportLayout.list("Warm-up", parts)
  }

  private var traffic: String? {
    guard let window = report.phase(.measure)?.duration, window > 0,
      report.wire != LoadReport.Traffic()
    else { return nil }
    let seconds = Double(window) / 1e9
    let up = Double(report.wire.sent) / seconds / 1e6
    let down = Double(report.wire.received) / seconds / 1e6
    return "↑\(Figures.decimal(up, decimals: 2)) ↓\(Figures.decimal(down, decimals: 2)) MB/s"
  }

  private var compression: String? {
    guard let compression = report.compression, compression.sentTo > 0 else { return nil }
    let ratio = Double(compression.sentFrom) / Double(compression.sentTo)
    return "compressed \(Figures.decimal(ratio, decimals: 1)):1"
  }

  private func median(_ metric: Metric) -> String? {
    guard let median = report.metrics[metric]?[.p50], median.bound != nil else { return nil }
    return Figures.percentile(median)
  }

  // MARK: what went wrong, how it ended, and who measured

  private var errors: [String] {
    guard !report.errors.isEmpty else { return [heading("Errors") + "none"] }
    var label = "Errors"
    var lines: [String] = []
    for entry in report.errors {
      var line = "\(Figures.count(entry.count)) × \(entry.phase.rawValue) \(entry.class.name)"
      if let code = entry.code { line += " (\(code))" }
      line += ", first at \(Figures.seconds(entry.first))"
      if let sample = entry.sample { line += ": " + Self.line(sample) }
      lines += ReportLayout.wrapped(
        line, first: heading(label), indent: ReportLayout.headingWidth + 2)
      label = ""
    }
    return lines
  }

  private var closes: [String] {
    guard !report.closes.isEmpty else { return [] }
    let endings = report.closes.map { entry in
      let name =
        CloseNames.name(of: entry.code, subprotocol: report.target.subprotocol).map { " " + $0 }
        ?? ""
      return "\(Figures.count(entry.count)) × \(entry.code)\(name) (\(entry.by.rawValue))"
    }
    return ReportLayout.list("Close", endings)
  }

  private var generator: [String] {
    let check = report.selfCheck
    var parts: [String] = []
    if let share = check.busiestLoop {
      let awake =
        check.awake >= 0.005
        ? " (and \(Figures.percent(check.awake, decimals: 0)) awake before messages are due)" : ""
      parts.append("cpu busiest loop " + Figures.percent(share, decimals: 0) + awake)
    }
    if let share = check.host { parts.append("host " + Figures.percent(share, decimals: 0)) }
    if let delay = check.loopDelayP99 { parts.append("loop delay p99 " + Figures.duration(delay)) }
    if let files = check.files { parts.append("fds \(files.used)/\(files.limit)") }
    return parts.isEmpty ? [] : ReportLayout.list("Generator", parts)
  }

  private func heading(_ text: String) -> String {
    Figures.left(text, ReportLayout.headingWidth)
  }

  /// Text from the peer must not break the line that it is printed in.
  private static func line(_ text: String) -> String {
    var line = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      line.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return String(line)
  }
}
