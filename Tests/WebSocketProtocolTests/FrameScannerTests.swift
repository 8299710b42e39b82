import Testing
import WebSocketProtocol

@Suite struct FrameScannerTests {
  private static let frames: [(FrameHeader, [UInt8])] = [
    (FrameHeader(opcode: .text, payloadLength: 5), Array("hello".utf8)),
    (FrameHeader(isFinal: false, opcode: .binary, maskingKey: 7, payloadLength: 0), []),
    (
      FrameHeader(opcode: .continuation, maskingKey: 9, payloadLength: 300),
      Array(repeating: 1, count: 300)
    ),
    (
      FrameHeader(reservedBits: 0x4, opcode: .text, payloadLength: 70_000),
      Array(repeating: 2, count: 70_000)
    ),
    (FrameHeader(opcode: .close, maskingKey: 1, payloadLength: 2), [3, 232]),
  ]

  private static var wire: [UInt8] {
    frames.flatMap { header, payload in
      var bytes = [UInt8](repeating: 0, count: FrameHeader.maximumLength)
      let length = bytes.withUnsafeMutableBytes { header.write(to: $0) }
      return bytes.prefix(length) + payload
    }
  }

  private func scan(_ pieces: [ArraySlice<UInt8>]) -> [FrameHeader] {
    var scanner = FrameScanner()
    return pieces.flatMap { piece in Array(piece).withUnsafeBytes { scanner.scan($0) } }
  }

  @Test func allHeadersAreFound() {
    #expect(scan([Self.wire[...]]) == Self.frames.map(\.0))
  }

  @Test func whereverTheStreamIsCut() {
    let wire = Self.wire
    for size in [1, 2, 3, 7, 13, 64, 4096] {
      let pieces = stride(from: 0, to: wire.count, by: size).map {
        wire[$0..<min($0 + size, wire.count)]
      }
      #expect(scan(pieces) == Self.frames.map(\.0), "pieces of \(size)")
    }
  }

  @Test func aLengthThatNobodyCanSendIsNoTrap() {
    let header = FrameHeader(opcode: .binary, payloadLength: .max)
    var bytes = [UInt8](repeating: 0, count: FrameHeader.maximumLength)
    let length = bytes.withUnsafeMutableBytes { header.write(to: $0) }
    #expect(scan([bytes[..<length], bytes[...], bytes[...]]) == [header])
  }
}
