import WebSocketNIO
import WebSocketProtocol

/// `/deflate`: an echo that is compressed.
enum DeflatePath {
  static let entry = TestPathEntry(
    pattern: "/deflate",
    summary: "Sends every message back with permessage-deflate, which the client must offer."
  ) { _ throws(InvalidArgument) in
    var connection = PathConnection(behaviour: Echo.Maker())
    connection.requiresDeflate = true
    return .accept(connection)
  }
}

/// `/deflate-bomb`: a small message that inflates to a large one.
enum DeflateBombPath {
  static let entry = TestPathEntry(
    pattern: "/deflate-bomb", query: ["size"],
    summary: "Sends a compressed message that inflates to size bytes (256M, at most 1G).",
    isBroken: true
  ) { arguments throws(InvalidArgument) in
    let text = arguments.text("size") ?? "256M"
    guard let size = ByteSize.parse(text), (1...Limits.largestMessageSize).contains(size) else {
      throw InvalidArgument("size: invalid size \"\(text)\" (expected 1 byte to 1G)")
    }
    var connection = BrokenFramePaths.connection(frame(inflatingTo: size), closesFirst: false)
    connection.requiresDeflate = true
    return .accept(connection)
  }

  /// A binary message with RSV1 (RFC 7692 section 6), of zeros.
  static func frame(inflatingTo size: Int) -> [UInt8] {
    let payload = zeros(size)
    var header: [UInt8] = [0xC2, 127]
    for shift in stride(from: 56, through: 0, by: -8) {
      header.append(UInt8(truncatingIfNeeded: payload.count >> shift))
    }
    return header + payload
  }

  /// Zeros in one block with fixed Huffman codes (RFC 1951 section 3.2.6): a literal and then copies of 258 bytes, 13 bits
  /// each. It is written by hand, because zlib would have to read all of it.
  private static func zeros(_ count: Int) -> [UInt8] {
    var bits = BitWriter(capacity: count / 158 + 512)
    // Not the last block, fixed codes.
    bits.write(0, count: 1)
    bits.write(0b01, count: 2)
    let copies = (count - 1) / 258
    for _ in 0..<(count - copies * 258) { bits.write(code: 0x30, count: 8) }
    for _ in 0..<copies {
      // Length 258 is code 285; distance 1 is code 0.
      bits.write(code: 0xC0 + 285 - 280, count: 8)
      bits.write(code: 0, count: 5)
    }
    // The end of the block, and the empty block without compression whose last four bytes are not sent.
    bits.write(code: 0, count: 7)
    bits.write(0, count: 3)
    return bits.finish()
  }
}

/// Packs bits into bytes, beginning with the least significant bit (RFC 1951 section 3.1.1).
private struct BitWriter {
  private var bytes: [UInt8] = []
  private var pending: UInt64 = 0
  private var count = 0

  init(capacity: Int) { bytes.reserveCapacity(capacity) }

  mutating func write(_ value: UInt64, count bits: Int) {
    pending |= value << UInt64(count)
    count += bits
    while count >= 8 {
      bytes.append(UInt8(truncatingIfNeeded: pending))
      pending >>= 8
      count -= 8
    }
  }

  /// Writes a Huffman code, which begins with its most significant bit.
  mutating func write(code: UInt64, count bits: Int) {
    var reversed: UInt64 = 0
    for bit in 0..<bits where code & 1 << UInt64(bit) != 0 {
      reversed |= 1 << UInt64(bits - 1 - bit)
    }
    write(reversed, count: bits)
  }

  mutating func finish() -> [UInt8] {
    if count > 0 { bytes.append(UInt8(truncatingIfNeeded: pending)) }
    return bytes
  }
}
