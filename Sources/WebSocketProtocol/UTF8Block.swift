/// UTF-8 validation of 64 bytes at once (RFC 3629), without a branch that depends on them.
///
/// A byte is judged with the three bytes before it, which holds for every one of the characters of up to
/// four bytes. What the block begins to say of a character at its end is left to the block behind it.
///
/// Each step takes as many bytes as `Lanes` has and keeps one answer a byte, in its high bit; a shift to
/// the left brings another bit of the same byte there, and no addition carries into the next byte.
/// Nothing but shifts, additions and the operations on bits is used, since these become vector
/// instructions whatever stands around them; comparisons of bytes, written as such, do not always.
enum UTF8Block {
  /// The length of a block, in bytes.
  static let size = 64
  /// So many bytes before the block are looked at; they must be of the same text.
  static let reach = 3

  private typealias Lanes = SIMD4<UInt64>

  /// Whether the block at `base` is valid where the bytes before it were.
  @inline(__always)
  static func isValid(_ base: UnsafeRawPointer) -> Bool {
    var wrong = Lanes.zero
    var special = Lanes.zero
    var offset = 0
    while offset < size {
      let bytes = lanes(base, offset)
      let last = lanes(base, offset &- 1)
      let second = lanes(base, offset &- 2)
      let third = lanes(base, offset &- 3)
      // From C0, E0 and F0 on there are one, two and three continuation bytes.
      let isFromC0 = last & last &<< 1
      let isFromE0 = isFromC0 & last &<< 2
      let isFromF0 = isFromE0 & last &<< 3
      let isDue =
        isFromC0
        | second & second &<< 1 & second &<< 2
        | third & third &<< 1 & third &<< 2 & third &<< 3
      wrong |= isDue ^ (bytes & ~(bytes &<< 1))
      // C0, C1, E0 and E1, then EC to EF, then what the exceptions of four bytes begin with.
      special |= isFromC0 & ~((last & repeating(0x1E)) &+ repeating(0x7E))
      special |= isFromE0 & last &<< 4 & last &<< 5
      special |= isFromF0
      offset &+= MemoryLayout<Lanes>.size
    }
    guard !hasHighBit(wrong) else { return false }
    return !hasHighBit(special) || isWithoutForbidden(base)
  }

  /// Whether what the table of RFC 3629 section 4 has exceptions for is right: C0, C1, F5...FF, which
  /// stand nowhere, and the second byte behind E0, ED, F0 and F4, known to be in 80...BF.
  @inline(never)
  private static func isWithoutForbidden(_ base: UnsafeRawPointer) -> Bool {
    var wrong = Lanes.zero
    var offset = 0
    while offset < size {
      let bytes = lanes(base, offset)
      let last = lanes(base, offset &- 1)
      let isFromC0 = last & last &<< 1
      let isFromE0 = isFromC0 & last &<< 2
      let isFromF0 = isFromE0 & last &<< 3
      let isThree = isFromE0 & ~(last &<< 3)
      let low = last & repeating(0x0F)
      let isLowNot0 = low &+ repeating(0x7F)
      let isLowNot4 = (low ^ repeating(0x04)) &+ repeating(0x7F)
      let isLowNotD = (low ^ repeating(0x0D)) &+ repeating(0x7F)
      let isLowFrom5 = low &+ repeating(0x7B)
      // Of a continuation byte.
      let isFromA0 = bytes &<< 2
      let isFrom90 = isFromA0 | bytes &<< 3
      wrong |= isFromC0 & ~((last & repeating(0x3E)) &+ repeating(0x7E))
      // A0...BF behind E0 (else overlong), 80...9F behind ED (else a surrogate).
      wrong |= isThree & ~isLowNot0 & ~isFromA0
      wrong |= isThree & ~isLowNotD & isFromA0
      // 90...BF behind F0 (else overlong), 80...8F behind F4 (else above U+10FFFF).
      wrong |= isFromF0 & ~isLowNot0 & ~isFrom90
      wrong |= isFromF0 & ~isLowNot4 & isFrom90
      wrong |= isFromF0 & isLowFrom5
      offset &+= MemoryLayout<Lanes>.size
    }
    return !hasHighBit(wrong)
  }

  @inline(__always)
  private static func lanes(_ base: UnsafeRawPointer, _ offset: Int) -> Lanes {
    base.loadUnaligned(fromByteOffset: offset, as: Lanes.self)
  }

  @inline(__always)
  private static func repeating(_ byte: UInt64) -> Lanes {
    Lanes(repeating: byte &* 0x0101_0101_0101_0101)
  }

  /// Whether a byte has its high bit.
  @inline(__always)
  private static func hasHighBit(_ lanes: Lanes) -> Bool {
    (lanes[0] | lanes[1] | lanes[2] | lanes[3]) & 0x8080_8080_8080_8080 != 0
  }

  /// Whether the blocks from `base` on are ASCII alone.
  @inline(__always)
  static func isASCII(_ base: UnsafeRawPointer, blocks: Int) -> Bool {
    var any = Lanes.zero
    var offset = 0
    while offset < size &* blocks {
      any |= lanes(base, offset)
      offset &+= MemoryLayout<Lanes>.size
    }
    return !hasHighBit(any)
  }
}
