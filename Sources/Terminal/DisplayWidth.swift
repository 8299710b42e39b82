/// The width of text on a terminal, in columns.
package enum DisplayWidth {
  /// The width of one character: 0 for combining and invisible ones, 2 for East Asian wide
  /// characters and emoji, 1 for all others.
  package static func columns(of scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x300 { return scalar.value < 0x20 || scalar.value == 0x7F ? 0 : 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F,
      0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
      0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      return 2
    default: return scalar.properties.isEmojiPresentation ? 2 : 1
    }
  }

  /// The width of a text of one line. Colour escapes (`ESC [ ... m`) have no width.
  package static func columns(of text: String) -> Int {
    var walker = Walker()
    return text.unicodeScalars.reduce(0) { $0 + walker.columns(of: $1) }
  }

  /// The part of a one-line text that fits into `limit` columns. All colour escapes are kept, so
  /// that every style that is turned on is also turned off.
  package static func cut(_ text: String, toColumns limit: Int) -> String {
    var walker = Walker()
    var used = 0
    var isFull = false
    var kept = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let columns = walker.columns(of: scalar)
      if walker.isInsideEscape || walker.endedEscape {
        kept.append(scalar)
      } else if !isFull && used + columns <= limit {
        used += columns
        kept.append(scalar)
      } else {
        isFull = true
      }
    }
    return String(kept)
  }

  /// Distinguishes the characters of a text from the escapes between them.
  private struct Walker {
    private(set) var isInsideEscape = false
    private(set) var endedEscape = false

    mutating func columns(of scalar: Unicode.Scalar) -> Int {
      endedEscape = false
      if isInsideEscape {
        if scalar.properties.isAlphabetic {
          isInsideEscape = false
          endedEscape = true
        }
        return 0
      }
      if scalar == "\u{1b}" {
        isInsideEscape = true
        return 0
      }
      return DisplayWidth.columns(of: scalar)
    }
  }
}
