import LoadTesting

/// The stored result inside a page: `ResultStream` finds it again.
enum EmbeddedResult {
  private static let start = "<script type=\"application/json\" id=\"wscope-result\">"
  private static let end = "</script>"

  /// The element. A less-than sign can only be in a string of JSON, where it is written as an escape, so that
  /// nothing in the result can end the element.
  static func element(_ report: LoadReport) -> HTML {
    let json = JSONReport(report).text.replacing("<", with: "\\u003c")
    return HTML(trusted: start + "\n" + json + end + "\n")
  }
}
