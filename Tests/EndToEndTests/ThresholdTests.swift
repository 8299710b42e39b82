import Conversation
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// Limits that a result of `bench` must keep.
@Suite(.blocking) struct ThresholdTests {
  static let lines: [(String, String)] = [
    ("rtt.p99<50ms", "✓ rtt.p99 < 50ms   2.31 ms, 5 % of the limit"),
    ("rtt.p(99) <= 2310us", "✓ rtt.p(99) <= 2310us   2.31 ms, 100 % of the limit"),
    ("rtt.p50 > 1ms", "✗ rtt.p50 > 1ms   412 µs, 59 % short"),
    ("rtt.max<0.1s", "✓ rtt.max < 0.1s   23.1 ms, 23 % of the limit"),
    ("rtt.min >= 1us", "✓ rtt.min >= 1us   1.00 µs"),
    ("rtt.count>=1.2M", "✓ rtt.count >= 1.2M   1 200 000"),
    ("rtt_service.p99.9<8ms", "✗ rtt_service.p99.9 < 8ms   8.90 ms, 11 % over"),
    ("errors.rate<0.1%", "✓ errors.rate < 0.1%   0.00 %, 0 % of the limit"),
    ("errors.count==0", "✓ errors.count == 0   0"),
    ("errors{class=timeout}.count==0", "✓ errors{class=timeout}.count == 0   0"),
    ("rate.achieved>=99%", "✓ rate.achieved >= 99%   100.00 %"),
    ("rate.answered>=40k/s", "✗ rate.answered >= 40k/s   19 999/s, 50 % short"),
    ("messages.unanswered==0", "✓ messages.unanswered == 0   0"),
    ("connections.opened!=1000", "✗ connections.opened != 1000   1000, limit 1000"),
    (
      "closes{code=1000,by=ours}.count==0", "✗ closes{code=1000,by=ours}.count == 0   1000, limit 0"
    ),
    ("closes{code=1006}.count==0", "✓ closes{code=1006}.count == 0   0"),
    ("connect.p99.9<1s", "? connect.p99.9 < 1s   1000 of 10 000 samples"),
    ("tls.p99<1s", "? tls.p99 < 1s   not measured"),
  ]

  private static func report(_ thresholds: String...) throws -> LoadReport {
    var report = BenchFixture.open()
    report.thresholds = try thresholds.map { try Threshold($0) }
    return report
  }

  @Test(arguments: lines) func isJudged(_ text: String, _ line: String) throws {
    let outcome = try #require(try Self.report(text).outcomes.first)
    #expect(
      ThresholdText(outcome).line.split(separator: ", first broken").first.map(String.init) == line)
  }

  /// The measurement, not the server, may be at fault.
  @Test func aBreachOfAnInvalidMeasurementIsUndecided() throws {
    var report = try Self.report("rtt.p99<1ms", "rtt.p99<=1s")
    report.verdict = Verdict(reasons: [.init(.invalid, .nothingMeasured)])
    #expect(report.outcomes.map(\.state) == [.undecided, .pass])
    #expect(
      report.outcomes.first.map { ThresholdText($0).result }
        == "2.31 ms, but the measurement is invalid")
    #expect(ExitStatus(thresholdsOf: report) == .measurementInvalid)
    report.thresholds = []
    #expect(ExitStatus(thresholdsOf: report) == .ok)
  }

  @Test func aSmallShareIsNotZero() throws {
    var report = try Self.report("errors.rate==0%")
    report.messages.failed = 1
    report.messages.answered -= 1
    #expect(
      report.outcomes.first.map { ThresholdText($0).line }
        == "✗ errors.rate == 0%   0.000083 %, limit 0.00 %")
  }

  /// Whatever its thresholds say.
  @Test func numbersThatDoNotAgreeDecideNothing() throws {
    var report = try Self.report("rtt.p99<1s")
    #expect(ExitStatus(thresholdsOf: report) == .ok)
    report.messages.answered -= 1
    #expect(ExitStatus(thresholdsOf: report) == .measurementInvalid)
  }

  @Test func aLowerBoundDecidesWhatItCan() throws {
    var report = try Self.report("rtt.p99<1s", "rtt.p99<9s", "rtt.p99>1s")
    report.metrics[.roundTrip]?.percentiles = [.init(.p99, .atLeast(5_000_000_000))]
    #expect(report.outcomes.map(\.state) == [.fail, .undecided, .pass])
    #expect(
      ThresholdText(report.outcomes[1]).result
        == "at least 5.00 s, which does not decide it; raise --timeout")
  }

  @Test func theTextFitsAndTheJSONIsRead() throws {
    let report = try Self.report(
      "rtt.p99<1ms abort after 10s", "connect.p99.9<1s", "errors.rate<0.1%")
    let text = TextReport(report).text
    #expect(text.contains("Thresholds   ✗ rtt.p99 < 1ms abort after 10s   2.31 ms, 131 % over"))
    #expect(text.contains("\n             ? connect.p99.9 < 1s   1000 of 10 000 samples\n"))
    for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    let json = JSONReport(report).text
    let problems = SchemaCheck(try JSONValue.parse(LoadReport.schemaDocument))
      .problems(of: try JSONValue.parse(Array(json.utf8)))
    #expect(problems == [])
    #expect(try LoadReport(json: Array(json.utf8)).thresholds == report.thresholds)
  }

  @Test func junitHasACaseForEach() throws {
    var report = try Self.report("rtt.p99<1ms", "errors.rate<0.1%", "tls.p99<1s")
    var suite = try JUnit.read(JUnitReport(report).text)
    #expect(suite.attributes["tests"] == "4")
    #expect(suite.attributes["failures"] == "1" && suite.attributes["errors"] == "1")
    #expect(
      suite.cases.map { $0["name"] } == [
        "rtt.p99 < 1ms", "errors.rate < 0.1%", "tls.p99 < 1s", "verdict",
      ])
    let broken = "measured 2.31 ms, limit 1 ms; 131 % over, first broken at 60 s"
    #expect(suite.failures == [.init(message: broken, text: broken), nil, nil, nil])
    #expect(suite.errors == ["tls.p99 < 1s": "undecided: not measured"])
    #expect(suite.properties["rtt.p99"] == "2310000ns")
    #expect(suite.properties["verdict"] == "valid")
    report.verdict = Verdict(reasons: [.init(.invalid, .noAnswers)])
    suite = try JUnit.read(JUnitReport(report).text)
    #expect(suite.attributes["failures"] == "0" && suite.attributes["errors"] == "3")
    #expect(
      suite.errors["verdict"] == "invalid: no message was answered: does the server echo?")
  }

  @Test(
    arguments: [
      ("rtt.p99<50ms", 0), ("rtt.p99<1ms", 99), ("connect.p99.9<1s", 98),
    ] as [(String, Int32)])
  func aStoredResultIsJudgedAgain(_ threshold: String, _ code: Int32) throws {
    let directory = try Wscope.scratch("thresholds")
    let path = "\(directory)/result-\(code).json"
    // Its own threshold is replaced.
    try FileContents.write(JSONReport(try Self.report("rtt.p50<1ns")).text, to: path)
    #expect(try Wscope.run(["bench", "report", path]).exitCode == 99)
    let junit = "\(directory)/junit-\(code).xml"
    let judged = try Wscope.run([
      "bench", "report", path, "--threshold", threshold, "--junit", junit,
    ])
    #expect(judged.exitCode == code)
    #expect(judged.outputText.contains("Thresholds   "))
    #expect(try Wscope.read(junit).contains("tests=\"2\""))
  }

  @Test func aBreachEndsTheRun() throws {
    let listener = try Listener(["-q"])
    let finished = try Wscope.run([
      "bench", listener.url, "-c2", "-R200", "-d1000s", "--warmup=0s", "--format", "json",
      "--threshold", "rtt.p50<1ns abort after 1s",
    ])
    // 98 where this machine is too busy for a valid measurement.
    #expect([98, 99].contains(finished.exitCode))
    let json = try JSONReader.read(finished.outputText)
    #expect(json["run", "ended"] == .string("aborted"))
  }

  @Test(arguments: [
    ("rtt.p99<50", "\"rtt.p99<50\": \"50\" is not a duration with a unit, as in 50ms"),
    ("rrt.p99<50ms", "unknown metric \"rrt.p99\"; did you mean rtt.p99?"),
    ("rtt.p98", "\"rtt.p98\" is not a threshold; write it as in rtt.p99<50ms"),
    ("rtt.p101<1s", "unknown statistic \"p101\" in \"rtt.p101\""),
    ("errors.rate<0.1", "\"errors.rate<0.1\": \"0.1\" is not a percentage, as in 0.1%"),
    ("errors{class=foo}.count==0", "unknown class \"foo\" in \"errors{class=foo}.count\""),
    ("closes{code=99}.count==0", "\"99\" is not a close code"),
    ("errors.rate<1% abort after 1s", "\"errors.rate<1% abort after 1s\": abort after is possible"),
    (
      "rtt.p99<1s abort after soon", "\"rtt.p99<1s abort after soon\": abort after needs a duration"
    ),
  ])
  func mistakesAreNamed(_ threshold: String, _ message: String) throws {
    // Nothing listens there: it is not asked.
    let finished = try Wscope.run(["bench", "ws://127.0.0.1:1", "--threshold", threshold])
    #expect(finished.exitCode == 2)
    #expect(
      finished.errorText.hasPrefix("wscope: --threshold: \(message)"), "\(finished.errorText)")
    #expect(finished.errorText.split(separator: "\n").count == 1)
    #expect(finished.outputText.isEmpty)
  }

  @Test func aSecondLimitForTheSameValueIsRefused() throws {
    let finished = try Wscope.run([
      "bench", "ws://127.0.0.1:1", "--threshold", "rtt.p99<1s", "--threshold", "rtt.p99 < 2s",
    ])
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains("there is another limit for the same value"))
  }
}
