import NIOHTTP1
import WebSocketProtocol

/// The credentials that a server accepts; a request must present one of them.
package struct AccessCredentials: Sendable {
  /// The token of Basic authentication (RFC 7617): `user:password` in Base64.
  private let basic: [UInt8]?
  /// The bearer token (RFC 6750).
  private let bearer: [UInt8]?
  /// Whether the bearer token may be in the URL.
  private let allowsQuery: Bool

  /// - Parameters:
  ///   - basic: `user:password`; nil disables Basic authentication.
  ///   - bearer: The bearer token; nil disables bearer tokens.
  ///   - allowsQuery: Whether the bearer token may also be in the query parameter `access_token`.
  package init(basic: String?, bearer: String?, allowsQuery: Bool = true) {
    self.allowsQuery = allowsQuery
    self.basic = basic.map { text in
      Array(Array(text.utf8).withUnsafeBytes { Base64.encode($0) }.utf8)
    }
    self.bearer = bearer.map { Array($0.utf8) }
  }

  /// Checks the `Authorization` field of a request. A bearer token may also be in the query
  /// parameter `access_token` (RFC 6750 section 2.3), because browsers cannot set header fields for
  /// a WebSocket.
  ///
  /// - Returns: nil if the request is authorized.
  func judge(_ headers: HTTPHeaders, _ target: RequestTarget) -> Refusal? {
    let fields = headers["Authorization"].map { field in
      field.split(separator: " ", maxSplits: 1).map(String.init)
    }
    let tokens = allowsQuery ? target.values("access_token") : []
    var isAdmitted = false
    for field in fields where field.count == 2 {
      switch field[0].lowercased() {
      case "basic": isAdmitted = Self.isEqual(field[1], basic) || isAdmitted
      case "bearer": isAdmitted = Self.isEqual(field[1], bearer) || isAdmitted
      default: break
      }
    }
    for token in tokens { isAdmitted = Self.isEqual(token, bearer) || isAdmitted }
    guard !isAdmitted else { return nil }
    let hasNone = fields.isEmpty && (bearer == nil || tokens.isEmpty)
    return Refusal(
      .unauthorized, hasNone ? "no credentials" : "wrong credentials", fields: challenges)
  }

  /// The `WWW-Authenticate` fields of a 401 reply (RFC 9110 section 11.6.1).
  private var challenges: [(String, String)] {
    let schemes = [
      basic.map { _ in "Basic realm=\"wscope\", charset=\"UTF-8\"" },
      bearer.map { _ in "Bearer realm=\"wscope\"" },
    ]
    return schemes.compactMap(\.self).map { ("WWW-Authenticate", $0) }
  }

  /// Compares in a time that depends only on the length of `sent`, against timing attacks.
  private static func isEqual(_ sent: String, _ expected: [UInt8]?) -> Bool {
    guard let expected else { return false }
    let sent = Array(sent.utf8)
    var difference: UInt8 = sent.count == expected.count ? 0 : 1
    for (index, byte) in sent.enumerated() {
      difference |= byte ^ (expected.isEmpty ? 0xFF : expected[index % expected.count])
    }
    return difference == 0
  }
}
