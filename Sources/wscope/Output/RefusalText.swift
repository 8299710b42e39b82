import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// The body of a refusal as text.
enum RefusalText {
  /// The body in one line, its content coding decoded; not escaped, and empty if there is no text.
  static func line(of refusal: HTTPRefusal) -> String {
    let coding = refusal.head.headers["Content-Encoding"].joined(separator: ",")
    switch ContentCoding.decode(refusal.body, coding, limit: 64 * 1024) {
    case .plain(let body): return line(of: body)
    case .unreadable(let coding):
      return "(\(Figures.bytes(refusal.body.count)) with content coding \(coding))"
    }
  }

  /// The whole body as text, its content coding decoded if possible.
  static func text(of refusal: HTTPRefusal) -> String {
    let coding = refusal.head.headers["Content-Encoding"].joined(separator: ",")
    guard case .plain(let body) = ContentCoding.decode(refusal.body, coding, limit: 64 * 1024)
    else {
      return ""
    }
    return String(decoding: body, as: UTF8.self)
  }

  /// JSON without white space between its tokens, the title of a page, or the first line with text;
  /// not escaped, and empty if there is no text.
  static func line(of body: [UInt8]) -> String {
    let text = String(decoding: body, as: UTF8.self)
    if let first = text.first(where: { !$0.isWhitespace }), first == "{" || first == "[" {
      return compactJSON(text)
    }
    guard text.drop(while: \.isWhitespace).first == "<" else { return first(text) }
    return title(text) ?? first(withoutTags(text))
  }

  /// JSON without white space outside strings; the body may be incomplete.
  private static func compactJSON(_ text: String) -> String {
    var compact = ""
    var isInString = false
    var isEscaped = false
    for character in text.unicodeScalars {
      if isInString {
        isInString = isEscaped || character != "\""
        isEscaped = !isEscaped && character == "\\"
      } else if character.properties.isWhitespace {
        continue
      } else {
        isInString = character == "\""
      }
      compact.unicodeScalars.append(character)
    }
    return compact
  }

  private static func first(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).lazy.map(trimmed).first { !$0.isEmpty } ?? ""
  }

  private static func trimmed(_ text: Substring) -> String {
    let front = text.drop(while: \.isWhitespace)
    guard let last = front.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(front[...last])
  }

  private static func title(_ page: String) -> String? {
    let small = page.lowercased()
    // Lower-casing may change the length of a character in bytes; offsets in the two texts would
    // then differ.
    guard small.utf8.count == page.utf8.count, let mark = small.firstRange(of: "<title"),
      let open = small[mark.upperBound...].firstIndex(of: ">"),
      let close = small[open...].firstRange(of: "</title")
    else { return nil }
    let text = page.utf8[small.utf8.index(after: open)..<close.lowerBound]
    let line = first(String(decoding: text, as: UTF8.self))
    return line.isEmpty ? nil : line
  }

  private static func withoutTags(_ page: String) -> String {
    var text = ""
    var isInTag = false
    for character in page {
      switch character {
      case "<": isInTag = true
      case ">" where isInTag: isInTag = false
      default: if !isInTag { text.append(character) }
      }
    }
    return text
  }
}
