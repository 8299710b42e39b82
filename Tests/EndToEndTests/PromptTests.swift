import Glibc
import TestPeers
import Testing

/// `connect` on a terminal, as a person sees it.
@Suite(.blocking) struct PromptTests {
  let listener: Listener
  let home: String

  init() throws {
    listener = try Listener(["--mode", "broadcast"])
    home = try Wscope.scratch("home-\(UInt32.random(in: 0...UInt32.max))")
  }

  private func connect(
    _ options: [String] = [], columns: Int = 80
  ) throws -> PseudoTerminal {
    let terminal = try PseudoTerminal(
      Wscope.path, ["connect", listener.url] + options,
      environment: Wscope.environment([
        "HOME": home, "TERM": "xterm-256color", "INPUTRC": "/dev/null",
      ]), columns: columns)
    try terminal.wait(forText: "connected to ")
    try terminal.wait(for: "the prompt") { $0.cursorLine == ">" || $0.cursorLine == "> " }
    return terminal
  }

  private func say(_ text: String) throws {
    let finished = try Wscope.run(["send", listener.url, text, "--wait", "0"])
    #expect(finished.exitCode == 0)
  }

  @Test func messagesAppearAboveTheHalfTypedLine() throws {
    let terminal = try connect()
    try terminal.type("half typed")
    try terminal.wait(for: "echo of keys") { $0.cursorLine == "> half typed" }
    try say("from elsewhere")
    try terminal.wait(for: "the message above the line") {
      $0.text.contains("< from elsewhere\n> half typed") && $0.cursorColumn == 12
    }
    try terminal.type("\u{15}/quit\r")
    #expect(try terminal.waitForEnd() == .exited(0))
  }

  @Test func aWrappedLineSurvivesToo() throws {
    let terminal = try connect(columns: 30)
    let typed = "this line is longer than the thirty columns of the terminal"
    try terminal.type(typed)
    try terminal.wait(for: "its last letter in the third row") { $0.cursorLine == "l" }
    for number in 1...5 { try say("message \(number)") }
    try terminal.wait(for: "all messages above the whole line") { screen in
      let joined = screen.everything.split(separator: "\n").joined()
      return joined.contains("< message 5> " + typed)
    }
    try terminal.type("\u{15}\u{4}")
    #expect(try terminal.waitForEnd() == .exited(0))
  }

  @Test func whatIsTypedIsSent() throws {
    let ear = try Wscope.start(["connect", listener.url, "-N2", "-v"])
    _ = try ear.readLine(from: .standardError) { $0.contains("connected") }
    let terminal = try connect()
    try terminal.type("hello\r")
    try terminal.type("//slash\r")
    #expect(try ear.wait().outputText == "hello\n/slash\n")
    try terminal.type("\u{4}")
    #expect(try terminal.waitForEnd() == .exited(0))
  }

  @Test func controlBytesOfThePeerAreShownNotObeyed() throws {
    let terminal = try connect()
    try say("\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m")
    try terminal.wait(forText: "< \\x1b[2J\\x1b]0;owned\\x07")
    let written = String(decoding: terminal.transcript, as: UTF8.self)
    #expect(!written.contains("\u{1b}]0;owned"))
    #expect(!written.contains("\u{1b}[2J"))
    try terminal.type("\u{4}")
    #expect(try terminal.waitForEnd() == .exited(0))
  }

  @Test func pingTellsTheRoundTripTime() throws {
    let terminal = try connect()
    try terminal.type("/ping\r")
    try terminal.wait(forText: "* pong after ")
    try terminal.type("/quit\r")
    #expect(try terminal.waitForEnd() == .exited(0))
  }

  @Test func commandsAreExplainedAndMistakesAnswered() throws {
    let terminal = try connect()
    try terminal.type("/hlep\r")
    try terminal.wait(forText: "! unknown command /hlep; did you mean /help?")
    try terminal.type("/close 70000\r")
    try terminal.wait(forText: "! /close: invalid close code \"70000\"")
    try terminal.type("/close 1006\r")
    try terminal.wait(forText: "invalid close code 1006")
    try terminal.type("/help\r")
    try terminal.wait(forText: "/quit ")
    try terminal.type("/info\r")
    try terminal.wait(forText: "messages received")
    try terminal.type("/clo\t")
    try terminal.wait(forText: "> /close ")
    try terminal.type("3001 bye\r")
    try terminal.wait(forText: "* closed 3001")
    #expect(try terminal.waitForEnd() == .exited(0))
    _ = try listener.process.readLine(from: .standardError) { $0.contains("closed 3001") }
  }

  @Test(arguments: ["\u{3}", "\u{4}", "/quit\r"]) func everyWayOutRestoresTheTerminal(
    keys: String
  ) throws {
    let terminal = try connect()
    let during = try terminal.settings()
    #expect(during.c_lflag & tcflag_t(ICANON) == 0)
    try terminal.type(keys)
    #expect(try terminal.waitForEnd() == .exited(0))
    #expect(try terminal.settings().c_lflag & tcflag_t(ICANON) != 0)
    #expect(try terminal.settings().c_lflag & tcflag_t(ECHO) != 0)
    #expect(terminal.screen.text.contains("* closed 1000 normal (by us)"))
  }

  @Test func aClosingServerEndsItWithTheTerminalRestored() throws {
    let terminal = try connect()
    try terminal.type("half")
    listener.process.signal(SIGINT)
    try terminal.wait(forText: "closed 1001 going away")
    #expect(try terminal.waitForEnd() == .exited(0))
    #expect(try terminal.settings().c_lflag & tcflag_t(ICANON) != 0)
  }

  @Test func aSecondInterruptDoesNotWait() throws {
    let peer = try RawPeer([.readRequest, .accept, .silence])
    defer { peer.stop() }
    let terminal = try PseudoTerminal(
      Wscope.path, ["connect", peer.url],
      environment: Wscope.environment(["HOME": home, "TERM": "xterm"]))
    try terminal.wait(forText: "connected to")
    try terminal.type("\u{3}")
    // The Close is out, the peer does not answer.
    try terminal.wait(forText: "Ctrl-C again leaves at once")
    try terminal.type("\u{3}")
    #expect(try terminal.waitForEnd() == .exited(130))
    #expect(try terminal.settings().c_lflag & tcflag_t(ICANON) != 0)
  }

  @Test func historyIsKeptBetweenRunsForItsOwnerOnly() throws {
    let first = try connect()
    try first.type("remember me\r \u{20}but not this\r\u{4}")
    _ = try first.waitForEnd()
    let file = "\(home)/.local/state/wscope/history"
    var status = stat()
    #expect(stat(file, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    let second = try connect()
    try second.type("\u{1b}[A")
    try second.wait(for: "the line of the run before") { $0.cursorLine == "> remember me" }
    try second.type("\u{15}\u{4}")
    #expect(try second.waitForEnd() == .exited(0))
  }

  @Test func aPasteOfSeveralLinesIsOneMessage() throws {
    let ear = try Wscope.start(["connect", listener.url, "-N1", "-v", "--format", "jsonl"])
    _ = try ear.readLine(from: .standardError) { $0.contains("connected") }
    let terminal = try connect()
    try terminal.paste("one\ntwo\nthree")
    try terminal.type("\r")
    #expect(try ear.wait().outputText.contains(#""text":"one\ntwo\nthree""#))
    try terminal.type("\u{4}")
    #expect(try terminal.waitForEnd() == .exited(0))
  }

  @Test func binaryIsDumpedInHexadecimal() throws {
    let terminal = try connect()
    _ = try ChildProcess.run(
      Wscope.path, ["send", listener.url, "--binary", "--stdin-whole", "--wait", "0"],
      input: [0x00, 0xFF, 0x41, 0x0A], environment: Wscope.environment())
    try terminal.wait(forText: "00000000  00 ff 41 0a")
    try terminal.type("\u{4}")
    #expect(try terminal.waitForEnd() == .exited(0))
  }
}
