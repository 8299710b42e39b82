/// Text that fits into the width of a terminal.
enum ReportLayout {
  /// Columns of a line, unless it holds a single word that is longer.
  static let width = 80
  /// Where the text after a heading begins.
  static let headingWidth = 13

  /// A heading and its parts, with a comma between them; further lines begin below the first part.
  static func list(_ heading: String, _ parts: [String]) -> [String] {
    let pieces = parts.enumerated().map { $0 < parts.count - 1 ? $1 + "," : $1 }
    return filled(pieces, first: Figures.left(heading, headingWidth), indent: headingWidth)
  }

  /// A text broken between words; further lines are indented.
  static func wrapped(_ text: String, first: String = "", indent: Int) -> [String] {
    filled(words(text), first: first, indent: indent)
  }

  /// A text in which a number and its unit are held together by no-break spaces.
  static func unbroken(_ text: String) -> String {
    words(text).map { $0.replacing(" ", with: "\u{A0}") }.joined(separator: " ")
  }

  private static func filled(_ pieces: [String], first: String, indent: Int) -> [String] {
    var lines = [first]
    var isEmpty = true
    for piece in pieces {
      let line = lines.removeLast()
      let longer = isEmpty ? line + piece : line + " " + piece
      if !isEmpty, longer.count > width {
        lines += [line, String(repeating: " ", count: indent) + piece]
      } else {
        lines.append(longer)
      }
      isEmpty = false
    }
    return lines
  }

  /// The words of a text; a number keeps its unit, and the groups of its digits.
  private static func words(_ text: String) -> [String] {
    var words: [String] = []
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      let bare = word.prefix { !",.;:".contains($0) }
      let isGroup = bare.count == 3 && bare.allSatisfy(\.isNumber)
      if let last = words.last?.last, last.isNumber, isGroup || units.contains(bare) {
        words[words.count - 1] += " " + word
      } else {
        words.append(String(word))
      }
    }
    return words
  }

  private static let units: Set<Substring> = [
    "%", "ns", "µs", "ms", "s", "B", "KiB", "MiB", "GiB",
  ]
}
