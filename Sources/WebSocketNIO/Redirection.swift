package import NIOHTTP1
package import WebSocketProtocol

/// Whether and how a client goes where a server that refuses sends it (SECURITY R13).
package struct RedirectPolicy: Sendable {
  /// How many redirects in a row.
  package var limit: Int
  /// Whether it may go from `wss` to `ws`.
  package var allowsDowngrade: Bool
  /// TLS of a place to which a redirect leads; another origin than the first is not shown the identity.
  package var tls: ClientTLS
  /// Chooses the proxy on the way to that place.
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
  package var status: HTTPResponseStatus
  /// What to do there.
  package var configuration: ClientConfiguration
  /// Names of the user's header fields that another origin does not get.
  package var dropped: [String]
}

/// Why a redirect is not followed.
package enum RedirectProblem: Error, Sendable, Hashable {
  case tooMany(limit: Int)
  case noLocation
  /// `Location` stands several times, and not with the same value.
  case severalLocations
  /// From `wss` to `ws`.
  case downgrade(to: WebSocketURL)
  case badLocation(String, WebSocketURLError)
  /// The proxy on the way there is none.
  case badProxy(String)
}

extension HTTPRefusal {
  /// Whether a client is told to go elsewhere (RFC 9110 section 15.4): for a GET these five mean the same.
  package var isRedirect: Bool { [301, 302, 303, 307, 308].contains(head.status.code) }
}

extension ClientConfiguration {
  /// Where `refusal` sends this client.
  ///
  /// - Throws: `RedirectProblem`, or `TLSFailure` when there is no TLS to be had for that place.
  func redirected(by refusal: HTTPRefusal, _ policy: RedirectPolicy) throws -> Redirect {
    guard let location = refusal.head.headers.first(name: "Location") else {
      throw RedirectProblem.noLocation
    }
    guard refusal.head.headers["Location"].allSatisfy({ $0.utf8.elementsEqual(location.utf8) })
    else { throw RedirectProblem.severalLocations }
    let place: WebSocketURL
    do {
      place = try url.resolving(location)
    } catch {
      throw RedirectProblem.badLocation(location, error)
    }
    guard url.security == .plain || place.security == .tls || policy.allowsDowngrade else {
      throw RedirectProblem.downgrade(to: place)
    }
    var next = self
    next.url = place
    var dropped: [String] = []
    if !place.hasSameOrigin(as: url) {
      next.isForeign = true
      next.headers = headers.filter { Self.isForEverybody($0.0) }
      dropped = headers.map(\.0).filter { !Self.isForEverybody($0) }
    }
    if place.security == .tls {
      var tls = policy.tls
      // Who the user is concerns nobody but the server that was asked for.
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

  /// Where a refusal sends this client, if redirects are followed, after so many before it; whoever wants to
  /// know is told.
  ///
  /// - Throws: `ConnectError` if this is the end of the road.
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

  /// Whether a field of the user says nothing that only one server may know.
  private static func isForEverybody(_ name: String) -> Bool {
    ["user-agent", "origin", "accept-language"].contains(name.lowercased())
  }
}
