import WebSocketProtocol

/// Keeps secrets out of everything that is shown or stored (SECURITY R16): `-v`, reports,
/// recordings, errors, logs and the history.
enum Redaction {
  static let replacement = "***"

  /// Whether the value of a header field is a secret, by its name, such as `Authorization` or
  /// `X-Api-Key`.
  static func isSecret(header name: String) -> Bool {
    let name = name.lowercased()
    guard !name.hasPrefix("sec-websocket-") else { return false }
    return name.hasSuffix("authorization") || name.hasSuffix("cookie") || name.hasSuffix("-key")
      || ["token", "secret", "password", "apikey", "api-key", "signature"].contains {
        name.contains($0)
      }
  }

  /// The value of a header field, or its replacement. In fields with URLs or subprotocols, only the
  /// secret parts are replaced.
  static func value(_ value: String, of name: String, showsSecrets: Bool) -> String {
    guard !showsSecrets else { return value }
    if isSecret(header: name) { return replacement }
    return switch name.lowercased() {
    case "location", "content-location", "referer", "origin": reference(value)
    case "sec-websocket-protocol": subprotocols(value)
    default: value
    }
  }

  /// A URL or a request target without user information, and without the values of query items
  /// whose names suggest secrets.
  static func url(_ text: String) -> String {
    let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let endpoint = withoutUserInfo(String(parts[0]))
    guard parts.count > 1 else { return endpoint }
    let items = parts[1].split(separator: "&", omittingEmptySubsequences: false).map { item in
      let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count > 1, isSecret(query: pair[0]) else { return String(item) }
      return "\(pair[0])=\(replacement)"
    }
    return endpoint + "?" + items.joined(separator: "&")
  }

  /// The same for a URI reference (RFC 3986 section 4.1), in which an authority follows two
  /// slashes: `mailto:a@b` has none.
  static func reference(_ text: String) -> String {
    let path = text.prefix { $0 != "?" }
    guard path.contains("@"), !path.contains("//") else { return url(text) }
    return String(path) + url(String(text[path.endIndex...]))
  }

  /// A list of subprotocols: some services accept a token as the end of one, since a browser cannot
  /// set any other field of the handshake.
  static func subprotocols(_ list: String) -> String {
    let prefixes = ["openai-insecure-api-key.", "base64url.bearer.authorization.k8s.io."]
    return list.split(separator: ",", omittingEmptySubsequences: false).map { name in
      for prefix in prefixes {
        if let range = name.firstRange(of: prefix) {
          return name[..<range.upperBound] + replacement
        }
      }
      return String(name)
    }.joined(separator: ",")
  }

  /// A line typed at the prompt: in `/connect URL`, the secrets in the URL are replaced.
  static func line(_ line: String) -> String {
    let command = "/connect "
    guard line.hasPrefix(command) else { return line }
    return command + url(String(line.dropFirst(command.count)))
  }

  /// Whether the value of a query item is a secret, by its name as decoded by a server.
  private static func isSecret(query name: Substring) -> Bool {
    let name = PercentEncoding.text(name).lowercased()
    return ["token", "key", "secret", "password", "passwd", "pwd", "sig", "auth", "jwt"].contains {
      name.contains($0)
    }
  }

  private static func withoutUserInfo(_ text: String) -> String {
    let start = text.firstRange(of: "://")?.upperBound ?? text.startIndex
    let authority = text[start...].prefix { $0 != "/" }
    guard let at = authority.lastIndex(of: "@") else { return text }
    return String(text[..<start] + text[text.index(after: at)...])
  }
}
