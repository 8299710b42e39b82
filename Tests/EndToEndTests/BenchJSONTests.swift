import Conversation
import LoadTesting
import TestPeers
import Testing

@testable import wscope

@Suite(.blocking) struct JSONWriterTests {
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

@Suite(.blocking) struct BenchJSONTests {
  @Test(arguments: [BenchFixture.open(), BenchFixture.closed()])
  func theShapeIsThatOfBench1(report: LoadReport) throws {
    let text = JSONReport(report).text
    #expect(text.hasSuffix("}\n"))
    let json = try JSONReader.read(text)
    #expect(
      json.names == [
        "schema", "tool", "run", "target", "config", "phases", "verdict", "connections",
        "messages", "metrics", "rates", "bytes", "errors", "closes", "intervals", "heat_metric",
        "self", "env", "thresholds",
      ])
    #expect(json["schema"] == .string("bench/1"))
    var shard = report
    shard.run.shard = .init(index: 0, count: 4)
    #expect(JSONReport(shard).text.filter { $0 == "\n" }.count == 1)
    #expect(try LoadReport(json: Array(text.utf8)) == report)
  }

  @Test func anOpenLoopThatWentWell() throws {
    let json = try JSONReader.read(
      JSONReport(BenchFixture.open(shard: .init(index: 0, count: 4))).text)
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
    report.intervals[0] = BenchFixture.closedInterval(rtt.summary())
    report.judge()
    let json = try JSONReader.read(JSONReport(report).text)
    #expect(json["metrics", "rtt", "percentiles", "99", "at_least"] == .number(5_000_000_000))
    #expect(json["metrics", "rtt", "censored"] == .number(100))
    #expect(json["messages", "difference"] == .number(60))
    #expect(json["verdict", "state"] == .string("invalid"))
    guard case .array(let reasons)? = json["verdict", "reasons"] else {
      Issue.record("no reasons")
      return
    }
    #expect(
      reasons.map { $0["check"] }
        == [.string("accounting"), .string("unanswered"), .string("cpu_loop")])
    #expect(json["rates", "target"] == .null)
    guard case .array(let errors)? = json["errors"] else {
      Issue.record("no errors")
      return
    }
    #expect(errors.last?["sample"] == .string("no\u{1B}[2J\nthanks"))
  }
}

extension BenchJSONTests {
  @Test("row 5: a percentile is always a number, and marked where it is a lower bound")
  func row05_aBoundIsANumber() throws {
    var report = BenchFixture.closed()
    var rtt = LatencyHistogram()
    for _ in 0..<900 { rtt.record(1_000_000) }
    rtt.recordCensored(200, atLeast: 5_000_000_000)
    report.metrics[.roundTrip] = rtt.summary()
    report.intervals[0] = BenchFixture.closedInterval(rtt.summary())
    let json = try JSONReader.read(JSONReport(report).text)
    let percentiles = json["metrics", "rtt", "percentiles"]
    let median = try #require(percentiles?["50"])
    #expect(median.names == ["v"])
    #expect(percentiles?["99", "v"] == .number(5e9))
    #expect(percentiles?["99", "censored"] == .boolean(true))
    // Samples are missing: then it is the largest, which is not known here either.
    #expect(percentiles?["99.9", "v"] == .number(Double(rtt.censoredCeiling ?? 0)))
    #expect(percentiles?["99.9", "needs_samples"] == .number(10_000))
    #expect(percentiles?["99.9", "censored"] == .boolean(true))
    guard case .number(let largest)? = json["metrics", "rtt", "max"] else {
      Issue.record("no maximum")
      return
    }
    #expect(largest >= 5e9)
    #expect(json["metrics", "rtt", "max_censored"] == .boolean(true))
    guard case .array(let intervals)? = json["intervals"], let interval = intervals.first else {
      Issue.record("no interval")
      return
    }
    #expect(interval["p99"] == .number(5e9))
    #expect(interval["p90"] == .number(5e9))
    #expect(
      interval["censored"] == .array([.string("p90"), .string("p99"), .string("max")]))
  }

  @Test("low: intervals have a p90")
  func lowIntervalsHaveAP90() throws {
    let json = try JSONReader.read(JSONReport(BenchFixture.open()).text)
    guard case .array(let intervals)? = json["intervals"] else { return }
    #expect(intervals.first?["p90"] == .number(780_000))
    #expect(intervals.first?["censored"] == nil)
  }
}
