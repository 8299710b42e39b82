/// The header of one frame in wire format (RFC 6455 section 5.2). Reading and writing mirror each
/// other; `FrameRules` decides whether a header is allowed.
package struct FrameHeader: Equatable, Sendable {
  package var isFinal: Bool
  /// RSV1, RSV2 and RSV3 as the bits 0x4, 0x2 and 0x1.
  package var reservedBits: UInt8
  package var opcode: Opcode
  /// The key in memory order (the first byte on the wire is the first byte in memory); nil if the
  /// frame is not masked.
  package var maskingKey: UInt32?
  /// The declared payload length in bytes. Its top bit may be set: the rules reject that, not the
  /// reader.
  package var payloadLength: UInt64

  package init(
    isFinal: Bool = true, reservedBits: UInt8 = 0, opcode: Opcode, maskingKey: UInt32? = nil,
    payloadLength: UInt64
  ) {
    self.isFinal = isFinal
    self.reservedBits = reservedBits
    self.opcode = opcode
    self.maskingKey = maskingKey
    self.payloadLength = payloadLength
  }

  /// The maximum length of a header in bytes: 2 bytes, a 64-bit length and a key.
  package static let maximumLength = 14

  /// The number of bytes that `write(to:)` needs.
  package var encodedLength: Int {
    Self.encodedLength(payloadLength: payloadLength, isMasked: maskingKey != nil)
  }

  @inline(__always)
  package static func encodedLength(payloadLength: UInt64, isMasked: Bool) -> Int {
    (payloadLength < 126 ? 2 : payloadLength < 65_536 ? 4 : 10) &+ (isMasked ? 4 : 0)
  }

  /// The result of reading: a header, or a request for more bytes. A header cannot be malformed in
  /// itself.
  package enum Reading: Equatable, Sendable {
    /// The header and its length in bytes.
    case header(FrameHeader, length: Int)
    case needMore
  }

  /// Reads a header from the start of `bytes`.
  @inline(__always)
  package static func read(_ bytes: UnsafeRawBufferPointer) -> Reading {
    guard bytes.count >= 2 else { return .needMore }
    let first = bytes[0]
    let second = bytes[1]
    let isMasked = second & 0x80 != 0
    var length = 2
    let payloadLength: UInt64
    switch second & 0x7F {
    case 126:
      guard bytes.count >= 4 else { return .needMore }
      payloadLength =
        UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)).asUInt64
      length = 4
    case 127:
      guard bytes.count >= 10 else { return .needMore }
      payloadLength = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
      length = 10
    case let short:
      payloadLength = short.asUInt64
    }
    var key: UInt32?
    if isMasked {
      guard bytes.count >= length &+ 4 else { return .needMore }
      key = bytes.loadUnaligned(fromByteOffset: length, as: UInt32.self)
      length &+= 4
    }
    return .header(
      FrameHeader(
        isFinal: first & 0x80 != 0, reservedBits: (first & 0x70) >> 4,
        opcode: Opcode(rawValue: first), maskingKey: key, payloadLength: payloadLength),
      length: length)
  }

  /// Writes the header with the shortest form of the length, and returns the number of bytes
  /// written.
  ///
  /// `destination` must have room for `encodedLength` bytes.
  @inline(__always)
  package func write(to destination: UnsafeMutableRawBufferPointer) -> Int {
    let maskBit: UInt8 = maskingKey == nil ? 0 : 0x80
    let first = (isFinal ? 0x80 : 0) | (reservedBits & 0x7) << 4 | opcode.rawValue
    destination.storeBytes(of: first, as: UInt8.self)
    var length = 2
    if payloadLength < 126 {
      let short = payloadLength.truncatedToUInt8
      destination.storeBytes(of: short | maskBit, toByteOffset: 1, as: UInt8.self)
    } else if payloadLength < 65_536 {
      destination.storeBytes(of: 126 | maskBit, toByteOffset: 1, as: UInt8.self)
      let medium = payloadLength.truncatedToUInt16
      destination.storeBytes(of: medium.bigEndian, toByteOffset: 2, as: UInt16.self)
      length = 4
    } else {
      destination.storeBytes(of: 127 | maskBit, toByteOffset: 1, as: UInt8.self)
      destination.storeBytes(of: payloadLength.bigEndian, toByteOffset: 2, as: UInt64.self)
      length = 10
    }
    if let maskingKey {
      destination.storeBytes(of: maskingKey, toByteOffset: length, as: UInt32.self)
      length &+= 4
    }
    return length
  }
}
