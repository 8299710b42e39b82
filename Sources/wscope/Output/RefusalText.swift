/// What the body of a refusal says, in one line.
enum RefusalText {
  /// The title of a page, or the first line that has text; not escaped, and empty if there is none.
  static func line(of body: [UInt8]) -> String {
    let text = String(decoding: body, as: UTF8.self)
    guard text.drop(while: \.isWhitespace).first == "<" else { return first(text) }
    return title(text) ?? first(withoutTags(text))
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
    // In lower case a character may take other bytes: then the places of both texts differ.
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
