/// UTF-8 validation of 64 bytes at once (RFC 3629), without data-dependent branches.
///
/// Each byte is checked against the three bytes before it, which suffices for characters of up to
/// four bytes. A character that begins at the end of the block is completed in the check of the
/// next block.
///
/// Each step processes as many bytes as `Lanes` has and keeps one result per byte, in its high bit.
/// A left shift moves another bit of the same byte there, and no addition carries into the next
/// byte. Only shifts, additions and bitwise operations are used, since these become vector
/// instructions in any context; comparisons of bytes, written as such, do not always.
enum UTF8Block {
  /// The length of a block, in bytes.
  static let size = 64
  /// The number of bytes before the block that are read; they must belong to the same text.
  static let reach = 3

  private typealias Lanes = SIMD4<UInt64>

  /// Whether the block at `base` is valid, given that the bytes before it are.
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
      // Lead bytes from C0, E0 and F0 on require one, two and three continuation bytes.
      let isFromC0 = last & last &<< 1
      let isFromE0 = isFromC0 & last &<< 2
      let isFromF0 = isFromE0 & last &<< 3
      let isDue =
        isFromC0
        | second & second &<< 1 & second &<< 2
        | third & third &<< 1 & third &<< 2 & third &<< 3
      wrong |= isDue ^ (bytes & ~(bytes &<< 1))
      // C0, C1, E0 and E1; then EC to EF; then the four-byte characters, which have exceptions.
      special |= isFromC0 & ~((last & repeating(0x1E)) &+ repeating(0x7E))
      special |= isFromE0 & last &<< 4 & last &<< 5
      special |= isFromF0
      offset &+= MemoryLayout<Lanes>.size
    }
    guard !hasHighBit(wrong) else { return false }
    return !hasHighBit(special) || isWithoutForbidden(base)
  }

  /// Checks the exceptions in the table of RFC 3629 section 4: C0, C1 and F5...FF, which are never
  /// valid, and the second byte after E0, ED, F0 and F4, already known to be in 80...BF.
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
      // The bits of a continuation byte.
      let isFromA0 = bytes &<< 2
      let isFrom90 = isFromA0 | bytes &<< 3
      wrong |= isFromC0 & ~((last & repeating(0x3E)) &+ repeating(0x7E))
      // A0...BF after E0 (otherwise overlong), 80...9F after ED (otherwise a surrogate).
      wrong |= isThree & ~isLowNot0 & ~isFromA0
      wrong |= isThree & ~isLowNotD & isFromA0
      // 90...BF after F0 (otherwise overlong), 80...8F after F4 (otherwise above U+10FFFF).
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

  /// Whether any byte has its high bit set.
  @inline(__always)
  private static func hasHighBit(_ lanes: Lanes) -> Bool {
    (lanes[0] | lanes[1] | lanes[2] | lanes[3]) & 0x8080_8080_8080_8080 != 0
  }

  /// Whether the blocks from `base` on are pure ASCII.
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
