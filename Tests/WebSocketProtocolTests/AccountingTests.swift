import Glibc
import NIOCore
import Testing
import WebSocketProtocol

/// What a machine counts, what it holds, and what it gives back.
@Suite struct AccountingTests {
  private static let text = Array("héllo".utf8)

  @Test func messagesOfBothDirectionsAreCounted() throws {
    for role in [Role.client, .server] {
      var listener = Listener(role)
      #expect(listener.machine.traffic == Traffic())
      listener.feed(
        WireFrame.wire(
          [
            .text(Self.text), .ping("not counted"), .binary([1], isFinal: false),
            .continuation([2, 3]), .pong("nor this"), .text(""),
          ], to: role), sourceLocation: #_sourceLocation)
      try listener.machine.send(.text, Self.text)
      try listener.machine.send(.binary, [])
      try listener.machine.sendPing([1])
      var traffic = Traffic()
      traffic.messagesIn = 3
      traffic.payloadIn = 6 + 3
      traffic.messagesOut = 2
      traffic.payloadOut = 6
      traffic.framesIn = 6
      traffic.wireIn = UInt64(listener.fed)
      // The ping was answered.
      traffic.framesOut = 4
      traffic.wireOut = UInt64(listener.machine.output.readableBytes)
      #expect(listener.machine.traffic == traffic)
      // What has not come whole is not counted.
      listener.feed(
        WireFrame.wire([.text("half", isFinal: false)], to: role),
        sourceLocation: #_sourceLocation)
      traffic.framesIn = 7
      traffic.wireIn = UInt64(listener.fed)
      #expect(listener.machine.traffic == traffic)
      listener.feed(
        WireFrame.wire([.close(1000), .text("late")], to: role), sourceLocation: #_sourceLocation)
      traffic.discarded = UInt64(WireFrame.wire([.text("late")], to: role).count)
      traffic.framesIn = 8
      traffic.wireIn = UInt64(listener.fed) - traffic.discarded
      traffic.framesOut = 5
      traffic.wireOut = UInt64(listener.machine.output.readableBytes)
      #expect(listener.machine.traffic == traffic)
      listener.feed([1, 2, 3], sourceLocation: #_sourceLocation)
      traffic.discarded += 3
      #expect(listener.machine.traffic == traffic)
    }
  }

  /// A frame that has begun counts its bytes, and itself when it has come whole.
  @Test func halfAFrameIsItsBytes() {
    for role in [Role.client, .server] {
      let wire = WireFrame.wire([.text("hello")], to: role)
      var listener = Listener(role)
      for (count, byte) in wire.enumerated() {
        let traffic = listener.machine.traffic
        #expect(traffic.wireIn == UInt64(count))
        #expect(traffic.framesIn == 0 && traffic.messagesIn == 0)
        listener.feed([byte], sourceLocation: #_sourceLocation)
      }
      #expect(listener.machine.traffic.framesIn == 1)
    }
  }

  /// Text that turns out to be wrong was no message.
  @Test func wrongTextIsNotCounted() {
    var listener = Listener(.client)
    listener.feed(
      WireFrame.wire([.text([0xC3])], to: .client), sourceLocation: #_sourceLocation)
    let traffic = listener.machine.traffic
    #expect(traffic.messagesIn == 0 && traffic.payloadIn == 0)
    #expect(traffic.framesIn == 0 && traffic.wireIn == 3)
  }

  /// The bytes of a message on the wire are those of all its frames, with their headers as they
  /// were sent, whatever the form of the length.
  @Test func bytesOfAMessageOnTheWire() {
    let rows: [[WireFrame]] = [
      [.text("")], [.text("hello")], [.binary([UInt8](repeating: 1, count: 125))],
      [.binary([UInt8](repeating: 1, count: 126))], [.binary([UInt8](repeating: 1, count: 65_536))],
      [.text("a", isFinal: false), .continuation("", isFinal: false), .continuation("bc")],
      [WireFrame(opcode: 1, payload: [0x61], form: .sixteenBits)],
      [WireFrame(opcode: 1, payload: [0x61], form: .sixtyFourBits)],
      [
        WireFrame(isFinal: false, opcode: 1, payload: [0x61], form: .sixtyFourBits),
        WireFrame(opcode: 0, form: .sixteenBits),
      ],
    ]
    for role in [Role.client, .server] {
      let expected = rows.map { WireFrame.wire($0, to: role).count }
      var listener = Listener(role)
      for row in rows {
        listener.feed(WireFrame.wire(row, to: role), sourceLocation: #_sourceLocation)
      }
      #expect(listener.wires == expected)
      // In one read, and byte by byte, with a ping inside that is no part of it.
      let wire = rows.flatMap { row in
        WireFrame.wire(row.dropLast() + [.ping("inside")] + row.suffix(1), to: role)
      }
      var whole = Listener(role)
      whole.feed(wire, sourceLocation: #_sourceLocation)
      #expect(whole.wires == expected)
      var slow = Listener(role)
      for byte in wire { slow.feed([byte], sourceLocation: #_sourceLocation) }
      #expect(slow.wires == expected)
    }
  }

  /// SECURITY R1: no memory is asked for by a length that was only declared. The limit allows a
  /// gibibyte, and sixteen peers announce one each.
  @Test func declaredLengthsCostNothing() throws {
    let before = try Self.virtualPages()
    var listeners: [Listener] = []
    for opcode in [1, 2] as [UInt8] {
      for isFinal in [true, false] {
        for role in [Role.client, .server, .client, .server] {
          let frame = WireFrame(
            isFinal: isFinal, opcode: opcode, payload: [0x61], declaredLength: 1 << 30)
          var listener = Listener(role, limits: Limits(messageSize: 1 << 30))
          listener.feed(WireFrame.wire([frame], to: role), sourceLocation: #_sourceLocation)
          #expect(listener.heard == [])
          listeners.append(listener)
        }
      }
    }
    let grown = try Self.virtualPages() - before
    #expect(grown < (1 << 30) / 4096, "\(listeners.count) messages of which one byte has come")
  }

  /// Pages of address space that the process has taken.
  private static func virtualPages() throws -> Int {
    let file = try #require(fopen("/proc/self/statm", "r"))
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 200)
    #expect(fgets(&line, 200, file) != nil)
    let digits = line.prefix { $0 >= 0x30 && $0 <= 0x39 }
    return try #require(Int(String(decoding: digits.map(UInt8.init), as: UTF8.self)))
  }

  /// A connection costs this much, and nothing else while it is idle; at 10 000 connections every
  /// hundred bytes here are a megabyte.
  @Test func aMachineIsSmall() {
    #expect(MemoryLayout<ConnectionMachine>.size <= 384)
  }
}
