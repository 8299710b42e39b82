package import WebSocketProtocol

/// A cookie (RFC 6265 section 5.3).
package struct Cookie: Sendable, Hashable {
  package var name: String
  package var value: String
  /// The domain in lowercase, without a leading dot.
  package var domain: String
  /// Whether the cookie also applies to subdomains of the domain.
  package var includesSubdomains: Bool
  /// The path that a request path must match (section 5.1.4).
  package var path: String
  /// Whether the cookie is sent over TLS only.
  package var isSecure: Bool
  /// Whether scripts in browsers must not read it; kept for the cookie file.
  package var isHTTPOnly: Bool
  /// Seconds since 1970; nil for a session cookie.
  package var expires: Int64?

  package init(
    name: String, value: String, domain: String, includesSubdomains: Bool = false,
    path: String = "/", isSecure: Bool = false, isHTTPOnly: Bool = false, expires: Int64? = nil
  ) {
    self.name = name
    self.value = value
    self.domain = domain
    self.includesSubdomains = includesSubdomains
    self.path = path
    self.isSecure = isSecure
    self.isHTTPOnly = isHTTPOnly
    self.expires = expires
  }

  /// Whether a request to `url` carries the cookie at `time`, in seconds since 1970.
  package func belongs(to url: WebSocketURL, at time: Int64) -> Bool {
    if let expires, expires <= time { return false }
    if isSecure, url.security != .tls { return false }
    let host = Self.host(of: url)
    guard host == domain || includesSubdomains && Self.isName(host, below: domain) else {
      return false
    }
    return Self.isPath(Self.path(of: url), below: path)
  }

  /// Whether `host` is a subdomain of `domain`: it ends with a dot and the domain, and is not an IP
  /// address (section 5.1.3).
  static func isName(_ host: String, below domain: String) -> Bool {
    host.utf8.count > domain.utf8.count && host.hasSuffix("." + domain) && !isAddress(host)
  }

  /// Section 5.1.4: `/a` matches `/a/b` but not `/ab`.
  private static func isPath(_ path: String, below other: String) -> Bool {
    guard path != other else { return true }
    guard path.utf8.starts(with: other.utf8) else { return false }
    return other.hasSuffix("/")
      || path.utf8.dropFirst(other.utf8.count).first == UInt8(ascii: "/")
  }

  static func isAddress(_ host: String) -> Bool {
    host.contains(":") || host.utf8.allSatisfy { "0123456789.".utf8.contains($0) }
  }

  static func host(of url: WebSocketURL) -> String {
    guard case .host(let name, _) = url.endpoint else { return "localhost" }
    return name
  }

  /// The path without the query.
  static func path(of url: WebSocketURL) -> String {
    String(Substring(url.target.utf8.prefix { $0 != UInt8(ascii: "?") }))
  }

  /// The path of a cookie that specifies none: up to the last slash (section 5.1.4).
  static func defaultPath(of url: WebSocketURL) -> String {
    let path = path(of: url)
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex else {
      return "/"
    }
    return String(path[..<slash])
  }
}

extension Cookie {
  /// The maximum size of a field in bytes, as in browsers.
  static let maxBytes = 4096
  /// 400 days in seconds, the limit in browsers.
  private static let longestLife: Int64 = 34_560_000

  /// Parses a Set-Cookie field (section 5.2) sent by a server at `url`. nil for a cookie to be
  /// ignored: without a name, too large, for a domain that is not the server's, or violating the
  /// rules of the prefixes `__Secure-` and `__Host-`.
  package init?(setBy field: String, from url: WebSocketURL, at time: Int64) {
    // A tab would be a field separator in the cookie file.
    guard field.utf8.count <= Self.maxBytes, !field.utf8.contains(0x09),
      HeaderSyntax.firstForbiddenByte(inValue: field) == nil
    else { return nil }
    var parts = field.utf8.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)[
      ...]
    guard let (name, value) = parts.popFirst().map(Self.pair), let value, !name.isEmpty else {
      return nil
    }
    self.init(
      name: name, value: value, domain: Self.host(of: url), path: Self.defaultPath(of: url))
    var maxAge: Int64?
    var hasPath = false
    for part in parts {
      let (name, value) = Self.pair(part)
      switch name.lowercased() {
      case "expires": expires = value.flatMap { CookieDate.seconds($0) } ?? expires
      case "max-age": maxAge = value.flatMap { Int64($0, radix: 10) } ?? maxAge
      case "domain":
        guard let value, !value.isEmpty else { continue }
        let wanted = (value.hasPrefix(".") ? String(value.dropFirst()) : value).lowercased()
        let host = domain
        // A domain of one label, such as `com`, would include everything below it.
        guard host == wanted || Self.isName(host, below: wanted) && wanted.contains(".") else {
          return nil
        }
        domain = wanted
        includesSubdomains = !Self.isAddress(wanted)
      case "path":
        hasPath = true
        path = value.flatMap { $0.hasPrefix("/") ? $0 : nil } ?? Self.defaultPath(of: url)
      case "secure": isSecure = true
      case "httponly": isHTTPOnly = true
      default: break
      }
    }
    // "If a cookie has both the Max-Age and the Expires attribute, the Max-Age attribute has
    // precedence".
    if let maxAge { expires = maxAge <= 0 ? 0 : time &+ min(maxAge, Self.longestLife) }
    if isSecure, url.security != .tls { return nil }
    if name.hasPrefix("__Secure-"), !isSecure { return nil }
    if name.hasPrefix("__Host-"), !isSecure || includesSubdomains || !hasPath || path != "/" {
      return nil
    }
  }

  /// Splits `name=value` and trims both parts; the value is nil if there is no `=`.
  private static func pair(_ text: Substring.UTF8View) -> (name: String, value: String?) {
    guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else { return (trimmed(text), nil) }
    return (trimmed(text[..<equals]), trimmed(text[equals...].dropFirst()))
  }

  private static func trimmed(_ text: Substring.UTF8View) -> String {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
    var text = text.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return String(Substring(text))
  }
}
