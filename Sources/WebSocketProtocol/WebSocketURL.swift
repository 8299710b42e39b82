/// A ws-URI or wss-URI (RFC 6455 section 3), as a user types it.
///
/// A bare host means `ws://`; `:3000/x` means `ws://localhost:3000/x`; `http` and `https` are read
/// as `ws` and `wss`; `ws+unix:PATH:/uri` names a socket in the file system.
package struct WebSocketURL: Hashable, Sendable {
  package enum Security: Hashable, Sendable {
    case plain
    case tls
  }

  package enum Endpoint: Hashable, Sendable {
    /// A name or an IPv4 address as text, or an IPv6 address without brackets, followed by `%` and
    /// its zone if it has one.
    case host(String, port: Int)
    case unixSocket(path: String)
  }

  package var security: Security
  package var endpoint: Endpoint
  /// Path and query for the request line; never empty.
  package var target: String
  /// The text before the `@`, still percent-encoded.
  package var userInfo: String?

  package init(security: Security, endpoint: Endpoint, target: String = "/") {
    self.security = security
    self.endpoint = endpoint
    self.target = target
  }

  package var scheme: String { security == .tls ? "wss" : "ws" }

  /// The value of the Host field: with the port unless it is the scheme's default, and without the
  /// zone of an address, which "has only local significance" and must not be sent (RFC 6874 section
  /// 4).
  package var hostField: String {
    guard case .host(let name, let port) = endpoint else { return "localhost" }
    return authority(String(name.prefix { $0 != "%" }), port)
  }

  private func authority(_ name: String, _ port: Int) -> String {
    let literal = name.contains(":") ? "[\(name)]" : name
    return port == Self.defaultPort(security) ? literal : "\(literal):\(port)"
  }

  private static func defaultPort(_ security: Security) -> Int { security == .tls ? 443 : 80 }
}

extension WebSocketURL: CustomStringConvertible {
  /// The URL without its user information, which may be a secret.
  package var description: String {
    switch endpoint {
    case .host(let name, let port):
      "\(scheme)://\(authority(Self.withZoneToRead(name), port))\(target)"
    case .unixSocket(let path):
      // Two slashes after the scheme are skipped by the parser.
      "\(scheme)+unix:\(path.utf8.starts(with: "//".utf8) ? "//" : "")\(path):\(target)"
    }
  }
}

extension WebSocketURL {
  /// A zone whose name begins with 25 needs the escape, which is optional for others (RFC 6874).
  private static func withZoneToRead(_ name: String) -> String {
    guard let percent = name.firstIndex(of: "%") else { return name }
    let zone = name[percent...].dropFirst()
    return zone.hasPrefix("25") && zone.count > 2 ? name[..<percent] + "%25" + zone : name
  }
}

/// Why a text is not a supported URL.
package enum WebSocketURLError: Error, Hashable, Sendable {
  case empty
  case scheme(String)
  case noHost
  case port(String)
  case forbiddenByte(offset: Int, byte: UInt8)
  case fragment
  case host(String)
  /// A name that is not ASCII and cannot be converted.
  case internationalHost(String)
  /// An IPv6 address without brackets.
  case bareIPv6(String)
  /// A scheme with a missing slash or colon; `suggestion` is the URL that was probably meant.
  case misspelledScheme(suggestion: String)
}

extension WebSocketURL {
  /// Bytes, since a delimiter must be found whatever follows it: as a `Character`, `/` with a
  /// combining accent is not a `/`.
  private typealias Bytes = Substring.UTF8View

  /// Parses a URL that the user typed.
  ///
  /// - Parameters:
  ///   - text: with or without a scheme.
  ///   - toASCII: converts a host name that is not ASCII (IDNA); returns nil if it cannot.
  /// - Returns: the URL.
  /// - Throws: `WebSocketURLError`.
  package static func parse(
    _ text: String, toASCII: (String) -> String? = { _ in nil }
  ) throws(WebSocketURLError) -> WebSocketURL {
    let bytes = Substring(text).utf8
    guard !bytes.isEmpty else { throw .empty }
    try checkBytes(of: bytes)
    // RFC 6455 section 3: "Fragment identifiers [...] MUST NOT be used on these URIs."
    guard !bytes.contains(UInt8(ascii: "#")) else { throw .fragment }
    for (prefix, security) in [("ws+unix:", Security.plain), ("wss+unix:", .tls)]
    where HeaderTokens.equalsIgnoringCase(bytes.prefix(prefix.utf8.count), prefix.utf8) {
      return try unixSocket(bytes.dropFirst(prefix.utf8.count), security)
    }
    try checkScheme(of: bytes)
    let (security, rest) = try splitScheme(bytes)
    let end = rest.firstIndex(where: isEndOfAuthority) ?? rest.endIndex
    var authority = rest[..<end]
    var userInfo: String?
    if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
      userInfo = string(authority[..<at])
      authority = authority[at...].dropFirst()
    }
    let (host, port) = try splitPort(authority, toASCII)
    var url = WebSocketURL(
      security: security, endpoint: .host(host, port: try number(port, security)),
      target: target(rest[end...]))
    url.userInfo = userInfo
    return url
  }

  static func checkBytes(of text: Substring.UTF8View) throws(WebSocketURLError) {
    if let (offset, byte) = ControlBytes.first(in: text) {
      throw .forbiddenByte(offset: offset, byte: byte)
    }
    for (offset, byte) in text.enumerated() where byte == 0x20 {
      throw .forbiddenByte(offset: offset, byte: byte)
    }
  }

  /// Parses `host`, `host:port` or `[v6]:port` of another kind of URL, such as that of a proxy.
  package static func authority(
    _ text: String, toASCII: (String) -> String? = { _ in nil }
  ) throws(WebSocketURLError) -> (host: String, port: Int?) {
    let (host, port) = try splitPort(Substring(text).utf8, toASCII)
    return (host, port.isEmpty ? nil : try number(port, .plain))
  }

  private static func unixSocket(
    _ text: Bytes, _ security: Security
  ) throws(WebSocketURLError) -> WebSocketURL {
    // A second colon separates the path of the socket from that of the request.
    let trimmed = text.starts(with: "//".utf8) ? text.dropFirst(2) : text
    let colon = trimmed.firstIndex(of: UInt8(ascii: ":")) ?? trimmed.endIndex
    guard colon > trimmed.startIndex else { throw .noHost }
    return WebSocketURL(
      security: security, endpoint: .unixSocket(path: string(trimmed[..<colon])),
      target: target(trimmed[colon...].dropFirst()))
  }

  /// `ws:/host` and `ws//host` would otherwise be hosts named ws.
  private static func checkScheme(of text: Bytes) throws(WebSocketURLError) {
    for scheme in ["ws", "wss", "http", "https"] {
      let length = scheme.utf8.count
      guard HeaderTokens.equalsIgnoringCase(text.prefix(length), scheme.utf8) else { continue }
      let rest = text.dropFirst(length)
      for (typed, isWrong) in [("://", false), (":/", true), ("//", true)]
      where rest.starts(with: typed.utf8) {
        guard isWrong else { return }
        throw .misspelledScheme(suggestion: "\(scheme)://\(string(rest.dropFirst(2)))")
      }
    }
  }

  /// Removes the scheme, if there is one: a `://` after a `/` or `?` belongs to the target.
  private static func splitScheme(
    _ text: Bytes
  ) throws(WebSocketURLError) -> (Security, Bytes) {
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")),
      text[colon...].starts(with: "://".utf8), !text[..<colon].contains(where: isEndOfAuthority)
    else { return (.plain, text) }
    let rest = text[colon...].dropFirst(3)
    switch string(text[..<colon]).lowercased() {
    case "ws", "http": return (.plain, rest)
    case "wss", "https": return (.tls, rest)
    case let other: throw .scheme(other)
    }
  }

  private static func isEndOfAuthority(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?")
  }

  private static func splitPort(
    _ authority: Bytes, _ toASCII: (String) -> String?
  ) throws(WebSocketURLError) -> (host: String, port: Bytes) {
    if authority.first == UInt8(ascii: "[") { return try splitLiteral(authority) }
    let colon = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
    let host = authority[..<colon]
    let port = authority[colon...].dropFirst()
    guard !port.contains(UInt8(ascii: ":")) else {
      // Two colons in a row, or all eight groups (RFC 4291 section 2.2).
      let colons = authority.count { $0 == UInt8(ascii: ":") }
      let isIPv6 =
        authority.allSatisfy(isIPv6Byte) && (colons == 7 || string(authority).contains("::"))
      throw isIPv6 ? .bareIPv6(string(authority)) : .host(string(authority))
    }
    if host.isEmpty, !port.isEmpty { return ("localhost", port) }
    guard !host.isEmpty else { throw .noHost }
    guard host.allSatisfy({ $0 < 0x80 }) else {
      let name = string(host)
      guard let ascii = toASCII(name), ascii.utf8.allSatisfy(isNameByte), !ascii.isEmpty else {
        throw .internationalHost(name)
      }
      return (ascii.lowercased(), port)
    }
    guard host.allSatisfy(isNameByte) else { throw .host(string(host)) }
    return (string(host).lowercased(), port)
  }

  /// `[v6]` or `[v6]:port`. A zone may follow the address as `%zone` or, as in RFC 6874 for URLs,
  /// as `%25zone`; names of interfaces are case-sensitive.
  private static func splitLiteral(
    _ authority: Bytes
  ) throws(WebSocketURLError) -> (host: String, port: Bytes) {
    let inside = authority.dropFirst()
    guard let close = inside.firstIndex(of: UInt8(ascii: "]")) else {
      throw .host(string(authority))
    }
    let literal = inside[..<close]
    let behind = inside[close...].dropFirst()
    let percent = literal.firstIndex(of: UInt8(ascii: "%")) ?? literal.endIndex
    let address = literal[..<percent]
    var zone = literal[percent...]
    guard address.allSatisfy(isIPv6Byte), address.count(where: { $0 == UInt8(ascii: ":") }) > 1,
      zone.count != 1, zone.dropFirst().allSatisfy(isNameByte),
      behind.isEmpty || behind.first == UInt8(ascii: ":")
    else { throw .host(string(authority)) }
    if zone.starts(with: "%25".utf8), zone.count > 3 { zone = zone.dropFirst(2) }
    let name = zone.isEmpty ? "" : "%" + string(zone.dropFirst())
    return (string(address).lowercased() + name, behind.dropFirst())
  }

  private static func number(
    _ port: Bytes, _ security: Security
  ) throws(WebSocketURLError) -> Int {
    guard !port.isEmpty else { return defaultPort(security) }
    let digits = string(port)
    guard port.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = Int(digits, radix: 10), (1...65_535).contains(number)
    else { throw .port(digits) }
    return number
  }

  private static func isIPv6Byte(_ byte: UInt8) -> Bool {
    "0123456789abcdefABCDEF:.".utf8.contains(byte)
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

  /// The request target: as given, with `/` before a bare query and non-ASCII bytes encoded.
  private static func target(_ text: Bytes) -> String {
    let hex = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = text.first == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]
    for byte in text {
      if byte < 0x80 {
        encoded.append(byte)
      } else {
        encoded += [UInt8(ascii: "%"), hex[(byte >> 4).asInt], hex[(byte & 15).asInt]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  private static func string(_ bytes: Bytes) -> String { String(Substring(bytes)) }
}
