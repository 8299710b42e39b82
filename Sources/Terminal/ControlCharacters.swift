/// The only sanitiser: it makes untrusted text safe to show on a terminal.
///
/// Printable text, tab and (on request) newline are kept. Everything that could move the cursor,
/// reorder or hide text, or control the terminal is shown as an escape: `\x1b` for control
/// characters below U+0080 and for bytes that are not valid UTF-8, `\u{202e}` for the others.
package enum ControlCharacters {
  /// A text cut for display.
  package struct Cut: Equatable, Sendable {
    /// The text to show, already escaped.
    package let text: String
    /// The number of bytes of the original that are not shown.
    package let bytesLeftOut: Int
  }

  /// The number of bytes of a message shown on a terminal by default.
  package static let displayLimit = 64 * 1024

  /// `bytes`, interpreted as UTF-8, with everything unprintable escaped.
  ///
  /// - Parameters:
  ///   - bytes: untrusted data, valid UTF-8 or not.
  ///   - keepingNewlines: false if the text must stay on one line; a newline is then shown as `\n`.
  ///   - highlight: whether escapes are shown in reverse video, to distinguish them from a text
  ///     that contains `\x1b` literally. If false, the result is plain text, and escaping it again
  ///     changes nothing.
  ///   - keepingBlanks: false if two texts are to be compared by eye; characters that are invisible
  ///     or look like a space but are not one, including tabs, are then escaped too.
  /// - Returns: text free of control characters, except newline, tab and our own reverse video.
  package static func escaped(
    _ bytes: UnsafeRawBufferPointer, keepingNewlines: Bool = true, highlight: Bool,
    keepingBlanks: Bool = true
  ) -> String {
    if keepingBlanks, isPlain(bytes, keepingNewlines: keepingNewlines) {
      return String(decoding: bytes, as: UTF8.self)
    }
    var writer = EscapeWriter(
      keepingNewlines: keepingNewlines, highlight: highlight, keepingBlanks: keepingBlanks)
    writer.append(bytes)
    return writer.finish()
  }

  /// `bytes`, interpreted as UTF-8, with everything unprintable escaped.
  package static func escaped(
    _ bytes: [UInt8], keepingNewlines: Bool = true, highlight: Bool, keepingBlanks: Bool = true
  ) -> String {
    bytes.withUnsafeBytes {
      escaped(
        $0, keepingNewlines: keepingNewlines, highlight: highlight, keepingBlanks: keepingBlanks)
    }
  }

  /// `text` with everything unprintable escaped.
  package static func escaped(
    _ text: String, keepingNewlines: Bool = true, highlight: Bool
  ) -> String {
    var text = text
    return text.withUTF8 {
      escaped(UnsafeRawBufferPointer($0), keepingNewlines: keepingNewlines, highlight: highlight)
    }
  }

  /// At most `limit` bytes of `bytes`, escaped, never cut inside a character.
  package static func cut(
    _ bytes: UnsafeRawBufferPointer, at limit: Int = displayLimit, keepingNewlines: Bool = true,
    highlight: Bool
  ) -> Cut {
    var end = min(max(limit, 0), bytes.count)
    if end < bytes.count {
      // A character that crosses the limit starts at most three bytes before it.
      for start in stride(from: end - 1, through: max(0, end - 3), by: -1) {
        guard let scalar = ScalarDecoder.scalar(in: bytes, at: start) else { continue }
        if start + scalar.length > end { end = start }
        break
      }
    }
    return Cut(
      text: escaped(
        UnsafeRawBufferPointer(rebasing: bytes[..<end]), keepingNewlines: keepingNewlines,
        highlight: highlight),
      bytesLeftOut: bytes.count - end)
  }

  /// At most `limit` bytes of `bytes`, escaped, never cut inside a character.
  package static func cut(
    _ bytes: [UInt8], at limit: Int = displayLimit, keepingNewlines: Bool = true, highlight: Bool
  ) -> Cut {
    bytes.withUnsafeBytes {
      cut($0, at: limit, keepingNewlines: keepingNewlines, highlight: highlight)
    }
  }

  /// Whether this character may be sent to a terminal.
  static func isPrintable(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x00...0x1F, 0x7F...0x9F: false  // C0, DEL, C1
    case 0x061C, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069: false  // bidirectional controls
    case 0x2028...0x2029: false  // line and paragraph separator
    case 0xE0000...0xE007F: false  // tags: invisible, and used to smuggle text
    default: true
    }
  }

  /// Whether a character is invisible, or looks like a space but is not one.
  static func isDeceptiveBlank(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09: true
    case 0xA0, 0x1680, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: true  // spaces
    case 0x00AD, 0x034F, 0x180E, 0x200B...0x200D, 0x2060...0x2065, 0xFEFF: true  // no width
    case 0x115F...0x1160, 0x17B4...0x17B5, 0x180B...0x180F, 0x2800, 0x3164, 0xFFA0: true  // fillers
    case 0xFE00...0xFE0F, 0xE0100...0xE01EF: true  // variation selectors
    case 0xFFF9...0xFFFB, 0x206A...0x206F: true  // annotations, deprecated format characters
    default: false
    }
  }

  /// Nearly every message is plain ASCII; this loop has no early exit so that it is vectorised.
  private static func isPlain(_ bytes: UnsafeRawBufferPointer, keepingNewlines: Bool) -> Bool {
    let newline: UInt8 = keepingNewlines ? 0x0A : 0x20
    var odd: UInt8 = 0
    for byte in bytes {
      let printable = byte &- 0x20 < 0x5F
      odd |= printable || byte == 0x09 || byte == newline ? 0 : 1
    }
    return odd == 0
  }
}
