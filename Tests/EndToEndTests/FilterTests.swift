import Conversation
import Glibc
import TestPeers
import Testing

/// `connect` without a terminal: a session that goes on in a pipe.
@Suite(.blocking) struct FilterTests {
  let peer: PushPeer

  init() throws { peer = try PushPeer() }

  @Test func aLostConnectionCostsNoInput() throws {
    let child = try Wscope.start(["connect", peer.url, "--reconnect", "-x", "login"])
    try peer.wait(accepted: 1, messages: 1)
    try child.writeLine("first")
    try peer.wait(messages: 2)
    peer.say("reply one")
    #expect(try child.readLine(from: .standardOutput) == "reply one")
    peer.drop()
    _ = try child.readLine(from: .standardError) { $0.contains("reconnecting in") }
    // Nobody is connected now.
    try child.writeLine("second")
    try peer.wait(accepted: 2, messages: 4)
    #expect(peer.messages == ["login", "first", "login", "second"])
    peer.say("reply two")
    #expect(try child.readLine(from: .standardOutput) == "reply two")
    child.closeInput()
    #expect(try child.wait().exitCode == 0)
  }

  @Test func aPeerThatIsGoneForGoodEndsIt() throws {
    let listener = try Listener()
    let child = try Wscope.start(["connect", listener.url, "--reconnect=1"])
    try child.writeLine("x")
    #expect(try child.readLine(from: .standardOutput) == "x")
    listener.process.signal(SIGINT)
    let finished = try child.wait()
    #expect(finished.exitCode == 7)
    #expect(finished.errorText.contains("closed 1001 going away"))
    #expect(finished.errorText.contains("(attempt 1 of 1)"))
  }

  @Test func pingsShowAPeerThatIsGone() throws {
    let silent = try RawPeer([.readRequest, .accept, .silence])
    defer { silent.stop() }
    let finished = try Wscope.run(
      ["connect", silent.url, "--ping-interval", "50ms", "--ping-timeout", "150ms"], input: nil)
    #expect(finished.exitCode == 56)
    #expect(finished.errorText.contains("no pong from the peer in time"))
  }

  /// Pings of ours are recorded and shown like those of the peer, their pongs behind them.
  @Test func keepAliveIsRecorded() throws {
    let path = try Wscope.scratch("filter") + "/pings"
    unlink(path)
    let listener = try Listener()
    let finished = try Wscope.run(
      [
        "connect", listener.url, "--record", path, "--ping-interval", "50ms", "-P", "--wait",
        "400ms",
      ], input: "x\n", deadline: 30)
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    let shown = finished.errorText.split(separator: "\n").filter { $0.contains("wscope 1") }
    #expect(shown.prefix(2) == ["* > ping wscope 1", "* < pong wscope 1"], "\(finished.errorText)")
    let recorded = try Wscope.shell("cat '\(path)'").outputText.split(separator: "\n")
      .filter { $0.contains("d3Njb3BlIDE=") }.map { try? JSONValue.parse(Array($0.utf8)) }
    #expect(recorded.map { $0?["event"]?.string } == ["ping", "pong"])
    #expect(recorded.map { $0?["dir"]?.string } == ["out", "in"])
  }

  @Test func aPipeIsRecordedToo() throws {
    let path = try Wscope.scratch("filter") + "/recording"
    unlink(path)
    let finished = try Wscope.run(
      ["connect", peer.url, "--record", path, "--wait", "0"], input: "one\ntwo\n")
    #expect(finished.exitCode == 0)
    try peer.wait(messages: 2)
    let lines = try Wscope.shell("cat '\(path)'").outputText.split(separator: "\n")
    let schema = try JSONValue.parse(SessionEvent.schema)
    for line in lines {
      #expect(SchemaCheck(schema).problems(of: try JSONValue.parse(Array(line.utf8))) == [])
    }
    #expect(lines.count == 5)
    #expect(lines[2].contains(#""dir":"out","type":"text","size":3,"text":"one""#))
  }

  /// What one prints the other takes, and every line keeps the schema.
  @Test func JSONLinesGoBothWays() throws {
    let listener = try Listener(["--compress"])
    let line = #"{"event":"message","base64":"AP8="}"#
    let echoed = try Wscope.run(
      ["connect", listener.url, "--input", "jsonl", "--format", "jsonl", "-N2"],
      input: #"{"event":"message","text":"a\u001b\n"}"# + "\n" + line + "\n")
    #expect(echoed.exitCode == 0)
    let schema = try JSONValue.parse(SessionEvent.schema)
    let lines = echoed.outputText.split(separator: "\n")
    for line in lines {
      let problems = SchemaCheck(schema).problems(of: try JSONValue.parse(Array(line.utf8)))
      #expect(problems == [], "\(line)")
    }
    #expect(lines.count == 4)
    let passedOn = try Wscope.run(
      ["connect", peer.url, "--input", "jsonl", "--wait", "0"], input: echoed.outputText)
    #expect(passedOn.exitCode == 0)
    try peer.wait(messages: 2)
    #expect(peer.messages == ["a\u{1b}\n", "\0\u{fffd}"])
  }

  @Test func JSONIsIndentedIfAskedFor() throws {
    let child = try Wscope.start(["connect", peer.url, "--json", "-N2"])
    try peer.wait(accepted: 1)
    peer.say("{\"b\":1.0,\"a\":\"\u{202e}\"}")
    peer.say("no json")
    #expect(try child.wait().outputText == "{\n  \"b\": 1.0,\n  \"a\": \"\u{202e}\"\n}\nno json\n")
  }

  @Test(arguments: [
    (["--ping-timeout", "1s"], "--ping-timeout requires --ping-interval"),
    (["--ping-interval", "0"], "must be longer than 0"),
    (["--force"], "--force requires --record"),
    (["--format", "jsonl", "--json"], "--format jsonl and --json cannot be used together"),
    (["--reconnect=0"], "reconnect"), (["--timestamps=utc"], "timestamps"),
    (["--timestmps"], "Did you mean '--timestamps'?"),
  ])
  func whatDoesNotFitIsRefused(_ options: [String], _ words: String) throws {
    let refused = try Wscope.run(["connect", peer.url] + options)
    #expect(refused.exitCode == 2)
    #expect(refused.errorText.contains(words), "\(refused.errorText)")
    #expect(peer.accepted == 0)
  }

  @Test func withoutAURLAPipeIsAMistake() throws {
    let refused = try Wscope.run(["connect"])
    #expect(refused.exitCode == 2)
    #expect(refused.errorText.contains("missing expected argument '<url>'"))
  }

  @Test func theSchemaIsPrinted() throws {
    let printed = try Wscope.run(["--schema"])
    #expect(printed.exitCode == 0)
    #expect(Array(printed.outputText.utf8) == SessionEvent.schema)
  }
}
