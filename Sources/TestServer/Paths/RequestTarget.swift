import WebSocketProtocol

/// The target of a request in its parts.
struct RequestTarget: Sendable, Hashable {
  /// As it was sent, without the query.
  var path: String
  /// The segments of the path, percent-decoded, without the empty one after a final `/`.
  var segments: [String]
  /// The parameters of the query, percent-decoded, in their order. A `%` that begins no escape is literal, so
  /// that `p=30%` can be typed.
  var query: [Parameter]

  struct Parameter: Sendable, Hashable {
    var name: String
    var value: String
  }

  /// - Parameter target: origin-form, `/path?query` (RFC 9112 section 3.2.1).
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

  /// The values of every parameter of this name.
  func values(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }
}
