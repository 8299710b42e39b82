package import NIOHTTP1
package import WebSocketProtocol

/// Whether and how a client follows redirects (SECURITY R13).
package struct RedirectPolicy: Sendable {
  /// The maximum number of redirects in a row.
  package var limit: Int
  /// Whether a redirect from `wss` to `ws` is followed.
  package var allowsDowngrade: Bool
  /// TLS for the targets of redirects; an origin other than the first does not get the client's
  /// identity.
  package var tls: ClientTLS
  /// Chooses the proxy for the target.
  package var reroute: (@Sendable (inout ClientConfiguration) throws -> Void)?

  package init(
    limit: Int = 10, allowsDowngrade: Bool = false, tls: ClientTLS = ClientTLS(),
    reroute: (@Sendable (inout ClientConfiguration) throws -> Void)? = nil
  ) {
    self.limit = limit
    self.allowsDowngrade = allowsDowngrade
    self.tls = tls
    self.reroute = reroute
  }
}

/// A redirect that is followed.
package struct Redirect: Sendable {
  /// The status of the reply that redirects.
  package var status: HTTPResponseStatus
  /// The configuration for the target.
  package var configuration: ClientConfiguration
  /// Names of the user's header fields that are not sent to another origin.
  package var dropped: [String]
}

/// The reason why a redirect is not followed.
package enum RedirectProblem: Error, Sendable, Hashable {
  case tooMany(limit: Int)
  case noLocation
  /// There are several `Location` fields with different values.
  case severalLocations
  /// The redirect leads from `wss` to `ws`.
  case downgrade(to: WebSocketURL)
  case badLocation(String, WebSocketURLError)
  /// The URL of the proxy for the target is invalid.
  case badProxy(String)
}

extension HTTPRefusal {
  /// Whether the status redirects (RFC 9110 section 15.4): for a GET these five are equivalent.
  package var isRedirect: Bool { [301, 302, 303, 307, 308].contains(head.status.code) }
}

extension ClientConfiguration {
  /// The redirect in `refusal`.
  ///
  /// - Throws: `RedirectProblem`, or `TLSFailure` when TLS cannot be set up for the target.
  func redirected(by refusal: HTTPRefusal, _ policy: RedirectPolicy) throws -> Redirect {
    guard let location = refusal.head.headers.first(name: "Location") else {
      throw RedirectProblem.noLocation
    }
    guard refusal.head.headers["Location"].allSatisfy({ $0.utf8.elementsEqual(location.utf8) })
    else { throw RedirectProblem.severalLocations }
    let destination: WebSocketURL
    do {
      destination = try url.resolving(location)
    } catch {
      throw RedirectProblem.badLocation(location, error)
    }
    guard url.security == .plain || destination.security == .tls || policy.allowsDowngrade else {
      throw RedirectProblem.downgrade(to: destination)
    }
    var next = self
    next.url = destination
    var dropped: [String] = []
    if !destination.hasSameOrigin(as: url) {
      next.isForeign = true
      next.headers = headers.filter { Self.isForEverybody($0.0) }
      dropped = headers.map(\.0).filter { !Self.isForEverybody($0) }
    }
    if destination.security == .tls {
      var tls = policy.tls
      // The client's identity is only for the server of the original URL.
      if next.isForeign { tls.identity = nil }
      next.tls = try tls.prepared()
    } else {
      next.tls = nil
    }
    do {
      try policy.reroute?(&next)
    } catch {
      throw RedirectProblem.badProxy("\(error)")
    }
    return Redirect(status: refusal.head.status, configuration: next, dropped: dropped)
  }

  /// The configuration for the target of a redirect, if redirects are followed; `hops` is the
  /// number of redirects followed before. Calls `redirected`.
  ///
  /// - Throws: `ConnectError` if the redirect is not followed.
  func followed(
    _ refusal: HTTPRefusal, _ hops: Int
  ) throws(ConnectError) -> ClientConfiguration {
    guard let policy = redirects, refusal.isRedirect else { throw .refused(refusal) }
    let redirect: Redirect
    do {
      guard hops < policy.limit else { throw RedirectProblem.tooMany(limit: policy.limit) }
      redirect = try redirected(by: refusal, policy)
    } catch let problem as RedirectProblem {
      throw .redirect(problem, refusal)
    } catch {
      throw .tls(error as? TLSFailure ?? .configuration(reason: "\(error)"))
    }
    redirected?(redirect)
    return redirect.configuration
  }

  /// Whether a header field from the user may be sent to servers of other origins.
  private static func isForEverybody(_ name: String) -> Bool {
    ["user-agent", "origin", "accept-language"].contains(name.lowercased())
  }
}
