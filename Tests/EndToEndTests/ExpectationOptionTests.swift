import TestPeers
import Testing

/// What `send` expects, through the binary: each option met and not met, with what came instead.
@Suite(.blocking) struct ExpectationOptionTests {
  let listener: Listener

  init() throws {
    listener = try Listener()
  }

  private func check(
    _ arguments: [String], url: String? = nil, exitCode: Int32, says lines: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let finished = try Wscope.run(
      ["send", url ?? listener.url, "--linger", "300ms"] + arguments, input: "")
    #expect(finished.exitCode == exitCode, "\(finished.errorText)", sourceLocation: sourceLocation)
    for line in lines {
      #expect(
        finished.errorText.split(separator: "\n").contains(Substring(line)),
        "\(line)\nin:\n\(finished.errorText)", sourceLocation: sourceLocation)
    }
  }

  /// A peer that accepts, does this, takes so many messages of one letter, and answers the Close.
  private func peer(
    _ steps: RawPeer.Step..., letters: Int = 0, field: String? = nil
  ) throws -> RawPeer {
    let accept = field.map { RawPeer.Step.acceptAnd($0) } ?? .accept
    // Two bytes of header, four of the mask, one of payload; two of the Close.
    let answer = [RawPeer.Step.read(7 * letters + 8), Self.close(1000), .readToEnd]
    return try RawPeer([.readRequest, accept] + steps + answer)
  }

  private static func close(_ code: UInt16) -> RawPeer.Step {
    .frame(opcode: 8, [UInt8(code >> 8), UInt8(code & 0xFF)])
  }

  @Test func aRegularExpression() throws {
    try check(["hello", "--expect-regex", "^h.l+o$"], exitCode: 0, says: ["* met: /^h.l+o$/"])
    try check(
      ["hello", "--expect-regex", "^e"], exitCode: 1,
      says: ["wscope: expected /^e/", "  got: \"hello\""])
  }

  @Test func aJSONExpression() throws {
    let message = #"{"op":"pong","id":[7]}"#
    try check(
      [message, "--expect-json", ".op == \"pong\"", "--expect-none", "100ms"], exitCode: 0,
      says: ["* met: .op == \"pong\"", "* met: no message for 100 ms"])
    try check(
      [message, "--expect-json", ".id[0] < 7"], exitCode: 1,
      says: ["wscope: expected .id[0] < 7", "  got: \"{\"op\":\"pong\",\"id\":[7]}\""])
  }

  @Test func binary() throws {
    try check(["-b", "a", "--expect-binary", "61"], exitCode: 0, says: ["* met: binary 61"])
    try check(
      ["a", "--expect-binary", "61"], exitCode: 1,
      says: ["wscope: expected binary 61", "  got: \"a\""])
    try check(
      ["-b", "ab", "--expect-binary", "00 FF"], exitCode: 1,
      says: ["wscope: expected binary 00ff", "  got: binary 6162"])
  }

  /// The order on the command line counts, also among different options.
  @Test func theOrderOfTheCommandLine() throws {
    let expected = ["--expect-regex", "^b", "--expect", "a", "--expect-json", ".c"]
    try check(
      ["b1", "x", "a", #"{"c":1}"#] + expected, exitCode: 0,
      says: ["* met: /^b/", "* met: \"a\"", "* met: .c"])
    try check(
      ["a", "b1", #"{"c":1}"#] + expected, exitCode: 1,
      says: [
        "* met: /^b/", "wscope: expected \"a\"", "  got: \"{\"c\":1}\"", "wscope: expected .c",
        "  got: nothing, because an earlier expectation was not met",
      ])
  }

  @Test func silence() throws {
    let silent = try peer(letters: 1)
    defer { silent.stop() }
    try check(
      ["x", "--expect-none", "200ms"], url: silent.url, exitCode: 0,
      says: ["* met: no message for 200 ms"])
    try check(
      ["x", "--expect-none", "5s"], exitCode: 1,
      says: ["wscope: expected no message for 5 s", "  got: \"x\""])
  }

  @Test func aNumberOfMessages() throws {
    try check(["a", "b", "--expect-count", "2"], exitCode: 0, says: ["* met: 2 messages"])
    try check(
      ["a", "b", "--expect-count", "1"], exitCode: 1,
      says: ["wscope: expected 1 message", "  got: 2 messages"])
    try check(
      ["a", "--expect-count", "2", "--within", "300ms"], exitCode: 1,
      says: ["wscope: expected 2 messages within 300 ms", "  got: 1 message"])
  }

  @Test func aClose() throws {
    let closing = try peer(.wait(milliseconds: 50), Self.close(1008))
    defer { closing.stop() }
    try check(
      ["--expect-close", "1008"], url: closing.url, exitCode: 0, says: ["* met: close 1008"])
    try check(
      ["--expect-close", "1000,4000-4999"], url: closing.url, exitCode: 1,
      says: [
        "wscope: expected close 1000,4000-4999", "  got: 1008 policy violation",
      ])
    try check(
      ["x"], url: closing.url, exitCode: 111, says: ["! closed 1008 policy violation (by the peer)"]
    )
    try check(
      ["x", "--expect-close", "1000", "--within", "300ms"], exitCode: 1,
      says: [
        "wscope: expected close 1000 within 300 ms",
        "  got: no Close: the connection was still open",
      ])
  }

  @Test func aConnectionThatIsLostMayBeExpected() throws {
    let losing = try RawPeer([.readRequest, .accept, .wait(milliseconds: 50)])
    defer { losing.stop() }
    try check(["x"], url: losing.url, exitCode: 56, says: [])
    try check(
      ["x", "--expect-close", "1006"], url: losing.url, exitCode: 0, says: ["* met: close 1006"])
  }

  @Test func acceptedCloses() throws {
    let closing = try peer(.wait(milliseconds: 50), Self.close(4001))
    defer { closing.stop() }
    try check(["x"], url: closing.url, exitCode: 111, says: [])
    try check(["x", "--accept-close", "1008,4000-4999"], url: closing.url, exitCode: 0, says: [])
    try check(["x", "--accept-close", "1008"], url: closing.url, exitCode: 111, says: [])
  }

  @Test func aStatus() throws {
    let refusing = try RawPeer([
      .readRequest, .send(Array("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".utf8)),
      .readToEnd,
    ])
    defer { refusing.stop() }
    let met = try Wscope.run(["send", refusing.url, "--expect-status", "401"], input: "")
    #expect(met.exitCode == 0)
    #expect(met.errorText == "* met: status 401\n")
    try check(
      ["--expect-status", "403"], url: refusing.url, exitCode: 1,
      says: [
        "wscope: server refused the upgrade: 401 Unauthorized (expected 101)",
        "wscope: expected status 403", "  got: status 401",
      ])
    try check(
      ["--expect-status", "401"], exitCode: 1,
      says: ["wscope: expected status 401", "  got: status 101"])
    try check(["--expect-status", "101"], exitCode: 0, says: ["* met: status 101"])
    // No reply is no status: why there is none says the exit code.
    try check(
      ["--expect-status", "401"], url: "ws://127.0.0.1:1/", exitCode: 7,
      says: ["wscope: expected status 401", "  got: no connection"])
  }

  @Test func aSubprotocol() throws {
    let choosing = try peer(field: "Sec-WebSocket-Protocol: b")
    defer { choosing.stop() }
    try check(
      ["-s", "a,b", "--expect-subprotocol", "b"], url: choosing.url, exitCode: 0,
      says: ["* met: subprotocol b"])
    try check(
      ["-s", "a,b", "--expect-subprotocol", "a"], url: choosing.url, exitCode: 1,
      says: ["wscope: expected subprotocol a", "  got: subprotocol b"])
    let mute = try peer()
    defer { mute.stop() }
    try check(
      ["-s", "a", "--expect-subprotocol", "a"], url: mute.url, exitCode: 1,
      says: ["wscope: expected subprotocol a", "  got: no subprotocol"])
  }

  /// The deadline ends a peer that never stops, and waits longer than the pause would.
  @Test func aDeadline() throws {
    let slow = try peer(
      .frame(opcode: 1, [0x31]), .wait(milliseconds: 900), .frame(opcode: 1, [0x32]))
    defer { slow.stop() }
    try check(
      ["--expect", "2"], url: slow.url, exitCode: 1,
      says: ["wscope: expected \"2\"", "  got: \"1\""])
    try check(
      ["--expect", "2", "--within", "10s"], url: slow.url, exitCode: 0,
      says: ["* met: \"2\" within 10 s"])
    try check(
      ["--expect", "2", "--within", "200ms", "--wait", "30"], url: slow.url, exitCode: 1,
      says: ["wscope: expected \"2\" within 200 ms", "  got: \"1\""])
    let silent = try RawPeer([.readRequest, .accept, .readToEnd])
    defer { silent.stop() }
    try check(
      ["x", "--expect", "2", "--within", "200ms", "--close-timeout", "200ms"], url: silent.url,
      exitCode: 1,
      says: ["wscope: expected \"2\" within 200 ms", "  got: nothing"])
  }

  @Test func roundTrips() throws {
    try check(["x", "--max-rtt", "5s"], exitCode: 0, says: ["* met: replies within 5 s"])
    let slow = try peer(.wait(milliseconds: 300), .frame(opcode: 1, [0x31]), letters: 1)
    defer { slow.stop() }
    let finished = try Wscope.run(["send", slow.url, "x", "--max-rtt", "20ms"])
    #expect(finished.exitCode == 1)
    #expect(
      finished.errorText.contains("wscope: expected replies within 20 ms\n  got: a reply after "))
  }

  @Test func until() throws {
    let counting = try peer(
      .frame(opcode: 1, [0x31]), .wait(milliseconds: 600), .frame(opcode: 1, [0x32]),
      .wait(milliseconds: 100), .frame(opcode: 1, Array(#"{"n":3}"#.utf8)))
    defer { counting.stop() }
    for (arguments, output) in [
      (["--until", "^2"], "1\n2\n"), (["--until-json", ".n == 3"], "1\n2\n{\"n\":3}\n"),
    ] {
      let finished = try Wscope.run(
        ["send", counting.url, "--linger", "100ms", "--wait", "600"] + arguments, input: "")
      #expect(finished.exitCode == 0, "\(finished.errorText)")
      // What comes before the peer's Close is printed too.
      #expect(finished.outputText.hasPrefix(output))
      #expect(finished.duration < .seconds(100))
    }
    try check(
      ["--until", "^4", "--within", "900ms"], url: counting.url, exitCode: 1,
      says: ["wscope: expected until /^4/ within 900 ms"])
  }

  /// What a peer has written does not reach the terminal as it is.
  @Test func whatCameInsteadIsEscaped() throws {
    let finished = try Wscope.run([
      "send", listener.url, "\u{1B}[31m\n", "--expect", "x", "--linger", "100ms",
    ])
    #expect(finished.exitCode == 1)
    #expect(!finished.errorText.contains("\u{1B}[31m"))
    #expect(finished.errorText.split(separator: "\n").count == 2)
  }

  static let mistakes: [(arguments: [String], said: String)] = [
    (
      ["--expect-regex", "("],
      "--expect-regex \"(\": not a regular expression: missing closing parenthesis (byte 1)"
    ),
    (
      ["--until", "a{2,1}"],
      "--until \"a{2,1}\": not a regular expression: numbers out of order in {} quantifier (byte 5)"
    ),
    (
      ["--expect-json", ".op = 3"],
      "--expect-json: = is not a comparison; use ==\n  .op = 3\n      ^\n"
    ),
    (["--until-json", "op"], "--until-json: expected a path such as .op\n  op\n  ^\n"),
    (
      ["--expect-binary", "0"],
      "--expect-binary \"0\": expected an even number of hexadecimal digits"
    ),
    (["--expect-binary", "0x"], "--expect-binary \"0x\": expected an even number"),
    (["--expect-none", "0"], "--expect-none must be longer than 0"),
    (["--expect-none", "soon"], "soon"),
    (["--expect-count", "-1"], "--expect-count"), (["--expect-count", "many"], "many"),
    (["--expect-close", "99"], "--expect-close \"99\": expected codes from 1000 to 4999"),
    (["--accept-close", "1001-1000"], "--accept-close \"1001-1000\": expected codes"),
    (["--expect-status", "99"], "--expect-status must be from 100 to 599"),
    (["--expect-subprotocol", "chat"], "is not among the offered subprotocols"),
    (["--within", "1s"], "--within requires --expect"),
    (["--within", "0", "--expect", "x"], "--within must be longer than 0"),
    (["--max-rtt", "0"], "--max-rtt must be longer than 0"),
    (["--until", "a", "--until-json", ".a"], "--until and --until-json cannot be used together"),
    (["--until", "a", "-N", "3"], "--count and --until cannot be used together"),
    (["--tap-output", "--format", "jsonl"], "--tap-output cannot be used together with"),
    (["--tap-output", "--raw"], "--tap-output cannot be used together with"),
  ]

  @Test(arguments: mistakes.indices) func mistakesAreUsage(_ index: Int) throws {
    let (arguments, said) = Self.mistakes[index]
    let finished = try Wscope.run(["send", "ws://127.0.0.1:1", "x"] + arguments)
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.hasPrefix("wscope: "), "\(finished.errorText)")
    #expect(finished.errorText.contains(said), "\(finished.errorText)")
    #expect(finished.outputText.isEmpty)
  }

  /// What came instead is in the words of the subprotocol.
  @Test func closeCodesOfAnApplication() throws {
    let peer = try RawPeer([
      .readRequest, .acceptAnd("Sec-WebSocket-Protocol: graphql-transport-ws"),
      .frame(opcode: 8, [0x11, 0x31]), .readToEnd,
    ])
    defer { peer.stop() }
    let sent = try Wscope.run([
      "send", peer.url, "-s", "graphql-transport-ws", "--expect-close", "1000", "x",
    ])
    #expect(sent.exitCode == 1)
    #expect(sent.errorText.contains("got: 4401 unauthorized"), "\(sent.errorText)")
  }
}
