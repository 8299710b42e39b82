import Conversation
import Glibc
import Synchronization
import TestPeers
import Testing

@testable import wscope

/// `send --script`, through the binary: the examples that are shipped, and what is said of steps that fail.
@Suite(.blocking) struct ScriptTests {
  private static let count = Atomic<Int>(0)

  /// Writes a script and runs it.
  private func run(
    _ lines: String, _ url: String, _ options: [String] = []
  ) throws -> (finished: ChildProcess.Finished, path: String) {
    let path =
      try Wscope.scratch("script")
      + "/\(Self.count.wrappingAdd(1, ordering: .relaxed).newValue).wscope"
    try FileContents.write(lines, to: path)
    return (try Wscope.run(["send", url, "--script", path] + options), path)
  }

  // MARK: The examples

  private static let examples =
    #filePath.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/Examples/"

  private func example(
    _ name: String, _ url: String, _ options: [String] = [], _ environment: [String: String] = [:]
  ) throws -> ChildProcess.Finished {
    let finished = try ChildProcess.run(
      Wscope.path, ["send", url, "--script", Self.examples + name] + options, input: nil,
      environment: Wscope.environment(environment), deadline: 120)
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    return finished
  }

  @Test func echo() throws {
    let listener = try Listener()
    let finished = try example("echo.wscope", listener.url)
    #expect(
      finished.standardOutput == Array("hello\n".utf8) + [0x00, 0xFF, 0x0A]
        + Array("two\nlines\n".utf8))
    #expect(finished.errorText.contains("echo.wscope:4: < hello\n"))
  }

  @Test func chat() throws {
    let listener = try Listener(["--mode", "broadcast"])
    #expect(try example("chat.wscope", listener.url).outputText == "hello, Bob\nhello, Alice\n")
  }

  @Test func loginThenSubscribe() throws {
    let peer = try PushPeer { message in
      switch message {
      case #"{"op":"login","token":"s3cret"}"#:
        [.text(#"{"op":"motd"}"#), .text(#"{"session":"abc","op":"welcome"}"#)]
      case #"{"op":"subscribe","session":"abc","channel":"prices"}"#:
        [.text(#"{"op":"subscribed"}"#), .text(#"{"price":0}"#), .text(#"{"price":7}"#)]
      case #"{"op":"logout"}"#: [.close(4000)]
      default: [.close(1008)]
      }
    }
    let finished = try example("login.wscope", peer.url, [], ["TOKEN": "s3cret"])
    #expect(!finished.errorText.contains("s3cret"))
  }

  @Test func graphQL() throws {
    let isOpen = Flag()
    let peer = try PushPeer(field: "Sec-WebSocket-Protocol: graphql-transport-ws") { message in
      if message.contains("connection_init") {
        return isOpen.raise() ? [.close(4429)] : [.text(#"{"type":"connection_ack"}"#)]
      }
      if message.contains("subscribe") {
        return [.text(#"{"id":"1","type":"next","payload":{"data":{"count":1}}}"#)]
      }
      return message.contains("ping") ? [.text(#"{"type":"pong"}"#)] : []
    }
    _ = try example("graphql.wscope", peer.url, ["-s", "graphql-transport-ws"])
  }

  @Test func stomp() throws {
    let peer = try PushPeer(field: "Sec-WebSocket-Protocol: v12.stomp") { message in
      let lines = message.split(separator: "\n").map(String.init)
      guard message.hasSuffix("\0") else { return [.close(1002)] }
      switch lines[0] {
      case "CONNECT": return [.text("CONNECTED\nversion:1.2\nsession:s-1.2\n\n\0")]
      case "SUBSCRIBE": return [.text("RECEIPT\nreceipt-id:r1\n\n\0")]
      case "SEND" where lines.contains("session:s-1.2"):
        return [.text("MESSAGE\ndestination:/queue/a\nmessage-id:1\nsubscription:0\n\nhello\0")]
      case "DISCONNECT": return [.text("RECEIPT\nreceipt-id:r2\n\n\0")]
      default: return [.text("ERROR\n\n\0")]
      }
    }
    _ = try example("stomp.wscope", peer.url, ["-s", "v12.stomp"])
  }

  @Test func jsonRPC() throws {
    let peer = try PushPeer { message in
      guard let call = try? JSONValue.parse(Array(message.utf8)), let id = call["id"]?.written
      else { return [.close(1007)] }
      let result =
        switch call["method"]?.string {
        case "open": #""result":true"#
        case "handle": #""result":{"handle":42}"#
        case "count": #""result":"# + (call["params"]?.written.filter(\.isNumber) ?? "")
        default: #""error":{"code":-32601,"message":"Method not found"}"#
        }
      return [.text(#"{"jsonrpc":"2.0","id":\#(id),\#(result)}"#)]
    }
    _ = try example("json-rpc.wscope", peer.url)
  }

  @Test func heartbeat() throws {
    let peer = try PushPeer { message in
      switch message {
      case #"{"op":"subscribe","channel":"prices"}"#:
        [.text(#"{"type":"notice"}"#), .text(#"{"type":"ping","id":"a\"b"}"#)]
      case #"{"type":"pong","id":"a\"b"}"#:
        [.text(#"{"op":"subscribed"}"#), .text(#"{"price":7}"#)]
      default: [.close(1008)]
      }
    }
    _ = try example("heartbeat.wscope", peer.url)
  }

  // MARK: Rules

  @Test func rulesReactWhateverTheStepsWaitFor() throws {
    let listener = try Listener()
    let rules = """
      <~ ^again ([a-z]+)$ => > $1
      once < one => > two
      every 50ms => > tick
      < tick => nothing
      @a < mark => @b > $MESSAGE
      @a connect
      @b connect
      @b > again x
      @b < x
      @a > mark
      @b < mark
      > again one
      < two
      expect-none 200ms
      """
    let finished = try run(rules, listener.url).finished
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    // What rules take is shown as what steps take is.
    let lines = finished.outputText.split(separator: "\n")
    // The timer ticks when it likes.
    #expect(
      lines.filter { $0 != "tick" } == [
        "again x", "x", "mark", "mark", "again one", "one", "two",
      ], "\(finished.outputText)")
    #expect(lines.contains("tick"))
  }

  @Test func aRuleThatTakesTooManyStepsIsSkipped() throws {
    let listener = try Listener()
    let text = String(repeating: "a", count: 34) + "!"
    let finished = try run("<~ ^(a+)+$ => > no\n> \(text)\n< \(text)", listener.url).finished
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(
      finished.errorText.contains(
        ":1: the regular expression needs too many steps on a message of 35 B; rule skipped"),
      "\(finished.errorText)")
  }

  @Test func aRuleThatCannotBeCarriedOutIsReported() throws {
    let listener = try Listener()
    let (finished, path) = try run("< x => >@ no-such-file\n> x\nwait 200ms", listener.url)
    #expect(finished.exitCode == 2)
    #expect(
      finished.errorText.hasPrefix("wscope: \(path):1: the rule failed\n  got: "),
      "\(finished.errorText)")
    #expect(finished.errorText.contains("no-such-file: No such file or directory"))
  }

  /// A peer answers a Close with our code: it says nothing about the peer.
  @Test func aCloseByARuleIsOurs() throws {
    let listener = try Listener()
    let rule = "< x => close 4001 bye\n> x\n"
    #expect(try run(rule + "wait 200ms", listener.url).finished.exitCode == 0)
    let waiting = try run(rule + "< y", listener.url).finished
    #expect(waiting.exitCode == 1)
    #expect(waiting.errorText.contains("got: closed 4001 private to the application (by us)"))
  }

  // MARK: What fails

  @Test func aStepThatIsNotMetIsNamed() throws {
    let listener = try Listener()
    let (finished, path) = try run(
      "# first\n> one\n< one\n\n> two\n  <~ ^three$ -> X\n< not reached", listener.url,
      ["--wait", "300ms"])
    #expect(finished.exitCode == 1)
    #expect(finished.outputText == "one\ntwo\n")
    #expect(
      finished.errorText == """
        * met: \(path):3: < one
        wscope: \(path):6: the expected message did not arrive
          step: <~ ^three$ -> X
          got: "two"

        """)
  }

  @Test func whatComesInsteadIsTold() throws {
    let listener = try Listener()
    let silent = try run("< x", listener.url, ["--wait", "200ms"]).finished
    #expect(silent.exitCode == 1)
    #expect(silent.errorText.contains("  got: nothing within 200 ms\n"))
    let none = try run("> x\nexpect-none 2s", listener.url).finished
    #expect(none.exitCode == 1)
    #expect(none.errorText.contains(":2: a message arrived where none was expected"))
    #expect(none.errorText.contains("  got: \"x\"\n"))
    let open = try run("expect-close 1000", listener.url, ["--wait", "200ms"]).finished
    #expect(open.exitCode == 1)
    #expect(open.errorText.contains("  got: no Close within 200 ms: it is still open\n"))
    let refused = try run("> x\n< x\n@b connect ws://127.0.0.1:1/\n@b > x", listener.url).finished
    #expect(refused.exitCode == 7)
    #expect(refused.errorText.contains(":3: the connection did not open\n"))
  }

  @Test func aCloseThatNobodyExpectedCounts() throws {
    let peer = try PushPeer { $0 == "go" ? [.close(4401)] : [] }
    let waiting = try run("> go\n< reply", peer.url).finished
    #expect(waiting.exitCode == 111)
    #expect(waiting.errorText.contains("  got: closed 4401 private to the application"))
    let unasked = try run("> go\nwait 200ms", peer.url).finished
    #expect(unasked.exitCode == 111)
    #expect(
      try run("> go\nwait 200ms", peer.url, ["--accept-close", "4401"]).finished.exitCode == 0)
    #expect(try run("> go\nexpect-close", peer.url).finished.exitCode == 0)
    let other = try run("> go\nexpect-close 4400", peer.url).finished
    #expect(other.exitCode == 1)
    #expect(other.errorText.contains("got: closed 4401"))
  }

  @Test func aLostConnectionIsTold() throws {
    let peer = try RawPeer([.readRequest, .accept, .wait(milliseconds: 100), .reset])
    defer { peer.stop() }
    let finished = try run("< reply", peer.url).finished
    #expect(finished.exitCode == 56)
    #expect(
      finished.errorText.contains(
        "got: connection lost: 1006, no Close frame (TCP reset by the peer"))
    #expect(try run("expect-close 1006", peer.url).finished.exitCode == 0)
  }

  @Test(arguments: [
    ("> a\n<a", ":2: a space is required after <", "  step: <a"),
    ("send a", ":1: unknown step \"send\"", "  step: send a"),
    ("\u{1b}[2J", ":1: unknown step \"\\x1b[2J\"", "  step: \\x1b[2J"),
    ("> $NO_SUCH", ":1: $NO_SUCH is not set", "  hint: write $$ for a dollar sign"),
    ("every 1s => > a\n=> > $NO_SUCH\n> b", ":2: $NO_SUCH is not set", "  step: => > $NO_SUCH\n"),
    ("@b > a", ":1: @b is not open", "  step: @b > a"),
    ("> a\nconnect ftp://h", ":2: unsupported URL scheme \"ftp\"", "  step: connect ftp://h"),
    ("# nothing", ": the script has no steps", ""),
  ])
  func whatIsNoScriptIsRefused(_ lines: String, _ words: String, _ detail: String) throws {
    let (finished, path) = try run(lines, ":1")
    #expect(finished.exitCode == (lines.contains("ftp:") ? 3 : 2), "\(finished.errorText)")
    #expect(finished.errorText.hasPrefix("wscope: \(path)\(words)"), "\(finished.errorText)")
    #expect(finished.errorText.contains(detail))
  }

  @Test(arguments: [
    (["message"], "--script cannot be used together with messages"),
    (["--expect", "x"], "--script cannot be used together with --expect"),
    (["-N2"], "--script cannot be used together with messages"),
    (["--wait", "0"], "must be longer than 0"),
  ])
  func whatDoesNotGoWithItIsRefused(_ options: [String], _ words: String) throws {
    let finished = try run("> a", ":1", options).finished
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains(words))
  }

  // MARK: The rest

  @Test func itReports() throws {
    let listener = try Listener()
    let xml = try Wscope.scratch("script-report") + "/out.xml"
    let finished = try run(
      "> a\n< a\n< b\nping\n", listener.url,
      ["--tap-output", "--junit", xml, "--wait", "200ms", "--repeat", "2"]
    ).finished
    #expect(finished.exitCode == 1)
    #expect(finished.outputText.contains("1..8\n"))
    #expect(finished.outputText.contains("ok 2 - run 1: line 2: < a\n"))
    #expect(
      finished.outputText.contains("not ok 4 - run 1: line 4: ping\n  ---\n  got: 'not reached'"))
    let suite = try JUnit.read(String(decoding: try FileContents.read(xml), as: UTF8.self))
    #expect(suite.attributes["failures"] == "4")
  }

  @Test func filesAreBesideTheScript() throws {
    let listener = try Listener()
    let directory = try Wscope.scratch("script")
    try FileContents.write("from\na file", to: directory + "/payload.txt")
    let finished = try run(">@ payload.txt\n<e from\\na file\n", listener.url).finished
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    let missing = try run("> a\n>@ no-such-file\n", listener.url).finished
    #expect(missing.exitCode == 2)
    #expect(missing.errorText.contains(":2: the step failed"))
    #expect(missing.errorText.contains("no-such-file: No such file or directory"))
  }

  @Test func aPathIsOneOfTheSameServer() throws {
    let peer = try RawPeer([
      .readRequest, .accept, .read(8), .frame(opcode: 8, [3, 232]), .readToEnd,
    ])
    defer { peer.stop() }
    #expect(try run("connect /other?x=1", peer.url).finished.exitCode == 0)
    #expect(peer.requests.first?.hasPrefix("GET /other?x=1 HTTP/1.1\r\n") == true)
  }

  @Test func aFloodDoesNotFillTheMemory() throws {
    let peer = try PushPeer()
    let path = try Wscope.scratch("script") + "/flood.wscope"
    try FileContents.write("wait 1s\n<~ last\n", to: path)
    let child = try Wscope.start(["send", peer.url, "--script", path])
    try peer.wait(accepted: 1)
    for index in 0..<20_000 { peer.say("\(index)") }
    peer.say("last")
    let finished = try child.wait()
    #expect(finished.exitCode == 0)
    #expect(finished.outputText.hasSuffix("19999\nlast\n"))
  }

  @Test func aSignalEndsIt() throws {
    let listener = try Listener()
    let path = try Wscope.scratch("script") + "/signal.wscope"
    try FileContents.write("> up\n< up\nwait 60s\n< never\n", to: path)
    let child = try Wscope.start(["send", listener.url, "--script", path, "--tap-output"])
    _ = try child.readLine(from: .standardError) { $0.contains("met:") }
    child.signal(SIGINT)
    let finished = try child.wait()
    #expect(finished.exitCode == 130)
    #expect(finished.outputText.contains("  got: 'ended by SIGINT'"))
  }

  @Test func itRecordsPings() throws {
    let listener = try Listener()
    let directory = try Wscope.scratch("script-record")
    let (script, path) = (directory + "/ping.wscope", directory + "/ping.jsonl")
    unlink(path)
    try FileContents.write("ping hello\n", to: script)
    let finished = try Wscope.run(
      ["send", listener.url, "--script", script, "--record", path], input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    let again = directory + "/again.jsonl"
    unlink(again)
    _ = try Wscope.run(
      ["send", listener.url, "--replay", path, "--linger", "100ms", "--record", again], input: "")
    for file in [path, again] {
      let lines = try FileContents.read(file).split(separator: 0x0A).map {
        try JSONValue.parse(Array($0))
      }
      let pings = lines.filter { ["ping", "pong"].contains($0["event"]?.string) }
      #expect(pings.map { $0["dir"]?.string } == ["out", "in"])
      #expect(pings.map { $0["base64"]?.string } == ["aGVsbG8=", "aGVsbG8="])
    }
  }

  @Test func itRecordsEveryConnection() throws {
    let listener = try Listener(["--mode", "broadcast"])
    let path = try Wscope.scratch("script-record") + "/chat.jsonl"
    unlink(path)
    _ = try example("chat.wscope", listener.url, ["--record", path])
    let lines = try FileContents.read(path).split(separator: 0x0A).map {
      try JSONValue.parse(Array($0))
    }
    #expect(lines.flatMap(SchemaCheck(try JSONValue.parse(SessionEvent.schema)).problems).isEmpty)
    let messages = lines.filter { $0["event"]?.string == "message" }
      .map { "\($0["conn"]?.written ?? "") \($0["dir"]?.string ?? "") \($0["text"]?.string ?? "")" }
    #expect(
      Set(messages) == [
        "1 out hello, Bob", "2 in hello, Bob", "2 out hello, Alice", "1 in hello, Alice",
      ])
  }
}
