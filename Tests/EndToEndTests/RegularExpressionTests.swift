import Glibc
import TestPeers
import Testing

@testable import wscope

/// A pattern that takes too many steps on a message, wherever patterns are: deadlines, signals and reports
/// hold. Without a limit `(a+)+$` on these letters takes hours.
@Suite(.blocking) struct RegularExpressionTests {
  private static let pattern = "(a+)+$"
  private static let message = String(repeating: "a", count: 34) + "!"
  private static let words = "the regular expression needs too many steps on this message"

  private func peer() throws -> PushPeer { try PushPeer { _ in [.text(Self.message)] } }

  @Test func theExpectationIsNotMetWithinItsDeadline() throws {
    let report = try Wscope.scratch("regex") + "/report.xml"
    let peer = try peer()
    let finished = try Wscope.run([
      "send", peer.url, "x", "--expect-regex", Self.pattern, "--within", "500ms", "-m", "20s",
      "--junit", report,
    ])
    #expect(finished.exitCode == 1, "\(finished.errorText)")
    #expect(finished.errorText.contains("  got: \"\(Self.message)\" (\(Self.words))\n"))
    #expect(String(decoding: try FileContents.read(report), as: UTF8.self).contains(Self.words))
  }

  @Test func maxTimeHolds() throws {
    let flood = try PushPeer { _ in Array(repeating: .text(Self.message), count: 1000) }
    let finished = try Wscope.run([
      "send", flood.url, "x", "--until", Self.pattern, "-m", "1s", "--tap-output",
    ])
    #expect(finished.exitCode == 28, "\(finished.errorText)")
    #expect(finished.outputText.contains("not ok"))
  }

  @Test func aSignalEndsItAndTheReportIsWritten() throws {
    let flood = try PushPeer { _ in Array(repeating: .text(Self.message), count: 100_000) }
    let child = try Wscope.start(
      ["send", flood.url, "x", "--expect-regex", Self.pattern, "--tap-output", "-v"],
      hasInput: false)
    while let line = try child.readLine(from: .standardError), !line.contains("connected") {}
    child.signal(SIGINT)
    let finished = try child.wait()
    #expect(finished.exitCode == 130)
    #expect(finished.outputText.contains("not ok"))
  }

  @Test func theStepOfAScriptFails() throws {
    let path = try Wscope.scratch("regex") + "/steps.wscope"
    try FileContents.write("> x\n<~ \(Self.pattern)\n", to: path)
    let peer = try peer()
    let finished = try Wscope.run(["send", peer.url, "--script", path, "-w", "500ms"])
    #expect(finished.exitCode == 1)
    #expect(finished.errorText.contains(Self.words), "\(finished.errorText)")
  }

  @Test func theFilterTurnsItselfOff() throws {
    let desk = try PromptDesk("filter")
    let terminal = try desk.connect()
    try terminal.type("/filter \(Self.pattern)\r")
    try terminal.wait(forText: "* showing only messages that match")
    desk.peer.say(Self.message)
    // The line is longer than the screen is wide.
    try terminal.wait(
      forText: "! /filter: the regular expression needs too many steps on a message")
    try terminal.wait(forText: "< \(Self.message)")
    desk.peer.say("shown")
    try terminal.wait(forText: "< shown")
    try desk.quit(terminal)
  }
}
