import Conversation
import LoadTesting
import Testing

@testable import wscope

/// The reports that the output tests print.
enum BenchFixture {
  static let ms: Int64 = 1_000_000
  static let second: Int64 = 1_000_000_000

  /// A summary with the four usual percentiles and the largest value, in microseconds.
  static func summary(
    _ count: Int, _ p50: Int64, _ p90: Int64, _ p99: Int64, _ p999: Int64?, _ max: Int64
  ) -> LatencySummary {
    let last = p999.map { Percentile.value($0 * 1000) } ?? .tooFewSamples(needed: 10_000)
    return LatencySummary(
      count: count, censored: 0, min: 1000, max: max * 1000,
      percentiles: [
        .init(.p50, .value(p50 * 1000)), .init(.p90, .value(p90 * 1000)),
        .init(.p99, .value(p99 * 1000)), .init(.p999, last),
      ])
  }

  /// An open-loop run in which nothing went wrong.
  static func open() -> LoadReport {
    let plan = LoadPlan(
      model: .open(rate: 20_000, arrival: .constant), connections: 1000,
      length: .duration(60 * second), warmUp: 2 * second, seed: UInt64.max)
    var counts = MessageCounts()
    counts.sent = 1_200_000
    counts.answered = 1_200_000
    counts.answeredInWindow = 1_199_940
    var closes = CloseTally()
    closes.record(code: 1000, by: .ours, count: 1000)
    var host = HostFacts()
    host.system = "Linux"
    host.cores = 4
    host.portRange = 32768...60999
    return LoadReport(
      tool: .init(version: "0.1.0", build: "release"),
      run: .init(
        id: "r1", started: 1_795_421_700_250 * ms, seed: plan.seed,
        argv: ["wscope", "bench", "ws://10.0.0.7:8080/echo", "-R", "20k"],
        tags: ["b": "2", "a": "1"],
        shard: .init(index: 0, count: 4)),
      target: .init(
        url: "ws://10.0.0.7:8080/echo", addresses: ["10.0.0.7"], extensions: ["permessage-deflate"]),
      plan: plan,
      phases: [
        .init(.connect, start: 0, duration: 2 * second),
        .init(.warmUp, start: 2 * second, duration: 2 * second),
        .init(.measure, start: 4 * second, duration: 60 * second),
      ],
      verdict: Verdict(reasons: []),
      connections: .init(asked: 1000, opened: 1000, failed: 0, lost: 0), messages: counts,
      metrics: [
        .connect: summary(1000, 920, 1310, 4020, nil, 5800),
        .tcp: summary(1000, 210, 300, 900, nil, 1000),
        .upgrade: summary(1000, 660, 800, 3000, nil, 4000),
        .roundTrip: summary(1_200_000, 412, 780, 2310, 9100, 23_100),
        .service: summary(1_200_000, 401, 760, 2240, 8900, 22_700),
        .late: summary(1_200_000, 11, 30, 122, 400, 1100),
      ],
      rates: .init(target: 20_000, sent: 20_000, answered: 19_999),
      payload: .init(sent: 76_800_000, received: 76_800_000),
      wire: .init(sent: 84_000_000, received: 79_200_000), closes: closes.entries,
      intervals: [
        .init(
          start: 0, duration: second, sent: 20_000, received: 19_990, open: 1000,
          rtt: summary(19_990, 412, 780, 2310, 9100, 23_100), errors: 0, cpu: 0.34,
          loopDelay: 200_000)
      ],
      selfCheck: SelfCheck(
        busiestLoop: 0.34, awake: 0.121, host: 0.41, loopDelayP99: 200_000,
        files: .init(used: 1024, limit: 65_536), latency: .steady, throughput: .drifting(-0.02)),
      host: host)
  }

  /// A closed-loop run of a server that fell ill.
  static func closed() -> LoadReport {
    var report = open()
    report.plan = LoadPlan(
      model: .closed(inflight: 1), connections: 100, length: .duration(10 * second),
      content: .generated(size: 16_384), seed: 1, threads: 2)
    report.rates = .init(sent: 95.5, answered: 90.7)
    report.phases = [.init(.measure, start: 0, duration: 10 * second)]
    report.wire = .init()
    report.connections = .init(asked: 100, opened: 98, failed: 2, lost: 1)
    report.messages.sent = 955
    report.messages.answered = 907
    report.messages.unanswered = 47
    report.messages.failed = 1
    var rtt = LatencyHistogram()
    for _ in 0..<907 { rtt.record(1_500 * 1000) }
    rtt.recordCensored(48, atLeast: 5 * second)
    report.metrics = [.roundTrip: rtt.summary()]
    var errors = ErrorTally()
    errors.record(.open, .unanswered, count: 47, at: 5_310 * ms)
    errors.record(.tcp, .refused, code: 111, count: 2, at: 20 * ms, sample: "no\u{1B}[2J\nthanks")
    report.errors = errors.entries
    var closes = CloseTally()
    closes.record(code: 1000, by: .ours, count: 97)
    closes.record(code: 1006, by: .peer)
    closes.record(code: 4001, by: .peer)
    report.closes = closes.entries
    report.selfCheck = SelfCheck(busiestLoop: 0.78)
    report.judge(targetMessages: nil)
    return report
  }
}

@Suite struct BenchTextTests {
  @Test func anOpenLoopThatWentWell() {
    #expect(
      BenchText(BenchFixture.open()).text == #"""
        ws://10.0.0.7:8080/echo   echo, open loop, 1000 conns × 20 msg/s = 20 000/s, 64 B, constant
        VALID   target reached 100.0 %   60.0 s measured after 2.0 s warm-up

        Connections  1000 open of 1000, 0 failed, 0 lost          connect at 500/s
                              p50       p90       p99          p99.9       max
          connect          920 µs   1.31 ms   4.02 ms   – (n<10 000)   5.80 ms
            tcp 210 µs  upgrade 660 µs (p50)
        Messages     1 200 000 sent, 1 200 000 answered, 0 unanswered     19 999/s   frames ↑1.40 ↓1.32 MB/s
          rtt              412 µs    780 µs   2.31 ms        9.10 ms   23.1 ms   from intended send time
          rtt.service      401 µs    760 µs   2.24 ms        8.90 ms   22.7 ms   from actual send
          late            11.0 µs   30.0 µs    122 µs         400 µs   1.10 ms   generator delay
        Errors       none
        Close        1000 × 1000 normal (ours)
        Generator    cpu busiest loop 34 % (and 12 % awake before messages are due), host 41 %, loop delay p99 200 µs, fds 1024/65536

        """#)
  }

  @Test func aClosedLoopThatDidNot() {
    #expect(
      BenchText(BenchFixture.closed()).text == #"""
        ws://10.0.0.7:8080/echo   echo, closed loop, 100 conns × 1 in flight, 16 KiB
        closed loop: latency excludes waiting; use -R for latency
        SUSPECT: busiest loop thread 78 % CPU; results may show this client. Use --threads 4
        10.0 s measured

        Connections  98 open of 100, 2 failed, 1 lost          connect at 500/s
        Messages     955 sent, 907 answered, 47 unanswered, 1 failed     90.7/s
                              p50       p90          p99          p99.9       max
          rtt             1.50 ms   1.50 ms   – (n<1000)   – (n<10 000)      >5 s   from actual send
        Errors       47 × open unanswered, first at 5.3 s
                     2 × tcp refused (111), first at 0.0 s: no [2J thanks
        Close        97 × 1000 normal (ours), 1 × 1006 no close frame (peer), 1 × 4001 (peer)
        Generator    cpu busiest loop 78 %

        """#)
  }

  @Test func closeCodesOfASubprotocol() {
    var report = BenchFixture.closed()
    report.target.subprotocol = "graphql-transport-ws"
    var closes = CloseTally()
    closes.record(code: 4401, by: .peer, count: 2)
    closes.record(code: 4001, by: .peer)
    report.closes = closes.entries
    let line = BenchText(report).text.split(separator: "\n").first { $0.contains("Close  ") }
    #expect(line == "Close        2 × 4401 unauthorized (peer), 1 × 4001 (peer)")
  }

  @Test func aRunThatNeverBegan() {
    var report = BenchFixture.closed()
    report.plan.connections = 1
    report.connections = .init(asked: 1, opened: 0, failed: 1, lost: 0)
    report.messages = MessageCounts()
    report.metrics = [.roundTrip: LatencyHistogram().summary()]
    report.rates = .init(sent: 0, answered: 0)
    report.phases = []
    report.closes = []
    report.errors.removeFirst()
    report.selfCheck = SelfCheck()
    report.judge(targetMessages: nil)
    #expect(
      BenchText(report).text == #"""
        ws://10.0.0.7:8080/echo   echo, closed loop, 1 conn × 1 in flight, 16 KiB
        closed loop: latency excludes waiting; use -R for latency
        INVALID: no message was sent, so nothing was measured; see the errors below

        Connections  0 open of 1, 1 failed, 0 lost          connect at 500/s
        Messages     0 sent, 0 answered, 0 unanswered     0/s
        Errors       2 × tcp refused (111), first at 0.0 s: no [2J thanks

        """#)
  }

  private static let findings: [(Verdict.Finding, String)] = [
    (
      .belowTarget(share: 0.982),
      "target reached 98.2 %; the rate was not kept by this client. Lower -R, or use --threads 2"
    ),
    (
      .late(p99: 3_100_000, roundTrip: 412_000),
      "sent late, p99 3.10 ms beside rtt p50 412 µs; results may show this client. "
        + "Lower -R, or use --threads 2"
    ),
    (
      .overloaded(unsent: 12_345),
      "overloaded: 12 345 messages unsent, 1024 already in flight on their connection; "
        + "the server does not keep up. Lower -R"
    ),
    (
      .latencyDrift(change: 0.25),
      "not steady: rtt p50 rose by 25 % over the window. Measure longer (-d), "
        + "or warm up longer (--warmup)"
    ),
    (
      .throughputDrift(change: -0.11),
      "not steady: throughput fell by 11 % over the window. Measure longer (-d), "
        + "or warm up longer (--warmup)"
    ),
    (
      .files(used: 960, limit: 1024),
      "960 of 1024 files open; connections may have failed here. Raise it: ulimit -n"
    ),
  ]

  @Test(arguments: findings)
  func findingsNameCauseNumberAndRemedy(finding: Verdict.Finding, words: String) {
    #expect(FindingText(BenchFixture.open()).text(finding) == words)
  }

  @Test func moreThreadsThanCoresAreNoRemedy() {
    var report = BenchFixture.open()
    report.plan.threads = 4
    #expect(
      FindingText(report).text(.busyLoop(share: 0.78))
        == "busiest loop thread 78 % CPU; results may show this client. "
        + "Use a second machine: all 4 cores have a thread")
  }
}

@Suite struct FiguresTests {
  @Test(arguments: [
    (0, "0 ns"), (999, "999 ns"), (1_000, "1.00 µs"), (12_345, "12.3 µs"), (999_499, "999 µs"),
    (999_700, "1.00 ms"), (2_314_000, "2.31 ms"), (9_995_000, "10.0 ms"), (23_149_000, "23.1 ms"),
    (999_500_000, "1.00 s"), (5_000_000_000, "5.00 s"), (3_600_000_000_000, "3600 s"),
    (-1_500, "-1.50 µs"), (Int64.max, "9223372037 s"),
  ])
  func durations(ns: Int64, text: String) { #expect(Figures.duration(ns) == text) }

  @Test(arguments: [(5_000_000_000, "5 s"), (1_500_000, "1.5 ms"), (100, "100 ns"), (0, "0 ns")])
  func shortDurations(ns: Int64, text: String) { #expect(Figures.shortDuration(ns) == text) }

  @Test(arguments: [
    (0, "0"), (-7, "-7"), (9999, "9999"), (10_000, "10 000"), (1_200_000, "1 200 000"),
    (-123_456, "-123 456"), (Int.min, "-9 223 372 036 854 775 808"),
  ])
  func counts(number: Int, text: String) { #expect(Figures.count(number) == text) }

  @Test(arguments: [
    (0, "0"), (0.5, "0.5"), (20, "20"), (33.333, "33.3"), (19_999.4, "19 999"), (.infinity, "–"),
    (1e300, "9 223 372 036 854 775 807"),
  ])
  func rates(rate: Double, text: String) { #expect(Figures.rate(rate) == text) }

  @Test(arguments: [
    (0, "0"), (950, "950"), (999.6, "1.00k"), (20_000, "20.0k"), (999_600, "1.00M"),
    (1_250_000, "1.25M"), (.nan, "–"),
  ])
  func shortRates(rate: Double, text: String) { #expect(Figures.shortRate(rate) == text) }

  @Test(arguments: [
    (0, "0 B"), (64, "64 B"), (1000, "1000 B"), (1536, "1.5 KiB"), (1 << 20, "1 MiB"),
  ])
  func sizes(bytes: Int, text: String) { #expect(Figures.bytes(bytes) == text) }

  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000Z"), (1_795_421_700_250_999_999, "2026-11-23T08:15:00.250Z"),
    (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
  ])
  func times(ns: Int64, text: String) { #expect(UTCTime(ns).text == text) }
}

@Suite struct BenchProgressTests {
  private static func measuring() -> BenchProgress {
    BenchProgress(
      phase: .measure, elapsed: 23_400 * BenchFixture.ms, planned: 60 * BenchFixture.second,
      asked: 1000, open: 1000, targetRate: 20_000, interval: BenchFixture.open().intervals.first,
      inFlight: 11, errors: 0)
  }

  @Test func measuringOpenLoop() {
    #expect(
      Self.measuring().plainLine
        == "measure 23/60s  open 1000  sent 20.0k/s 100%  recv 20.0k/s  "
        + "p50 412 µs p99 2.31 ms max 23.1 ms  inflight 11  err 0  cpu 34%  lag 200 µs")
  }

  @Test func connecting() {
    let progress = BenchProgress(
      phase: .connect, elapsed: 0, planned: nil, asked: 1000, open: 480, targetRate: nil,
      interval: nil, inFlight: 0, errors: 3)
    #expect(progress.plainLine == "connect 0s  open 480/1000  err 3")
  }

  @Test func anIntervalWithFewSamples() {
    var progress = Self.measuring()
    progress.targetRate = nil
    var rtt = LatencyHistogram()
    rtt.record(1_000_000)
    progress.interval?.rtt = rtt.summary()
    #expect(progress.plainLine.contains("sent 20.0k/s  recv 20.0k/s  p50 – p99 – max 1.00 ms  "))
  }

  @Test(arguments: [200, 100, 60, 30, 14, 5, 0, -1])
  func aTerminalIsNeverTooNarrow(columns: Int) {
    let line = Self.measuring().line(columns: columns)
    #expect(line.count <= max(0, columns))
    #expect(Self.measuring().plainLine.hasPrefix(line))
  }
}

@Suite struct JSONWriterTests {
  private static let strings: [(String, String)] = [
    ("plain", #""plain""#), ("a\"b\\c/", #""a\"b\\c/""#), ("\n\r\t", #""\n\r\t""#),
    ("\0\u{1B}[2J\u{7F}", ##""\u0000\u001b[2J\u007f""##), ("ä€😀", #""ä€😀""#),
    ("\u{9B}1m\u{2028}\u{202E}\u{2066}", ##""\u009b1m\u2028\u202e\u2066""##),
  ]

  @Test(arguments: strings)
  func stringsAreEscapedAndReadBack(value: String, text: String) throws {
    var json = JSONWriter()
    json.string(value)
    #expect(json.text == text)
    #expect(try JSONReader.read(json.text) == .string(value))
  }

  private static let numbers: [(Double, String)] = [
    (0, "0.0"), (-0.5, "-0.5"), (1e-7, "1e-07"), (1e300, "1e+300"), (.nan, "null"),
    (-.infinity, "null"), (0.1, "0.1"), (.leastNonzeroMagnitude, "5e-324"),
  ]

  @Test(arguments: numbers)
  func numbersReadBack(value: Double, text: String) throws {
    var json = JSONWriter()
    json.double(value)
    #expect(json.text == text)
    #expect(try JSONReader.read(text) == (value.isFinite ? .number(value) : .null))
  }

  @Test func nestingAndCommas() throws {
    var json = JSONWriter()
    json.object { json in
      json.member("empty") { _ in }
      json.member("list", array: [1, 2, 3]) { $0.integer($1) }
      json.key("mixed")
      json.array { json in
        json.array { _ in }
        json.null()
        json.boolean(false)
        json.object { $0.member("k", "v") }
        json.string("end")
      }
      json.member("none", nil as String?)
      json.member("yes", true)
      json.member("big", UInt64.max)
    }
    #expect(
      json.text == #"{"empty":{},"list":[1,2,3],"mixed":[[],null,false,{"k":"v"},"end"],"#
        + #""none":null,"yes":true,"big":18446744073709551615}"#)
    #expect(throws: Never.self) { try JSONReader.read(json.text) }
  }

  @Test func oneDocumentALine() {
    var json = JSONWriter()
    for number in 1...2 {
      json.object { $0.member("v", number) }
      json.startLine()
    }
    #expect(json.text == "{\"v\":1}\n{\"v\":2}\n")
  }

  @Test func linesForAPerson() throws {
    var json = JSONWriter(layout: .lines)
    json.object { json in
      json.member("a", array: [1, 2]) { $0.integer($1) }
      json.member("b") { $0.member("c", 1) }
    }
    #expect(json.text == "{\n  \"a\":[1,2],\n  \"b\":{\"c\":1}\n}")
    json = JSONWriter(layout: .lines)
    json.object { _ in }
    #expect(json.text == "{}")
  }
}

@Suite struct BenchJSONTests {
  @Test(arguments: [BenchFixture.open(), BenchFixture.closed()])
  func theShapeIsThatOfBench1(report: LoadReport) throws {
    let text = BenchJSON(report).text()
    #expect(text.hasSuffix("}\n"))
    let json = try JSONReader.read(text)
    #expect(
      json.names == [
        "schema", "tool", "run", "target", "config", "phases", "verdict", "connections",
        "messages", "metrics", "rates", "bytes", "errors", "closes", "intervals", "self", "env",
      ])
    #expect(json["schema"] == .string("bench/1"))
    let compact = BenchJSON(report).text(layout: .compact)
    #expect(compact.filter { $0 == "\n" }.count == 1)
    #expect(try JSONReader.read(compact) == json)
  }

  @Test func anOpenLoopThatWentWell() throws {
    let json = try JSONReader.read(BenchJSON(BenchFixture.open()).text())
    #expect(json["config", "model"] == .string("open"))
    #expect(json["config", "rate"] == .number(20_000))
    #expect(json["metrics", "rtt", "percentiles", "99", "v"] == .number(2_310_000))
    #expect(json["metrics", "connect", "percentiles", "99.9", "needs_samples"] == .number(10_000))
    #expect(json["metrics", "rtt_service", "unit"] == .string("ns"))
    #expect(json["run", "started"] == .string("2026-11-23T08:15:00.250Z"))
    #expect(json["run", "shard"] == .array([.number(0), .number(4)]))
    #expect(json["verdict", "reasons"] == .array([]))
    #expect(json["messages", "difference"] == .number(0))
    #expect(json["self", "throughput_drift"] == .number(-0.02))
  }

  @Test func aClosedLoopThatDidNot() throws {
    var report = BenchFixture.closed()
    for _ in 0..<60 { report.messages.sent += 1 }
    var rtt = LatencyHistogram()
    for _ in 0..<900 { rtt.record(1_000_000) }
    rtt.recordCensored(100, atLeast: 5_000_000_000)
    report.metrics[.roundTrip] = rtt.summary()
    report.judge(targetMessages: nil)
    let json = try JSONReader.read(BenchJSON(report).text())
    #expect(json["metrics", "rtt", "percentiles", "99", "at_least"] == .number(5_000_000_000))
    #expect(json["metrics", "rtt", "censored"] == .number(100))
    #expect(json["messages", "difference"] == .number(60))
    #expect(json["verdict", "state"] == .string("invalid"))
    guard case .array(let reasons)? = json["verdict", "reasons"] else {
      Issue.record("no reasons")
      return
    }
    #expect(
      reasons.map { $0["check"] } == [.string("accounting"), .string("cpu_loop")])
    #expect(json["rates", "target"] == .null)
    guard case .array(let errors)? = json["errors"] else {
      Issue.record("no errors")
      return
    }
    #expect(errors.last?["sample"] == .string("no\u{1B}[2J\nthanks"))
  }
}

/// Just enough of a JSON reader to hold the writer to RFC 8259: it accepts nothing else.
enum JSONReader {
  indirect enum Value: Equatable {
    case object([Member])
    case array([Value])
    case string(String)
    case number(Double)
    case boolean(Bool)
    case null

    struct Member: Equatable {
      var name: String
      var value: Value
    }

    /// The names of an object's members, in their order.
    var names: [String] {
      guard case .object(let members) = self else { return [] }
      return members.map(\.name)
    }

    /// The value at the end of a path of names.
    subscript(path: String...) -> Value? {
      path.reduce(self as Value?) { value, name in
        guard case .object(let members)? = value else { return nil }
        return members.first { $0.name == name }?.value
      }
    }
  }

  struct Failure: Error { var offset: Int }

  @discardableResult
  static func read(_ text: String) throws -> Value {
    var cursor = Cursor(bytes: Array(text.utf8))
    let value = try cursor.value()
    cursor.skipBlanks()
    guard cursor.offset == cursor.bytes.count else { throw Failure(offset: cursor.offset) }
    return value
  }

  private struct Cursor {
    var bytes: [UInt8]
    var offset = 0

    var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func skipBlanks() { while let next, " \t\r\n".utf8.contains(next) { offset += 1 } }

    mutating func take(_ text: String) -> Bool {
      guard bytes[offset...].starts(with: text.utf8) else { return false }
      offset += text.utf8.count
      return true
    }

    mutating func need(_ text: String) throws {
      guard take(text) else { throw Failure(offset: offset) }
    }

    mutating func value() throws -> Value {
      skipBlanks()
      if take("null") { return .null }
      if take("true") { return .boolean(true) }
      if take("false") { return .boolean(false) }
      if take("{") { return .object(try list("}") { try $0.member() }) }
      if take("[") { return .array(try list("]") { try $0.value() }) }
      return next == UInt8(ascii: "\"") ? .string(try string()) : .number(try number())
    }

    mutating func list<Element>(
      _ end: String, _ element: (inout Cursor) throws -> Element
    ) throws -> [Element] {
      var elements: [Element] = []
      skipBlanks()
      if take(end) { return elements }
      while true {
        elements.append(try element(&self))
        skipBlanks()
        if take(end) { return elements }
        try need(",")
      }
    }

    mutating func member() throws -> Value.Member {
      skipBlanks()
      let name = try string()
      skipBlanks()
      try need(":")
      return Value.Member(name: name, value: try value())
    }

    mutating func number() throws -> Double {
      let rest = bytes[offset...].prefix { "+-.eE0123456789".utf8.contains($0) }
      let text = String(decoding: rest, as: UTF8.self)
      let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
      let starts = digits.first?.isNumber == true && digits.last?.isNumber == true
      let padded = digits.hasPrefix("0") && digits.dropFirst().first?.isNumber == true
      guard starts, !padded, let number = Double(text) else { throw Failure(offset: offset) }
      offset += rest.count
      return number
    }

    mutating func string() throws -> String {
      try need("\"")
      var content: [UInt8] = []
      while let byte = next, byte != UInt8(ascii: "\"") {
        guard byte >= 0x20 else { throw Failure(offset: offset) }
        offset += 1
        guard byte == UInt8(ascii: "\\") else {
          content.append(byte)
          continue
        }
        content.append(contentsOf: String(try escaped()).utf8)
      }
      try need("\"")
      return String(decoding: content, as: UTF8.self)
    }

    mutating func escaped() throws -> Character {
      let plain: [String: Character] = [
        "n": "\n", "r": "\r", "t": "\t", "\"": "\"", "\\": "\\", "/": "/",
      ]
      for (name, character) in plain where take(name) { return character }
      try need("u")
      let digits = String(decoding: bytes[offset...].prefix(4), as: UTF8.self)
      guard digits.count == 4, let code = UInt32(digits, radix: 16),
        let scalar = Unicode.Scalar(code)
      else { throw Failure(offset: offset) }
      offset += 4
      return Character(scalar)
    }
  }
}
