import Conversation
import Glibc
import TestPeers
import Testing

@testable import wscope

/// Inputs from real use that once failed: what servers reply.
@Suite(.blocking) struct RealInputReplyTests {
  private func run(
    _ reply: String, body: [UInt8] = [], _ options: [String] = []
  ) throws -> ChildProcess.Finished {
    let peer = try RawPeer([
      .readRequest,
      .send(Array((reply + "Content-Length: \(body.count)\r\n\r\n").utf8) + body), .readToEnd,
    ])
    return try Wscope.run(["send", peer.url, "x"] + options)
  }

  /// Row 6: JSON on one line, up to 1 KiB, more with -v; escaped.
  @Test func row06_aJSONBodyIsOneLine() throws {
    let body = Array("{\n  \"error\": \"token \\\"a  b\\\" expired\",\n  \"n\": [ 1, 2 ]\n}\n".utf8)
    let refused = try run("HTTP/1.1 403 No\r\n", body: body)
    #expect(refused.exitCode == 22)
    #expect(
      refused.errorText.contains(#"body: {"error":"token \"a  b\" expired","n":[1,2]}"# + "\n"),
      "\(refused.errorText)")
  }

  @Test func row06_aLongBodyIsCutUnlessVerbose() throws {
    let body = Array(("{\"a\":\"" + String(repeating: "x", count: 3000) + "end\"}").utf8)
    let short = try run("HTTP/1.1 403 No\r\n", body: body)
    #expect(short.errorText.contains("... (-v shows more)") && !short.errorText.contains("end\""))
    let long = try run("HTTP/1.1 403 No\r\n", body: body, ["-v"])
    #expect(long.errorText.contains("end\"}"))
  }

  /// `printf '{"error": "zipped\x1b"}' | gzip -n`.
  private static let gzip: [UInt8] = [
    0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0xAB, 0x56, 0x4A, 0x2D, 0x2A, 0xCA, 0x2F, 0x52, 0xB2,
    0x52, 0x50, 0xAA, 0xCA, 0x2C, 0x28, 0x48, 0x4D, 0x91, 0x56, 0xAA, 0x05, 0, 0x4E, 0x77, 0x15,
    0x87, 0x14, 0, 0, 0,
  ]

  @Test func row06_contentCodingsAreUndoneOrNamed() throws {
    let zipped = try run(
      "HTTP/1.1 400 No\r\nContent-Encoding: gzip\r\n", body: Self.gzip)
    #expect(zipped.errorText.contains(#"body: {"error":"zipped\x1b"}"#), "\(zipped.errorText)")
    let unknown = try run(
      "HTTP/1.1 400 No\r\nContent-Encoding: br\r\n", body: [1, 2, 0x1B])
    #expect(unknown.errorText.contains("body: (3 B with content coding br)"))
    let broken = try run("HTTP/1.1 400 No\r\nContent-Encoding: gzip\r\n", body: [9, 9, 9])
    #expect(broken.errorText.contains("body: (3 B with content coding gzip)"))
  }

  /// Row 7: both heads with -v, and an event in JSON Lines.
  @Test func row07_aRefusalShowsBothHeads() throws {
    let head = "HTTP/1.1 403 No\r\nX-Why: because\r\nSet-Cookie: a=b\r\n"
    let refused = try run(head, body: Array("no".utf8), ["-v", "-H", "X-Mine: 1"])
    #expect(refused.exitCode == 22)
    for line in [
      "* > GET / HTTP/1.1\n", "* > X-Mine: 1\n", "* < HTTP/1.1 403 No\n", "* < X-Why: because\n",
      "* < Set-Cookie: ***\n",
    ] {
      #expect(refused.errorText.contains(line), "\(line): \(refused.errorText)")
    }
    let plain = try run(head)
    #expect(!plain.errorText.contains("* >"))
    let json = try run(head, body: Array("no".utf8), ["--format", "jsonl"])
    let event = try JSONValue.parse(json.standardOutput)
    #expect(event["event"] == .string("refused") && event["status"]?.string == nil)
    #expect(event["reason"] == .string("No") && event["body"] == .string("no"))
    #expect(json.outputText.contains(#"["X-Why","because"],["Set-Cookie","***"]"#))
  }

  @Test func row07_anInvalidHandshakeShowsBothHeads() throws {
    let invalid = try run("HTTP/1.1 101 Hm\r\nUpgrade: websocket\r\nX-A: 1\r\n", [], ["-v"])
    #expect(invalid.exitCode == 8)
    #expect(invalid.errorText.contains("* < HTTP/1.1 101 Hm\n* < Upgrade: websocket\n* < X-A: 1\n"))
    let malformed = try run("HTTP/1.1 101 Hm\r\nno colon\r\n", [], ["-v"])
    #expect(malformed.errorText.contains("* < HTTP/1.1 101 Hm\n* < no colon\n"))
  }

  private func run(_ reply: String, _ body: [UInt8], _ options: [String]) throws
    -> ChildProcess.Finished
  {
    try run(reply, body: body, options)
  }

  /// Row 8: the server's own phrase, and the standard one only where there is none.
  @Test(arguments: [
    ("HTTP/1.1 400 Invalid parameter: channel\r\n", "400 Invalid parameter: channel (expected"),
    ("HTTP/1.1 526 Origin SSL Certificate Error\r\n", "526 Origin SSL Certificate Error (expected"),
    ("HTTP/1.1 403 \r\n", "403 Forbidden (expected"),
    ("HTTP/1.1 403 a\u{1B}b\u{7}\r\n", #"403 a\x1bb\x07 (expected"#),
    ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Nowhere\r\n", "404 Nowhere (expected"),
  ])
  func row08_theServersOwnPhrase(_ head: String, _ said: String) throws {
    let finished = try run(head)
    #expect(finished.errorText.contains(said), "\(finished.errorText)")
    #expect(!finished.errorText.contains("\u{1B}"))
  }

  /// Row 10: a 101 has no body, whatever it says; the first frame is not lost.
  @Test(arguments: ["Transfer-Encoding: chunked", "Content-Length: 5", "content-length: 0"])
  func row10_bodyFieldsOfA101AreIgnored(_ field: String) throws {
    let peer = try RawPeer([
      .readRequest, .acceptAnd(field, behind: [0x81, 2] + Array("hi".utf8)),
      .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    let finished = try Wscope.run(["send", peer.url], input: "")
    #expect(finished.exitCode == 0 && finished.outputText == "hi\n", "\(finished.errorText)")
    let name = field.prefix { $0 != ":" }
    #expect(finished.errorText.contains("! the 101 reply has \(name), although"))
    #expect(finished.errorText.split(separator: "\n").count == 1)
  }

  /// Row 24: the line that is wrong, and what is wrong with it.
  @Test(arguments: [
    ("X-A: b\r\n c\r\n", "line 2 begins with a space", "got: \" c\""),
    ("no colon\r\n", "line 1 has no colon", "got: \"no colon\""),
    ("X-A : b\r\n", "line 1 has a space before the colon", "got: \"X-A : b\""),
    ("X(A: b\r\n", "line 1 has a field name that is not a token", "got: \"X(A: b\""),
  ])
  func row24_theLineThatIsWrong(_ lines: String, _ problem: String, _ got: String) throws {
    let finished = try run("HTTP/1.1 101 Switching\r\n" + lines)
    #expect(finished.exitCode == 8)
    // The status line is line 1.
    let number = try #require(Int(problem.dropFirst(5).prefix { $0.isNumber })) + 1
    let rest = problem.drop { !$0.isNumber }.drop { $0.isNumber }
    #expect(finished.errorText.contains("line \(number)\(rest)"), "\(finished.errorText)")
    #expect(finished.errorText.contains(got))
  }

  @Test func row24_twoUpgradeFields() throws {
    let peer = try RawPeer([.readRequest, .acceptAnd("Upgrade: h2c"), .readToEnd])
    let finished = try Wscope.run(["send", peer.url], input: "")
    #expect(finished.exitCode == 8 && finished.errorText.contains("got: websocket, h2c"))
  }

  /// SECURITY R9: the request as it is in a file, and fields of the handshake.
  @Test func rawRequest() throws {
    let directory = try Wscope.scratch("raw-request")
    let request =
      "GET /raw HTTP/1.1\r\nHost: x\r\nX-Broken : y\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    try FileContents.write(request, to: directory + "/request")
    let peer = try RawPeer([
      .readRequest, .accept, .frame(opcode: 1, Array("hi".utf8)), .frame(opcode: 8, [0x03, 0xE8]),
      .readToEnd,
    ])
    let finished = try Wscope.run(
      ["send", "-v", peer.url, "--raw-request", directory + "/request"], input: "")
    #expect(finished.exitCode == 0 && finished.outputText == "hi\n", "\(finished.errorText)")
    #expect(peer.requests == [request])
    #expect(finished.errorText.contains("* > X-Broken : y\n"))
    let both = try Wscope.run(
      ["send", peer.url, "--raw-request", directory + "/request", "-H", "a: b"], input: "")
    #expect(both.exitCode == 2 && both.errorText.contains("--raw-request and --header cannot be used together"))
    #expect(peer.requests.count == 1)
  }

  @Test func forceHeader() throws {
    let peer = try RawPeer([
      .readRequest, .accept, .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    let forced = [
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 8",
      "Connection: keep-alive, Upgrade", "User-Agent:",
    ].flatMap { ["--force-header", $0] }
    let finished = try Wscope.run(["send", peer.url] + forced, input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    let request = try #require(peer.requests.first)
    for line in ["Sec-WebSocket-Version: 8", "Connection: keep-alive, Upgrade"] {
      #expect(request.contains("\r\n\(line)\r\n"), "\(request)")
    }
    #expect(!request.contains("User-Agent") && !request.contains("Version: 13"))
    #expect(request.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
    for bad in ["a b: c", "A: x\r\nB: y", "no colon", "@file"] {
      let refused = try Wscope.run(["send", peer.url, "--force-header", bad], input: "")
      #expect(refused.exitCode == 2 && peer.requests.count == 1, "\(bad)")
    }
  }
}
