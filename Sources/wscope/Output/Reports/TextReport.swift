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
    let figures = thresholds + durations
    let lines = [head, figures, messages + connections + errors + closes + generator]
    return lines.filter { !$0.isEmpty }.map { $0.map { $0 + "\n" }.joined() }
      .joined(separator: "\n")
  }

  // MARK: The result

  /// The verdict, the result in a sentence, what is wrong with it, and what was run.
  private var head: [String] {
    let state = report.verdictText
    let line = state + "  " + Self.line(report.target.url)
    let findings = FindingText(report)
    let words = ReportHead(report)
    let reasons = report.verdict.reasons.flatMap { reason in
      ReportLayout.wrapped(
        "\(reason.state.rawValue.uppercased()): \(findings.text(reason.finding))", indent: 4)
    }
    return (line.count <= ReportLayout.width ? [line] : [state, Self.line(report.target.url)])
      + ReportLayout.wrapped(ReportSentence(report).text, indent: 0) + reasons
      + ReportLayout.wrapped(words.setup, indent: 2)
      + (words.facts.isEmpty
        ? [] : ReportLayout.wrapped(words.facts.joined(separator: ", "), indent: 2))
      + (words.caveat.map { [$0] } ?? [])
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

  /// The table of durations, and what it lacks.
  private var durations: [String] {
    // In the closed loop it would be the same line again.
    let metrics: [Metric] = [.roundTrip, .service, .late].filter { isOpen || $0 != .service }
    let shown = metrics + [.connect]
    let notes = Dictionary(uniqueKeysWithValues: shown.map { ($0, origin($0)) })
    let rows = table.lines(shown, notes: notes)
    guard !rows.isEmpty else { return [] }
    return rows + parts
      + (table.note(shown).map { ReportLayout.wrapped("  " + $0, indent: 2) } ?? [])
  }

  /// Where the durations of a metric count from.
  private func origin(_ metric: Metric) -> String {
    switch metric {
    case .connect: "at \(Figures.rate(report.configuration.connectRate))/s"
    // In the closed loop a message is intended when it is sent.
    case .roundTrip: (isOpen ? metric : .service).label
    default: metric.label
    }
  }

  /// What a connection took its time for.
  private var parts: [String] {
    let medians = [Metric.tcp, .tls, .upgrade].compactMap { part in
      median(part).map { "\(part.key) \($0)" }
    }
    // There is one look-up a run, so it has no percentiles.
    let lookUp = report.metrics[.dns]?.largest.map { "dns " + Figures.percentile($0) }
    let texts = [
      medians.isEmpty ? nil : "connect p50: " + medians.joined(separator: ", "), lookUp,
    ].compactMap(\.self)
    return texts.isEmpty ? [] : ["  " + texts.joined(separator: "; ")]
  }

  // MARK: Connections and messages

  private var connections: [String] {
    let counts = report.connections
    return ReportLayout.list(
      "Connections",
      [
        "\(Figures.count(counts.opened)) of \(Figures.count(counts.asked)) open",
        "\(Figures.count(counts.failed)) failed", "\(Figures.count(counts.lost)) lost",
      ])
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
    return ReportLayout.list("Messages", parts) + warmUp
  }

  private var isOpen: Bool { report.configuration.pacing.isOpen }

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

  // MARK: Failures, ends, and this client

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
      parts.append("loop " + Figures.percent(share, decimals: 0) + awake)
    }
    if let share = check.host { parts.append("host " + Figures.percent(share, decimals: 0)) }
    if let delay = check.loopDelayP99 { parts.append("loop delay p99 " + Figures.duration(delay)) }
    if let files = check.files {
      parts.append("fds \(Figures.count(files.used))/\(Figures.count(files.limit))")
    }
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
