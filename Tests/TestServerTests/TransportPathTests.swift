import NIOCore
import NIOHTTP1
import NIOPosix
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

@testable import TestServer

/// The paths under `/t/`, byte by byte: what a comparison of transports counts.
@Suite(.blocking) struct TransportPathTests {
  /// A server with these paths, for one test.
  private static func serve(
    mode: Mode = .echo, _ test: (Int) async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = TestServerConfiguration()
    configuration.mode = mode
    configuration.hasTransports = true
    let server = try await TestServer.start(
      at: .loopback(port: 0), group: group, configuration: configuration, report: { _ in })
    try await test(try #require(server.localAddresses.first?.port))
    await server.stop()
    try await group.shutdownGracefully()
  }

  private static func get(_ target: String, _ fields: [String] = []) -> String {
    (["GET \(target) HTTP/1.1", "Host: localhost"] + fields).map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private static func post(_ target: String, _ body: String) -> String {
    "POST \(target) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  /// Sends a request and expects exactly these bytes.
  private static func expect(
    _ reply: String, to request: String, on client: RawClient,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    client.send(request)
    let came = String(decoding: client.read(reply.utf8.count), as: UTF8.self)
    #expect(came == reply, sourceLocation: sourceLocation)
  }

  private static func published(_ number: Int) -> String {
    "HTTP/1.1 202 Accepted\r\nContent-Length: \("\(number)".count)\r\n\r\n\(number)"
  }

  private static func updates(_ body: String, next: Int) -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nNext: \(next)\r\n"
      + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  private static func nothing(next: Int) -> String {
    "HTTP/1.1 204 No Content\r\nNext: \(next)\r\n\r\n"
  }

  private static let stream =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

  private static func chunk(_ text: String) -> String {
    String(text.utf8.count, radix: 16) + "\r\n\(text)\r\n"
  }

  @Test(arguments: [Mode.echo, try Modes.parse("broadcast"), try Modes.parse("chat")])
  func pollsReadWhatIsNew(mode: Mode) async throws {
    try await Self.serve(mode: mode) { port in
      // One connection for everything.
      let client = try RawClient(port: port)
      Self.expect(Self.nothing(next: 0), to: Self.get("/t/poll"), on: client)
      Self.expect(Self.published(1), to: Self.post("/t/publish", "one"), on: client)
      Self.expect(Self.published(2), to: Self.post("/t/publish", "zwei \u{e4}"), on: client)
      Self.expect(Self.nothing(next: 2), to: Self.get("/t/poll"), on: client)
      Self.expect(
        Self.updates("one\nzwei \u{e4}", next: 2), to: Self.get("/t/poll?since=0"), on: client)
      Self.expect(
        Self.updates("zwei \u{e4}", next: 2), to: Self.get("/t/longpoll?since=1"), on: client)
      Self.expect(Self.nothing(next: 2), to: Self.get("/t/poll?since=2"), on: client)
      Self.expect(
        Self.nothing(next: 2), to: Self.get("/t/longpoll?since=2&wait=10ms"), on: client)
      // Channels are apart.
      Self.expect(Self.nothing(next: 0), to: Self.get("/t/poll?channel=b"), on: client)
      Self.expect(Self.published(1), to: Self.post("/t/publish?channel=b", "x"), on: client)
      Self.expect(
        Self.updates("x", next: 1), to: Self.get("/t/poll?channel=b&since=0"), on: client)
    }
  }

  @Test(arguments: ["", "&since=0"]) func aLongPollWakesOnTheUpdate(since: String) async throws {
    try await Self.serve { port in
      let (waiting, other) = (try RawClient(port: port), try RawClient(port: port))
      waiting.send(Self.get("/t/longpoll?wait=120s\(since)"))
      // A request on the same connection is answered after it; this one shows that the poll is waiting.
      Self.expect(Self.nothing(next: 0), to: Self.get("/t/longpoll?wait=50ms"), on: other)
      Self.expect(Self.published(1), to: Self.post("/t/publish", "news"), on: other)
      let reply = Self.updates("news", next: 1)
      #expect(String(decoding: waiting.read(reply.utf8.count), as: UTF8.self) == reply)
    }
  }

  @Test func membersReceiveUpdates() async throws {
    try await Self.serve { port in
      let (publisher, socket, stream) = (
        try RawClient(port: port), try RawClient(port: port), try RawClient(port: port)
      )
      Self.expect(Self.published(1), to: Self.post("/t/publish", "before"), on: publisher)
      socket.send(RawClient.request(path: "/t/ws"))
      #expect(socket.readHead().hasPrefix("HTTP/1.1 101 "))
      Self.expect(Self.stream, to: Self.get("/t/sse"), on: stream)
      // What a member sends is for nobody.
      socket.send(RawClient.frame(1, Array("mine".utf8)))
      Self.expect(Self.published(2), to: Self.post("/t/publish", "two"), on: publisher)
      #expect(socket.read(5) == [0x81, 3] + Array("two".utf8))
      let event = Self.chunk("id:2\ndata:two\n\n")
      #expect(String(decoding: stream.read(event.utf8.count), as: UTF8.self) == event)
    }
  }

  @Test func aStreamResumes() async throws {
    try await Self.serve { port in
      let publisher = try RawClient(port: port)
      for number in 1...3 {
        Self.expect(
          Self.published(number), to: Self.post("/t/publish", "m\(number)"), on: publisher)
      }
      let stream = try RawClient(port: port)
      Self.expect(
        Self.stream + Self.chunk("id:2\ndata:m2\n\nid:3\ndata:m3\n\n"),
        to: Self.get("/t/sse", ["Last-Event-ID: 1"]), on: stream)
      // HTTP/1.0 has no chunks: the connection ends the body.
      let old = try RawClient(port: port)
      old.send("GET /t/sse HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: 2\r\n\r\n")
      #expect(!old.readHead().contains("chunked"))
      #expect(String(decoding: old.read(14), as: UTF8.self) == "id:3\ndata:m3\n\n")
    }
  }

  @Test func aStreamEndsWithItsLastChunk() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = TestServerConfiguration()
    configuration.hasTransports = true
    configuration.closeTimeout = .milliseconds(100)
    configuration.eventStreamPings = .hours(1)
    let server = try await TestServer.start(
      at: .loopback(port: 0), group: group, configuration: configuration, report: { _ in })
    let stream = try RawClient(port: try #require(server.localAddresses.first?.port))
    Self.expect(Self.stream, to: Self.get("/t/sse"), on: stream)
    async let stop: Void = server.stop()
    #expect(String(decoding: stream.readToEnd(), as: UTF8.self) == "0\r\n\r\n")
    await stop
    try await group.shutdownGracefully()
  }

  @Test func echoesComeBack() async throws {
    try await Self.serve { port in
      let client = try RawClient(port: port)
      for body in ["hello", "", String(repeating: "x", count: 65_536)] {
        Self.expect(
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            + body, to: Self.post("/t/echo", body), on: client)
      }
      let socket = try RawClient(port: port)
      socket.send(RawClient.request(path: "/t/echo"))
      #expect(socket.readHead().hasPrefix("HTTP/1.1 101 "))
      socket.send(RawClient.frame(1, Array("hi".utf8)))
      #expect(socket.read(4) == [0x81, 2] + Array("hi".utf8))
    }
  }

  @Test(arguments: [
    (post("/t/publish", ""), "400", "the update is empty; try: curl -d TEXT URL"),
    (post("/t/publish", "a\nb"), "400", "the update has more than one line"),
    (post("/t/publish", "a\rb"), "400", "the update has more than one line"),
    (post("/t/publish?channel=%07", "a"), "400", "channel: 1 to 64 printable characters"),
    (
      post("/t/publish", String(repeating: "x", count: 65_537)), "413",
      "the body is over 65536 bytes"
    ),
    (post("/t/echo", String(repeating: "x", count: 65_537)), "413", "the body is over 65536 bytes"),
    (get("/t/poll?since=1"), "400", "the newest update is 0"),
    (get("/t/longpoll?since=1"), "400", "the newest update is 0"),
    (
      get("/t/poll?since=x"), "400",
      "since: invalid number \"x\" (expected 0 to 9223372036854775807)"
    ),
    (
      get("/t/longpoll?wait=3m"), "400",
      "wait: invalid duration \"3m\" (expected 30s; at most 120s)"
    ),
    (get("/t/x"), "404", "unknown path /t/x; GET /paths lists all"),
    (post("/t/poll", "x"), "405", "only GET"),
  ])
  func errorsHaveOneSentence(_ request: String, _ status: String, _ sentence: String) async throws {
    try await Self.serve { port in
      let client = try RawClient(port: port)
      client.send(request)
      #expect(client.readHead().hasPrefix("HTTP/1.1 \(status) "))
      #expect(String(decoding: client.readToEnd(), as: UTF8.self) == sentence + "\n")
    }
  }

  @Test func invalidTextIsRefused() async throws {
    try await Self.serve { port in
      let client = try RawClient(port: port)
      client.send("POST /t/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n")
      client.send([0xFF])
      #expect(client.readHead().hasPrefix("HTTP/1.1 400 "))
      #expect(
        String(decoding: client.readToEnd(), as: UTF8.self) == "the update is not valid UTF-8\n")
    }
  }

  // MARK: Without a socket

  @Test func anOldNumberIsAnsweredWith410() throws {
    let updates = Updates(queueLimit: 1, [])
    for number in 1...Updates.maxKept + 1 {
      #expect(updates.publish(ByteBuffer(string: "x"), to: "0") == UInt64(number))
    }
    func judge(_ path: String, _ fields: [(String, String)] = []) throws(Refusal) -> RequestVerdict?
    {
      let target = RequestTarget(path)
      return try updates.judge(
        RequestHandlerTests.request(path, .GET, fields), target,
        TestPaths.find(target, in: TransportPaths.all, maxMessage: 1), report: { _ in })
    }
    for path in ["/t/poll?since=0", "/t/longpoll?since=0"] {
      let refusal = #expect(throws: Refusal.self) { try judge(path) }
      #expect(refusal?.status == .gone)
    }
    let refusal = #expect(throws: Refusal.self) { try judge("/t/sse", [("Last-Event-ID", "0")]) }
    #expect(refusal?.status == .gone)
    guard case .answer(.reply(let reply))? = try judge("/t/poll?since=1") else {
      Issue.record("no reply")
      return
    }
    #expect(reply.status == .ok && reply.body.count == 2 * Updates.maxKept - 1)
  }

  @Test func whatIsNoLongerKeptIsGone() {
    var table = ChannelTable(kept: KeptMessages(maxBytes: 100, maxMessages: 3))
    let key = ChannelKey.updates("a")
    func numbers(_ news: Updates.News) -> String {
      switch news {
      case .updates(let updates, let newest): "\(updates.count) to \(newest)"
      case .discarded: "discarded"
      case .ahead(let newest): "ahead of \(newest)"
      }
    }
    func news(_ number: UInt64?) -> String { numbers(table.news(of: key, after: number)) }
    #expect(news(nil) == "0 to 0" && news(0) == "0 to 0" && news(1) == "ahead of 0")
    for _ in 1...5 {
      _ = table.add(
        PublishedMessage(.text, [0x61]), to: key, from: nil, name: nil, keeping: Updates.maxKept)
    }
    #expect(
      (0...6).map { news($0) } == [
        "discarded", "discarded", "3 to 5", "2 to 5", "1 to 5", "0 to 5", "ahead of 5",
      ])
    #expect(news(nil) == "0 to 5")
    // A new member receives nothing that was before it, one that resumes what it lacks.
    #expect(table.join(key, client: 1, name: nil, after: nil).kept.isEmpty)
    #expect(table.join(key, client: 2, name: nil, after: 3).kept.map(\.number) == [4, 5])
    // One that is too large leaves nothing to resume from.
    _ = table.add(
      PublishedMessage(.text, [UInt8](repeating: 0x61, count: 101)), to: key, from: nil, name: nil,
      keeping: Updates.maxKept)
    #expect(news(5) == "discarded" && news(6) == "0 to 6")
  }
}
