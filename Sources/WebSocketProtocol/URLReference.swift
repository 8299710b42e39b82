/// References in the `Location` of a redirect (RFC 9110 section 10.2.2), resolved as in RFC 3986
/// section 5.2.
extension WebSocketURL {
  /// Resolves `reference`, as the peer wrote it, against this URL. The fragment is dropped, since a
  /// WebSocket URL has none, and so is user information: a peer must not choose the credentials
  /// sent elsewhere. `http` and `https` are read as `ws` and `wss`.
  ///
  /// - Throws: `WebSocketURLError` if the scheme is not one of these four, or the reference is not
  ///   a URL.
  package func resolving(_ reference: String) throws(WebSocketURLError) -> WebSocketURL {
    let whole = Substring(reference).utf8
    // Checked here, so that the offset is one in the reference.
    try Self.checkBytes(of: whole)
    let text = whole.prefix { $0 != UInt8(ascii: "#") }
    if let scheme = Self.scheme(of: text) {
      guard ["ws", "wss", "http", "https"].contains(scheme.lowercased()) else {
        throw .scheme(scheme)
      }
      // Without an authority there is no host, as in `http:path`.
      guard text.dropFirst(scheme.utf8.count + 1).starts(with: "//".utf8) else { throw .noHost }
      return try Self.parse(String(Substring(text))).withoutUserInfo
    }
    if text.starts(with: "//".utf8) {
      return try Self.parse("\(scheme):\(Substring(text))").withoutUserInfo
    }
    var resolved = withoutUserInfo
    resolved.target = try Self.target(of: text, from: target)
    return resolved
  }

  private var withoutUserInfo: WebSocketURL {
    var url = self
    url.userInfo = nil
    return url
  }

  /// The text before the first colon, if it is a scheme (RFC 3986 section 3.1).
  private static func scheme(of text: Substring.UTF8View) -> String? {
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")), let first = text.first,
      isLetter(first)
    else { return nil }
    let scheme = text[..<colon]
    let isScheme = scheme.allSatisfy { byte in
      isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || "+-.".utf8.contains(byte)
    }
    return isScheme ? String(Substring(scheme)) : nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  /// The target of a reference without scheme and authority. It is parsed like one that the user
  /// types, so that the same inputs are rejected.
  private static func target(
    of reference: Substring.UTF8View, from base: String
  ) throws(WebSocketURLError) -> String {
    guard !reference.isEmpty else { return base }
    let mark = UInt8(ascii: "?")
    let basePath = base.utf8.prefix { $0 != mark }
    let path = reference.prefix { $0 != mark }
    let query = reference[path.endIndex...]
    if path.isEmpty { return try parse("host\(Substring(basePath))\(Substring(query))").target }
    let slash = UInt8(ascii: "/")
    // A path that does not begin at the root replaces the last segment of the base.
    let folder = path.first == slash ? [] : segments(of: basePath).dropLast()
    let joined = withoutDots(folder + segments(of: path))
    return try parse("host\(joined)\(Substring(query))").target
  }

  private static func segments(of path: Substring.UTF8View) -> [Substring.UTF8View] {
    let slash = UInt8(ascii: "/")
    let relative = path.first == slash ? path.dropFirst() : path
    return relative.split(separator: slash, omittingEmptySubsequences: false)
  }

  /// The segments of a path without `.` and `..`, as a path (RFC 3986 section 5.2.4).
  private static func withoutDots(_ segments: [Substring.UTF8View]) -> String {
    var kept: [Substring] = []
    for (index, segment) in segments.enumerated() {
      let isParent = segment.elementsEqual("..".utf8)
      if isParent { _ = kept.popLast() }
      if !isParent, !segment.elementsEqual(".".utf8) {
        kept.append(Substring(segment))
      } else if index == segments.count - 1 {
        kept.append("")
      }
    }
    return "/" + kept.joined(separator: "/")
  }
}

extension WebSocketURL {
  /// Whether both name the same server and protocol, so that credentials for one may be sent to the
  /// other.
  package func hasSameOrigin(as other: WebSocketURL) -> Bool {
    security == other.security && endpoint == other.endpoint
  }
}
