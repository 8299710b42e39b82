import Conversation
import Glibc
import TestPeers
import Testing

/// `connect` from its beginning to its end, and over several connections.
@Suite(.blocking) struct PromptLifeTests {
  private let desk: PromptDesk
  private var peer: PushPeer { desk.peer }
  private var home: String { desk.home }

  init() throws { desk = try PromptDesk("life") }

  // MARK: Opening

  @Test func theFirstRunShowsAHintAndLaterOnesDoNot() throws {
    let hint = "/help lists the commands"
    let first = try desk.connect()
    try first.wait(forText: "* \(hint)")
    try desk.quit(first)
    let second = try desk.connect()
    try second.wait(forText: "* connected to \(peer.url)\n> ".dropLast(1).description)
    try desk.quit(second)
    #expect(!second.screen.everything.contains(hint))
  }

  @Test func messagesOfTheCommandLineAreSentAndShown() throws {
    let terminal = try desk.connect(["-x", "login", "-x", "list"])
    try peer.wait(messages: 2)
    #expect(peer.messages == ["login", "list"])
    try terminal.wait(forText: "> login\n> list\n")
    try desk.quit(terminal)
  }

  @Test func withoutAURLTheRecentOnesAreOffered() throws {
    try desk.quit(try desk.connect())
    let other = try PushPeer()
    try desk.quit(try desk.connect(url: other.url))
    let variables = Wscope.environment(["HOME": home, "TERM": "xterm", "INPUTRC": "/dev/null"])
    for (answer, expected) in [("", other), ("2", peer), (peer.url, peer), ("7\r1", peer)] {
      let before = expected.accepted
      let terminal = try PseudoTerminal(Wscope.path, ["connect"], environment: variables)
      try terminal.wait(for: "the question") { $0.cursorLine.hasPrefix("number or URL>") }
      #expect(terminal.screen.text.contains("1  ws://"))
      try terminal.type(answer + "\r")
      try terminal.wait(forText: "* connected to \(expected.url)")
      try terminal.wait(for: "the prompt") { $0.cursorLine == ">" }
      #expect(expected.accepted == before + 1)
      try desk.quit(terminal)
    }
    let leaving = try PseudoTerminal(Wscope.path, ["connect"], environment: variables)
    try leaving.wait(for: "the question") { $0.cursorLine.hasPrefix("number or URL>") }
    try leaving.type("\u{4}")
    #expect(try leaving.waitForEnd() == .exited(0))
  }

  @Test func historyBelongsToItsURL() throws {
    let first = try desk.connect()
    try first.type("typed at the first\r")
    try peer.wait(messages: 1)
    try desk.quit(first)
    let other = try PushPeer()
    let second = try desk.connect(url: other.url)
    try second.type("typed at the second\r")
    try other.wait(messages: 1)
    try desk.quit(second)
    let third = try desk.connect()
    try third.type("\u{1b}[A")
    try third.wait(for: "the line of this URL") { $0.cursorLine == "> typed at the first" }
    try third.type("\u{15}/history\r")
    try third.wait(forText: "  typed at the first")
    #expect(!third.screen.text.contains("second"))
    try third.type("/history all\r")
    try third.wait(forText: "  typed at the second")
    try third.type("/history rst\r")
    try third.wait(for: "it once more") { screen in
      screen.everything.split(separator: "\n").count { $0 == "  typed at the first" } == 3
    }
    try desk.quit(third)
  }

  // MARK: Going on

  @Test func aLostConnectionIsOpenedAgain() throws {
    let terminal = try desk.connect(["--reconnect", "-x", "login"])
    try terminal.type("half typed")
    for round in 1...2 {
      try peer.wait(messages: round)
      peer.drop()
      try terminal.wait(for: "the word of it") { screen in
        screen.text.contains("! connection lost: 1006")
          && screen.text.contains("* reconnecting in ")
      }
      try peer.wait(accepted: round + 1, messages: round + 1)
    }
    #expect(peer.messages == ["login", "login", "login"])
    try terminal.wait(for: "the line unharmed") { $0.cursorLine == "> half typed" }
    peer.say("still here")
    try terminal.wait(forText: "< still here\n> half typed")
    try terminal.type("\r")
    try peer.wait(messages: 4)
    try desk.quit(terminal)
  }

  @Test func attemptsCanBeCounted() throws {
    let listener = try Listener()
    let terminal = try desk.connect(["--reconnect=2"], url: listener.url)
    listener.process.signal(SIGINT)
    try terminal.wait(forText: "(attempt 2 of 2)", deadline: 120)
    #expect(try terminal.waitForEnd(deadline: 120) == .exited(7))
    #expect(terminal.screen.everything.contains("cannot connect to"))
  }

  @Test func leavingDoesNotWaitForTheNextAttempt() throws {
    let listener = try Listener()
    let terminal = try desk.connect(["--reconnect"], url: listener.url)
    listener.process.signal(SIGINT)
    try terminal.wait(forText: "(attempt 3)", deadline: 120)
    try terminal.type("typed meanwhile\r")
    try terminal.wait(forText: "! not sent: not connected")
    try terminal.wait(for: "the note in the prompt") { $0.cursorLine.hasPrefix("[not connected]") }
    try terminal.type("\u{3}")
    #expect(try terminal.waitForEnd(deadline: 60) == .exited(0))
  }

  @Test func thePersonCanGoElsewhere() throws {
    let other = try PushPeer()
    let terminal = try desk.connect(["-x", "hello"])
    try peer.wait(messages: 1)
    try terminal.type("/connect \(other.url)\r")
    try other.wait(accepted: 1, messages: 1)
    try terminal.wait(forText: "* connected to \(other.url)")
    try terminal.type("/reconnect\r")
    try other.wait(accepted: 2, messages: 2)
    try terminal.type("/connect ws://localhost:1/\r")
    try terminal.wait(forText: "wscope: cannot connect to localhost:1: Connection refused")
    try terminal.wait(for: "a prompt all the same") { $0.cursorLine == "[not connected] >" }
    try terminal.type("/connect ws://bad host/\r")
    try terminal.wait(forText: "! /connect: ")
    try terminal.type("/connect \(peer.url)\r")
    try peer.wait(accepted: 2, messages: 2)
    try desk.quit(terminal)
  }

  @Test func pingsKeepTheConnectionAlive() throws {
    let terminal = try desk.connect(["--ping-interval", "50ms", "--ping-timeout", "5s", "-P"])
    try terminal.wait(forText: "< pong wscope 3")
    try desk.quit(terminal)
  }

  @Test func aPeerThatAnswersNoPingIsGivenUp() throws {
    let silent = try RawPeer([.readRequest, .accept, .silence])
    defer { silent.stop() }
    let terminal = try desk.connect(
      ["--ping-interval", "50ms", "--ping-timeout", "200ms"], url: silent.url)
    #expect(try terminal.waitForEnd() == .exited(56))
    #expect(terminal.screen.everything.contains("no pong from the peer in time"))
  }

  // MARK: Keeping

  @Test func aRecordingIsSchemaValidAndCanBePlayedAgain() throws {
    let path = home + "/session.jsonl"
    let terminal = try desk.connect(["--record", path, "-x", "first"])
    try peer.wait(messages: 1)
    peer.say("hello \u{1b}[2J \u{202e}")
    peer.push(RawPeer.frame(0x2, [0, 255]))
    try terminal.wait(forText: "binary 2 B")
    try terminal.type("/ping\r/hex 00 0a\r")
    try peer.wait(messages: 2)
    try terminal.wait(forText: "pong after")
    try desk.quit(terminal)
    let lines = try desk.text(path).split(separator: "\n")
    let schema = try JSONValue.parse(SessionEvent.schema)
    for line in lines {
      let value = try JSONValue.parse(Array(line.utf8))
      #expect(SchemaCheck(schema).problems(of: value) == [], "\(line)")
    }
    let events = try lines.map { line in
      let value = try JSONValue.parse(Array(line.utf8))
      return [value["event"]?.string, value["dir"]?.string].compactMap { $0 }.joined(separator: " ")
    }
    #expect(
      events.sorted() == [
        "close out", "message in", "message in", "message out", "message out", "open", "ping out",
        "pong in", "record",
      ])
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    // Played again, it sends what was sent.
    let again = try PushPeer()
    let played = try ChildProcess.run(
      Wscope.path, ["connect", again.url, "--input", "jsonl", "--wait", "0"],
      input: Array(try desk.text(path).utf8), environment: Wscope.environment())
    #expect(played.exitCode == 0)
    #expect(again.messages == ["first", "\u{0}\n"])
  }

  @Test func aRecordingOverwritesNothing() throws {
    let path = home + "/there"
    let file = try #require(fopen(path, "w"))
    fputs("precious", file)
    fclose(file)
    let refused = try Wscope.run(["connect", peer.url, "--record", path])
    #expect(refused.exitCode == 2)
    #expect(refused.errorText.contains("\(path) already exists"))
    #expect(try desk.text(path) == "precious")
    let forced = try Wscope.run(["connect", peer.url, "--record", path, "--force", "--wait", "0"])
    #expect(forced.exitCode == 0)
    #expect(try desk.text(path).contains("\"event\":\"record\""))
  }

  @Test func aFullDiskEndsTheRecordingAndNotTheSession() throws {
    let terminal = try desk.connect(["--record", "/dev/full", "--force"])
    try terminal.wait(
      forText: "! cannot write /dev/full: No space left on device; recording stopped")
    try terminal.type("still here\r")
    try peer.wait(messages: 1)
    try terminal.type("\u{4}")
    #expect(try terminal.waitForEnd() == .exited(23))
  }

  @Test func secretsAreNotKept() throws {
    let path = home + "/secret.jsonl"
    let canary = "canary-5f2b"
    let url = peer.url.replacing("ws://", with: "ws://user:\(canary)@") + "?token=\(canary)"
    let terminal = try desk.connect(
      [
        "--record", path, "-v", "-H", "Authorization: Bearer \(canary)", "-H",
        "X-Api-Key: \(canary)",
      ],
      url: url)
    try terminal.type("/headers\r/info\r/connect \(url)\r")
    try peer.wait(accepted: 2)
    try desk.quit(terminal)
    #expect(!terminal.screen.everything.replacing("/connect \(url)", with: "").contains(canary))
    #expect(terminal.screen.everything.contains("Authorization: ***"))
    #expect(try !desk.text(path).contains(canary))
    #expect(try !desk.text(home + "/.local/state/wscope/history").contains(canary))
    let shown = try Wscope.run(["connect", url, "-v", "--show-secrets", "--wait", "0"])
    #expect(shown.errorText.contains("token=\(canary)"))
  }

  // MARK: Ending

  @Test func ctrlCDropsAndStopsBeforeItCloses() throws {
    let terminal = try desk.connect()
    try terminal.type("/multi\rone\r")
    // The terminal drops what is not read yet when Ctrl-C is pressed.
    try terminal.wait(for: "the next line") { $0.cursorLine == "|" && $0.text.contains(" one") }
    try terminal.type("\u{3}")
    try terminal.wait(forText: "* dropped")
    try terminal.wait(for: "an ordinary prompt") { $0.cursorLine == ">" }
    try terminal.type("/repeat 100000000 x\r")
    try terminal.wait(for: "progress in the prompt") { $0.cursorLine.contains("[sending, 0 %") }
    try terminal.type("\u{3}")
    try terminal.wait(forText: "* stopped: sent ")
    try terminal.wait(for: "the prompt") { $0.cursorLine == ">" }
    try terminal.type("\u{3}")
    #expect(try terminal.waitForEnd() == .exited(0))
    #expect(peer.messages.allSatisfy { $0 == "x" })
  }

  @Test func ctrlZAndBack() throws {
    let terminal = try PseudoTerminal(
      "/bin/bash", ["--norc", "--noprofile", "-i"],
      environment: Wscope.environment(["HOME": home, "PS1": "$ ", "W": Wscope.path]))
    try terminal.wait(for: "the shell") { $0.cursorLine == "$" }
    try terminal.type("$W connect \(peer.url)\r")
    try terminal.wait(for: "the prompt") { $0.cursorLine == ">" && $0.cursorColumn == 2 }
    try terminal.type("half typed")
    try terminal.wait(for: "the line") { $0.cursorLine == "> half typed" }
    try terminal.type("\u{1a}")
    try terminal.wait(forText: "Stopped")
    peer.say("while stopped")
    try terminal.type("echo in the shell\r")
    try terminal.wait(forText: "\nin the shell")
    try terminal.type("fg\r")
    try terminal.wait(for: "the line again, below what came") { screen in
      screen.text.contains("< while stopped") && screen.cursorLine == "> half typed"
    }
    try terminal.type("!\r")
    try peer.wait(messages: 1)
    #expect(peer.messages == ["half typed!"])
    // What is typed behind Ctrl-D is for the shell.
    try terminal.type("\u{4}exit\r")
    _ = try terminal.waitForEnd()
  }

  /// Stopped by another process, with the settings of the prompt in place: drawn at once after `fg`.
  @Test func thePromptIsDrawnAfterAStop() throws {
    let terminal = try PseudoTerminal(
      "/bin/bash", ["--norc", "--noprofile", "-i"],
      environment: Wscope.environment(["HOME": home, "PS1": "$ ", "W": Wscope.path]))
    try terminal.wait(for: "the shell") { $0.cursorLine == "$" }
    try terminal.type("$W connect \(peer.url)\r")
    try terminal.wait(for: "the prompt") { $0.cursorLine == ">" && $0.cursorColumn == 2 }
    try terminal.type("half typed")
    try terminal.wait(for: "the line") { $0.cursorLine == "> half typed" }
    let shell = terminal.processIdentifier
    let stopped = try Wscope.shell("kill -STOP $(cat /proc/\(shell)/task/\(shell)/children)")
    #expect(stopped.exitCode == 0)
    try terminal.wait(forText: "Stopped")
    try terminal.wait(for: "the shell") { $0.cursorLine == "$" }
    try terminal.type("clear; fg\r")
    try terminal.wait(for: "the line again") { $0.cursorLine == "> half typed" }
    try terminal.type("!\r")
    try peer.wait(messages: 1)
    #expect(peer.messages == ["half typed!"])
    try terminal.type("\u{4}exit\r")
    _ = try terminal.waitForEnd()
  }
}
