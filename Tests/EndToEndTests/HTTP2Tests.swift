import Conversation
import Glibc
import TestPeers
import Testing

/// WebSocket over HTTP/2 (RFC 8441) in both roles, and with servers that fail.
@Suite(.blocking) struct HTTP2Tests {
  /// A frame of HTTP/2 (RFC 9113 section 4.1).
  static func frame(_ kind: UInt8, flags: UInt8 = 0, stream: UInt8 = 1, _ payload: [UInt8])
    -> [UInt8]
  {
    let count = payload.count
    return [UInt8(count >> 16), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF), kind, flags]
      + [0, 0, 0, stream] + payload
  }

  static func data(_ payload: [UInt8], isEnd: Bool = false) -> [UInt8] {
    frame(0, flags: isEnd ? 1 : 0, payload)
  }

  /// Indexed fields of the static table, and one literal field (RFC 7541 section 6.2.2).
  static func head(_ status: UInt8, _ field: (String, String)? = nil, isEnd: Bool = false)
    -> [UInt8]
  {
    var block = [0x80 | status]
    if let (name, value) = field {
      block += [0, UInt8(name.utf8.count)] + Array(name.utf8)
      block += [UInt8(value.utf8.count)] + Array(value.utf8)
    }
    return frame(1, flags: isEnd ? 5 : 4, block)
  }

  static let ok: UInt8 = 8
  static let notFound: UInt8 = 13
  /// SETTINGS with ENABLE_CONNECT_PROTOCOL.
  static let settings = frame(4, stream: 0, [0, 8, 0, 0, 0, 1])
  static let interim = frame(1, flags: 4, [8, 3] + Array("103".utf8))
  static let close = data(RawPeer.frame(8, [0x03, 0xE8]))

  /// Behind the settings of the server the client asks: its preface, its settings and the request are
  /// longer than this.
  static let asked: [RawPeer.Step] = [.read(24), .send(settings), .read(90)]

  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var steps: [RawPeer.Step]
    var options: [String] = []
    var exitCode: Int32
    var output = ""
    var said: [String]

    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(
      name: "a message and a close",
      steps: asked + [
        .send(head(ok) + data(RawPeer.frame(1, Array("hello".utf8))) + close), .readToEnd,
      ],
      exitCode: 0, output: "hello\n", said: []),
    Row(
      name: "in the segment of the settings it waits for the request",
      steps: [
        .read(24), .send(Array(settings.prefix(5))), .wait(milliseconds: 50),
        .send(Array(settings.dropFirst(5))), .read(90), .send(Array(head(ok).prefix(3))),
        .wait(milliseconds: 50),
        .send(head(ok).dropFirst(3) + data(Array(RawPeer.frame(1, [0x78]).prefix(1)))),
        .send(data(Array(RawPeer.frame(1, [0x78]).dropFirst())) + close), .readToEnd,
      ],
      exitCode: 0, output: "x\n", said: []),
    Row(
      name: "END_STREAM without a Close",
      steps: asked + [
        .send(head(ok) + data(RawPeer.frame(1, [0x78]), isEnd: true)), .readToEnd,
      ],
      exitCode: 56, output: "x\n", said: ["connection lost: 1006"]),
    Row(
      name: "RST_STREAM of an open connection",
      steps: asked + [
        .send(head(ok) + data(RawPeer.frame(1, [0x78])) + frame(3, [0, 0, 0, 8])), .readToEnd,
      ],
      exitCode: 56, output: "x\n", said: ["connection lost: 1006"]),
    Row(
      name: "a reset of the socket",
      steps: asked + [.send(head(ok) + data(RawPeer.frame(1, [0x78]))), .read(20), .reset],
      exitCode: 56, output: "x\n", said: ["connection lost: 1006"]),
    Row(
      name: "a masked frame",
      steps: asked + [.send(head(ok) + data([0x81, 0x81, 1, 2, 3, 4, 0x60])), .readToEnd],
      exitCode: 110, said: ["must not be masked"]),
    Row(
      name: "no extended CONNECT", steps: [.read(24), .send(frame(4, stream: 0, [])), .readToEnd],
      exitCode: 8,
      said: [
        "does not support WebSocket over HTTP/2", "ENABLE_CONNECT_PROTOCOL", "without --http2",
      ]
    ),
    Row(
      name: "HTTP/1.1",
      steps: [
        .read(24),
        .send(Array("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".utf8)),
      ],
      exitCode: 8,
      said: ["does not speak HTTP/2 on this port", "got: \"HTTP/1.1 400 Bad Request\""]),
    Row(
      name: "noise", steps: [.read(24), .send([UInt8](repeating: 0xFF, count: 200)), .readToEnd],
      exitCode: 8, said: ["does not speak HTTP/2 on this port"]),
    Row(
      name: "RST_STREAM instead of a reply",
      steps: asked + [.send(frame(3, [0, 0, 0, 7])), .readToEnd],
      exitCode: 8, said: ["refused the stream", "RST_STREAM, REFUSED_STREAM (7)"]),
    Row(
      name: "GOAWAY",
      steps: [
        .read(24), .send(settings + frame(7, stream: 0, [0, 0, 0, 0, 0, 0, 0, 11])), .readToEnd,
      ],
      exitCode: 8, said: ["accepts no more streams", "GOAWAY, ENHANCE_YOUR_CALM (11)"]),
    Row(
      name: "404 with a body",
      steps: asked + [
        .send(head(notFound, ("server", "test")) + data(Array("not here".utf8), isEnd: true)),
        .readToEnd,
      ],
      exitCode: 22, said: ["404", "(expected 200)", "body: not here"]),
    Row(
      name: "404 alone", steps: asked + [.send(head(notFound, isEnd: true)), .readToEnd],
      exitCode: 22, said: ["404"]),
    Row(
      name: "a refusal whose body never ends",
      steps: asked + [.send(head(notFound) + data(Array("wait".utf8))), .silence],
      exitCode: 22, said: ["404", "body: wait"]),
    Row(
      name: "a redirect",
      steps: asked + [
        .send(frame(1, flags: 5, [8, 3] + Array("302".utf8) + [15, 31, 3] + Array("/x?".utf8))),
        .readToEnd,
      ],
      exitCode: 22, said: ["302", "location: /x?"]),
    Row(
      name: "interim replies",
      steps: asked + [.send(interim + interim + head(ok) + close), .readToEnd],
      exitCode: 0, said: []),
    Row(
      name: "interim replies without end",
      steps: asked + [.send([UInt8]((0..<6).map { _ in interim }.joined())), .readToEnd],
      exitCode: 8, said: ["more than 5 interim (1xx) replies"]),
    Row(
      name: "a subprotocol that was not offered",
      steps: asked + [.send(head(ok, ("sec-websocket-protocol", "chat"))), .readToEnd],
      exitCode: 8, said: ["chat"]),
    Row(
      name: "the end at once", steps: [.read(24)], exitCode: 52,
      said: ["the connection before it replied"]),
    Row(
      name: "the end behind the settings", steps: asked, exitCode: 8,
      said: ["the connection in the middle of its reply"]),
    Row(
      name: "silence", steps: [.silence], options: ["--open-timeout", "300ms"], exitCode: 28,
      said: ["timed out after 300 ms", "upgrade"]),
  ]

  @Test(arguments: rows) func servers(row: Row) throws {
    let peer = try RawPeer(row.steps)
    defer { peer.stop() }
    let sent = try Wscope.run(
      ["connect", "--http2", "--no-compress", peer.url] + row.options, input: "hi\n")
    #expect(sent.exitCode == row.exitCode, "\(sent.errorText)")
    #expect(sent.outputText == row.output)
    for words in row.said { #expect(sent.errorText.contains(words), "\(sent.errorText)") }
  }

  // MARK: Ours with ours

  @Test(arguments: [false, true]) func bothRolesOfOurs(isSecure: Bool) throws {
    let listener = try Listener(["--http2", "-s", "chat"] + (isSecure ? ["--tls"] : []))
    let url =
      isSecure ? "wss://localhost:\(listener.port)/a?b" : "ws://127.0.0.1:\(listener.port)/a?b"
    let trust = isSecure ? ["--insecure"] : []
    let sent = try Wscope.run(["send", "--http2", "-v", "-s", "chat", url, "héllo"] + trust)
    #expect(sent.exitCode == 0)
    #expect(sent.outputText == "héllo\n")
    for line in [
      "> CONNECT /a?b HTTP/2\n", "> :protocol: websocket\n", "< HTTP/2 200\n", "subprotocol chat\n",
      "compression permessage-deflate", "closed 1000 normal (by us)",
    ] { #expect(sent.errorText.contains(line), "\(line): \(sent.errorText)") }
    #expect(!sent.errorText.contains("sec-websocket-key"))
    let opened = try listener.process.readLine(from: .standardError) { $0.contains("#1 open") }
    #expect(
      opened.contains("/a?b from 127.0.0.1:") && opened.contains(", HTTP/2, subprotocol chat"))
    // HTTP/1.1 on the same port, and the page.
    #expect(try Wscope.run(["send", url, "old"] + trust).outputText == "old\n")
    let jsonl = try Wscope.run(["send", "--http2", "--format", "jsonl", url, "x"] + trust)
    #expect(jsonl.outputText.contains(#""event":"open","status":200,"#))
    let schema = SchemaCheck(try JSONValue.parse(SessionEvent.schema))
    for line in jsonl.outputText.split(separator: "\n") {
      #expect(schema.problems(of: try JSONValue.parse(Array(line.utf8))) == [], "\(line)")
    }
    let status = try Wscope.run(["send", "--http2", "--expect-status", "200", url] + trust)
    #expect(status.exitCode == 0, "\(status.errorText)")
    // More than the windows of RFC 9113, both ways.
    let large = try Wscope.shell(
      "head -c 5000000 /dev/zero | tr '\\0' y >/tmp/wscope-h2-\(getpid())-\(isSecure); "
        + "wscope send --http2 --no-compress --stdin-whole --max-message 8M \(trust.joined()) "
        + "'\(url)' </tmp/wscope-h2-\(getpid())-\(isSecure) | tail -c +1 | wc -c; "
        + "rm /tmp/wscope-h2-\(getpid())-\(isSecure)")
    #expect(large.outputText == "5000001\n")
  }

  @Test func alpn() throws {
    let both = try Listener(["--http2", "--tls"])
    let old = try Listener(["--tls"])
    func run(_ port: Int, _ options: String...) throws -> ChildProcess.Finished {
      try Wscope.run(["send", "-k", "wss://localhost:\(port)/", "x"] + options)
    }
    #expect(try run(both.port).outputText == "x\n")
    #expect(try run(both.port, "--http2", "--alpn", "h2,http/1.1").outputText == "x\n")
    // h2 is offered, chosen, and not meant.
    let chosen = try run(both.port, "--alpn", "h2")
    #expect(chosen.exitCode == 35 && chosen.errorText.contains("ALPN chose h2"))
    let missing = try run(old.port, "--http2")
    #expect(missing.exitCode == 35)
    #expect(missing.errorText.contains("the server does not speak HTTP/2"))
    #expect(missing.errorText.contains("got: ALPN chose nothing"))
    let other = try run(old.port, "--http2", "--alpn", "http/1.1,h2")
    #expect(other.exitCode == 35 && other.errorText.contains("got: ALPN chose http/1.1"))
    let usage = try run(old.port, "--http2", "--alpn", "http/1.1")
    #expect(usage.exitCode == 2 && usage.errorText.contains("--http2 requires h2"))
  }

  @Test func refusalsAndPages() throws {
    let listener = try Listener(["--http2"])
    let refused = try Wscope.run([
      "send", "--http2", "-o", "https://evil.example", listener.url, "x",
    ])
    #expect(refused.exitCode == 22)
    #expect(refused.errorText.contains("403 Forbidden (expected 200)"))
    #expect(refused.errorText.contains("to allow: --allow-origin https://evil.example"))
    let page = try RawClient(port: listener.port)
    page.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(page.readHead().hasPrefix("HTTP/1.1 200 "))
  }

  /// A broadcast between streams of HTTP/2 and sockets of HTTP/1.1.
  @Test func aBroadcastGoesToBoth() throws {
    let listener = try Listener(["--http2", "--mode", "broadcast"])
    let ears = try [["--http2"], []].map {
      try Wscope.start(["connect", listener.url, "-N1", "-v"] + $0)
    }
    for ear in ears { _ = try ear.readLine(from: .standardError) { $0.contains("connected") } }
    #expect(
      try Wscope.run(["send", "--http2", listener.url, "news", "--wait", "0"]).exitCode == 0)
    for ear in ears { #expect(try ear.wait().outputText == "news\n") }
  }

  @Test func loadOverStreams() throws {
    let listener = try Listener(["--http2", "-q"])
    let bench = try Wscope.run([
      "bench", "--http2", listener.url, "-c", "5", "-n", "500", "--format", "json", "-q",
    ])
    #expect([0, 98].contains(bench.exitCode))
    #expect(bench.outputText.contains(#""answered":500"#), "\(bench.outputText.prefix(2000))")
  }

  /// Bytes of a client that mean no good; the next client is served.
  @Test(
    arguments: [
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r".utf8),
      Array("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".utf8),
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [UInt8](repeating: 0xFF, count: 64),
      // HEADERS before SETTINGS, with a field that is no field, and a stream that is even.
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + head(0x7F),
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, stream: 0, [])
        + frame(1, flags: 4, stream: 2, [0x82]),
      // A request without a path.
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, stream: 0, [])
        + frame(1, flags: 5, [0x82]),
      // DATA of a stream that is not there, and a window that overflows.
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, stream: 0, []) + data([1]),
      Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, stream: 0, [])
        + frame(8, stream: 0, [0x7F, 0xFF, 0xFF, 0xFF]),
    ] as [[UInt8]])
  func hostileClients(bytes: [UInt8]) throws {
    let listener = try Listener(["--http2"])
    let client = try RawClient(port: listener.port)
    client.send(bytes)
    for options in [[], ["--http2"]] {
      #expect(try Wscope.run(["send", listener.url, "x"] + options).outputText == "x\n")
    }
  }

  /// A head of HTTP/1.1 in pieces, which is no preface of HTTP/2.
  @Test func piecesOfAnOldRequest() throws {
    let listener = try Listener(["--http2"])
    let client = try RawClient(port: listener.port)
    for byte in Array(RawClient.request().utf8) { client.send([byte]) }
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    client.send(RawClient.frame(1, Array("old".utf8)))
    #expect(client.read(5) == RawPeer.frame(1, Array("old".utf8)))
  }
}
