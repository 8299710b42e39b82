import Conversation
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// What an invalid measurement means.
@Suite(.blocking) struct SelfCheckTests {
  /// The verdict, whether there is a threshold that holds, and the exit code of each action.
  @Test(
    arguments: [
      (Verdict.State.valid, false, [nil: 0, .warn: 0, .fail: 0]),
      (.suspect, false, [nil: 0, .warn: 0, .fail: 0]),
      (.suspect, true, [nil: 0, .warn: 0, .fail: 0]),
      (.invalid, false, [nil: 0, .warn: 0, .fail: 98]),
      (.invalid, true, [nil: 98, .warn: 0, .fail: 98]),
    ] as [(Verdict.State, Bool, [SelfCheckAction?: Int32])])
  func theActionDecides(
    _ state: Verdict.State, _ hasThreshold: Bool, _ codes: [SelfCheckAction?: Int32]
  ) throws {
    var report = BenchFixture.open()
    report.verdict = Verdict(
      reasons: state == .valid ? [] : [.init(state, .busyLoop(share: 0.95))])
    if hasThreshold { report.thresholds = [try Threshold("rtt.p99<1s")] }
    for (action, code) in codes {
      #expect(
        ExitStatus(thresholdsOf: report, selfCheck: action).rawValue == code, "\(action as Any)")
    }
  }

  /// Numbers that do not add up are never accepted.
  @Test(arguments: [nil, SelfCheckAction.warn, .fail, .off])
  func contradictionsAlwaysFail(_ action: SelfCheckAction?) {
    var report = BenchFixture.open()
    report.messages.answered -= 1
    report.isChecked = action != .off
    report.judge()
    #expect(report.verdict.state == .invalid)
    #expect(ExitStatus(thresholdsOf: report, selfCheck: action) == .measurementInvalid)
    report.messages = MessageCounts()
    #expect(ExitStatus(thresholdsOf: report, selfCheck: action) == .measurementInvalid)
  }

  @Test func aRunWithoutChecksSaysSo() throws {
    var report = BenchFixture.open()
    report.selfCheck.host = 1
    report.isChecked = false
    report.judge()
    #expect(report.verdict.reasons.isEmpty)
    #expect(TextReport(report).text.hasPrefix("NOT CHECKED  ws://10.0.0.7:8080/echo\n"))
    #expect(MarkdownSummary(report).text.hasPrefix("### ? NOT CHECKED: "))
    #expect(HTMLReport(report).text.contains("<title>NOT CHECKED - "))
    let rows = SelfCheckRows(report).all
    #expect(rows.first { $0.name == "cpu_host" }?.state == "not checked")
    #expect(rows.first { $0.name == "accounting" }?.state == "ok")
    let json = JSONReport(report).text
    #expect(try LoadReport(json: Array(json.utf8)) == report)
    let problems = SchemaCheck(try JSONValue.parse(LoadReport.schemaDocument))
      .problems(of: try JSONValue.parse(Array(json.utf8)))
    #expect(problems == [])
    #expect(!PrometheusText(report).text.contains("_verdict{state=\"valid\"} 1"))
  }

  @Test func theOptionIsHeeded() throws {
    let listener = try Listener()
    let path = try Wscope.scratch("self-check") + "/r.json"
    let off = try Wscope.run([
      "bench", listener.url, "-c1", "-n20", "--self-check", "off", "--out", path,
    ])
    #expect(off.exitCode == 0)
    #expect(off.outputText.hasPrefix("NOT CHECKED  "), "\(off.outputText)")
    var report = try LoadReport(json: try FileContents.read(path))
    report.isChecked = true
    report.verdict = Verdict(reasons: [.init(.invalid, .busyLoop(share: 0.95))])
    try FileContents.write(JSONReport(report).text, to: path)
    for (action, code) in [("warn", 0), ("fail", 98)] as [(String, Int32)] {
      let run = try Wscope.run(["bench", "report", path, "--self-check", action])
      #expect(run.exitCode == code, "\(action)")
    }
  }

  @Test(arguments: [
    (["--self-check", "off", "--threshold", "rtt.p99<1s"], "--self-check off and --threshold"),
    (["--self-check", "fail", "--vs", "ws://h"], "--self-check and --vs cannot be used together"),
    (["--self-check", "no"], "--self-check"),
  ])
  func badUseIsRejected(_ words: [String], _ message: String) throws {
    let run = try Wscope.run(["bench", "ws://127.0.0.1:1"] + words)
    #expect(run.exitCode == 2)
    #expect(run.errorText.contains(message), "\(run.errorText)")
  }

  @Test func aStoredResultCannotBeUnchecked() throws {
    let path = try Wscope.scratch("self-check") + "/stored.json"
    try FileContents.write(JSONReport(BenchFixture.open()).text, to: path)
    let run = try Wscope.run(["bench", "report", path, "--self-check", "off"])
    #expect(run.exitCode == 2)
    #expect(run.errorText.contains("--self-check off is for a run, not for a stored result"))
  }
}
