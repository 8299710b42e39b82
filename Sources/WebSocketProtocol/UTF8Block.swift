/// UTF-8 validation of 64 bytes at once (RFC 3629), in loops that have no branch, so that the compiler
/// makes vector instructions of them.
///
/// A byte is judged with the three bytes before it, which holds for every one of the characters of up to
/// four bytes. What the block begins to say of a character at its end is left to the block behind it.
enum UTF8Block {
  /// The length of a block, in bytes.
  static let size = 64
  /// So many bytes before the block are looked at; they must be of the same text.
  static let reach = 3

  /// Whether the block at `base` is valid where the bytes before it were.
  @inline(__always)
  static func isValid(_ base: UnsafeRawPointer) -> Bool {
    // The high bit of `wrong`: a continuation byte that is not due, or one that is due and missing.
    var wrong: UInt8 = 0
    var special: UInt8 = 0
    var index = 0
    while index < size {
      let byte = base.load(fromByteOffset: index, as: UInt8.self)
      let last = base.load(fromByteOffset: index &- 1, as: UInt8.self)
      let second = base.load(fromByteOffset: index &- 2, as: UInt8.self)
      let third = base.load(fromByteOffset: index &- 3, as: UInt8.self)
      // From C0, E0 and F0 on there are one, two and three continuation bytes. What is left above 80 is
      // the high bit.
      let due = excess(last, 0x40) | excess(second, 0x60) | excess(third, 0x70)
      wrong |= due ^ (byte & ~(byte &+ byte))
      special |= excess(byte, 0xEF) | excess(last, 0xEF) | all(if: byte & 0xFE == 0xC0)
      special |= all(if: last == 0xE0) | all(if: last == 0xED)
      index &+= 1
    }
    guard wrong & 0x80 == 0 else { return false }
    return special == 0 || isWithoutForbidden(base)
  }

  /// Whether what the table of RFC 3629 section 4 has exceptions for is right: C0, C1, F5...FF, which
  /// stand nowhere, and the second byte behind E0, ED, F0 and F4, known to be in 80...BF.
  @inline(never)
  private static func isWithoutForbidden(_ base: UnsafeRawPointer) -> Bool {
    var wrong: UInt8 = 0
    var index = 0
    while index < size {
      let byte = base.load(fromByteOffset: index, as: UInt8.self)
      let last = base.load(fromByteOffset: index &- 1, as: UInt8.self)
      // A0...BF behind E0 (else overlong), 80...9F behind ED (else a surrogate).
      wrong |= all(if: last == 0xE0) & 0x20 & ~byte
      wrong |= all(if: last == 0xED) & 0x20 & byte
      // 90...BF behind F0 (else overlong), 80...8F behind F4 (else above U+10FFFF).
      wrong |= excess(all(if: last == 0xF0) & 0x90, byte)
      wrong |= all(if: last == 0xF4) & 0x30 & byte
      wrong |= excess(byte, 0xF4) | all(if: byte & 0xFE == 0xC0)
      index &+= 1
    }
    return wrong == 0
  }

  /// By how much `byte` is above `bound`.
  @inline(__always)
  private static func excess(_ byte: UInt8, _ bound: UInt8) -> UInt8 { max(byte, bound) &- bound }

  @inline(__always)
  private static func all(if condition: Bool) -> UInt8 { condition ? 0xFF : 0 }
}
