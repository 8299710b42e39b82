import TestPeers
import Testing

@testable import wscope

/// What a peer says, as people and logs get it: escaped on standard error, and shown so that two texts that
/// differ look different. Text that is not UTF-8, and files with a byte order mark.
@Suite(.blocking) struct PeerTextTests {
  private static let bad = "::error::\u{1B}[31m\n::error::"

  /// Standard error is a pipe here: a log of CI must not take a peer's line for a command.
  private func check(_ finished: ChildProcess.Finished, contains text: String) {
    #expect(!finished.errorText.contains("\u{1B}"))
    #expect(!finished.errorText.split(separator: "\n").contains { $0.hasPrefix("::error::") })
    #expect(finished.errorText.contains(text), "\(finished.errorText)")
  }

  private func closing(_ body: [UInt8]) throws -> RawPeer {
    try RawPeer([.readRequest, .accept, .frame(opcode: 8, body), .readToEnd])
  }

  @Test func aCloseReasonIsEscapedInAPipe() throws {
    let body = [0x0F, 0xA0] + Array(Self.bad.utf8)
    for arguments in [
      ["x"], ["-v", "x"], ["x", "--expect-close", "4001"],
    ] {
      let peer = try closing(body)
      check(
        try Wscope.run(["send", peer.url] + arguments),
        contains: "\"::error::\\x1b[31m\\n::error::\"")
    }
    let script = try Wscope.scratch("peer-text") + "/close.wscope"
    try FileContents.write("> x\n< x\n", to: script)
    let peer = try closing(body)
    check(
      try Wscope.run(["send", peer.url, "--script", script]),
      contains: "\"::error::\\x1b[31m\\n::error::\"")
    let filter = try closing(body)
    check(
      try Wscope.run(["connect", filter.url, "-x", "x"], input: ""),
      contains: "\"::error::\\x1b[31m\\n::error::\"")
  }

  @Test func aRefusalIsEscapedInAPipe() throws {
    let peer = try RawPeer([
      .readRequest,
      .send(
        Array(
          ("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n"
            + "Content-Length: 18\r\n\r\na\u{1B}[31m\n::error::x").utf8)), .readToEnd,
    ])
    defer { peer.stop() }
    check(try Wscope.run(["send", peer.url, "-v"]), contains: "\\x1b[31m")
  }

  static let blanks: [(wanted: String, reply: String, said: String)] = [
    ("a b", "a\u{A0}b", #"got: "a\u{a0}b""#), ("a b", "a\tb", #"got: "a\tb""#),
    ("ab", "a\u{200B}b", #"got: "a\u{200b}b""#), ("ab", "\u{FEFF}ab", #"got: "\u{feff}ab""#),
    ("ab", "a\u{AD}b", #"got: "a\u{ad}b""#), ("a b", "a\u{3000}b", #"got: "a\u{3000}b""#),
    ("caf\u{E9}", "cafe\u{301}", "got: \"cafe\u{301}\" (differs at byte 3)"),
    (
      String(repeating: "a", count: 300) + "b", String(repeating: "a", count: 300) + "c",
      "(301 bytes) (differs at byte 300)"
    ),
  ]

  @Test(arguments: blanks) func expectedAndGotLookDifferent(
    _ wanted: String, _ reply: String, _ said: String
  ) throws {
    let peer = try PushPeer { _ in [.text(reply)] }
    let finished = try Wscope.run(
      ["send", peer.url, "x", "--expect", wanted, "--linger", "50ms"])
    #expect(finished.exitCode == 1)
    #expect(finished.errorText.contains(said), "\(finished.errorText)")
    let script =
      try Wscope.scratch("peer-text") + "/\(Array(reply.utf8).reduce(7) { $0 &* 31 &+ Int($1) })"
    try FileContents.write("> x\n< \(wanted)\n", to: script)
    let other = try PushPeer { _ in [.text(reply)] }
    let played = try Wscope.run(["send", other.url, "--script", script, "-w", "200ms"])
    #expect(played.exitCode == 1)
    #expect(played.errorText.contains(said), "\(played.errorText)")
  }

  /// Row 27, incoming: connect, send and the log of listen name the byte, its offset and the text before it.
  @Test func row27_incomingTextThatIsNotUTF8() throws {
    let rows: [(frames: [(head: UInt8, payload: [UInt8])], said: String)] = [
      (
        [(0x81, Array("temp: 21 ".utf8) + [0xB0] + Array("C".utf8))],
        #"invalid UTF-8 in a text message: byte B0 at offset 9, after "temp: 21 ""#
      ),
      (
        [(0x01, Array("a\u{1B}".utf8) + [0xC3]), (0x80, Array("b".utf8))],
        #"invalid UTF-8 in a text message: byte C3 at offset 2, after "a\x1b""#
      ),
      (
        [(0x88, [0x03, 0xE8] + Array("bye".utf8) + [0xFF])],
        #"invalid UTF-8 in a Close reason: byte FF at offset 3, after "bye""#
      ),
      ([(0x81, [0xFF])], "invalid UTF-8 in a text message: byte FF at offset 0 (closed with 1007)"),
    ]
    for (frames, said) in rows {
      let line = "protocol violation by the peer: \(said)"
      for command in ["send", "connect"] {
        let bytes = frames.flatMap { [$0.head, UInt8($0.payload.count)] + $0.payload }
        let peer = try RawPeer([.readRequest, .accept, .send(bytes), .readToEnd])
        defer { peer.stop() }
        let finished = try Wscope.run([command, peer.url], input: "")
        #expect(finished.exitCode == 110)
        #expect(finished.errorText.contains(line), "\(command): \(finished.errorText)")
      }
      let listener = try Listener()
      let client = try RawClient(port: listener.port)
      client.send(RawClient.request())
      _ = client.readHead()
      client.send(
        frames.flatMap { [$0.head, 0x80 | UInt8($0.payload.count), 0, 0, 0, 0] + $0.payload })
      _ = client.readToEnd()
      let logged = try listener.process.readLine(from: .standardError) { $0.contains("violation") }
      #expect(logged.hasPrefix("#1 \(line)"), "\(logged)")
    }
  }

  /// Which byte, where, and what is around it; the line where there are lines.
  @Test func textThatIsNotUTF8IsShown() throws {
    let bytes = Array("temp: 21".utf8) + [0xB0] + Array("C".utf8)
    let path = try Wscope.scratch("peer-text") + "/latin1"
    try FileContents.create(bytes, at: path)
    let words = "not valid UTF-8: byte b0 at offset 8, \"temp: 21\\xb0C\""
    let url = "ws://127.0.0.1:1"
    for arguments in [["-x", "@\(path)"], ["--file", path]] {
      let finished = try Wscope.run(["send", url] + arguments)
      #expect(finished.exitCode == 2)
      #expect(finished.errorText.contains(words), "\(finished.errorText)")
    }
    let script = path + ".wscope"
    try FileContents.create(Array("> x\n> ".utf8) + bytes, at: script)
    let finished = try Wscope.run(["send", url, "--script", script])
    #expect(finished.exitCode == 2)
    #expect(
      finished.errorText.contains("\(script):2: not valid UTF-8: byte b0 at byte 10 of the line"),
      "\(finished.errorText)")
  }

  /// Editors of Windows write one; files that are read for their syntax begin behind it.
  @Test func aByteOrderMarkIsSkipped() throws {
    let mark = "\u{FEFF}"
    let directory = try Wscope.scratch("byte-order-mark")
    func file(_ name: String, _ text: String) throws -> String {
      try FileContents.create(Array((mark + text).utf8), at: "\(directory)/\(name)")
      return "\(directory)/\(name)"
    }
    let listener = try Listener()
    let script = try Wscope.run([
      "send", listener.url, "--script", try file("script", "> hello\n< hello\n"),
    ])
    #expect(script.exitCode == 0, "\(script.errorText)")
    let line = #"{"v":1,"t":0,"conn":1,"event":"message","dir":"out","type":"text","text":"a"}"#
    let replay = try Wscope.run([
      "send", listener.url, "--replay", try file("recording", line + "\n"), "--linger", "50ms",
    ])
    #expect(!replay.errorText.contains("not JSON"), "\(replay.errorText)")
    let lines = try Wscope.run(
      ["send", listener.url, "--input", "jsonl", "-"], input: mark + line + "\n")
    #expect(lines.outputText == "a\n", "\(lines.errorText)")
    let headers = try Wscope.run([
      "send", listener.url, "x", "-H", "@" + (try file("headers", "X-One: 1\n")), "-v",
    ])
    #expect(headers.exitCode == 0, "\(headers.errorText)")
    let netrc = try Wscope.run([
      "send", listener.url, "x", "--netrc-file",
      try file("netrc", "machine localhost login a password b\n"),
    ])
    #expect(netrc.exitCode == 0, "\(netrc.errorText)")
    let jar = try file("jar", "127.0.0.1\tFALSE\t/\tFALSE\t0\tmarked\tv\n")
    let peer = try RawPeer([
      .readRequest, .acceptAnd("Set-Cookie: kept=1; Max-Age=1000"),
      .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    defer { peer.stop() }
    let cookies = try Wscope.run(["send", peer.url, "--cookie-jar", jar], input: "")
    #expect(cookies.exitCode == 0 && cookies.errorText.isEmpty, "\(cookies.errorText)")
    #expect(try #require(peer.requests.first).contains("Cookie: marked=v\r\n"))
    #expect(String(decoding: try FileContents.read(jar), as: UTF8.self).contains("\tmarked\tv\n"))
    let token = try Wscope.run(["send", listener.url, "x", "--bearer", "@" + (try file("t", "s"))])
    #expect(token.exitCode == 0, "\(token.errorText)")
    // A payload is sent as it is.
    let payload = try Wscope.run([
      "send", listener.url, "-x", "@" + (try file("payload", "p")),
    ])
    #expect(payload.outputText == mark + "p\n")
  }
}
