package import NIOHTTP1
import Synchronization
package import WebSocketProtocol

/// The cookies of a run, shared by all its connections.
package final class CookieStore: Sendable {
  private let jar: Mutex<CookieJar>
  private let now: @Sendable () -> Int64
  private let changed: @Sendable (CookieJar) -> Void

  /// - Parameters:
  ///   - jar: the initial cookies.
  ///   - now: returns the time in seconds since 1970.
  ///   - changed: called, one call at a time, with the new jar after a server has set cookies.
  package init(
    _ jar: CookieJar, now: @escaping @Sendable () -> Int64,
    changed: @escaping @Sendable (CookieJar) -> Void
  ) {
    self.jar = Mutex(jar)
    self.now = now
    self.changed = changed
  }

  /// Stores the cookies that a reply of `url` sets.
  package func take(_ headers: HTTPHeaders, from url: WebSocketURL) {
    let fields = headers["Set-Cookie"]
    guard !fields.isEmpty else { return }
    jar.withLock { jar in
      for field in fields { jar.take(field, from: url, at: now()) }
      changed(jar)
    }
  }

  /// The names of the cookies that would be sent to `url` if it used TLS.
  package func withheld(from url: WebSocketURL) -> [String] {
    jar.withLock { $0.withheld(from: url, at: now()) }
  }

  /// The Cookie field for a request to `url`; nil if no cookie applies.
  package func field(for url: WebSocketURL) -> String? {
    jar.withLock { $0.field(for: url, at: now()) }
  }
}

extension ClientConfiguration {
  /// A copy with the stored cookies in one Cookie field, after those of the user: "the user agent
  /// MUST NOT attach more than one Cookie header field" (RFC 6265 section 5.4).
  package var withCookies: ClientConfiguration {
    guard let stored = cookies?.field(for: url) else { return self }
    var configuration = self
    let isCookie: ((String, String)) -> Bool = { $0.0.lowercased() == "cookie" }
    let own = headers.filter(isCookie).map(\.1)
    configuration.headers.removeAll(where: isCookie)
    configuration.headers.append(("Cookie", (own + [stored]).joined(separator: "; ")))
    return configuration
  }
}
