import NIOHTTP1

/// `/bearer` and `/bearer/TOKEN`: 401 without a bearer token, or without this one.
enum BearerPath {
  static let all = [
    entry("/bearer", "Echoes if the request has a bearer token, else 401."),
    entry("/bearer/{token}", "Echoes if the request has this bearer token, else 401."),
  ]

  private static func entry(_ pattern: String, _ summary: String) -> TestPathEntry {
    TestPathEntry(pattern: pattern, summary: summary) { arguments throws(InvalidArgument) in
      let given = token(arguments.fields["Authorization"].first ?? "")
      guard let given, given == arguments.captured["token"] ?? given else {
        return .reply(
          HTTPReplyText(
            status: .unauthorized,
            fields: [("WWW-Authenticate", "Bearer realm=\"wscope\"")], body: "401 Unauthorized"))
      }
      return .accept(PathConnection(behaviour: Echo.Maker()))
    }
  }

  /// - Returns: nil if the field has another scheme, or no token.
  private static func token(_ field: String) -> String? {
    let parts = field.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return String(parts[1])
  }
}
