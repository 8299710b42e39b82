import Conversation
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// `bench transports`: its report in each format, and the binary.
@Suite(.blocking) struct BenchTransportsTests {
  private static func result(
    _ arm: TransportArm, p50: Int64, bytes: Double?, predicted: Double
  ) -> ArmResult {
    var histogram = LatencyHistogram()
    for _ in 0..<2000 { histogram.record(p50) }
    var result = ArmResult(
      arm, block: 0, latency: histogram.summary([.p50, .p99]), predictedBytes: predicted)
    (result.published, result.expected, result.delivered, result.batches) = (40, 4000, 4000, 3990)
    (result.wireBytes, result.serverTime, result.openingBytes) = (bytes, 12_300, 640)
    result.acknowledgement = 210_000
    return result
  }

  static var report: TransportReport {
    let plan = TransportPlan(seed: 42)
    let results = plan.arms.enumerated().map { index, arm in
      result(
        arm, p50: arm.interval.map { $0 / 2 } ?? 300_000 * Int64(index + 1),
        bytes: arm == .webSocket ? 171 : 95 * Double(index + 1),
        predicted: arm == .webSocket ? 170 : 100 * Double(index + 1))
    }
    return TransportReport(
      plan: plan, url: "http://127.0.0.1:8080", isOwnServer: true, version: "1", build: "release",
      machine: HostFacts(), results: results)
  }

  // MARK: Formats

  @Test func theTextFitsAndReadsFromTheTop() {
    let lines = TransportText(Self.report).text.split(
      separator: "\n", omittingEmptySubsequences: false)
    for line in lines { #expect(line.count <= 80, "\(line)") }
    #expect(
      lines[0] == "WebSocket against SSE and polling, its own server, http://127.0.0.1:8080")
    #expect(lines[1] == "5 updates/s of 64 B to 100 clients, 7 s each, seed 42")
    #expect(
      lines[4]
        == "WebSocket         100.0 %  1.00   300 µs   300 µs   300 µs   171   170  12.3 µs")
    #expect(
      lines.contains("fresher than poll 1s          0 : 500 ms     300 µs : 500 ms     holds"))
    #expect(
      lines.contains("smaller than SSE              170 : 200 B    171 : 190 B         holds"))
    let text = lines.joined(separator: " ")
    #expect(text.contains("From 2.69 updates/s on it needs fewer: polling is the better choice"))
    #expect(text.contains("polling every 100ms needs 2.22 × the bytes of WebSocket"))
  }

  /// The longest words that a claim can have.
  @Test func everyClaimFits() {
    let arms: [TransportArm] = [
      .webSocket, .eventStream, .longPoll, .poll(every: 1_500_000_000),
      .freshPoll(every: 1_500_000_000), .webSocketEcho, .postEcho, .freshPostEcho,
    ]
    for quantity in TransportClaim.Quantity.allCases {
      let isSize = quantity == .bytes || quantity == .roundTripBytes
      for arm in arms {
        let claim = TransportClaim(
          quantity: quantity, webSocket: .webSocket, other: arm,
          predicted: isSize ? (999, 99_999) : (0, 750e6),
          measured: isSize ? (999, 99_999) : (999e3, 999e6), word: .doesNotHold)
        let line = TransportClaimText(claim).line
        #expect(line.count <= 80, "\(line)")
        #expect(line.hasSuffix("does not hold !"), "\(line)")
      }
    }
  }

  @Test func whatIsMissingIsNamed() {
    var report = Self.report
    report.results[0].delivered = 3999
    report.results[1].foreign = 2
    (report.results[3].requests, report.results[3].late) = (100, 6)
    report.build = "debug"
    let text = TransportText(report).text.replacing("\n", with: " ")
    #expect(text.contains("WebSocket: 1 of 4000 missing; its claims are not decided."))
    #expect(text.contains("SSE: 2 updates of another publisher; its claims"))
    #expect(text.contains("poll 100ms: 6 of 100 requests began late, as the machine is too slow"))
    #expect(text.contains("This is a debug build"))
    #expect(!report.isComplete)
    for claim in report.claims where claim.webSocket == .webSocket {
      #expect(claim.word == .unknown)
    }
  }

  @Test func theSummaryIsATable() {
    let lines = TransportMarkdown(Self.report).text.split(separator: "\n")
    #expect(lines.first == "### WebSocket against SSE and polling")
    #expect(lines.contains("| WebSocket is smaller than SSE | 170 : 200 B | 171 : 190 B | holds |"))
  }

  @Test func resultsAreValid() throws {
    let schema = SchemaCheck(try JSONValue.parse(TransportReport.schemaDocument))
    let text = TransportJSON(Self.report).text
    #expect(schema.problems(of: try JSONValue.parse(Array(text.utf8))) == [])
    for (old, new) in [
      (#""schema":"#, #""scheme":"#), (#""unit":"update""#, #""unit":"message""#),
      (#""word":"holds""#, #""word":"true""#), (#""late":"#, #""more":1,"late":"#),
    ] {
      let wrong = text.replacing(old, with: new, maxReplacements: 1)
      #expect(wrong != text, "\(old)")
      #expect(schema.problems(of: try JSONValue.parse(Array(wrong.utf8))) != [], "\(new)")
    }
  }

  /// A number without its unit is a riddle.
  @Test func everyMemberOfTheSchemaIsDescribed() throws {
    var seen = 0
    func walk(_ value: JSONValue, _ path: String) {
      guard case .object(let members) = value else { return }
      if value["type"] != nil || value["enum"] != nil {
        let words = value["description"]?.string ?? ""
        let isNumber = [JSONValue.string("number"), .string("integer")].contains(value["type"])
        let units = ["anosecond", "umber", "econd", "ytes", "atio"]
        #expect(!isNumber || units.contains { words.contains($0) }, "\(path): \(words)")
        #expect(!words.isEmpty || path.isEmpty, "\(path)")
        seen += 1
      }
      for member in members { walk(member.value, path + "/" + member.name) }
    }
    walk(try JSONValue.parse(TransportReport.schemaDocument), "")
    #expect(seen > 50)
  }

  // MARK: The binary

  @Test func theSchemaIsPrinted() throws {
    let printed = try Wscope.run(["bench", "transports", "--schema"])
    #expect(printed.exitCode == 0)
    #expect(Array(printed.outputText.utf8) == TransportReport.schemaDocument)
  }

  @Test func aServerOfListenIsCompared() throws {
    let listener = try Listener(["--transports", "--quiet"])
    let file = try Wscope.scratch("transports") + "/summary.md"
    try Wscope.write("before\n", to: file)
    let finished = try Wscope.run([
      "bench", "transports", "http://127.0.0.1:\(listener.port)", "-d", "400ms", "--poll-every",
      "100ms", "-c", "2", "--updates", "20", "--seed", "1", "--format", "json", "--summary-md",
      file,
    ])
    // 98: a loaded machine polls late.
    #expect([0, 98].contains(finished.exitCode), "\(finished.errorText)")
    let json = try JSONValue.parse(Array(finished.outputText.utf8))
    #expect(
      SchemaCheck(try JSONValue.parse(TransportReport.schemaDocument)).problems(of: json) == [])
    guard case .array(let arms)? = json["arms"] else {
      Issue.record("no arms")
      return
    }
    #expect(arms.count == 8)
    for arm in arms { #expect(arm["delivered"] == arm["expected"], "\(arm)") }
    #expect(json["own_server"] == .bool(false) && json["plan"]?["seed"] == .string("1"))
    #expect(finished.errorText.contains("8/8  POST echo, new"))
    #expect(try Wscope.read(file).hasPrefix("before\n### WebSocket against"))
  }

  @Test func aServerWithoutThePathsIsExplained() throws {
    let listener = try Listener(["--quiet"])
    let url = "http://127.0.0.1:\(listener.port)"
    let finished = try Wscope.run(["bench", "transports", url, "-q"])
    #expect(finished.exitCode == 22)
    #expect(
      finished.errorText
        == "wscope: \(url) does not serve /t/poll\n  got: status 404\n  try: wscope listen --transports\n"
    )
  }

  @Test(arguments: [
    (["http://127.0.0.1:1"], 7, "cannot connect to 127.0.0.1:1: Connection refused"),
    (["https://localhost"], 2, "transports are compared without TLS: use http:// or ws://"),
    (["localhost:8080/t/ws"], 2, "the URL must be that of a server alone"),
    (["ftp://x"], 3, "unsupported URL scheme"),
    (["--updates", "2000"], 2, "--updates must be at most 1000 a second"),
    (["--updates", "0"], 2, "--updates"), (["-c", "0"], 2, "--clients must be from 1 to 10000"),
    (["--repeat", "0"], 2, "--repeat must be from 1 to 1000"),
    (["--poll-every", "1s,1s"], 2, "--poll-every"), (["--poll-every", "1ms"], 2, "--poll-every"),
    (["-d", "3s"], 2, "--duration must be at least four times the longest of --poll-every"),
    (["--updates", "0.1"], 2, "--duration is too short for four updates"),
    (["--format", "html"], 2, "--format"), (["--summary-md", "-"], 2, "use --format md"),
    (["--summary-md", "/nonexistent/x"], 23, "/nonexistent/x"),
  ])
  func badInputGetsOneLine(_ arguments: [String], _ status: Int32, _ message: String) throws {
    let finished = try Wscope.run(["bench", "transports", "-q"] + arguments)
    #expect(finished.exitCode == status, "\(finished.errorText)")
    #expect(finished.errorText.contains(message), "\(finished.errorText)")
    #expect(finished.outputText.isEmpty)
  }
}
