import LoadTesting

/// The stored result inside a page: written there, and found again by `bench report`.
enum EmbeddedResult {
  private static let start = "<script type=\"application/json\" id=\"wscope-result\">"
  private static let end = "</script>"

  /// The element. A less-than sign can only be in a string of JSON, where it is written as an escape, so that
  /// nothing in the result can end the element.
  static func element(_ report: LoadReport) -> HTML {
    let json = JSONReport(report).text.replacing("<", with: "\\u003c")
    return HTML(trusted: start + "\n" + json + end + "\n")
  }

  /// The JSON text in a page.
  ///
  /// - Parameter page: All bytes of a file.
  /// - Returns: nil if it is a page without a result; `page` itself if it is not a page.
  static func json(in page: [UInt8]) -> [UInt8]? {
    guard isPage(page) else { return page }
    guard let begin = firstIndex(of: Array(start.utf8), in: page[...]) else { return nil }
    let rest = page[(begin + start.utf8.count)...]
    guard let finish = firstIndex(of: Array(end.utf8), in: rest) else { return nil }
    return Array(rest[..<finish])
  }

  /// No JSON text begins with a less-than sign.
  private static func isPage(_ bytes: [UInt8]) -> Bool {
    bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "<")
  }

  private static func firstIndex(of needle: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
    guard let first = needle.first, bytes.count >= needle.count else { return nil }
    var index = bytes.startIndex
    let last = bytes.endIndex - needle.count
    while index <= last {
      if bytes[index] == first, bytes[index..<(index + needle.count)].elementsEqual(needle) {
        return index
      }
      index += 1
    }
    return nil
  }
}
