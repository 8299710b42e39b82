import Testing
import WebSocketProtocol

/// RFC 6455 section 5.2: the header of a frame, read and written.
@Suite struct FrameHeaderTests {
  private static let lengths: [UInt64] = [
    0, 1, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 1 << 31, 1 << 32, 1 << 53, 1 << 62,
    UInt64(Int64.max), 1 << 63, .max,
  ]
  private static let keys: [[UInt8]?] = [nil, [0, 0, 0, 0], [0x37, 0xFA, 0x21, 0x3D]]

  private static func frame(
    _ first: UInt8, _ length: UInt64, _ form: WireFrame.LengthForm = .shortest
  ) -> WireFrame {
    WireFrame(
      isFinal: first & 0x80 != 0, reservedBits: first >> 4 & 7, opcode: first & 15,
      declaredLength: length, form: form)
  }

  private static func header(_ first: UInt8, _ length: UInt64, _ key: [UInt8]?) -> FrameHeader {
    FrameHeader(
      isFinal: first & 0x80 != 0, reservedBits: first >> 4 & 7, opcode: Opcode(rawValue: first),
      maskingKey: key.map { key in key.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) } },
      payloadLength: length)
  }

  private static func read(_ bytes: [UInt8]) -> FrameHeader.Reading {
    bytes.withUnsafeBytes { FrameHeader.read($0) }
  }

  private static func written(_ header: FrameHeader) -> [UInt8] {
    var space = [UInt8](repeating: 0xCC, count: 20)
    let length = space.withUnsafeMutableBytes { header.write(to: $0) }
    #expect(space[length...].allSatisfy { $0 == 0xCC })
    return Array(space[..<length])
  }

  @Test func everyHeaderIsWrittenAsTheRFCDrawsItAndReadBack() {
    for first in UInt8.min...UInt8.max {
      for length in Self.lengths {
        for key in Self.keys {
          let header = Self.header(first, length, key)
          let bytes = Self.frame(first, length).bytes(key: key)
          #expect(Self.written(header) == bytes)
          #expect(header.encodedLength == bytes.count)
          #expect(bytes.count <= FrameHeader.maximumLength)
          #expect(Self.read(bytes) == .header(header, length: bytes.count))
          #expect(Self.read(bytes + [1, 2, 3]) == .header(header, length: bytes.count))
        }
      }
    }
  }

  @Test func aHeaderThatIsNotWholeNeedsMore() {
    for length in Self.lengths {
      for key in Self.keys {
        let bytes = Self.frame(0x81, length).bytes(key: key)
        for count in 0..<bytes.count {
          #expect(Self.read(Array(bytes[..<count])) == .needMore)
        }
      }
    }
  }

  /// "the minimal number of bytes MUST be used to encode the length": peers are read generously,
  /// as other implementations do.
  @Test func lengthsInALongerFormAreRead() {
    let rows: [(UInt64, WireFrame.LengthForm)] = [
      (0, .sixteenBits), (5, .sixteenBits), (125, .sixteenBits), (0, .sixtyFourBits),
      (5, .sixtyFourBits), (126, .sixtyFourBits), (65_535, .sixtyFourBits),
    ]
    for (length, form) in rows {
      for key in Self.keys {
        let bytes = Self.frame(0x82, length, form).bytes(key: key)
        #expect(
          Self.read(bytes) == .header(Self.header(0x82, length, key), length: bytes.count))
      }
    }
  }

  @Test func anOpcodeHasFourBits() {
    for value in UInt8.min...UInt8.max {
      #expect(Opcode(rawValue: value).rawValue == value % 16)
      #expect(Opcode(rawValue: value).isControl == (value % 16 >= 8))
      #expect(
        Opcode(rawValue: value).isReserved == ![0, 1, 2, 8, 9, 10].contains(value % 16))
    }
    #expect(MessageKind.text.opcode == .text)
    #expect(MessageKind.binary.opcode == .binary)
    #expect(
      [.continuation, .text, .binary, .close, .ping, .pong].map(\Opcode.rawValue)
        == [0, 1, 2, 8, 9, 10])
  }
}
