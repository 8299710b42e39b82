import LoadTesting

/// A comparison of transports for a person, at most 80 columns wide unless the URL is longer.
struct TransportText {
  private let report: TransportReport
  private var plan: TransportPlan { report.plan }

  private static let nameWidth = 17

  init(_ report: TransportReport) { self.report = report }

  /// Every line ended by LF.
  var text: String {
    (head + [""] + arms + [""] + claims + [""] + TransportSentences(report).lines)
      .map { $0 + "\n" }.joined()
  }

  private var head: [String] {
    let server = report.isOwnServer ? "its own server, \(report.url)" : report.url
    let blocks = plan.blocks == 1 ? "" : ", \(plan.blocks) blocks"
    return [
      "WebSocket against SSE and polling, \(server)",
      "\(Figures.rate(plan.updates)) updates/s of \(TransportPlan.payload) B to "
        + "\(Figures.count(plan.clients)) clients, \(Figures.shortDuration(plan.measured)) each"
        + "\(blocks), seed \(plan.seed)",
    ]
  }

  // MARK: Arms

  private var arms: [String] {
    let columns = ["reach", "batch", "p50", "p99", "max", "bytes", "pred."]
    let updates = plan.arms.filter { !$0.isEcho }
    let echoes = plan.arms.filter(\.isEcho)
    return [heading("age of an update", columns)] + updates.compactMap(line)
      + [heading("round trip", columns)] + echoes.compactMap(line)
  }

  private func heading(_ name: String, _ columns: [String]) -> String {
    let widths = [8, 6, 9, 9, 9, 6, 6]
    let hasTime = report.results.contains { $0.serverTime != nil }
    let line = zip(columns, widths).reduce(Figures.left(name, Self.nameWidth)) {
      $0 + Figures.right($1.0, $1.1)
    }
    return line + (hasTime ? Figures.right("CPU", 9) : "")
  }

  private func line(_ arm: TransportArm) -> String? {
    let results = report.results(of: arm)
    guard !results.isEmpty else { return nil }
    func duration(_ value: (ArmResult) -> Int64?) -> String {
      report.median(of: arm) { value($0).map(Double.init) }.map { Figures.duration(Int64($0)) }
        ?? Figures.none
    }
    func bytes(_ value: Double?) -> String { value.map(Self.bytes) ?? Figures.none }
    let delivered = results.reduce(0) { $0 + $1.delivered }
    let expected = results.reduce(0) { $0 + $1.expected }
    let batches = results.reduce(0) { $0 + $1.batches }
    let cells = [
      (Figures.percent(Self.share(delivered, of: expected), decimals: 1), 8),
      (Figures.decimal(Self.share(delivered, of: batches), decimals: 2), 6),
      (duration { $0.latency[.p50]?.bound }, 9), (duration { $0.latency[.p99]?.bound }, 9),
      (duration { $0.latency.max }, 9), (bytes(report.median(of: arm) { $0.wireBytes }), 6),
      (bytes(report.median(of: arm) { $0.predictedBytes }), 6),
    ]
    let line = cells.reduce(Figures.left(arm.name, Self.nameWidth)) {
      $0 + Figures.right($1.0, $1.1)
    }
    let time = report.median(of: arm) { $0.serverTime }
    return line + (time.map { Figures.right(Figures.duration(Int64($0)), 9) } ?? "")
  }

  private static func share(_ part: Int, of whole: Int) -> Double {
    whole > 0 ? Double(part) / Double(whole) : 0
  }

  static func bytes(_ value: Double) -> String { Figures.count(Int(value.rounded())) }

  // MARK: Claims

  private var claims: [String] {
    let heading =
      Figures.left("WebSocket is …", TransportClaimText.widths[0])
      + Figures.left("predicted", TransportClaimText.widths[1])
      + Figures.left("measured", TransportClaimText.widths[2]) + "verdict"
    return [heading] + report.claims.map { TransportClaimText($0).line }
  }
}

/// One claim in words.
struct TransportClaimText {
  private let claim: TransportClaim

  init(_ claim: TransportClaim) { self.claim = claim }

  /// Of the columns, without the last one.
  static let widths = [30, 15, 20]

  /// What is claimed, after "WebSocket is".
  var text: String {
    switch claim.quantity {
    case .age: "fresher than \(claim.other.name)"
    case .bytes, .roundTripBytes: "smaller than \(claim.other.name)"
    case .roundTrip: "faster than \(claim.other.name)"
    case .serverTime: "cheaper than \(claim.other.name)"
    }
  }

  var prediction: String { claim.predicted.map(values) ?? Figures.none }
  var measured: String { claim.measured.map(values) ?? Figures.none }

  /// The verdict, with a mark if it is not what was predicted.
  var verdict: String {
    let word =
      switch claim.word {
      case .holds: "holds"
      case .doesNotHold: "does not hold"
      case .noDifference: "no difference"
      case .unknown: "?"
      }
    let isSurprise = claim.word != .unknown && claim.predictedWord.map { $0 != claim.word } ?? false
    return word + (isSurprise ? " !" : "")
  }

  var line: String {
    zip([text, prediction, measured], Self.widths).map { Figures.left($0, $1) }.joined() + verdict
  }

  private func values(_ values: (webSocket: Double, other: Double)) -> String {
    switch claim.quantity {
    case .bytes, .roundTripBytes:
      return "\(TransportText.bytes(values.webSocket)) : \(TransportText.bytes(values.other)) B"
    case .age, .roundTrip, .serverTime:
      func text(_ value: Double) -> String { value == 0 ? "0" : Figures.duration(Int64(value)) }
      return "\(text(values.webSocket)) : \(text(values.other))"
    }
  }
}

/// What a comparison of transports means, in sentences.
struct TransportSentences {
  private let report: TransportReport

  init(_ report: TransportReport) { self.report = report }

  /// Lines of at most 80 columns.
  var lines: [String] { all.flatMap(Self.wrapped) }

  /// One sentence or two for each fact.
  var all: [String] {
    report.breakEven.map(sentence) + notes
  }

  private func sentence(_ one: TransportReport.BreakEven) -> String {
    let plan = report.plan
    let interval = TransportArm.text(one.interval)
    let ratio = one.measured ?? one.predicted
    let age = report.median(of: .poll(every: one.interval)) {
      $0.latency[.p50]?.bound.map(Double.init)
    }
    let price = age.map { "; its updates are \(Figures.duration(Int64($0))) old (median)" } ?? ""
    return
      "At \(Figures.rate(plan.updates)) updates/s, polling every \(interval) needs "
      + "\(Figures.decimal(ratio, decimals: 2)) × the bytes of WebSocket\(price). "
      + "From \(Figures.rate(one.updates)) updates/s on it needs fewer: polling is the better choice "
      + "there, if an update may be \(interval) old."
  }

  private var notes: [String] {
    let plan = report.plan
    var notes = [
      "Fresher: the median age of an update. Smaller: IP packets in bytes for each update and client, or "
        + "each echo. Faster: the median round trip. Cheaper: processor time of the server. New: a new "
        + "connection for each request; elsewhere its opening is not counted. Predicted is for a network "
        + "without delay. Differences below 0.5 ms or 5 % count as none."
    ]
    if plan.blocks < TransportClaim.fewestBlocks {
      notes.append("One run shows values, not their spread: --repeat 8 adds a rank test.")
    }
    if report.claims.contains(where: { TransportClaimText($0).verdict.hasSuffix("!") }) {
      notes.append("! is not as predicted.")
    }
    for result in report.results where !result.isComplete {
      notes.append(incomplete(result))
    }
    if report.build == "debug" {
      notes.append("This is a debug build: its times are not comparable, its bytes are.")
    }
    return notes
  }

  private func incomplete(_ result: ArmResult) -> String {
    var causes: [String] = []
    if result.delivered < result.expected {
      causes.append(
        "\(Figures.count(result.expected - result.delivered)) of \(Figures.count(result.expected)) "
          + "missing")
    }
    if result.lost > 0 { causes.append("\(Figures.count(result.lost)) connections lost") }
    if result.foreign > 0 {
      causes.append("\(Figures.count(result.foreign)) updates of another publisher")
    }
    if result.isOverloaded {
      causes.append(
        "\(Figures.count(result.late)) of \(Figures.count(result.requests)) requests began late, as the "
          + "machine is too slow for so many clients")
    }
    if result.expected == 0 { causes.append("no update was due") }
    return "\(result.arm.name): \(causes.joined(separator: ", ")); its claims are not decided."
  }

  private static func wrapped(_ text: String) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > 80 {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return lines + (line.isEmpty ? [] : [line])
  }
}
