import Terminal

/// Markup in which every interpolated text is escaped: only a literal of the source can be an element.
struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
  private(set) var text: String

  init() { text = "" }
  init(stringLiteral text: String) { self.text = text }
  /// Markup that was not made here.
  init(trusted text: String) { self.text = text }
  init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity + interpolationCount * 8)
    }

    mutating func appendLiteral(_ literal: String) { text += literal }
    mutating func appendInterpolation(_ text: String) { self.text += HTML.escaped(text) }
    mutating func appendInterpolation(_ number: Int) { text += String(number) }
    /// A coordinate, with at most two decimals.
    mutating func appendInterpolation(_ coordinate: Double) { text += HTML.number(coordinate) }
    mutating func appendInterpolation(_ markup: HTML) { text += markup.text }
    mutating func appendInterpolation(_ markup: [HTML]) {
      for part in markup { text += part.text }
    }
  }

  static func + (one: HTML, other: HTML) -> HTML {
    var sum = one
    sum.text += other.text
    return sum
  }

  static func += (markup: inout HTML, other: HTML) { markup.text += other.text }

  /// Text for an element or an attribute in quotes. Characters that could reorder or hide text become
  /// visible, as on a terminal (SECURITY R14).
  private static func escaped(_ text: String) -> String {
    let visible = ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
    var escaped = ""
    escaped.reserveCapacity(visible.utf8.count)
    for scalar in visible.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      // Not characters; parsers complain about them.
      case "\u{FFFE}", "\u{FFFF}": escaped.unicodeScalars.append("\u{FFFD}")
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  private static func number(_ number: Double) -> String {
    let hundredths = Int(exactly: (number * 100).rounded()) ?? 0
    let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
    var text = hundredths < 0 ? "-" : ""
    text += String(whole)
    if rest > 0 {
      text += rest < 10 ? ".0" : "."
      text += String(rest % 10 == 0 ? rest / 10 : rest)
    }
    return text
  }
}
