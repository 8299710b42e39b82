import WebSocketProtocol

/// The parsed target of a request.
struct RequestTarget: Sendable, Hashable {
  /// The path as received, without the query.
  var path: String
  /// The percent-decoded segments of the path, without the empty one after a final `/`.
  var segments: [String]
  /// The percent-decoded parameters of the query, in order. A `%` without two hexadecimal digits is
  /// literal, which allows `p=30%`.
  var query: [Parameter]

  struct Parameter: Sendable, Hashable {
    var name: String
    var value: String
  }

  /// Parses a target.
  ///
  /// - Parameter target: The target in origin-form, `/path?query` (RFC 9112 section 3.2.1).
  init(_ target: String) {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    path = String(parts[0])
    var segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    if segments.last == "" { segments.removeLast() }
    self.segments = segments.map(PercentEncoding.text)
    query = (parts.count > 1 ? parts[1] : "").split(separator: "&").map { item in
      let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return Parameter(
        name: PercentEncoding.text(pair[0]),
        value: pair.count > 1 ? PercentEncoding.text(pair[1]) : "")
    }
  }

  /// The same target below its first segment.
  var withoutFirstSegment: RequestTarget {
    var target = self
    target.segments.removeFirst()
    target.path = "/" + path.dropFirst().drop { $0 != "/" }.dropFirst()
    return target
  }

  /// The values of all parameters with this name.
  func values(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }
}
