import TestPeers
import Testing
import WebSocketProtocol

@testable import wscope

/// What `send` and `connect` make of servers that fail: each row of the table "Measured failure
/// behaviour", where no other tool is right in all rows, and the rules of the handshake.
@Suite(.blocking) struct MisbehavingPeerTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var steps: [RawPeer.Step]
    var scheme = "ws"
    var exitCode: Int32
    var output = ""
    /// Texts that must all stand in what is said on standard error.
    var said: [String]

    var testDescription: String { name }
  }

  static let refusal401 = """
    HTTP/1.1 401 Unauthorized\r
    WWW-Authenticate: Bearer realm="x"\r
    Content-Length: 25\r
    \r
    {"error":"token expired"}
    """

  static func reply(_ text: String) -> RawPeer.Step { .send(Array(text.utf8)) }

  static let rows: [Row] = [
    Row(
      name: "401 with a body", steps: [.readRequest, reply(refusal401), .readToEnd], exitCode: 22,
      said: [
        "server refused the upgrade: 401 Unauthorized (expected 101)",
        "www-authenticate: Bearer realm=\"x\"", "{\"error\":\"token expired\"}",
      ]),
    Row(
      name: "404",
      steps: [.readRequest, reply("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")],
      exitCode: 22, said: ["404 Not Found"]),
    Row(
      name: "301",
      steps: [
        .readRequest,
        reply(
          "HTTP/1.1 301 Moved Permanently\r\nLocation: ws://elsewhere.example/\r\n"
            + "Content-Length: 0\r\n\r\n"),
      ],
      exitCode: 22, said: ["301 Moved Permanently", "location: ws://elsewhere.example/"]),
    Row(
      name: "a web page",
      steps: [.readRequest, reply("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")],
      exitCode: 22, said: ["200 OK", "an ordinary page"]),
    Row(
      name: "a proxy that passes no Upgrade on",
      steps: [
        .readRequest, reply("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"),
      ],
      exitCode: 22, said: ["426 Upgrade Required", "nginx: proxy_http_version 1.1;"]),
    Row(
      name: "a server of HTTPS",
      steps: [
        .readRequest,
        reply(
          "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"),
      ],
      exitCode: 22, said: ["to an HTTPS server.", "try: wscope ", " wss://127.0.0.1:"]),
    Row(
      name: "a refusal whose body never ends",
      steps: [
        .readRequest, reply("HTTP/1.1 503 Service Unavailable\r\n\r\nnot now"), .silence,
      ],
      exitCode: 22, said: ["503 Service Unavailable", "body: not now"]),
    Row(
      name: "wrong Sec-WebSocket-Accept",
      steps: [
        .readRequest,
        reply(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"),
        .readToEnd,
      ],
      exitCode: 8,
      said: ["Sec-WebSocket-Accept", "got: AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "expected: "]),
    Row(
      name: "101 without Upgrade",
      steps: [
        .readRequest,
        reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"), .readToEnd,
      ],
      exitCode: 8, said: ["the Upgrade field is missing", "reverse proxy"]),
    Row(
      name: "not HTTP at all", steps: [reply("220 mail.example ESMTP\r\n"), .readToEnd],
      exitCode: 8, said: ["does not speak HTTP", "220 mail.example ESMTP"]),
    Row(
      name: "a TLS record",
      steps: [.readRequest, .send([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]), .readToEnd],
      exitCode: 8, said: ["speaks TLS on this port", "try: wscope", "wss://127.0.0.1:"]),
    Row(
      name: "closed before a reply", steps: [.readRequest], exitCode: 52,
      said: ["closed the connection before it replied"]),
    Row(
      name: "closed inside the head", steps: [.readRequest, reply("HTTP/1.1 101 Swi")],
      exitCode: 8, said: ["in the middle of its reply", "HTTP/1.1 101 Swi"]),
    Row(
      name: "reset before a reply", steps: [.readRequest, .reset], exitCode: 52,
      said: ["reset the connection before it replied"]),
    Row(
      name: "message, then reset",
      steps: [
        .readRequest, .accept, .frame(opcode: 1, Array("last words".utf8)),
        .wait(milliseconds: 200),
        .reset,
      ],
      exitCode: 56, output: "last words\n",
      said: ["connection lost: 1006", "TCP reset by the peer"]),
    Row(
      name: "message, then end of TCP",
      // Its own message is read first: a socket closed with unread bytes would be reset.
      steps: [.readRequest, .accept, .read(11), .frame(opcode: 1, Array("last words".utf8))],
      exitCode: 56, output: "last words\n",
      said: ["connection lost: 1006", "the peer ended the TCP connection"]),
    Row(
      name: "Close 1008",
      steps: [
        .readRequest, .accept, .frame(opcode: 8, [0x03, 0xF0] + Array("nope".utf8)), .readToEnd,
      ],
      exitCode: 111, said: ["closed 1008 policy violation \"nope\" (by the peer)"]),
    Row(
      name: "reply after a second",
      steps: [
        .readRequest, .accept, .wait(milliseconds: 1000),
        .frame(opcode: 1, Array("late".utf8)), .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
      ],
      exitCode: 0, output: "late\n", said: []),
    Row(
      name: "escapes reach a pipe untouched",
      steps: [
        .readRequest, .accept, .frame(opcode: 1, Array("\u{1b}]0;x\u{7}\u{1b}[2J".utf8)),
        .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
      ],
      exitCode: 0, output: "\u{1b}]0;x\u{7}\u{1b}[2J\n", said: []),
    Row(
      name: "newlines in a message are kept",
      steps: [
        .readRequest, .accept, .frame(opcode: 1, Array("a\nb\nc".utf8)),
        .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
      ],
      exitCode: 0, output: "a\nb\nc\n", said: []),
    Row(
      name: "a masked frame",
      steps: [.readRequest, .accept, .send([0x81, 0x81, 1, 2, 3, 4, 0x60]), .readToEnd],
      exitCode: 110, said: ["protocol violation by the peer", "must not be masked"]),
    Row(
      name: "text that is not UTF-8",
      steps: [.readRequest, .accept, .frame(opcode: 1, [0x61, 0xFF]), .readToEnd],
      exitCode: 110,
      said: ["invalid UTF-8 in a text message: byte FF at offset 1, after \"a\"", "1007"]),
    Row(
      name: "a length of 2^63",
      steps: [
        .readRequest, .accept, .send([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), .readToEnd,
      ],
      exitCode: 110, said: ["the top bit of a 64-bit length"]),
    Row(
      name: "a message over the limit",
      steps: [
        .readRequest, .accept, .send([0x82, 127, 0, 0, 0, 0, 0x40, 0, 0, 0]), .readToEnd,
      ],
      exitCode: 63,
      said: ["! message of 1073741824 bytes is over the limit of 67108864 (--max-message)"]),
    Row(
      name: "too many fragments",
      steps: [
        .readRequest, .accept,
        .send([0x02, 0x00] + [UInt8](repeating: 0, count: 2 * Limits.defaultFragments)), .readToEnd,
      ],
      exitCode: 63,
      said: ["! too many fragments: a message has more than 131072 (closed with 1009)"]),
    Row(
      name: "endless headers",
      steps: [
        .readRequest, reply("HTTP/1.1 101 Switching Protocols\r\n"),
        .send(Array(String(repeating: "X-Padding: padding\r\n", count: 20_000).utf8)), .readToEnd,
      ],
      exitCode: 8, said: ["the head of the reply is too large"]),
    Row(
      name: "interim replies without end",
      steps: [
        .readRequest,
        reply(String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 10)), .readToEnd,
      ],
      exitCode: 8, said: ["more than 5 interim (1xx) replies"]),
    Row(
      name: "an extension that was not offered",
      steps: [.readRequest, .acceptAnd("Sec-WebSocket-Extensions: x-unknown"), .readToEnd],
      exitCode: 8, said: ["an extension that was not offered", "x-unknown"]),
    Row(
      name: "an answer to permessage-deflate that breaks its rules",
      steps: [
        .readRequest,
        .acceptAnd("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=1000"),
        .readToEnd,
      ],
      exitCode: 8,
      said: ["permessage-deflate", "got: permessage-deflate; server_max_window_bits=1000"]),
    Row(
      name: "a compressed message that does not inflate",
      steps: [
        .readRequest, .acceptAnd("Sec-WebSocket-Extensions: permessage-deflate"),
        .send([0xC1, 0x04, 0xFF, 0xFF, 0xFF, 0xFF]), .readToEnd,
      ],
      exitCode: 110, said: ["compressed message is corrupt", "1007"]),
    Row(
      name: "a compressed message",
      steps: [
        .readRequest, .acceptAnd("Sec-WebSocket-Extensions: permessage-deflate"),
        .send([0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]),
        .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
      ],
      exitCode: 0, output: "Hello\n", said: []),
    Row(
      name: "a subprotocol that was not offered",
      steps: [.readRequest, .acceptAnd("Sec-WebSocket-Protocol: chat"), .readToEnd],
      exitCode: 8, said: ["a subprotocol that was not offered", "got: chat"]),
    Row(
      name: "wss to a plain port",
      steps: [.read(1), reply("HTTP/1.1 400 Bad Request\r\n\r\n"), .readToEnd],
      scheme: "wss", exitCode: 35,
      said: [
        "TLS failed: the server answered in plain HTTP on this port",
        "got: \"HTTP/1.1 400 Bad Request\"", "ws://127.0.0.1:",
      ]),
  ]

  @Test(arguments: rows) func send(row: Row) throws {
    let peer = try RawPeer(row.steps)
    defer { peer.stop() }
    let finished = try Wscope.run(
      ["send", "\(row.scheme)://127.0.0.1:\(peer.port)/", "hello", "--wait", "5"])
    expect(finished, row)
  }

  @Test(arguments: rows) func connectAsFilter(row: Row) throws {
    let peer = try RawPeer(row.steps)
    defer { peer.stop() }
    let finished = try Wscope.run(
      ["connect", "\(row.scheme)://127.0.0.1:\(peer.port)/", "--wait", "5"], input: "hello\n")
    expect(finished, row)
  }

  private func expect(_ finished: ChildProcess.Finished, _ row: Row) {
    #expect(finished.exitCode == row.exitCode, "\(row.name): \(finished.errorText)")
    #expect(finished.outputText == row.output, "\(row.name)")
    for text in row.said { #expect(finished.errorText.contains(text), "\(row.name)") }
  }

  @Test func refusedPort() throws {
    let peer = try RawPeer([])
    let url = peer.url
    peer.stop()
    for command in [["send", url, "x"], ["connect", url]] {
      let finished = try Wscope.run(command, input: "")
      #expect(finished.exitCode == 7)
      #expect(finished.errorText.contains("Connection refused"))
      #expect(finished.outputText.isEmpty)
    }
  }

  @Test func silentServer() throws {
    let peer = try RawPeer([.readRequest, .silence])
    defer { peer.stop() }
    let finished = try Wscope.run(["send", peer.url, "x", "--open-timeout", "500ms"])
    #expect(finished.exitCode == 28)
    #expect(
      finished.errorText.contains(
        "timed out after 500 ms waiting for the upgrade reply (TCP is up)"))
    #expect(finished.duration > .milliseconds(450) && finished.duration < .seconds(100))
  }

  @Test func oneByteASecondIsNoReplyEither() throws {
    let drip = (0..<20).flatMap { _ -> [RawPeer.Step] in
      [.send([0x48]), .wait(milliseconds: 100)]
    }
    let peer = try RawPeer([.readRequest] + drip)
    defer { peer.stop() }
    let finished = try Wscope.run(["send", peer.url, "x", "--open-timeout", "500ms"])
    // The drip is no valid HTTP, so the decoder may be first; the timer bounds it in any case.
    #expect(finished.exitCode == 28 || finished.exitCode == 8)
    #expect(finished.duration < .seconds(100))
  }

  @Test func noReplyToTheMessage() throws {
    let peer = try RawPeer([.readRequest, .accept, .silence])
    defer { peer.stop() }
    let finished = try Wscope.run(
      ["send", peer.url, "x", "--wait", "300ms", "--close-timeout", "300ms"])
    #expect(finished.exitCode == 28)
    // The first cause, then what followed from it.
    let lines = finished.errorText.split(separator: "\n")
    try #require(lines.count == 2, "\(finished.errorText)")
    #expect(lines[0] == "wscope: no reply within 300 ms (--wait)")
    #expect(lines[1].contains("no Close from the peer in time"))
  }

  /// A peer that ends TCP when it reads our Close: all was done by then.
  @Test func noAnswerToOurClose() throws {
    func run(_ arguments: [String], resets: Bool = false) throws -> ChildProcess.Finished {
      let peer = try RawPeer(
        [.readRequest, .accept, .read(7), .frame(opcode: 1, [0x78]), .read(8)]
          + (resets ? [.reset] : []))
      defer { peer.stop() }
      return try Wscope.run(["send", peer.url, "x", "--linger", "50ms"] + arguments)
    }
    let words = "* the peer ended TCP without answering our Close\n"
    for arguments in [[], ["--expect", "x"], ["--expect", "x", "--accept-close", "1006"]] {
      let finished = try run(arguments)
      #expect(finished.exitCode == 0, "\(finished.errorText)")
      #expect(finished.errorText.contains(words), "\(finished.errorText)")
    }
    #expect(try run(["--expect", "y"]).exitCode == 1)
    let reset = try run(["--expect", "x"], resets: true)
    #expect(reset.exitCode == 0, "\(reset.errorText)")
    #expect(reset.errorText.contains("the peer reset TCP without answering our Close"))
  }

  @Test func aLostConnectionIsAcceptedOnRequest() throws {
    func run(_ arguments: [String]) throws -> ChildProcess.Finished {
      let peer = try RawPeer([.readRequest, .accept, .read(7), .frame(opcode: 1, [0x78])])
      defer { peer.stop() }
      return try Wscope.run(["send", peer.url] + arguments)
    }
    #expect(try run(["x", "--wait", "9s", "--linger", "9s"]).exitCode == 56)
    let accepted = try run(["x", "--linger", "9s", "--accept-close", "1000,1006"])
    #expect(accepted.exitCode == 0, "\(accepted.errorText)")
  }

  @Test func aScriptWithoutAnAnswerToItsClose() throws {
    let script = try Wscope.scratch("lost") + "/closing.wscope"
    try FileContents.write("> x\n< x\n", to: script)
    let peer = try RawPeer([.readRequest, .accept, .read(7), .frame(opcode: 1, [0x78]), .read(8)])
    defer { peer.stop() }
    let finished = try Wscope.run(["send", peer.url, "--script", script])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.errorText.contains("* the peer ended TCP without answering our Close\n"))
  }

  @Test func binaryReachesAPipeAsItIs() throws {
    let peer = try RawPeer([
      .readRequest, .accept, .frame(opcode: 2, [0x00, 0xFF, 0x01, 0x0A, 0x80]),
      .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    defer { peer.stop() }
    let finished = try Wscope.run(["send", peer.url, "x"])
    #expect(finished.standardOutput == [0x00, 0xFF, 0x01, 0x0A, 0x80])
    #expect(finished.exitCode == 0)
  }

  @Test func framesInTheSegmentOfThe101AreNotLost() throws {
    let peer = try RawPeer([
      .readRequest, .acceptAnd("X: y", behind: RawPeer.frame(1, Array("early".utf8))),
      .wait(milliseconds: 50), .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    defer { peer.stop() }
    let finished = try Wscope.run(["send", peer.url, "x"])
    #expect(finished.outputText == "early\n")
  }
}
