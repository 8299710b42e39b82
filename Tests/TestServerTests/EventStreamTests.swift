import NIOCore
import NIOHTTP1
import NIOPosix
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

@testable import TestServer

/// Messages as server-sent events (HTML Standard, section 9.2).
@Suite(.blocking) struct EventStreamTests {
  @Test(arguments: [
    ("hello", UInt64(7), "id: 7\ndata: hello\n\n"), ("hello", nil, "data: hello\n\n"),
    ("", 1, "id: 1\ndata: \n\n"), ("a\nb", nil, "data: a\ndata: b\n\n"),
    ("a\r\nb\rc\n", nil, "data: a\ndata: b\ndata: c\ndata: \n\n"),
    ("\n\n", nil, "data: \ndata: \ndata: \n\n"), (" : x", nil, "data:  : x\n\n"),
  ])
  func textHasAFieldForEachLine(_ text: String, _ number: UInt64?, _ event: String) {
    let written = Array(text.utf8).withUnsafeBytes {
      EventStreamText.event(.text, $0, number: number)
    }
    #expect(String(buffer: written) == event)
  }

  @Test func binaryIsBase64() {
    let payload: [UInt8] = [0, 255, 10]
    let written = payload.withUnsafeBytes { EventStreamText.event(.binary, $0, number: 3) }
    #expect(String(buffer: written) == "id: 3\nevent: binary\ndata: AP8K\n\n")
  }

  @Test(arguments: [
    ([("Accept", "text/event-stream")], true), ([("Accept", "*/*")], false), ([], false),
    ([("Accept", "text/html, TEXT/event-stream;q=0.9")], true),
    ([("Accept", "text/event-streams")], false),
  ])
  func itIsAskedForByAccept(_ fields: [(String, String)], _ isAccepted: Bool) {
    let request = RequestHandlerTests.request("/room/x", .GET, fields)
    #expect(EventStreamRequest.isAccepted(request.head.headers) == isAccepted)
  }

  /// An idle stream has a comment now and then, under which no proxy ends it.
  @Test func anIdleStreamIsKeptAlive() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = TestServerConfiguration()
    configuration.eventStreamPings = .milliseconds(10)
    let server = try await TestServer.start(
      at: .loopback(port: 0), group: group, configuration: configuration, report: { _ in })
    let client = try RawClient(port: try #require(server.localAddresses.first?.port))
    client.send("GET /broadcast/sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(client.readHead().hasPrefix("HTTP/1.1 200 "))
    #expect(String(decoding: client.read(24), as: UTF8.self) == ": ping\n\n: ping\n\n: ping\n\n")
    await server.stop()
    try await group.shutdownGracefully()
  }
}
