import NIOCore
import Testing

@testable import WebSocketProtocol

/// Frames that are encoded once are those that a machine would write itself.
@Suite struct SharedFramesTests {
  /// Around each form of the length.
  private static let lengths = [0, 1, 125, 126, 127, 65_535, 65_536]

  private static let messages: [(MessageKind, [UInt8])] = lengths.enumerated().map {
    index, length in
    (index % 2 == 0 ? .text : .binary, [UInt8](repeating: 0x61 + UInt8(index), count: length))
  }

  /// The messages, and the position of each.
  private static func encode() -> (frames: SharedFrames, parts: [SharedFrames.Part]) {
    var frames = SharedFrames()
    let parts = messages.map { kind, payload in
      payload.withUnsafeBytes { frames.append(kind, $0) }
    }
    return (frames, parts)
  }

  private static func machine(
    sending messages: [(MessageKind, [UInt8])] = []
  ) throws -> ConnectionMachine {
    var machine = ConnectionMachine(serverWith: Limits(messageSize: 1 << 24))
    for (kind, payload) in messages { try machine.send(kind, payload) }
    return machine
  }

  @Test func theyEqualThoseOfAMachine() throws {
    var machine = try Self.machine()
    let (frames, _) = Self.encode()
    try machine.send(frames)
    let other = try Self.machine(sending: Self.messages)
    #expect(machine.output == other.output)
    #expect(machine.traffic == other.traffic)
    #expect(frames.bytes == other.output)
  }

  @Test func anyOfThemCanBeLeftOut() throws {
    let (frames, parts) = Self.encode()
    for pattern in 0..<(1 << parts.count) {
      let isOut = { (index: Int) in pattern >> index & 1 == 1 }
      let out = parts.indices.filter(isOut).map { parts[$0] }
      let rest = Self.messages.indices.filter { !isOut($0) }.map { Self.messages[$0] }
      var machine = try Self.machine()
      try machine.send(frames, except: out)
      let other = try Self.machine(sending: rest)
      #expect(machine.output == other.output, "\(pattern)")
      #expect(machine.traffic == other.traffic, "\(pattern)")
      var seen: [[UInt8]] = []
      var kinds: [MessageKind] = []
      frames.forEachMessage(except: out) { kind, payload, index in
        kinds.append(kind)
        seen.append(Array(payload))
        #expect(payload.count == Self.lengths[index] && !isOut(index))
      }
      #expect(seen == rest.map(\.1), "\(pattern)")
      #expect(kinds == rest.map(\.0), "\(pattern)")
    }
  }

  @Test func nothingIsSentAfterAClose() throws {
    var machine = try Self.machine()
    try machine.sendClose(CloseFrame(.goingAway))
    let (frames, _) = Self.encode()
    let before = machine.output
    #expect(throws: SendError.closing) { try machine.send(frames) }
    #expect(throws: SendError.closing) { try machine.count(frames.totals) }
    #expect(machine.output == before && machine.traffic.messagesOut == 0)
  }

  @Test func theStorageIsKeptUpToALimit() {
    var (frames, _) = Self.encode()
    let copy = frames
    frames.removeAll(keepingUpTo: 1024)
    #expect(frames.isEmpty && frames.bytes.capacity == 0)
    var small = SharedFrames()
    [1, 2, 3].withUnsafeBytes { _ = small.append(.binary, $0) }
    small.removeAll(keepingUpTo: 1024)
    #expect(small.isEmpty && small.bytes.readableBytes == 0 && small.bytes.capacity > 0)
    // What a connection still uses is not overwritten.
    #expect(copy.totals.messages == 7 && copy.bytes.readableBytes > 131_000)
  }
}
