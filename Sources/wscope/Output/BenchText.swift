import LoadTesting
import WebSocketProtocol

/// The report of `bench` for a person. Lines without data are left out; there are no escapes.
struct BenchText {
  private static let labelWidth = 18
  private static let headingWidth = 13

  private let report: LoadReport
  private let connectRows: [Row]
  private let messageRows: [Row]
  private let header: String
  private let widths: [Int]

  init(_ report: LoadReport) {
    self.report = report
    let columns = Columns(report)
    var isOpen = false
    if case .open = report.plan.model { isOpen = true }
    connectRows = [columns.row(.connect, "connect", "")].compactMap(\.self)
    messageRows = [
      columns.row(
        .roundTrip, "rtt", isOpen ? "from intended send time" : "from actual send"),
      // In the closed loop it would be the same line again.
      isOpen ? columns.row(.service, "rtt.service", "from actual send") : nil,
      columns.row(.late, "late", "generator delay"),
      columns.row(.write, "write", "backpressure"),
    ].compactMap(\.self)
    widths = columns.widths(connectRows + messageRows)
    header = Self.line(Figures.left("", Self.labelWidth), columns.names, widths)
  }

  /// The whole report, every line ended by LF.
  var text: String {
    (head + verdict + connections + messages + errors + closes + generator)
      .map { $0 + "\n" }.joined()
  }

  // MARK: what was measured

  private var head: [String] {
    let plan = report.plan
    let own = plan.ownConnections
    let conns = "\(Figures.count(own)) conn\(own == 1 ? "" : "s")"
    var parts = [plan.mode.rawValue]
    switch plan.model {
    case .open:
      let rate = plan.ownRate ?? 0
      let each = Figures.rate(rate / Double(max(1, own)))
      parts += ["open loop", "\(conns) × \(each) msg/s = \(Figures.rate(rate))/s"]
    case .closed(let inflight):
      parts += ["closed loop", "\(conns) × \(Figures.count(inflight)) in flight"]
    }
    if let shard = plan.shard {
      parts.append("shard \(shard.index)/\(shard.count) of \(Figures.count(plan.connections))")
    }
    parts.append(Figures.bytes(plan.payloadSize))
    if case .open(_, let arrival) = plan.model { parts.append(arrival.rawValue) }
    var lines = [Self.line(report.target.url) + "   " + parts.joined(separator: ", ")]
    if case .closed = plan.model {
      lines.append("closed loop: latency excludes waiting; use -R for latency")
    }
    return lines
  }

  private var verdict: [String] {
    let state = report.verdict.state.rawValue.uppercased()
    let words = FindingText(report)
    var facts: [String] = []
    if let target = report.rates.target, target > 0 {
      facts.append("target reached " + Figures.percent(report.rates.sent / target, decimals: 1))
    }
    if let measured = report.phase(.measure) {
      var fact = Figures.decimal(Double(measured.duration) / 1e9, decimals: 1) + " s measured"
      if let warmUp = report.phase(.warmUp) {
        fact += " after \(Figures.decimal(Double(warmUp.duration) / 1e9, decimals: 1)) s warm-up"
      }
      facts.append(fact)
    }
    guard !report.verdict.reasons.isEmpty else {
      return [([state] + facts).joined(separator: "   ")]
    }
    let reasons = report.verdict.reasons.map { reason in
      "\(reason.state.rawValue.uppercased()): \(words.text(reason.finding))"
    }
    return facts.isEmpty ? reasons : reasons + [facts.joined(separator: "   ")]
  }

  // MARK: connections and messages

  private var connections: [String] {
    let counts = report.connections
    var line = heading("Connections")
    line += "\(Figures.count(counts.opened)) open of \(Figures.count(counts.asked)), "
    line += "\(Figures.count(counts.failed)) failed, \(Figures.count(counts.lost)) lost"
    line += "          connect at \(Figures.rate(report.plan.connectRate))/s"
    var lines = ["", line]
    guard !connectRows.isEmpty else { return lines }
    lines += [header] + connectRows.map(laidOut)
    let parts: [LoadReport.Metric] = [.dns, .tcp, .tls, .upgrade]
    let medians = parts.compactMap { part in
      median(part).map { "\(part.rawValue) \($0)" }
    }
    if !medians.isEmpty { lines.append("    " + medians.joined(separator: "  ") + " (p50)") }
    return lines
  }

  private var messages: [String] {
    let counts = report.messages
    var parts = [
      "\(Figures.count(counts.sent)) sent", "\(Figures.count(counts.answered)) answered",
      "\(Figures.count(counts.unanswered)) unanswered",
    ]
    let exceptions = [
      (counts.failed, "failed"), (counts.unsent, "unsent"), (counts.inFlightAtEnd, "in flight"),
      (counts.stale, "late or double replies"), (counts.unknown, "unknown replies"),
    ]
    for (count, name) in exceptions where count != 0 {
      parts.append("\(Figures.count(count)) \(name)")
    }
    var line = heading("Messages") + parts.joined(separator: ", ")
    line += "     \(Figures.rate(report.rates.answered))/s"
    if let traffic { line += "   frames \(traffic)" }
    // One line of column names serves both tables.
    let names = connectRows.isEmpty && !messageRows.isEmpty ? [header] : []
    return [line] + names + messageRows.map(laidOut)
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

  private func median(_ metric: LoadReport.Metric) -> String? {
    guard let summary = report.metrics[metric], summary.count + summary.censored > 0,
      let median = summary[.p50]
    else { return nil }
    return Figures.percentile(median)
  }

  // MARK: what went wrong, how it ended, and who measured

  private var errors: [String] {
    guard !report.errors.isEmpty else { return [heading("Errors") + "none"] }
    var label = "Errors"
    var lines: [String] = []
    for entry in report.errors {
      var line = heading(label)
      line += "\(Figures.count(entry.count)) × \(entry.phase.rawValue) \(entry.class.name)"
      if let code = entry.code { line += " (\(code))" }
      line += ", first at \(Figures.decimal(Double(entry.first) / 1e9, decimals: 1)) s"
      if let sample = entry.sample { line += ": " + Self.line(sample) }
      lines.append(line)
      label = ""
    }
    return lines
  }

  private var closes: [String] {
    guard !report.closes.isEmpty else { return [] }
    let endings = report.closes.map { entry in
      let own = CloseWords.ownName(
        CloseCode(rawValue: UInt16(clamping: entry.code)), subprotocol: report.target.subprotocol)
      let name = (Self.closeNames[entry.code] ?? own).map { " " + $0 } ?? ""
      return "\(Figures.count(entry.count)) × \(entry.code)\(name) (\(entry.by.rawValue))"
    }
    return [heading("Close") + endings.joined(separator: ", ")]
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
    return parts.isEmpty ? [] : [heading("Generator") + parts.joined(separator: ", ")]
  }

  private static let closeNames: [Int: String] = [
    1000: "normal", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
    1005: "no code", 1006: "no close frame", 1007: "invalid data", 1008: "policy violation",
    1009: "message too big", 1010: "extension missing", 1011: "server error",
    1012: "service restart", 1013: "try again later", 1014: "bad gateway",
  ]

  // MARK: layout

  private func laidOut(_ row: Row) -> String {
    let label = Figures.left("  " + row.label, Self.labelWidth)
    return Self.line(label, row.cells, widths) + (row.note.isEmpty ? "" : "   " + row.note)
  }

  private static func line(_ label: String, _ cells: [String], _ widths: [Int]) -> String {
    label + zip(cells, widths).map { Figures.right($0, $1) }.joined(separator: "   ")
  }

  private func heading(_ text: String) -> String { Figures.left(text, Self.headingWidth) }

  /// A stranger's text must not break the line that it stands in.
  private static func line(_ text: String) -> String {
    var line = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      line.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return String(line)
  }
}

/// One line of the table of durations.
private struct Row {
  var label: String
  var cells: [String]
  var note: String
}

/// The columns of the table: the percentiles asked for, the same for every metric, and the largest.
private struct Columns {
  private let report: LoadReport
  private let levels: [PercentileLevel]

  init(_ report: LoadReport) {
    self.report = report
    let summary = report.metrics[.roundTrip] ?? report.metrics[.connect]
    levels = summary?.percentiles.map(\.level) ?? []
  }

  var names: [String] { levels.map { "p" + $0.text } + ["max"] }

  /// As wide as the widest figure, so that all rows stand below each other.
  func widths(_ rows: [Row]) -> [Int] {
    names.enumerated().map { column, name in
      rows.reduce(max(7, name.count)) { max($0, $1.cells[column].count) }
    }
  }

  /// nil when the metric was not measured.
  func row(_ metric: LoadReport.Metric, _ label: String, _ note: String) -> Row? {
    guard let summary = report.metrics[metric], summary.count + summary.censored > 0 else {
      return nil
    }
    let cells = levels.map { Figures.percentile(summary[$0]) }
    return Row(label: label, cells: cells + [Figures.percentile(summary.largest)], note: note)
  }
}
