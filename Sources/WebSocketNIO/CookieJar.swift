package import WebSocketProtocol

/// Cookies in the Netscape file format, which curl, wget and browser exporters share: one line per
/// cookie, with seven fields separated by tabs.
package struct CookieJar: Sendable, Hashable {
  /// The cookies, including expired ones that have not been removed yet.
  package private(set) var cookies: [Cookie] = []
  /// Lines of the file that are neither cookies nor comments, as raw bytes; they are written back.
  package private(set) var unreadable: [UnreadableLine] = []

  /// A line that is not a cookie.
  package struct UnreadableLine: Sendable, Hashable {
    /// The reason why the line is not a cookie.
    package enum Problem: Sendable, Hashable {
      /// The number of fields; seven fields separated by tabs are expected.
      case fields(Int)
      /// The number of fields is wrong, and there are spaces where tabs belong.
      case spaces
      case expiry(String)
      case emptyName
      case controlCharacter
      case notUTF8
    }

    /// Counted from 1.
    package var number: Int
    package var bytes: [UInt8]
    package var problem: Problem
  }

  /// The maximum number of cookies kept.
  private static let most = 3000

  package init() {}

  /// Parses the contents of a file.
  package init(_ contents: [UInt8]) {
    let lines = contents.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, raw) in lines.enumerated() {
      let line = raw.last == 0x0D ? raw.dropLast() : raw
      do throws(LineError) {
        if let cookie = try Self.cookie(line) { keep(cookie) }
      } catch {
        unreadable.append(
          UnreadableLine(number: index + 1, bytes: Array(raw), problem: error.problem))
      }
    }
  }

  private static let httpOnly = "#HttpOnly_"

  private struct LineError: Error { var problem: UnreadableLine.Problem }

  /// nil for an empty line or a comment.
  private static func cookie(_ bytes: ArraySlice<UInt8>) throws(LineError) -> Cookie? {
    let isHTTPOnly = bytes.starts(with: httpOnly.utf8)
    let line = isHTTPOnly ? bytes.dropFirst(httpOnly.utf8.count) : bytes
    guard line.first != UInt8(ascii: "#"), !line.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else {
      return nil
    }
    var fields: [String] = []
    for field in line.split(separator: 0x09, omittingEmptySubsequences: false) {
      guard let text = String(validating: field, as: UTF8.self) else {
        throw LineError(problem: .notUTF8)
      }
      fields.append(text)
    }
    guard fields.count == 7 else {
      let words = line.split(separator: 0x20).count
      throw LineError(problem: fields.count == 1 && words >= 6 ? .spaces : .fields(fields.count))
    }
    guard !fields[5].isEmpty else { throw LineError(problem: .emptyName) }
    guard let expires = seconds(fields[4]) else { throw LineError(problem: .expiry(fields[4])) }
    guard HeaderSyntax.firstForbiddenByte(inValue: fields[5] + fields[6]) == nil else {
      throw LineError(problem: .controlCharacter)
    }
    let domain = fields[0].hasPrefix(".") ? String(fields[0].dropFirst()) : fields[0]
    return Cookie(
      name: fields[5], value: fields[6], domain: domain.lowercased(),
      includesSubdomains: fields[1] == "TRUE", path: fields[2], isSecure: fields[3] == "TRUE",
      isHTTPOnly: isHTTPOnly, expires: expires == 0 ? nil : expires)
  }

  /// The whole seconds of a time that may have decimals, as some browsers export it; -1 and 0 mean
  /// a session cookie.
  private static func seconds(_ text: String) -> Int64? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = Int64(parts[0], radix: 10), whole >= -1,
      parts.dropFirst().allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } })
    else { return nil }
    return max(whole, 0)
  }

  /// The contents of the file, with the unreadable lines unchanged at the end.
  package var contents: [UInt8] {
    Array(text.utf8) + unreadable.flatMap { $0.bytes + [0x0A] }
  }

  private var text: String {
    cookies.reduce("# Netscape HTTP Cookie File\n# Written by wscope.\n\n") { text, cookie in
      let fields = [
        (cookie.includesSubdomains ? "." : "") + cookie.domain,
        cookie.includesSubdomains ? "TRUE" : "FALSE", cookie.path,
        cookie.isSecure ? "TRUE" : "FALSE", String(cookie.expires ?? 0), cookie.name, cookie.value,
      ]
      return text + (cookie.isHTTPOnly ? Self.httpOnly : "") + fields.joined(separator: "\t") + "\n"
    }
  }

  /// Stores the cookie of a Set-Cookie field from `url`; an expired one deletes the stored cookie.
  package mutating func take(_ field: String, from url: WebSocketURL, at time: Int64) {
    guard let cookie = Cookie(setBy: field, from: url, at: time) else { return }
    keep(cookie)
    cookies.removeAll { cookie in cookie.expires.map { $0 <= time } ?? false }
    if cookies.count > Self.most { cookies.removeFirst(cookies.count - Self.most) }
  }

  private mutating func keep(_ cookie: Cookie) {
    let index = cookies.firstIndex {
      $0.name == cookie.name && $0.domain == cookie.domain && $0.path == cookie.path
    }
    if let index { cookies[index] = cookie } else { cookies.append(cookie) }
  }

  /// The names of the cookies that would be sent to `url` if it used TLS.
  package func withheld(from url: WebSocketURL, at time: Int64) -> [String] {
    guard url.security == .plain else { return [] }
    return cookies.filter(\.isSecure).filter { cookie in
      var open = cookie
      open.isSecure = false
      return open.belongs(to: url, at: time) && !cookie.belongs(to: url, at: time)
    }.map(\.name)
  }

  /// The Cookie field for a request to `url`, longer paths first (RFC 6265 section 5.4); nil if no
  /// cookie applies.
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
