import WebSocketNIO
import WebSocketProtocol

/// The credentials of the user, read and prompted for once per run.
struct Credentials: Sendable {
  enum Authorization: Sendable, Hashable {
    case basic(user: String, password: String)
    case bearer(String)

    /// The value of the Authorization field (RFC 7617, RFC 6750).
    var field: String {
      switch self {
      case .basic(let user, let password):
        let pair = Array("\(user):\(password)".utf8)
        return "Basic " + pair.withUnsafeBytes { Base64.encode($0) }
      case .bearer(let token): return "Bearer \(token)"
      }
    }
  }

  /// From the command line.
  var typed: Authorization?
  /// From the environment.
  var fromEnvironment: Authorization?
  var netrc: Netrc?
  var allowsClear = false
  /// Pairs from the command line.
  var cookies: [String] = []
  var store: CookieStore?
  /// Header fields from files, already validated.
  var fields: [HeaderField] = []

  /// Adds the credentials that apply to the URL of `configuration`. A header field given by the
  /// user takes precedence.
  ///
  /// - Throws: `CommandFailure` if a password would be sent unencrypted.
  func apply(to configuration: inout ClientConfiguration) throws {
    configuration.cookies = store
    configuration.headers += fields.map { ($0.name, $0.value) }
    // "the user agent MUST NOT attach more than one Cookie header field" (RFC 6265 section 5.4).
    let isCookie: ((String, String)) -> Bool = { $0.0.lowercased() == "cookie" }
    let pairs = configuration.headers.filter(isCookie).map(\.1) + cookies
    configuration.headers.removeAll(where: isCookie)
    if !pairs.isEmpty { configuration.headers.append(("Cookie", pairs.joined(separator: "; "))) }
    let isTyped = configuration.headers.contains { $0.0.lowercased() == "authorization" }
    guard !isTyped else {
      guard typed == nil else {
        throw CommandFailure(
          .usage, "--user or --bearer and -H 'Authorization: ...' cannot be used together")
      }
      return
    }
    guard let (authorization, source) = try authorization(for: configuration.url) else { return }
    guard allowsClear || !Self.isClear(configuration) else {
      throw CommandFailure(
        .usage,
        "\(source) would be sent to \(configuration.url.hostField) unencrypted",
        details: ["hint: use wss://, or --allow-clear-auth to send it anyway"])
    }
    configuration.headers.append(("Authorization", authorization.field))
  }

  private func authorization(
    for url: WebSocketURL
  ) throws -> (Authorization, source: String)? {
    if let typed { return (typed, Self.name(typed, "--user", "--bearer")) }
    if let userInfo = url.userInfo {
      let parts = userInfo.split(
        separator: ":", maxSplits: 1, omittingEmptySubsequences: false
      ).map(String.init)
      let user = try Self.decoded(parts[0])
      if parts.count > 1 {
        let password = try Self.decoded(parts[1])
        return (.basic(user: user, password: password), "the password in the URL")
      }
      if let entry = netrc?.entry(for: url, user: user) {
        return (.basic(user: user, password: entry.password), "the password of the netrc file")
      }
      return (.basic(user: user, password: ""), "the user name in the URL")
    }
    if let fromEnvironment {
      return (fromEnvironment, Self.name(fromEnvironment, "WSCOPE_USER", "WSCOPE_BEARER"))
    }
    if let entry = netrc?.entry(for: url, user: nil) {
      return (
        .basic(user: entry.user, password: entry.password), "the password of the netrc file"
      )
    }
    return nil
  }

  private static func name(
    _ authorization: Authorization, _ basic: String, _ bearer: String
  ) -> String {
    switch authorization {
    case .basic: "the password of \(basic)"
    case .bearer: "the token of \(bearer)"
    }
  }

  /// Decodes percent-encoded user information from the URL.
  private static func decoded(_ text: String) throws -> String {
    guard let bytes = PercentEncoding.bytes(text[...]) else {
      throw CommandFailure(.badURL, "the user in the URL contains an invalid percent-encoding")
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw CommandFailure(.badURL, "the user in the URL is not valid UTF-8")
    }
    if HeaderSyntax.firstForbiddenByte(inValue: decoded) != nil {
      throw CommandFailure(.badURL, "the user in the URL contains a control character")
    }
    return decoded
  }

  /// Whether others on the network can read what is sent.
  private static func isClear(_ configuration: ClientConfiguration) -> Bool {
    guard configuration.url.security == .plain,
      case .host(let host, _) = configuration.endpoint
    else { return false }
    let isHere =
      host == "localhost" || host.hasSuffix(".localhost") || host == "::1"
      || host.hasPrefix("127.") && host.utf8.allSatisfy { "0123456789.".utf8.contains($0) }
    return !isHere
  }
}
