package import WebSocketProtocol

/// A proxy, as given by its URL.
package struct ProxyServer: Hashable, Sendable {
  /// The protocol of the proxy.
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// CONNECT (RFC 9110 section 9.3.6).
    case http
    /// CONNECT inside TLS.
    case https
    /// SOCKS version 5 (RFC 1928) with an address that was looked up here.
    case socks5
    /// SOCKS version 5 with the name, which the proxy looks up.
    case socks5h

    /// The port of a URL that contains none, as in curl.
    var defaultPort: Int { self == .https ? 443 : 1080 }
  }

  /// The credentials for the proxy.
  package struct Credentials: Hashable, Sendable {
    package var user: String
    package var password: String

    package init(user: String, password: String) {
      self.user = user
      self.password = password
    }
  }

  package var kind: Kind
  /// A name or an address, without brackets.
  package var host: String
  package var port: Int
  /// The credentials; nil sends none.
  package var credentials: Credentials?

  package init(kind: Kind, host: String, port: Int, credentials: Credentials? = nil) {
    self.kind = kind
    self.host = host
    self.port = port
    self.credentials = credentials
  }

  package var endpoint: WebSocketURL.Endpoint { .host(host, port: port) }

  /// `host:port`, with brackets around an IPv6 address.
  package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension ProxyServer: CustomStringConvertible {
  /// The URL of the proxy, without the credentials.
  package var description: String { "\(kind.rawValue)://\(authority)" }
}

/// The reason why a text is not the URL of a supported proxy.
package enum ProxyURLError: Error, Hashable, Sendable {
  case scheme(String)
  case authority(WebSocketURLError)
  case percentEncoding
  /// Something other than `/` follows the port.
  case path
  case credentials(CredentialsError)
}

/// The reason why credentials cannot be sent to a proxy.
package enum CredentialsError: Error, Hashable, Sendable {
  /// "user-id and password MUST NOT contain any control characters" (RFC 7617 section 2).
  case controlCharacter
  /// RFC 1929 has one byte for each length.
  case tooLongForSOCKS
  case colonInUser
}

extension ProxyServer {
  /// Parses `[scheme://][user[:password]@]host[:port]`; the default scheme is http.
  package static func parse(_ text: String) throws(ProxyURLError) -> ProxyServer {
    if let (offset, byte) = HeaderSyntax.firstForbiddenByte(inValue: text) {
      throw .authority(.forbiddenByte(offset: offset, byte: byte))
    }
    var kind = Kind.http
    var rest = Substring(text)
    if let mark = text.firstRange(of: "://") {
      let scheme = text[..<mark.lowerBound].lowercased()
      guard let known = Kind(rawValue: scheme) else { throw .scheme(scheme) }
      kind = known
      rest = text[mark.upperBound...]
    }
    let component = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard ["", "/"].contains(rest[component.endIndex...]) else { throw .path }
    var authority = component
    var credentials: Credentials?
    if let at = authority.lastIndex(of: "@") {
      credentials = try Self.credentials(authority[..<at])
      authority = authority[at...].dropFirst()
    }
    let (host, port): (String, Int?)
    do throws(WebSocketURLError) {
      (host, port) = try WebSocketURL.authority(String(authority), toASCII: InternationalName.ascii)
    } catch {
      throw .authority(error)
    }
    let proxy = ProxyServer(
      kind: kind, host: host, port: port ?? kind.defaultPort, credentials: credentials)
    do throws(CredentialsError) {
      try proxy.checkCredentials()
    } catch {
      throw .credentials(error)
    }
    return proxy
  }

  private static func credentials(_ userInfo: Substring) throws(ProxyURLError) -> Credentials {
    let colon = userInfo.firstIndex(of: ":") ?? userInfo.endIndex
    guard let user = decoded(userInfo[..<colon]),
      let password = decoded(userInfo[colon...].dropFirst())
    else { throw .percentEncoding }
    return Credentials(user: user, password: password)
  }

  /// Decodes percent-encoding; nil if that is invalid or does not encode UTF-8.
  private static func decoded(_ text: Substring) -> String? {
    PercentEncoding.bytes(text).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// Checks that the credentials can be sent to a proxy of this kind.
  package func checkCredentials() throws(CredentialsError) {
    guard let credentials else { return }
    let (user, password) = (credentials.user.utf8, credentials.password.utf8)
    for text in [user, password] where text.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw .controlCharacter
    }
    switch kind {
    case .socks5, .socks5h:
      guard user.count <= 255, password.count <= 255 else { throw .tooLongForSOCKS }
    case .http, .https:
      // RFC 7617 section 2: "a user-id containing a colon character is invalid".
      guard !user.contains(UInt8(ascii: ":")) else { throw .colonInUser }
    }
  }
}
