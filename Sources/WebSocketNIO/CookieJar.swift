package import WebSocketProtocol

/// Cookies, in the file format of Netscape that curl, wget and browsers' exporters share: a line a cookie,
/// seven fields between tabs.
package struct CookieJar: Sendable, Hashable {
  package private(set) var cookies: [Cookie] = []

  /// What a server may have us keep, altogether.
  private static let most = 3000

  package init() {}

  /// Reads a file. Lines that are no cookies are left out, as by others.
  package init(_ text: String) {
    for line in text.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
      if let cookie = Self.cookie(line) { keep(cookie) }
    }
  }

  private static let httpOnly = "#HttpOnly_"

  private static func cookie(_ line: Substring.UTF8View) -> Cookie? {
    var line = line
    let isHTTPOnly = line.starts(with: httpOnly.utf8)
    if isHTTPOnly { line = line.dropFirst(httpOnly.utf8.count) }
    guard line.first != UInt8(ascii: "#") else { return nil }
    let fields = line.split(separator: 0x09, omittingEmptySubsequences: false).map {
      String(Substring($0))
    }
    guard fields.count == 7, !fields[5].isEmpty, let expires = Int64(fields[4], radix: 10),
      HeaderSyntax.firstForbiddenByte(inValue: fields[5] + fields[6]) == nil
    else { return nil }
    let domain = fields[0].hasPrefix(".") ? String(fields[0].dropFirst()) : fields[0]
    return Cookie(
      name: fields[5], value: fields[6], domain: domain.lowercased(),
      includesSubdomains: fields[1] == "TRUE", path: fields[2], isSecure: fields[3] == "TRUE",
      isHTTPOnly: isHTTPOnly, expires: expires == 0 ? nil : expires)
  }

  /// The file.
  package var text: String {
    cookies.reduce("# Netscape HTTP Cookie File\n# Written by wscope.\n\n") { text, cookie in
      let fields = [
        (cookie.includesSubdomains ? "." : "") + cookie.domain,
        cookie.includesSubdomains ? "TRUE" : "FALSE", cookie.path,
        cookie.isSecure ? "TRUE" : "FALSE", String(cookie.expires ?? 0), cookie.name, cookie.value,
      ]
      return text + (cookie.isHTTPOnly ? Self.httpOnly : "") + fields.joined(separator: "\t") + "\n"
    }
  }

  /// Keeps what a Set-Cookie field of `url` sets; one that has expired takes the kept one away.
  package mutating func take(_ field: String, from url: WebSocketURL, at time: Int64) {
    guard let cookie = Cookie(setBy: field, from: url, at: time) else { return }
    keep(cookie)
    cookies.removeAll { cookie in cookie.expires.map { $0 <= time } ?? false }
    if cookies.count > Self.most { cookies.removeFirst(cookies.count - Self.most) }
  }

  private mutating func keep(_ cookie: Cookie) {
    let place = cookies.firstIndex {
      $0.name == cookie.name && $0.domain == cookie.domain && $0.path == cookie.path
    }
    if let place { cookies[place] = cookie } else { cookies.append(cookie) }
  }

  /// The pairs for a request to `url`, longer paths first (RFC 6265 section 5.4); nil if there are none.
  package func field(for url: WebSocketURL, at time: Int64) -> String? {
    let sent = cookies.enumerated().filter { $0.element.belongs(to: url, at: time) }
      .sorted { one, other in
        let lengths = (one.element.path.utf8.count, other.element.path.utf8.count)
        return lengths.0 == lengths.1 ? one.offset < other.offset : lengths.0 > lengths.1
      }
    guard !sent.isEmpty else { return nil }
    return sent.map { "\($0.element.name)=\($0.element.value)" }.joined(separator: "; ")
  }
}
