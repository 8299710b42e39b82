/// A pattern for paths: `*` matches any characters, including `/`.
package enum Glob {
  /// Linear in both texts for one `*`, and never worse than their product.
  ///
  /// - Returns: Whether `text` as a whole matches `pattern`.
  package static func matches(_ pattern: String, _ text: String) -> Bool {
    let (pattern, text) = (Array(pattern.utf8), Array(text.utf8))
    var (at, position) = (0, 0)
    var lastStar: (at: Int, position: Int)?
    while position < text.count {
      if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
        lastStar = (at, position)
        at += 1
      } else if at < pattern.count, pattern[at] == text[position] {
        at += 1
        position += 1
      } else if let star = lastStar {
        lastStar = (star.at, star.position + 1)
        at = star.at + 1
        position = star.position + 1
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
