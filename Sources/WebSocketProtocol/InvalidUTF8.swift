/// Evidence of text that is not valid UTF-8. It is collected only once the text is known to be
/// invalid, so that valid text costs nothing.
package struct InvalidUTF8: Hashable, Sendable {
  /// The first byte that is not part of a valid character.
  package let byte: UInt8
  /// Its offset in the whole text, in bytes.
  package let offset: Int
  /// The valid text directly before that byte: whole characters, at most `reach` bytes.
  package let before: [UInt8]

  package static let reach = 16

  package init(byte: UInt8, offset: Int, before: [UInt8]) {
    self.byte = byte
    self.offset = offset
    self.before = before
  }

  /// Locates the error in an invalid text.
  ///
  /// - Parameters:
  ///   - piece: The piece of the text that revealed the error; empty if the text ends inside a
  ///     character.
  ///   - earlier: The text before `piece`, valid except for an incomplete character at its end.
  package init(in piece: UnsafeRawBufferPointer, after earlier: UnsafeRawBufferPointer) {
    let offset = Self.offset(in: piece, after: earlier)
    func byte(_ index: Int) -> UInt8 {
      if index < earlier.count { return earlier[index] }
      let index = index &- earlier.count
      return index < piece.count ? piece[index] : 0
    }
    var start = max(offset &- Self.reach, 0)
    // Start at a character boundary.
    while start < offset, byte(start) & 0xC0 == 0x80 { start &+= 1 }
    self.init(byte: byte(offset), offset: offset, before: (start..<offset).map(byte))
  }

  private static func offset(
    in piece: UnsafeRawBufferPointer, after earlier: UnsafeRawBufferPointer
  ) -> Int {
    let unfinished = unfinishedCharacter(at: earlier)
    let begun = earlier.suffix(unfinished.count)
    let character = Array(begun) + piece.prefix(unfinished.length &- unfinished.count)
    if character.withUnsafeBytes({ UTF8Validator.firstInvalid(in: $0) }) != nil {
      return begun.startIndex
    }
    let whole = unfinished.length &- unfinished.count
    let rest = UnsafeRawBufferPointer(rebasing: piece.dropFirst(whole))
    return earlier.count &+ whole &+ (UTF8Validator.firstInvalid(in: rest) ?? rest.count)
  }

  /// The bytes present and the full length of the incomplete character at the end of a text; 0 and
  /// 0 if the text ends with a complete one.
  private static func unfinishedCharacter(
    at text: UnsafeRawBufferPointer
  ) -> (count: Int, length: Int) {
    guard let lead = text.suffix(3).lastIndex(where: { $0 & 0xC0 != 0x80 }) else { return (0, 0) }
    let length =
      switch text[lead] {
      case 0xC0...0xDF: 2
      case 0xE0...0xEF: 3
      case 0xF0...0xFF: 4
      default: 1
      }
    let count = text.count &- lead
    return count < length ? (count, length) : (0, 0)
  }
}
