import WebSocketProtocol

/// Keeps secrets out of what is shown and kept (SECURITY R16): `-v`, recordings, the history.
enum Redaction {
  static let replacement = "***"

  /// Whether the value of a header field is a secret.
  static func isSecret(header name: String) -> Bool {
    let name = name.lowercased()
    return ["authorization", "proxy-authorization", "cookie", "set-cookie"].contains(name)
      || name.hasPrefix("x-") && (name.hasSuffix("-key") || name.hasSuffix("-token"))
  }

  /// The value of a header field, or what stands in its place.
  static func value(_ value: String, of name: String, showsSecrets: Bool) -> String {
    isSecret(header: name) && !showsSecrets ? replacement : value
  }

  /// A URL, or the target of a request, without user information and without the values of queries
  /// that are named like secrets.
  static func url(_ text: String) -> String {
    let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let place = withoutUserInfo(String(parts[0]))
    guard parts.count > 1 else { return place }
    let items = parts[1].split(separator: "&", omittingEmptySubsequences: false).map { item in
      let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count > 1, isSecret(query: String(pair[0])) else { return String(item) }
      return "\(pair[0])=\(replacement)"
    }
    return place + "?" + items.joined(separator: "&")
  }

  /// A line of the prompt: of `/connect URL` the secrets of the URL.
  static func line(_ line: String) -> String {
    let command = "/connect "
    guard line.hasPrefix(command) else { return line }
    return command + url(String(line.dropFirst(command.count)))
  }

  private static func isSecret(query name: String) -> Bool {
    let name = name.lowercased()
    return ["token", "key", "secret", "password", "sig", "auth"].contains { name.contains($0) }
  }

  private static func withoutUserInfo(_ text: String) -> String {
    let start = text.firstRange(of: "://")?.upperBound ?? text.startIndex
    let authority = text[start...].prefix { $0 != "/" }
    guard let at = authority.lastIndex(of: "@") else { return text }
    return String(text[..<start] + text[text.index(after: at)...])
  }
}
