import Glibc
import TestPeers
import Testing

/// The test paths of `listen`, as clients meet them.
@Suite(.blocking) struct TestPathTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var path: String
    var exitCode: Int32
    var output: String
    var testDescription: String { path }
  }

  @Test(arguments: [
    Row(path: "/echo", exitCode: 0, output: "hi\n"),
    Row(path: "/raw/", exitCode: 0, output: "hi\n"),
    Row(path: "/mirror", exitCode: 0, output: "hi\n"),
    Row(path: "/websocket/echo", exitCode: 0, output: "hi\n"),
    Row(path: "/echo?max_message_size=1", exitCode: 111, output: ""),
    Row(path: "/echo?max_fragment_size=1", exitCode: 111, output: ""),
    Row(path: "/echo?max_fragment_size=16", exitCode: 0, output: "hi\n"),
    Row(path: "/delay/50", exitCode: 0, output: "hi\n"),
    Row(path: "/close/4000?after=1&reason=done", exitCode: 111, output: "hi\n"),
    Row(path: "/close/1006", exitCode: 56, output: ""),
    Row(path: "/close/1006?after=1", exitCode: 0, output: "hi\n"),
    Row(path: "/close/999", exitCode: 110, output: ""),
    Row(path: "/status/503", exitCode: 22, output: ""),
    Row(path: "/broadcast?self=1", exitCode: 0, output: "hi\n"),
    Row(path: "/room/x", exitCode: 0, output: "* guest-1 joined (1 here)\n"),
    Row(path: "/room/x/sse", exitCode: 22, output: ""),
    Row(path: "/broadcast/sse", exitCode: 22, output: ""),
    Row(path: "/chat/x?format=raw&self=1", exitCode: 0, output: "hi\n"),
    Row(path: "/chat", exitCode: 0, output: "hi\n"),
    Row(path: "/elsewhere", exitCode: 0, output: "hi\n"),
    Row(path: "/t/poll", exitCode: 0, output: "hi\n"),
    Row(path: "/redirect/2", exitCode: 22, output: ""),
    Row(path: "/relative-redirect/1", exitCode: 22, output: ""),
    Row(path: "/redirect-to?url=/echo&status_code=307", exitCode: 22, output: ""),
    Row(path: "/ping?every=10ms", exitCode: 0, output: "hi\n"),
    Row(path: "/absolute-redirect/1", exitCode: 22, output: ""),
    Row(path: "/fragment/1", exitCode: 0, output: "hi\n"),
    Row(path: "/deflate", exitCode: 0, output: "hi\n"),
    Row(path: "/deflate-bomb", exitCode: 63, output: ""),
    Row(path: "/slow-reader", exitCode: 0, output: "hi\n"),
    Row(path: "/slow-reader?rate=1", exitCode: 22, output: ""),
    Row(path: "/handshake_sleep_2", exitCode: 0, output: "hi\n"),
    Row(path: "/unstable?failure_rate=0", exitCode: 0, output: "hi\n"),
    Row(path: "/unstable?failure_rate=1", exitCode: 22, output: ""),
    Row(path: "/unstable?failure_rate=2", exitCode: 22, output: ""),
    Row(path: "/basic-auth/ann/secret", exitCode: 22, output: ""),
    Row(path: "/cookies/set?a%20=b", exitCode: 22, output: ""),
    Row(path: "/no-connection", exitCode: 8, output: ""),
    Row(path: "/not-http", exitCode: 8, output: ""),
    Row(path: "/invalid", exitCode: 8, output: ""),
    Row(path: "/no-upgrade", exitCode: 22, output: ""),
    Row(path: "/bad-accept", exitCode: 8, output: ""),
    Row(path: "/wrong_accept_key", exitCode: 8, output: ""),
    Row(path: "/wrong-protocol", exitCode: 8, output: ""),
    Row(path: "/wrong-extension", exitCode: 8, output: ""),
    Row(path: "/slow-handshake/50", exitCode: 0, output: "hi\n"),
    Row(path: "/no-pong", exitCode: 0, output: "hi\n"),
    Row(path: "/drop?after=0", exitCode: 56, output: ""),
    Row(path: "/reset?after=0", exitCode: 56, output: ""),
    Row(path: "/half-close", exitCode: 56, output: ""),
    Row(path: "/bad-utf8", exitCode: 110, output: ""),
    Row(path: "/bad-mask", exitCode: 110, output: ""),
    Row(path: "/rsv1", exitCode: 110, output: ""),
    Row(path: "/bad-opcode/3", exitCode: 110, output: ""),
    Row(path: "/bad-opcode/15", exitCode: 110, output: ""),
    Row(path: "/interleaved", exitCode: 110, output: ""),
    Row(path: "/big-ping", exitCode: 110, output: ""),
    Row(path: "/truncated-close", exitCode: 110, output: ""),
    Row(path: "/bad-length", exitCode: 110, output: ""),
    Row(path: "/oversize", exitCode: 63, output: ""),
  ])
  func whatAClientReports(_ row: Row) throws {
    let listener = try Listener()
    let sent = try Wscope.run(["send", "ws://127.0.0.1:\(listener.port)\(row.path)", "hi", "-1"])
    #expect(sent.exitCode == row.exitCode, "\(sent.errorText)")
    #expect(sent.outputText == row.output)
  }

  private static func open(_ listener: Listener, _ path: String) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: path))
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  @Test func aCloseIsOnTheWireAsItWasAskedFor() throws {
    let listener = try Listener(["--no-compress"])
    #expect(
      try Self.open(listener, "/close/4001?reason=b%C3%A4h").read(8)
        == [0x88, 6, 0x0F, 0xA1] + Array("bäh".utf8))
    #expect(try Self.open(listener, "/close/1005").read(2) == [0x88, 0])
    #expect(try Self.open(listener, "/close/65535").read(4) == [0x88, 2, 0xFF, 0xFF])
    #expect(try Self.open(listener, "/close/1006").readToEnd() == [])
    let client = try Self.open(listener, "/close/1000?after=2")
    client.send(
      RawClient.frame(1, [0x61]) + RawClient.frame(1, [0x62]) + RawClient.frame(1, [0x63]))
    #expect(client.read(10) == [0x81, 1, 0x61, 0x81, 1, 0x62, 0x88, 2, 0x03, 0xE8])
  }

  @Test(
    arguments: [
      ("/bad-utf8", [0x81, 2, 0xC3, 0x28]), ("/bad-mask", [0x81, 0x82, 1, 2, 3, 4, 0x69, 0x6B]),
      ("/rsv1", [0xC1, 2, 0x68, 0x69]), ("/bad-opcode/11", [0x8B, 0]),
      ("/interleaved", [1, 1, 0x61, 0x81, 1, 0x62]), ("/truncated-close", [0x88, 1, 3]),
      ("/big-ping", [0x89, 126, 0, 126] + [UInt8](repeating: 0x2A, count: 126)),
      ("/bad-length", [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 1]),
      ("/oversize", [0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]),
      ("/close-then-data", [0x88, 2, 3, 0xE8, 0x81, 4] + Array("late".utf8)),
      ("/count/3", [0x81, 1, 0x31, 0x81, 1, 0x32, 0x81, 1, 0x33, 0x88, 2, 3, 0xE8]),
      ("/stream/1", [0x81, 7] + Array("{\"n\":1}".utf8) + [0x88, 2, 3, 0xE8]),
      ("/drip?n=2&size=3&every=1ms", [0x81, 3, 42, 42, 42, 0x81, 3, 42, 42, 42, 0x88, 2, 3, 0xE8]),
      ("/flood?size=1", [0x82, 1, 42, 0x82, 1, 42]),
      ("/flood?size=1&rate=1KB/s", [0x82, 1, 42, 0x82, 1, 42]),
      ("/ping?every=1ms", [0x89, 0, 0x89, 0]),
      ("/user-agent", [0x81, 0]), ("/ip", [0x81, 9] + Array("127.0.0.1".utf8)),
      ("/origin", [0x81, 0]),
      ("/cookies/set?a=b&fault=delay%3D1ms", [0x81, 2] + Array("{}".utf8)),
    ] as [(String, [UInt8])])
  func whatIsOnTheWire(_ path: String, _ bytes: [UInt8]) throws {
    let listener = try Listener()
    #expect(try Self.open(listener, path).read(bytes.count) == bytes)
  }

  @Test func compressionIsUsedWhereItIsOffered() throws {
    let listener = try Listener(["--no-compress"])
    let sent = try Wscope.run(
      ["send", "\(listener.url)deflate", "hi", "-1", "--compress", "-v"])
    #expect(sent.outputText == "hi\n")
    #expect(sent.errorText.contains("permessage-deflate"), "\(sent.errorText)")
  }

  @Test(arguments: ["deflate", "deflate-bomb"])
  func compressionMustBeOffered(_ path: String) throws {
    let listener = try Listener()
    let sent = try Wscope.run(["send", "\(listener.url)\(path)", "hi", "--no-compress"])
    #expect(sent.exitCode == 22 && sent.errorText.contains("offer permessage-deflate"))
  }

  @Test(arguments: [1, 2, 257, 258, 259, 516, 100_000])
  func aDeflateBombInflatesToItsSize(_ size: Int) throws {
    let listener = try Listener()
    let sent = try Wscope.run(
      ["send", "\(listener.url)deflate-bomb?size=\(size)", "hi", "--count", "2", "--compress"])
    #expect(sent.exitCode == 0, "\(sent.errorText)")
    #expect(sent.standardOutput.prefix(size).allSatisfy { $0 == 0 })
    // The echo follows.
    #expect(sent.standardOutput.count == size + 3 && sent.outputText.hasSuffix("hi\n"))
  }

  @Test func aDeflateBombIsRejectedByItsSize() throws {
    let listener = try Listener()
    let sent = try Wscope.run(["send", "\(listener.url)deflate-bomb", "hi", "-1", "--compress"])
    #expect(sent.exitCode == 63, "\(sent.errorText)")
  }

  /// As many messages as a number, then the client's own; the client reads late.
  @Test func aLongCountIsWholeForASlowClient() throws {
    let listener = try Listener()
    let client = try Self.open(listener, "/count/1000000")
    let end: [UInt8] = [0x81, 7] + Array("1000000".utf8) + [0x88, 2, 3, 0xE8]
    client.send(RawClient.frame(1, [0x61]))
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#1 < text 1 B") }
    // 9 of one digit with a header of two bytes, and so on.
    let size = 9 * 3 + 90 * 4 + 900 * 5 + 9000 * 6 + 90_000 * 7 + 900_000 * 8 + 9 + 4
    #expect(client.read(size).suffix(end.count).elementsEqual(end))
  }

  @Test func theSameSeedIsTheSameMessage() throws {
    let listener = try Listener()
    func read(_ path: String) throws -> [UInt8] { try Self.open(listener, path).read(102) }
    let first = try read("/binary/100")
    #expect(first.starts(with: [0x82, 100]))
    #expect(try read("/bytes/100?seed=1") == first)
    #expect(try read("/binary/100?seed=2") != first)
  }

  @Test func aTickerAndAUUIDAreText() throws {
    let listener = try Listener()
    let ticks = try Self.open(listener, "/ticker?every=1ms").read(7)
    #expect(
      ticks.starts(with: [0x81]) && ticks.dropFirst(2).elementsEqual("{\"n\":".utf8.prefix(5)))
    let uuid = try Self.open(listener, "/uuid").read(38)
    #expect(uuid.starts(with: [0x81, 36]))
    #expect(uuid[16] == UInt8(ascii: "4"))
  }

  @Test func aSilentPeerAnswersNothing() throws {
    let listener = try Listener(["--close-timeout", "300ms"])
    let client = try Self.open(listener, "/silent")
    client.send(RawClient.frame(1, [0x61]) + RawClient.frame(9, []) + RawClient.frame(8, []))
    let deaf = try Self.open(listener, "/no-pong")
    deaf.send(RawClient.frame(9, [0x62]) + RawClient.frame(1, [0x61]))
    #expect(deaf.read(3) == [0x81, 1, 0x61])
    // The first that comes is the Close at the end of the server.
    listener.process.signal(SIGINT)
    #expect(client.read(4) == [0x88, 25, 0x03, 0xE9])
  }

  @Test(arguments: ["/headers", "/anything", "/request"])
  func theRequestIsShown(path: String) throws {
    let listener = try Listener()
    func read(_ options: [String]) throws -> String {
      let url = "\(listener.url)\(path.dropFirst())?a=b%20c"
      return try Wscope.run(["send", url, "-1", "-H", "Authorization: canary"] + options).outputText
    }
    let own = try read([])
    #expect(own.contains("{\"method\":\"GET\",\"path\":\"\(path)\","), "\(own)")
    #expect(own.contains("\"query\":[{\"name\":\"a\",\"value\":\"b c\"}]"), "\(own)")
    #expect(own.contains("{\"name\":\"Authorization\",\"value\":\"canary\"}"), "\(own)")
    #expect(own.contains("\"remote\":\"127.0.0.1\",\"tls\":false"), "\(own)")
    let page = try read(["-H", "Origin: http://127.0.0.1:\(listener.port)"])
    #expect(page.contains("{\"name\":\"Authorization\",\"value\":\"***\"}"), "\(page)")
  }

  @Test func anEchoComesInFragments() throws {
    let listener = try Listener()
    let client = try Self.open(listener, "/fragment/2")
    client.send(RawClient.frame(1, Array("hello".utf8)) + RawClient.frame(2, []))
    #expect(
      client.read(13) == [1, 2, 0x68, 0x65, 0, 2, 0x6C, 0x6C, 0x80, 1, 0x6F, 0x82, 0])
    let large = try Self.open(listener, "/fragment/70000")
    large.send(RawClient.frame(2, [UInt8](repeating: 7, count: 70_001)))
    #expect(large.read(10) == [2, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70])
    #expect(large.read(70_003).suffix(3) == [0x80, 1, 7])
    // Faults apply as on any other path.
    let doubled = try Self.open(listener, "/fragment/2?fault=dup%3D100%25")
    doubled.send(RawClient.frame(1, Array("abc".utf8)))
    #expect(doubled.read(14) == [1, 2, 0x61, 0x62, 0x80, 1, 0x63, 1, 2, 0x61, 0x62, 0x80, 1, 0x63])
  }

  @Test func basicCredentialsAreAskedFor() throws {
    let listener = try Listener()
    let url = "\(listener.url)basic-auth/ann/s%3Acret"
    let sent = try Wscope.run(["send", url, "hi", "-1", "--user", "ann:s:cret"])
    #expect(sent.outputText == "hi\n", "\(sent.errorText)")
    let wrong = try Wscope.run(["send", url, "hi", "-1", "--user", "ann:other"])
    #expect(wrong.exitCode == 22 && wrong.errorText.contains("401"), "\(wrong.errorText)")
  }

  @Test func cookiesAreSetAndShown() throws {
    let listener = try Listener()
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: "/cookies/set?a=1&b=x%2Dy"))
    let head = client.readHead()
    #expect(
      head.contains("Set-Cookie: a=1\r\n") && head.contains("Set-Cookie: b=x-y\r\n"), "\(head)")
    let shown = try Wscope.run([
      "send", "\(listener.url)cookies/set", "-1", "--cookie", "a=1", "--cookie", "b=2",
    ])
    #expect(shown.outputText == "{\"a\":\"1\",\"b\":\"2\"}\n", "\(shown.errorText)")
    let page = try Wscope.run([
      "send", "\(listener.url)cookies/set", "-1", "--cookie", "a=1", "-H",
      "Origin: http://127.0.0.1:\(listener.port)",
    ])
    #expect(page.outputText == "{\"a\":\"***\"}\n", "\(page.errorText)")
  }

  @Test func anUnstablePathRepeatsItsOrder() throws {
    func order(_ listener: Listener) throws -> [Int32?] {
      try (0..<8).map { _ in
        try Wscope.run(["send", "\(listener.url)unstable?seed=7", "hi", "-1"]).exitCode
      }
    }
    let first = try order(Listener())
    #expect(Set(first) == [0, 22])
    #expect(try order(Listener()) == first)
  }

  @Test func aBearerTokenIsAskedFor() throws {
    let listener = try Listener()
    for (path, token, exitCode) in [
      ("bearer", nil, 22), ("bearer", "any", 0), ("bearer/abc", "abc", 0),
      ("bearer/abc", "abd", 22), ("bearer?token=x", "y", 0),
    ] as [(String, String?, Int32)] {
      let header = token.map { ["-H", "Authorization: Bearer \($0)"] } ?? []
      let sent = try Wscope.run(["send", "\(listener.url)\(path)", "hi", "-1"] + header)
      #expect(sent.exitCode == exitCode, "/\(path) \(sent.errorText)")
    }
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: "/bearer"))
    let head = client.readHead()
    #expect(head.hasPrefix("HTTP/1.1 401 ") && head.contains("Bearer realm=\"wscope\""))
  }

  @Test func aSubprotocolIsChosen() throws {
    let listener = try Listener()
    for path in ["/subprotocol/chat", "/protocol/chat"] {
      let url = "\(listener.url)\(path.dropFirst())"
      let sent = try Wscope.run(["send", url, "hi", "-1", "--subprotocol", "chat"])
      #expect(sent.outputText == "hi\n", "\(sent.errorText)")
      let other = try Wscope.run(["send", url, "hi", "-1"])
      #expect(other.exitCode == 22 && other.errorText.contains("offer the subprotocol chat"))
    }
  }

  /// The echo comes before the end.
  @Test(arguments: ["/drop", "/reset", "/drop?after=1"]) func theEndComesAfterAMessage(path: String)
    throws
  {
    let listener = try Listener()
    let client = try Self.open(listener, path)
    client.send(RawClient.frame(1, [0x61]))
    #expect(client.readToEnd() == [0x81, 1, 0x61])
  }

  @Test func lateEchoesAreInOrder() throws {
    let listener = try Listener(["--no-compress"])
    let client = try Self.open(listener, "/delay/200ms")
    let clock = ContinuousClock()
    let start = clock.now
    client.send((0..<20).flatMap { RawClient.frame(2, [UInt8($0)]) })
    #expect(client.read(60) == (0..<20).flatMap { [0x82, 1, UInt8($0)] })
    #expect(clock.now - start >= .milliseconds(200))
  }

  @Test func aPathComesBeforeTheMode() throws {
    let listener = try Listener(["--mode", "broadcast"])
    let sent = try Wscope.run(["send", "\(listener.url)echo", "hi", "-1"])
    #expect(sent.outputText == "hi\n")
  }

  @Test func strictPathsNameTheNearest() throws {
    let listener = try Listener(["--strict-paths"])
    let sent = try Wscope.run(["send", "\(listener.url)eco", "hi"])
    #expect(sent.exitCode == 22)
    #expect(sent.errorText.contains("unknown path /eco; did you mean /echo? GET /paths lists all"))
    #expect(try Wscope.run(["send", listener.url, "hi", "-1"]).outputText == "hi\n")
  }

  @Test func ordinaryRequestsAreAnswered() throws {
    let listener = try Listener()
    func get(_ path: String) throws -> String {
      let client = try RawClient(port: listener.port)
      client.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      return String(decoding: client.readToEnd(), as: UTF8.self)
    }
    let list = try get("/paths")
    #expect(list.hasPrefix("HTTP/1.1 200 OK\r\n") && list.contains("application/json"))
    #expect(list.contains("{\"path\":\"/close/{code}\",\"query\":[\"reason\",\"after\"]"))
    let hint = try get("/echo")
    #expect(hint.hasPrefix("HTTP/1.1 426 "))
    #expect(
      hint.contains("/echo is a WebSocket path; try: wscope connect ws://localhost/echo"))
    #expect(try get("/status/418?body=tea").hasSuffix("\r\n\r\ntea\n"))
    #expect(try get("/status/204").hasPrefix("HTTP/1.1 204 "))
  }
}
