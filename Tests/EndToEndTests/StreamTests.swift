import Glibc
import TestPeers
import Testing

@testable import wscope

/// PRODUCT 1.3, sentence by sentence: what goes to which stream, and when it is over.
@Suite(.blocking) struct StreamTests {
  private func send(
    _ url: String, _ arguments: [String], input: [UInt8]? = nil
  ) throws -> ChildProcess.Finished {
    try ChildProcess.run(
      Wscope.path, ["send", url] + arguments, input: input, environment: Wscope.environment(),
      deadline: 120)
  }

  /// A text with a newline, text, and binary with a newline.
  private func peer() throws -> PushPeer {
    try PushPeer { message in
      message == "go" ? [.text("a\nb"), .text("c"), .binary([0x00, 0xFF, 0x01, 0x0A, 0x80])] : []
    }
  }

  @Test(arguments: [
    ([], Array("a\nb\nc\n".utf8)), (["-0"], Array("a\nb\0c\0".utf8)),
    (["--raw"], Array("a\nbc".utf8)),
  ])
  func whatEndsAMessage(_ options: [String], _ text: [UInt8]) throws {
    let peer = try peer()
    let finished = try send(peer.url, ["go", "-N3"] + options)
    #expect(peer.messages == ["go"])
    let end: [UInt8] = options == ["-0"] ? [0] : []
    #expect(finished.standardOutput == text + [0x00, 0xFF, 0x01, 0x0A, 0x80] + end)
    #expect(finished.errorText.isEmpty)
    #expect(finished.exitCode == 0)
  }

  @Test func onATerminalBinaryIsADump() throws {
    let peer = try peer()
    let terminal = try PseudoTerminal(
      Wscope.path, ["send", peer.url, "go", "-N3", "--color", "never"],
      environment: Wscope.environment(["TERM": "xterm-256color"]))
    try terminal.wait(forText: "00 ff 01 0a 80")
  }

  /// SECURITY R14: `--raw-terminal` is the only way out of escaping.
  @Test(arguments: [["send"], ["connect"], ["connect", "--json"]])
  func aRawTerminalGetsControlCharacters(_ command: [String]) throws {
    let peer = try PushPeer { _ in
      [.text("[\"\u{1B}[31mred\u{1B}[0m\"]"), .text("\u{1B}]0;title\u{7}end")]
    }
    for isRaw in [false, true] {
      let terminal = try PseudoTerminal(
        Wscope.path,
        [command[0], peer.url, "-x", "go", "--color", "never"] + command.dropFirst()
          + (isRaw ? ["--raw-terminal"] : []),
        environment: Wscope.environment(["HOME": try Wscope.scratch("raw")]))
      if isRaw {
        try terminal.wait(for: "the text alone") { screen in
          screen.text.contains("\"red\"") && screen.text.contains("end")
            && !screen.text.contains("x1b") && !screen.text.contains("title")
        }
      } else {
        try terminal.wait(forText: "\\x1b]0;title\\x07end")
        try terminal.wait(forText: "\\x1b[31mred\\x1b[0m")
      }
    }
  }

  @Test func aRawTerminalIsNotForJSONLines() throws {
    let finished = try Wscope.run([
      "send", "ws://127.0.0.1:1", "--raw-terminal", "--format", "jsonl",
    ])
    #expect(finished.exitCode == 2)
    #expect(
      finished.errorText.contains("--raw-terminal and --format jsonl cannot be used together"))
  }

  @Test func nothingIsLostBeforeTheOpening() throws {
    let peer = try RawPeer([
      .readRequest, .wait(milliseconds: 500), .accept, .read(3 * 7 + 8),
      .frame(opcode: 1, Array("done".utf8)), .frame(opcode: 8, [3, 232]), .readToEnd,
    ])
    defer { peer.stop() }
    // Written, and ended, long before the server has accepted.
    let finished = try send(peer.url, ["--wait", "0"], input: Array("1\n2\n3\n".utf8))
    #expect(finished.exitCode == 0)
    #expect(finished.duration > .milliseconds(450))
  }

  @Test func theEndOfTheInputWaitsForTheReply() throws {
    let peer = try RawPeer([
      .readRequest, .accept, .read(7), .wait(milliseconds: 1500), .frame(opcode: 1, [0x61]),
      .read(8), .frame(opcode: 8, [3, 232]), .readToEnd,
    ])
    defer { peer.stop() }
    for command in ["send", "connect"] {
      let finished = try ChildProcess.run(
        Wscope.path, [command, peer.url, "--linger", "100ms"], input: [0x78, 0x0A],
        environment: Wscope.environment(), deadline: 120)
      #expect(finished.outputText == "a\n")
      #expect(finished.exitCode == 0)
    }
  }

  @Test func withAMessageStandardInputIsNotRead() throws {
    let listener = try Listener()
    let child = try Wscope.start(["send", listener.url, "hi", "-1"])
    // Its input stays open and says nothing.
    #expect(try child.wait().outputText == "hi\n")
    let both = try send(
      listener.url, ["-x", "1", "2", "-", "-N4"], input: Array("3\r\n4".utf8))
    #expect(both.outputText == "1\n2\n3\n4\n")
  }

  @Test func aClosedInputIsAHandshakeCheck() throws {
    let listener = try Listener()
    let finished = try Wscope.shell("wscope send \(listener.url) <&-; echo $?")
    #expect(finished.outputText == "0\n")
  }

  @Test func withoutAReplyItIsATimeout() throws {
    let peer = try PushPeer()
    let finished = try send(peer.url, ["a", "--wait", "200ms"])
    #expect(finished.exitCode == 28)
    #expect(finished.errorText.contains("no reply within 200 ms (--wait)"))
    #expect(try send(peer.url, ["a", "--wait", "0"]).exitCode == 0)
    #expect(try send(peer.url, ["a", "--expect-none", "100ms"]).exitCode == 0)
  }

  @Test func filesAreSentWhole() throws {
    let listener = try Listener()
    let directory = try Wscope.scratch("files")
    try FileContents.write("one\ntwo\n", to: directory + "/1")
    try FileContents.write("three", to: directory + "/2")
    let finished = try send(
      listener.url, ["zero", "--file", directory + "/1", "--file", directory + "/2", "-N3"])
    #expect(finished.outputText == "zero\none\ntwo\n\nthree\n")
    let missing = try send(listener.url, ["--file", directory + "/none"])
    #expect(missing.exitCode == 2)
  }

  @Test func aNullInputNeverEndsListen() throws {
    let listener = try Listener()
    usleep(300_000)
    #expect(try send(listener.url, ["still there", "-1"]).outputText == "still there\n")
  }

  @Test func jsonLinesGoBackAsTheyCame() throws {
    let listener = try Listener()
    let printed = try send(listener.url, ["-b", "\u{1}é", "-1", "--format", "jsonl"])
    let again = try send(
      listener.url, ["--input", "jsonl", "-1"], input: printed.standardOutput)
    #expect(again.standardOutput == [0x01, 0xC3, 0xA9])
  }
}
