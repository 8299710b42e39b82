import Glibc
import NIOCore
import NIOPosix
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

/// What holds on both roads: bytes in any pieces, peers that do not read, every kind of end.
@Suite(.blocking) struct RoadTests {
  private static let hello = Array("hello".utf8)

  private func withMirror(
    _ road: Road, _ body: (Int, Diary) throws -> Void
  ) async throws {
    let diary = Diary()
    try await road.withServer(consumer: { Mirror(diary) }) { try body($0, diary) }
  }

  private func open(_ port: Int) throws -> RawClient {
    let client = try RawClient(port: port)
    client.send(RawClient.request())
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  @Test(arguments: Road.allCases) func bytesInAnyPieces(_ road: Road) async throws {
    try await withMirror(road) { port, diary in
      let client = try open(port)
      let sizes = [0, 1, 5, 125, 126, 65_000]
      for size in sizes {
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let frame = RawClient.frame(2, payload)
        for byte in frame.prefix(20) { client.send([byte]) }
        client.send(Array(frame.dropFirst(20)))
        #expect(client.read(RawPeer.frame(2, payload).count) == RawPeer.frame(2, payload))
      }
      client.send(RawClient.frame(9, Self.hello) + RawClient.frame(8, [0x03, 0xE8]))
      #expect(client.readToEnd() == RawPeer.frame(10, Self.hello) + RawPeer.frame(8, [0x03, 0xE8]))
      #expect(
        diary.outcomes(atLeast: 1) == [.closed(frame: CloseFrame(.normal), by: .peer)])
    }
  }

  @Test(arguments: Road.allCases)
  func framesInTheSegmentOfTheRequest(_ road: Road) async throws {
    try await withMirror(road) { port, diary in
      let client = try RawClient(port: port)
      let frames = [RawClient.frame(1, Self.hello), RawClient.frame(8, [])].flatMap { $0 }
      client.send(Array(RawClient.request().utf8) + frames)
      #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
      #expect(client.readToEnd() == RawPeer.frame(1, Self.hello) + RawPeer.frame(8, []))
      #expect(diary.outcomes(atLeast: 1) == [.closed(frame: CloseFrame(nil), by: .peer)])
    }
  }

  @Test(arguments: Road.allCases) func aPageAndThenAnUpgrade(_ road: Road) async throws {
    try await withMirror(road) { port, _ in
      let client = try RawClient(port: port)
      client.send(
        Array(("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + RawClient.request()).utf8)
          + RawClient.frame(1, Self.hello))
      #expect(client.readHead().hasPrefix("HTTP/1.1 200 "))
      #expect(client.read(5) == Array("page\n".utf8))
      #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
      #expect(client.read(7) == RawPeer.frame(1, Self.hello))
    }
  }

  /// The server stops reading soon, keeps little, and loses nothing.
  @Test(arguments: Road.allCases) func aClientThatDoesNotRead(_ road: Road) async throws {
    try await withMirror(road) { port, _ in
      let client = try open(port)
      let payload = [UInt8](repeating: 7, count: 60_000)
      let frame = RawClient.frame(2, payload)
      let echo = RawPeer.frame(2, payload)
      var stream: [UInt8] = []
      for _ in 0..<700 { stream += frame }
      let taken = client.sendUntilFull(stream)
      #expect(taken < stream.count)
      var left = taken / frame.count
      while left > 0 {
        #expect(client.read(echo.count) == echo)
        left -= 1
      }
      // It reads again: what had been cut off arrives, and the next message too.
      client.send(Array(stream[taken..<(taken / frame.count + 1) * frame.count]))
      #expect(client.read(echo.count) == echo)
      client.send(frame)
      #expect(client.read(echo.count) == echo)
    }
  }

  @Test(arguments: Road.allCases) func theEndsOfTCP(_ road: Road) async throws {
    try await withMirror(road) { port, diary in
      _ = try open(port)
      #expect(diary.outcomes(atLeast: 1) == [.lost(.endOfStream)])
      do {
        let client = try open(port)
        client.endWithReset()
      }
      #expect(diary.outcomes(atLeast: 2).last == .lost(.reset(errno: ECONNRESET)))
      let client = try open(port)
      client.send(RawClient.frame(1, Array("leave".utf8)))
      #expect(client.readToEnd() == RawPeer.frame(1, Array("leave".utf8)))
      #expect(diary.outcomes(atLeast: 3).last == .lost(.abandoned))
    }
  }

  /// A socket closed over unread bytes would be reset, and the reset can overtake the Close.
  @Test(arguments: Road.allCases) func aViolatorGetsToReadTheClose(_ road: Road) async throws {
    try await withMirror(road) { port, diary in
      let client = try open(port)
      let rest = [UInt8](repeating: 0, count: 300_000)
      client.send([0xF2, 0x80, 1, 2, 3, 4] + rest)
      let close = client.readToEnd()
      #expect(close.prefix(1) == [0x88])
      #expect(close.dropFirst(2).prefix(2) == [0x03, 0xEA])
      client.send(rest)
    }
  }

  /// The client side: a peer that ends, and one that is closed by us.
  @Test(arguments: Road.allCases) func clients(_ road: Road) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let diary = Diary()
    let peer = try RawPeer([
      .readRequest, .accept, .frame(opcode: 1, Self.hello), .read(11),
      .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    let loops = try road.makeLoops()
    var configuration = ClientConfiguration(
      url: try WebSocketURL.parse("ws://127.0.0.1:\(peer.port)/"))
    configuration.closeTimeout = .seconds(2)
    let info = try await Client.open(
      configuration, addresses: [SocketAddress(ipAddress: "127.0.0.1", port: peer.port)],
      on: group.next(), movingTo: loops?.all.first
    ) { _ in Mirror(diary) }.get()
    #expect(info.remoteAddress?.port == peer.port)
    #expect(diary.outcomes(atLeast: 1) == [.closed(frame: CloseFrame(.normal), by: .peer)])
    peer.stop()
    loops?.stop()
    try await group.shutdownGracefully()
  }
}
