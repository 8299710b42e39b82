import TestPeers
import Testing

/// What `listen --mode broadcast` owes to those who are there: every message, in order, from the moment
/// they have their 101, on whichever loop they live.
@Suite(.blocking) struct BroadcastTests {
  private static func join(_ listener: Listener) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  @Test(arguments: [1, 3]) func whoHasItsReplyMissesNothing(threads: Int) throws {
    let listener = try Listener(["-q", "--mode", "broadcast", "--threads", "\(threads)"])
    let mouth = try Self.join(listener)
    for number in 0..<200 {
      let ear = try Self.join(listener)
      mouth.send(RawClient.frame(1, [0x30 + UInt8(number % 10)]))
      var heard = ear.read(3)
      // What was said a moment before may still be on its way to the loop of this one.
      if number > 0, heard == [0x81, 1, 0x30 + UInt8((number - 1) % 10)] { heard = ear.read(3) }
      #expect(heard == [0x81, 1, 0x30 + UInt8(number % 10)])
    }
  }

  /// Faster than anybody reads: the sender is held back, and nothing is lost or out of order.
  @Test(arguments: [1, 3]) func aFloodArrivesWhole(threads: Int) throws {
    let listener = try Listener(["-q", "--mode", "broadcast", "--threads", "\(threads)"])
    let ears = try (0..<4).map { _ in try Self.join(listener) }
    let mouth = try Self.join(listener)
    for number in UInt8(0)..<150 {
      mouth.send(RawClient.frame(2, [UInt8](repeating: number, count: 60_000)))
    }
    for ear in ears {
      for number in UInt8(0)..<150 {
        let header: [UInt8] = [0x82, 126, 0xEA, 0x60]  // 60 000
        #expect(ear.read(60_004) == header + [UInt8](repeating: number, count: 60_000))
      }
    }
  }

  /// The payload of the next message, which has at most 65 535 bytes and one frame.
  private static func readMessage(_ client: RawClient) -> [UInt8] {
    let head = client.read(2)
    guard head.count == 2, head[0] == 0x81 || head[0] == 0x82 else { return head }
    guard head[1] == 126 else { return client.read(Int(head[1])) }
    let length = client.read(2)
    return client.read(Int(length[0]) << 8 | Int(length[1]))
  }

  private static func deflate(_ listener: Listener) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(
      RawClient.request(fields: ["Sec-WebSocket-Extensions: permessage-deflate"]))
    #expect(client.readHead().contains("permessage-deflate"))
    return client
  }

  /// Everybody sends at once, in bursts that no read and no turn of a loop holds: each client has the
  /// messages of each other one in their order, and its own only if it asked for them.
  @Test(arguments: [(1, false), (1, true), (3, false), (3, true)])
  func aCrowdHearsItselfInOrder(threads: Int, includesSender: Bool) throws {
    let mode = includesSender ? "broadcast=all" : "broadcast"
    let listener = try Listener(["-q", "--mode", mode, "--threads", "\(threads)"])
    let clients = try (0..<8).map { _ in try Self.join(listener) }
    let rounds = 40
    // The largest messages pass what is written in one piece.
    let sizes = (0..<rounds).map { [2, 200, 3_000, 30_000][$0 % 4] }
    for (round, size) in sizes.enumerated() {
      for (index, client) in clients.enumerated() {
        client.send(
          RawClient.frame(2, [UInt8(index), UInt8(round)] + [UInt8](repeating: 7, count: size - 2)))
      }
    }
    for (index, client) in clients.enumerated() {
      var next = [Int](repeating: 0, count: clients.count)
      if !includesSender { next[index] = rounds }
      while next.contains(where: { $0 < rounds }) {
        let payload = Self.readMessage(client)
        let (author, round) = (Int(try #require(payload.first)), Int(payload[1]))
        #expect(next[author] == round && payload.count == sizes[round])
        next[author] = round + 1
      }
    }
  }

  /// Compressed and plain members of one broadcast; and what a client sends before its Close arrives.
  @Test(arguments: [1, 3]) func compressedMembersHaveTheSameMessages(threads: Int) throws {
    let listener = try Listener(
      ["-q", "--mode", "broadcast=all", "--compress", "--threads", "\(threads)"])
    let plain = try Self.join(listener)
    let compressed = try Self.deflate(listener)
    let sender = try Self.join(listener)
    let text = [UInt8](repeating: 0x61, count: 2_000)
    sender.send(RawClient.frame(1, text) + RawClient.frame(8, [0x03, 0xE8]))
    #expect(Self.readMessage(plain) == text)
    #expect(Self.readMessage(sender) == text)
    let head = compressed.read(2)
    #expect(head.first == 0xC1, "a compressed text")
    #expect(compressed.read(Int(head[1])).count < 100)
  }
}

/// An upgrade behind other requests on the same connection.
@Suite(.blocking) struct PipelinedUpgradeTests {
  /// The replies before it do not fit into the kernel: they go first, whole.
  @Test func itsReplyComesBehindTheOthers() throws {
    let listener = try Listener(["-q"])
    let client = try RawClient(port: listener.port)
    let page = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    let once = try RawClient(port: listener.port)
    once.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    let count = 8_000_000 / once.readToEnd().count
    client.send(String(repeating: page, count: count) + RawClient.request())
    client.send(RawClient.frame(1, Array("hello".utf8)))
    for _ in 0..<count {
      let head = client.readHead()
      #expect(head.hasPrefix("HTTP/1.1 200 "))
      let length = head.split(separator: "\r\n").first {
        $0.lowercased().hasPrefix("content-length: ")
      }
      let body = length.flatMap { Int($0.dropFirst(16)) }
      #expect(client.read(try #require(body)).count == body)
    }
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    #expect(client.read(7) == [0x81, 5] + Array("hello".utf8))
  }
}
