/// Where to connect: a ws-URI or wss-URI (RFC 6455 section 3), read as a person types it.
///
/// A bare host means `ws://`; `:3000/x` means `ws://localhost:3000/x`; `http` and `https` are read
/// as `ws` and `wss`; `ws+unix:PATH:/uri` names a socket in the file system.
package struct WebSocketURL: Hashable, Sendable {
  package enum Security: Hashable, Sendable {
    case plain
    case tls
  }

  package enum Endpoint: Hashable, Sendable {
    /// A name or an IPv4 address as text, or an IPv6 address without its brackets.
    case host(String, port: Int)
    case unixSocket(path: String)
  }

  package var security: Security
  package var endpoint: Endpoint
  /// Path and query as they go into the request line; never empty.
  package var target: String
  /// What stood before the `@`, percent-encoding untouched.
  package var userInfo: String?

  package init(security: Security, endpoint: Endpoint, target: String = "/") {
    self.security = security
    self.endpoint = endpoint
    self.target = target
  }

  package var scheme: String { security == .tls ? "wss" : "ws" }

  /// The value of the Host field: with the port unless it is the scheme's own.
  package var hostField: String {
    guard case .host(let name, let port) = endpoint else { return "localhost" }
    let literal = name.contains(":") ? "[\(name)]" : name
    return port == Self.defaultPort(security) ? literal : "\(literal):\(port)"
  }

  private static func defaultPort(_ security: Security) -> Int { security == .tls ? 443 : 80 }
}

extension WebSocketURL: CustomStringConvertible {
  /// The URL without its user information, which may be a secret.
  package var description: String {
    switch endpoint {
    case .host: "\(scheme)://\(hostField)\(target)"
    case .unixSocket(let path): "\(scheme)+unix:\(path):\(target)"
    }
  }
}

/// Why a text is no URL for us.
package enum WebSocketURLError: Error, Hashable, Sendable {
  case empty
  case scheme(String)
  case noHost
  case port(String)
  case forbiddenByte(offset: Int, byte: UInt8)
  case fragment
  case host(String)
}

extension WebSocketURL {
  /// Reads what a person typed.
  package static func parse(_ text: String) throws(WebSocketURLError) -> WebSocketURL {
    guard !text.isEmpty else { throw .empty }
    for (offset, byte) in text.utf8.enumerated() where byte <= 0x20 || byte == 0x7F {
      throw .forbiddenByte(offset: offset, byte: byte)
    }
    // RFC 6455 section 3: "Fragment identifiers [...] MUST NOT be used on these URIs."
    guard !text.contains("#") else { throw .fragment }
    for (prefix, security) in [("ws+unix:", Security.plain), ("wss+unix:", .tls)]
    where text.lowercased().hasPrefix(prefix) {
      return try unixSocket(text.dropFirst(prefix.count), security)
    }
    let (security, rest) = try splitScheme(text)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    var authority = rest[..<end]
    var userInfo: String?
    if let at = authority.lastIndex(of: "@") {
      userInfo = String(authority[..<at])
      authority = authority[authority.index(after: at)...]
    }
    let (host, port) = try splitPort(authority, security)
    var url = WebSocketURL(
      security: security, endpoint: .host(host, port: port), target: target(rest[end...]))
    url.userInfo = userInfo
    return url
  }

  private static func unixSocket(
    _ text: Substring, _ security: Security
  ) throws(WebSocketURLError) -> WebSocketURL {
    // A second colon divides the path of the socket from the one of the request.
    let trimmed = text.hasPrefix("//") ? text.dropFirst(2) : text
    let colon = trimmed.firstIndex(of: ":") ?? trimmed.endIndex
    let path = trimmed[..<colon]
    guard !path.isEmpty else { throw .noHost }
    return WebSocketURL(
      security: security, endpoint: .unixSocket(path: String(path)),
      target: target(trimmed[colon...].dropFirst()))
  }

  private static func splitScheme(
    _ text: String
  ) throws(WebSocketURLError) -> (Security, Substring) {
    guard let range = separator("://", in: text) else {
      return (.plain, Substring(text))
    }
    let rest = text[range.upperBound...]
    switch text[..<range.lowerBound].lowercased() {
    case "ws", "http": return (.plain, rest)
    case "wss", "https": return (.tls, rest)
    case let other: throw .scheme(other)
    }
  }

  /// The first `://`, unless a `/` or `?` stands before it: then it belongs to the path.
  private static func separator(_ mark: String, in text: String) -> Range<String.Index>? {
    let range = text.firstRange(of: mark)
    guard let range, !text[..<range.lowerBound].contains(where: { $0 == "/" || $0 == "?" }) else {
      return nil
    }
    return range
  }

  private static func splitPort(
    _ authority: Substring, _ security: Security
  ) throws(WebSocketURLError) -> (String, Int) {
    var host = authority
    var port: Substring?
    if authority.hasPrefix("[") {
      guard let close = authority.firstIndex(of: "]") else { throw .host(String(authority)) }
      host = authority[authority.index(after: authority.startIndex)..<close]
      let behind = authority[authority.index(after: close)...]
      guard behind.isEmpty || behind.hasPrefix(":") else { throw .host(String(authority)) }
      port = behind.isEmpty ? nil : behind.dropFirst()
      guard host.utf8.allSatisfy(isIPv6Byte), host.contains(":") else {
        throw .host(String(authority))
      }
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      port = authority[authority.index(after: colon)...]
      guard let port, !port.contains(":") else { throw .host(String(authority)) }
      if host.isEmpty, !port.isEmpty { host = "localhost" }
    }
    guard !host.isEmpty else { throw .noHost }
    guard host.hasPrefix("[") || authority.hasPrefix("[") || host.utf8.allSatisfy(isNameByte) else {
      throw .host(String(host))
    }
    return (host.lowercased(), try number(port, security))
  }

  private static func number(
    _ port: Substring?, _ security: Security
  ) throws(WebSocketURLError) -> Int {
    guard let port, !port.isEmpty else { return defaultPort(security) }
    guard port.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = Int(port), (1...65_535).contains(number)
    else { throw .port(String(port)) }
    return number
  }

  private static func isIPv6Byte(_ byte: UInt8) -> Bool {
    // Zone identifiers behind a % are letters, digits, dots and dashes too.
    byte == UInt8(ascii: ":") || byte == UInt8(ascii: "%") || isNameByte(byte)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// The request target: as given, with `/` before a bare query and what is not ASCII encoded.
  private static func target(_ text: Substring) -> String {
    let rooted = text.hasPrefix("/") ? text : "/" + text
    guard rooted.utf8.contains(where: { $0 >= 0x80 }) else { return String(rooted) }
    let hex = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in rooted.utf8 {
      if byte < 0x80 {
        encoded.append(byte)
      } else {
        encoded += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }
}
