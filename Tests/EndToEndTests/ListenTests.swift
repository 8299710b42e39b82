import Glibc
import TestPeers
import Testing

/// `listen` as a peer for everything else.
@Suite(.blocking) struct ListenTests {
  @Test func echoesEveryKindOfMessage() throws {
    let listener = try Listener()
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    #expect(client.readHead().contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
    for payload in [[], Array("x".utf8), [UInt8](repeating: 65, count: 126)] {
      client.send(RawClient.frame(1, payload))
      #expect(client.read(RawPeer.frame(1, payload).count) == RawPeer.frame(1, payload))
    }
    client.send(RawClient.frame(9, Array("ping".utf8)))
    #expect(client.read(6) == RawPeer.frame(10, Array("ping".utf8)))
    client.send(RawClient.frame(8, [0x03, 0xE8]))
    #expect(client.readToEnd() == [0x88, 2, 0x03, 0xE8])
  }

  @Test func framesInTheSegmentOfTheRequestAreNotLost() throws {
    let listener = try Listener()
    let client = try RawClient(port: listener.port)
    client.send(Array(RawClient.request().utf8) + RawClient.frame(1, Array("early".utf8)))
    _ = client.readHead()
    #expect(client.read(7) == RawPeer.frame(1, Array("early".utf8)))
  }

  /// Two processes on one port: both serve, and a third that does not share is refused.
  @Test func severalProcessesOnOnePort() throws {
    let first = try Listener(["--reuse-port"])
    let second = try Wscope.start(["listen", "\(first.port)", "--reuse-port"])
    _ = try second.readLine(from: .standardError) { $0.contains("listening on") }
    for _ in 0..<24 { #expect(try Wscope.run(["send", first.url, "x"]).outputText == "x\n") }
    let alone = try Wscope.run(["listen", "\(first.port)"])
    #expect(alone.exitCode == 45)
    for process in [first.process, second] {
      process.signal(SIGINT)
      // A line for each client that it had.
      #expect(try process.wait().errorText.contains("closed"))
    }
    let unix = try Wscope.run(["listen", "--reuse-port", "--unix-socket", "/tmp/x"])
    #expect(unix.exitCode == 2)
  }

  @Test func broadcastGoesToAllOthers() throws {
    let listener = try Listener(["--mode", "broadcast"])
    let ears = try (0..<3).map { _ in
      try Wscope.start(["connect", listener.url, "-N1", "-v"])
    }
    for ear in ears { _ = try ear.readLine(from: .standardError) { $0.contains("connected") } }
    let mouth = try Wscope.run(["send", listener.url, "news", "--wait", "0"])
    #expect(mouth.exitCode == 0)
    #expect(mouth.outputText.isEmpty)
    for ear in ears {
      let finished = try ear.wait()
      #expect(finished.outputText == "news\n")
      #expect(finished.exitCode == 0)
    }
  }

  @Test func broadcastMayIncludeTheSender() throws {
    let listener = try Listener(["--mode", "broadcast=all"])
    let finished = try Wscope.run(["send", listener.url, "news", "-1"])
    #expect(finished.outputText == "news\n")
  }

  @Test func broadcastCrossesEventLoops() throws {
    let listener = try Listener(["--mode", "broadcast", "--threads", "3"])
    let ears = try (0..<6).map { _ in
      try Wscope.start(["connect", listener.url, "-N1", "-v"])
    }
    for ear in ears { _ = try ear.readLine(from: .standardError) { $0.contains("connected") } }
    _ = try Wscope.run(["send", listener.url, "news", "--wait", "0"])
    for ear in ears { #expect(try ear.wait().outputText == "news\n") }
  }

  @Test(arguments: [SIGINT, SIGTERM]) func saysGoodbyeToEveryClient(signal: Int32) throws {
    let listener = try Listener()
    let clients = try (0..<3).map { _ in try Wscope.start(["connect", listener.url, "-v"]) }
    for client in clients {
      _ = try client.readLine(from: .standardError) { $0.contains("connected") }
    }
    listener.process.signal(signal)
    #expect(try listener.process.wait().exitCode == 0)
    for client in clients {
      let finished = try client.wait()
      #expect(finished.errorText.contains("closed 1001 going away"))
      #expect(finished.exitCode == 0)
    }
  }

  @Test func aClientThatIgnoresTheGoodbyeDoesNotHoldItUp() throws {
    let listener = try Listener(["--close-timeout", "300ms"])
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    _ = client.readHead()
    listener.process.signal(SIGINT)
    let finished = try listener.process.wait()
    #expect(finished.exitCode == 0)
    #expect(finished.duration < .seconds(100))
  }

  @Test func aTakenPortIsNamed() throws {
    let listener = try Listener()
    let second = try Wscope.run(["listen", "\(listener.port)"])
    #expect(second.exitCode == 45)
    #expect(second.errorText.contains("port \(listener.port) is in use"))
    #expect(second.errorText.contains("try: wscope listen 0"))
  }

  @Test func writesThePortFile() throws {
    let directory = try Wscope.scratch("port-file")
    let listener = try Listener(["--port-file", "\(directory)/port"])
    let read = try Wscope.shell("cat \(directory)/port; ls \(directory)")
    #expect(read.outputText == "\(listener.port)\nport\n")
  }

  @Test func servesBothLoopbacks() throws {
    let listener = try Listener()
    for host in ["127.0.0.1", "[::1]", "localhost"] {
      let finished = try Wscope.run(["send", "ws://\(host):\(listener.port)/", "hi", "-1"])
      #expect(finished.outputText == "hi\n", "\(host): \(finished.errorText)")
    }
  }

  @Test func servesAUnixSocket() throws {
    let directory = try Wscope.scratch("unix")
    let path = "\(directory)/socket"
    let process = try Wscope.start(["listen", "--unix-socket", path], hasInput: false)
    _ = try process.readLine(from: .standardError) { $0.contains("listening on") }
    for arguments in [["--unix-socket", path, "ws://localhost/x"], ["ws+unix:\(path):/x"]] {
      let finished = try Wscope.run(["send"] + arguments + ["-x", "hi", "-1"])
      #expect(finished.outputText == "hi\n", "\(finished.errorText)")
    }
    process.signal(SIGINT)
    #expect(try process.wait().exitCode == 0)
    #expect(access(path, F_OK) != 0)
    let gone = try Wscope.run(["send", "ws+unix:\(path):/x", "hi"])
    #expect(gone.exitCode == 7)
  }

  /// The command that it tells is for this server, and for no other.
  @Test func theCommandForItsCertificate() throws {
    let commands = try (0..<2).map { _ in
      let process = try Wscope.start(["listen", "0", "--tls"], hasInput: false)
      let line = try process.readLine(from: .standardError) { $0.contains("try: wscope connect ") }
      let words = line.split(separator: "wscope connect ").last ?? ""
      return (process: process, words: words.split(whereSeparator: \.isWhitespace).map(String.init))
    }
    let (own, other) = (commands[0].words, commands[1].words)
    #expect(own.count == 4 && own[1] == "--pin", "\(own)")
    let url = try #require(own.last)
    let options = own.dropLast()
    #expect(try Wscope.run(["send", url, "hi", "-1"] + options).outputText == "hi\n")
    let elsewhere = try Wscope.run(["send", try #require(other.last), "hi", "-1"] + options)
    #expect(elsewhere.exitCode == 90, "\(elsewhere.errorText)")
    withExtendedLifetime(commands) {}
  }

  @Test func servesTLSWithACertificateOfItsOwn() throws {
    let process = try Wscope.start(["listen", "0", "--tls"], hasInput: false)
    let ready = try process.readLine(from: .standardError) { $0.contains("listening on wss://") }
    let digits = ready.split(separator: "127.0.0.1:")[1].prefix { $0.isNumber }
    let url = "wss://localhost:\(digits)/"
    let refused = try Wscope.run(["send", url, "hi", "-1"])
    #expect(refused.exitCode == 60)
    #expect(refused.errorText.contains("is not trusted"))
    #expect(refused.errorText.contains("--insecure"))
    let accepted = try Wscope.run(["send", url, "hi", "-1", "-k", "-v"])
    #expect(accepted.outputText == "hi\n")
    #expect(accepted.errorText.contains("--insecure: the certificate of localhost"))
    #expect(accepted.errorText.contains("TLSv1.3"))
    let plain = try Wscope.run(["send", "ws://localhost:\(digits)/", "hi"])
    #expect(plain.exitCode == 8 || plain.exitCode == 52, "\(plain.errorText)")
    #expect(plain.errorText.contains("wss://localhost:\(digits)/"))
  }

  @Test func servesThePage() throws {
    let listener = try Listener()
    let client = try RawClient(port: listener.port)
    client.send("GET / HTTP/1.1\r\nHost: localhost:\(listener.port)\r\nConnection: close\r\n\r\n")
    let head = client.readHead()
    let body = String(decoding: client.readToEnd(), as: UTF8.self)
    #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(head.contains("Content-Security-Policy: default-src 'none'; script-src 'nonce-"))
    #expect(head.contains("X-Content-Type-Options: nosniff"))
    #expect(body.contains("new WebSocket("))
    #expect(!body.contains("__NONCE__"))
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    var name: String
    var request: String
    var status: String

    var testDescription: String { name }
  }

  static let refusals: [Refusal] = [
    Refusal(
      name: "page of another site",
      request: RawClient.request(fields: ["Origin: http://evil.example"]), status: "403"),
    Refusal(
      name: "null origin", request: RawClient.request(fields: ["Origin: null"]), status: "403"),
    Refusal(
      name: "rebound name", request: RawClient.request(host: "evil.example"), status: "403"),
    Refusal(
      name: "version 8",
      request: RawClient.request().replacing("Version: 13", with: "Version: 8"), status: "426"),
    Refusal(
      name: "bad key",
      request: RawClient.request().replacing("dGhlIHNhbXBsZSBub25jZQ==", with: "short"),
      status: "400"),
    Refusal(
      name: "two Host fields", request: RawClient.request(fields: ["Host: localhost"]),
      status: "400"),
    Refusal(
      name: "POST", request: RawClient.request().replacing("GET /", with: "POST /"), status: "400"),
    Refusal(name: "no HTTP", request: "HELO example\r\n\r\n", status: "400"),
    Refusal(
      name: "a line of 9 KiB",
      request: RawClient.request(fields: ["X: " + String(repeating: "x", count: 9000)]),
      status: "431"),
    Refusal(
      name: "200 fields", request: RawClient.request(fields: (0..<200).map { "X\($0): y" }),
      status: "431"),
  ]

  @Test(arguments: refusals) func refuses(row: Refusal) throws {
    let listener = try Listener()
    let client = try RawClient(port: listener.port)
    client.send(row.request)
    #expect(client.readHead().hasPrefix("HTTP/1.1 \(row.status) "))
    let next = try Wscope.run(["send", listener.url, "still here", "-1"])
    #expect(next.outputText == "still here\n")
  }

  @Test func anAllowedOriginMayConnect() throws {
    let listener = try Listener(["--allow-origin", "http://good.example"])
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(fields: ["Origin: http://good.example"]))
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
  }

  @Test func moreClientsThanAllowedGet503() throws {
    let listener = try Listener(["--max-clients", "1"])
    let first = try RawClient(port: listener.port)
    first.send(RawClient.request())
    _ = first.readHead()
    let second = try Wscope.run(["send", listener.url, "x"])
    #expect(second.exitCode == 22)
    #expect(second.errorText.contains("503 Service Unavailable"))
  }

  @Test func violationsGetTheirCloseAndTheNextClientIsServed() throws {
    let listener = try Listener(["--max-message", "1000"])
    let cases: [([UInt8], UInt16)] = [
      ([0x81, 0x01, 0x61], 1002),  // not masked
      ([0xC1, 0x80, 1, 2, 3, 4], 1002),  // RSV1
      ([0x83, 0x80, 1, 2, 3, 4], 1002),  // opcode 3
      ([0x80, 0x80, 1, 2, 3, 4], 1002),  // continuation of nothing
      (RawClient.frame(1, [0xFF]), 1007),
      ([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 3, 0xE9, 1, 2, 3, 4], 1009),  // 1001 bytes
      ([0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 1002),  // 2^63
    ]
    for (bytes, code) in cases {
      let client = try RawClient(port: listener.port)
      client.send(RawClient.request())
      _ = client.readHead()
      client.send(bytes)
      let reply = client.readToEnd()
      #expect(reply.first == 0x88)
      #expect(reply.dropFirst(2).prefix(2) == [UInt8(code >> 8), UInt8(code & 0xFF)][...])
    }
    #expect(try Wscope.run(["send", listener.url, "fine", "-1"]).outputText == "fine\n")
  }

  @Test func logsEachEventInOneLine() throws {
    let listener = try Listener()
    _ = try Wscope.run(["send", listener.url + "chat?x=1", "h\u{1b}[2Ji", "-1"])
    let opened = try listener.process.readLine(from: .standardError) { $0.contains("open") }
    #expect(opened.hasPrefix("#1 open   /chat?x=1 from 127.0.0.1:"))
    let message = try listener.process.readLine(from: .standardError) { $0.contains("text") }
    #expect(message == "#1 < text 6 B  h\\x1b[2Ji")
    let closed = try listener.process.readLine(from: .standardError) { $0.contains("closed") }
    #expect(closed.hasPrefix("#1 closed 1000 normal (by the peer)   1 in, 1 out, "))
  }

  @Test func theLogIsBoundedUnderLoad() throws {
    let listener = try Listener()
    let lines = (0..<20_000).map { "\($0)\n" }.joined()
    let finished = try Wscope.run(
      ["send", listener.url, "-N20000"], input: lines, deadline: 60)
    #expect(finished.exitCode == 0)
    listener.process.signal(SIGINT)
    let log = try listener.process.wait().errorText.split(separator: "\n")
    #expect(log.count < 1000)
  }

  @Test func aPortFileThatCannotBeWrittenIsNamed() throws {
    let finished = try Wscope.run(["listen", "0", "--port-file", "/nonexistent/port"])
    #expect(finished.exitCode == 23)
    #expect(finished.errorText.contains("cannot write /nonexistent/port: No such file"))
  }

  /// The codes that an application defines, and how a lost connection was lost.
  @Test func theLogTellsHowClientsLeave() throws {
    let listener = try Listener(["-s", "graphql-transport-ws"])
    let polite = try RawClient(port: listener.port)
    polite.send(
      RawClient.request(fields: ["Sec-WebSocket-Protocol: graphql-transport-ws"]))
    _ = polite.readHead()
    polite.send(RawClient.frame(8, [0x11, 0x31]))
    _ = polite.readToEnd()
    let closed = try listener.process.readLine(from: .standardError) { $0.contains("#1 closed") }
    #expect(closed.contains("closed 4401 unauthorized (by the peer)"))
    do {
      let rude = try RawClient(port: listener.port)
      rude.send(RawClient.request())
      _ = rude.readHead()
      rude.send(RawClient.frame(1, Array("x".utf8)))
      _ = rude.read(3)
      usleep(300_000)
      rude.endWithReset()
    }
    let lost = try listener.process.readLine(from: .standardError) { $0.contains("#2 connection") }
    #expect(
      lost.contains("connection lost: 1006, no Close frame (TCP reset by the peer; idle for "))
    // At least the 300 ms less what the clock is behind.
    let idle = lost.split(separator: "idle for ").last?.prefix { $0 != ")" } ?? ""
    let number = idle.split(separator: " ").first.flatMap { Double($0) } ?? 0
    #expect(idle.hasSuffix(" s") || (idle.hasSuffix(" ms") && number >= 280), "\(lost)")
  }
}
