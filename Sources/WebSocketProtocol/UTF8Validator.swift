/// Incremental UTF-8 validation (RFC 3629): it fails at the first byte that is invalid in its
/// position, so that invalid text is rejected before the rest of it has arrived.
package struct UTF8Validator: Sendable {
  /// Missing continuation bytes of the character in which the text so far ends.
  private var needed: UInt8 = 0
  /// Bounds of the next continuation byte; they are narrower than 80...BF only after E0, ED, F0 and
  /// F4 (no overlong forms, no surrogates, nothing above U+10FFFF).
  private var lower: UInt8 = 0x80
  private var upper: UInt8 = 0xBF

  package init() {}

  /// Whether the bytes so far do not end inside a character.
  package var isComplete: Bool { needed == 0 }

  /// Validates a whole text. Call only between two texts.
  @inline(__always)
  package mutating func validateWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
    Self.isShortASCII(bytes) || validate(bytes) && isComplete
  }

  /// Whether it is a text of 8 to 64 bytes, as most are, in pure ASCII; checked in a few
  /// instructions.
  @inline(__always)
  private static func isShortASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress, (8...64).contains(bytes.count) else { return false }
    // The last word overlaps the one before it.
    let last = bytes.count &- 8
    var all = base.loadUnaligned(fromByteOffset: last, as: UInt64.self)
    var offset = 0
    while offset < last {
      all |= base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      offset &+= 8
    }
    return all & 0x8080_8080_8080_8080 == 0
  }

  /// Validates the next piece; returns whether the text can still become valid.
  package mutating func validate(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress else { return true }
    let count = bytes.count
    var offset = 0
    while offset < count {
      if needed == 0 {
        offset = Self.endOfWholeCharacters(base, from: offset, count: count)
        guard offset < count else { return true }
        guard start(base.load(fromByteOffset: offset, as: UInt8.self)) else { return false }
      } else {
        let byte = base.load(fromByteOffset: offset, as: UInt8.self)
        guard byte >= lower, byte <= upper else { return false }
        needed &-= 1
        lower = 0x80
        upper = 0xBF
      }
      offset &+= 1
    }
    return true
  }

  /// The offset of the first byte that is not part of a valid character; nil if the text is valid.
  package static func firstInvalid(in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    var start = 0
    while true {
      start = endOfWholeCharacters(base, from: start, count: bytes.count)
      guard start < bytes.count else { return nil }
      // One character, byte by byte: the steps above stop at invalid bytes, and near the end of the
      // text.
      var character = UTF8Validator()
      var end = start
      repeat {
        guard end < bytes.count,
          character.validate(UnsafeRawBufferPointer(rebasing: bytes[end...end]))
        else { return start }
        end &+= 1
      } while !character.isComplete
      start = end
    }
  }

  /// The table of RFC 3629 section 4, for a lead byte that is not ASCII.
  @inline(__always)
  private mutating func start(_ lead: UInt8) -> Bool {
    switch lead {
    case 0xC2...0xDF:
      needed = 1
    case 0xE0...0xEF:
      needed = 2
      if lead == 0xE0 { lower = 0xA0 }
      if lead == 0xED { upper = 0x9F }
    case 0xF0...0xF4:
      needed = 3
      if lead == 0xF0 { lower = 0x90 }
      if lead == 0xF4 { upper = 0x8F }
    default:
      return false
    }
    return true
  }

  /// The offset after all complete and valid characters from `start` on that can be read four bytes
  /// at a time. If it is less than `count`, the bytes there are invalid or too few, and the slow
  /// path decides.
  @inline(__always)
  private static func endOfWholeCharacters(
    _ base: UnsafeRawPointer, from start: Int, count: Int
  ) -> Int {
    var offset = start
    var mayTakeBlocks = true
    while count &- offset >= 4 {
      // The first byte is the lowest.
      let word = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      if word & 0x80 == 0 {
        // A single space between two words does not justify the wide steps.
        let high = word & 0x8080_8080
        offset =
          high == 0
          ? endOfASCII(base, from: offset &+ 4, count: count)
          : offset &+ high.trailingZeroBitCount / 8
      } else if mayTakeBlocks, offset >= UTF8Block.reach, count &- offset >= UTF8Block.size {
        (offset, mayTakeBlocks) = endOfValidBlocks(base, from: offset, count: count)
      } else if word & 0xC0E0 == 0x80C0 {
        // C0 and C1 do not begin a character.
        guard word & 0x1E != 0 else { return offset }
        offset &+= 2
      } else if word & 0xC0_C0F0 == 0x80_80E0 {
        // The relevant bits must not all be 0 after E0 (overlong) nor all 1 after ED (surrogates).
        let bits = word & 0x200F
        guard bits != 0, bits != 0x200D else { return offset }
        offset &+= 3
      } else if word & 0xC0C0_C0F8 == 0x8080_80F0 {
        // From U+10000 (F0 90) to U+10FFFF (F4 8F).
        let bits = (word & 0x07) << 2 | (word >> 12) & 0x03
        guard bits >= 1, bits <= 16 else { return offset }
        offset &+= 4
      } else {
        return offset
      }
    }
    // The last three bytes, if they are ASCII.
    return endOfASCII(base, from: offset, count: count)
  }

  /// The offset after the last complete character in the valid blocks from `start` on, and whether
  /// all blocks were valid; if not, the narrow steps find the invalid byte.
  @inline(__always)
  private static func endOfValidBlocks(
    _ base: UnsafeRawPointer, from start: Int, count: Int
  ) -> (offset: Int, areAllValid: Bool) {
    var offset = start
    var areAllValid = true
    while areAllValid, count &- offset >= UTF8Block.size {
      areAllValid = UTF8Block.isValid(base + offset)
      if areAllValid { offset &+= UTF8Block.size }
    }
    // Back to the lead byte of a character that continues after the blocks.
    let tail = base + offset
    if tail.load(fromByteOffset: -1, as: UInt8.self) >= 0xC0 {
      offset &-= 1
    } else if tail.load(fromByteOffset: -2, as: UInt8.self) >= 0xE0 {
      offset &-= 2
    } else if tail.load(fromByteOffset: -3, as: UInt8.self) >= 0xF0 {
      offset &-= 3
    }
    return (offset, areAllValid)
  }

  /// The offset of the first byte from `start` on that is not ASCII, or `count`.
  @inline(__always)
  private static func endOfASCII(
    _ base: UnsafeRawPointer, from start: Int, count: Int
  ) -> Int {
    var offset = start
    let high: UInt64 = 0x8080_8080_8080_8080
    while count &- offset >= 4 &* UTF8Block.size,
      UTF8Block.isASCII(base + offset, blocks: 4)
    {
      offset &+= 4 &* UTF8Block.size
    }
    while count &- offset >= UTF8Block.size, UTF8Block.isASCII(base + offset, blocks: 1) {
      offset &+= UTF8Block.size
    }
    while count &- offset >= 8 {
      let word = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & high
      guard word == 0 else {
        return offset &+ UInt64(littleEndian: word).trailingZeroBitCount / 8
      }
      offset &+= 8
    }
    while offset < count, base.load(fromByteOffset: offset, as: UInt8.self) < 0x80 {
      offset &+= 1
    }
    return offset
  }
}
