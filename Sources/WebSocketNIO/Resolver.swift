import Glibc
package import NIOCore
import NIOPosix
package import WebSocketProtocol

/// The addresses to connect to: those of the proxy, or of the server without a proxy.
package struct ResolvedRoute: Sendable {
  /// The addresses in the order in which to try them.
  package var addresses: [SocketAddress]
  /// The address of the server, for a SOCKS proxy that does not look up names itself.
  package var destination: SocketAddress?

  package init(addresses: [SocketAddress], destination: SocketAddress? = nil) {
    self.addresses = addresses
    self.destination = destination
  }
}

/// Resolves names with the system's resolver, on a separate thread.
package enum Resolver {
  /// The route of a connection.
  ///
  /// - Throws: `ConnectError.unresolved`, for a proxy as `ConnectError.proxy`.
  package static func route(
    of configuration: ClientConfiguration
  ) async throws(ConnectError) -> ResolvedRoute {
    let rules = configuration.addressRules
    guard let proxy = configuration.proxy else {
      return ResolvedRoute(addresses: try await addresses(of: configuration.endpoint, rules))
    }
    var route: ResolvedRoute
    do throws(ConnectError) {
      route = ResolvedRoute(addresses: try await addresses(of: proxy.endpoint, rules))
    } catch {
      throw error.ofProxy
    }
    if proxy.kind == .socks5 {
      route.destination = try await addresses(of: configuration.endpoint, rules).first
    }
    return route
  }

  /// The route, or nil if it needs a look-up.
  static func knownRoute(
    of configuration: ClientConfiguration
  ) throws(ConnectError) -> ResolvedRoute? {
    let rules = configuration.addressRules
    guard let proxy = configuration.proxy else {
      return try known(configuration.endpoint, rules).map { ResolvedRoute(addresses: $0) }
    }
    let first: [SocketAddress]?
    do throws(ConnectError) {
      first = try known(proxy.endpoint, rules)
    } catch {
      throw error.ofProxy
    }
    guard let first else { return nil }
    guard proxy.kind == .socks5 else { return ResolvedRoute(addresses: first) }
    guard let last = try known(configuration.endpoint, rules) else { return nil }
    return ResolvedRoute(addresses: first, destination: last.first)
  }

  /// The addresses of `endpoint` in the order in which to try them; never empty.
  ///
  /// An address literal needs no look-up.
  ///
  /// - Throws: `ConnectError.unresolved`.
  package static func addresses(
    of endpoint: WebSocketURL.Endpoint, _ rules: AddressRules = AddressRules()
  ) async throws(ConnectError) -> [SocketAddress] {
    if let known = try known(endpoint, rules) { return known }
    guard case .host(let host, let port) = endpoint else { return [] }
    do {
      return try await NIOThreadPool.singleton.runIfActive {
        try lookUp(host, port, rules.family).interleaved
      }
    } catch let error as ConnectError {
      throw error
    } catch {
      throw .unresolved(host: host, message: "\(error)")
    }
  }

  /// The addresses that need no look-up, or nil.
  ///
  /// - Throws: `ConnectError.unresolved` if there are addresses, but none of the required family.
  static func known(
    _ endpoint: WebSocketURL.Endpoint, _ rules: AddressRules
  ) throws(ConnectError) -> [SocketAddress]? {
    switch endpoint {
    case .unixSocket(let path):
      guard let address = try? SocketAddress(unixDomainSocketPath: path) else {
        throw .unresolved(host: path, message: "the path of the unix socket is too long or empty")
      }
      return [address]
    case .host(let host, let port):
      let literal = try Self.literal(host, port) ?? loopback(host, port)
      guard let all = rules.given(host, port) ?? literal else { return nil }
      let fitting = all.filter(rules.family.contains)
      guard !fitting.isEmpty else {
        throw .unresolved(host: host, message: "no address" + message(rules.family))
      }
      return fitting
    }
  }

  /// The address if `host` is a literal; nil for a name.
  private static func literal(
    _ host: String, _ port: Int
  ) throws(ConnectError) -> [SocketAddress]? {
    if let percent = host.firstIndex(of: "%") {
      let zone = String(host[host.index(after: percent)...])
      guard if_nametoindex(zone) != 0 || zone.allSatisfy(\.isNumber) else {
        throw .unresolved(host: host, message: "unknown network interface \"\(zone)\"")
      }
      return nil
    }
    guard let address = try? SocketAddress(ipAddress: host, port: port) else { return nil }
    // A link-local address, fe80::/10 (RFC 4291 section 2.5.6), is valid on every interface.
    if host.contains(":"), ["fe8", "fe9", "fea", "feb"].contains(host.prefix(3).lowercased()) {
      throw .unresolved(
        host: host,
        message: "a link-local address needs its network interface, as in [\(host)%25eth0]")
    }
    return [address]
  }

  /// "Name resolution APIs and libraries SHOULD recognize localhost names as special and SHOULD
  /// always return the IP loopback address for address queries" (RFC 6761 section 6.3). `localhost`
  /// itself is left to the system, which may order its addresses differently.
  private static func loopback(_ host: String, _ port: Int) -> [SocketAddress]? {
    let name = host.lowercased()
    guard name == "localhost." || name.hasSuffix(".localhost") || name.hasSuffix(".localhost.")
    else { return nil }
    return ["::1", "127.0.0.1"].compactMap { try? SocketAddress(ipAddress: $0, port: port) }
  }

  private static func message(_ family: AddressFamily) -> String {
    switch family {
    case .any: ""
    case .v4: " (IPv4 only)"
    case .v6: " (IPv6 only)"
    }
  }

  private static func lookUp(
    _ host: String, _ port: Int, _ family: AddressFamily
  ) throws -> [SocketAddress] {
    var hints = addrinfo()
    switch family {
    case .any: hints.ai_family = AF_UNSPEC
    case .v4: hints.ai_family = AF_INET
    case .v6: hints.ai_family = AF_INET6
    }
    hints.ai_socktype = SOCK_STREAM.rawValue.asInt32
    hints.ai_protocol = IPPROTO_TCP.asInt32
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &list)
    guard status == 0 else {
      throw ConnectError.unresolved(
        host: host, message: String(cString: gai_strerror(status)) + message(family))
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var entry = list
    while let info = entry {
      if let address = address(info.pointee), !addresses.contains(address) {
        addresses.append(address)
      }
      entry = info.pointee.ai_next
    }
    guard !addresses.isEmpty else {
      throw ConnectError.unresolved(host: host, message: "no address" + message(family))
    }
    return addresses
  }

  private static func address(_ info: addrinfo) -> SocketAddress? {
    guard let raw = UnsafeRawPointer(info.ai_addr) else { return nil }
    switch info.ai_family {
    case AF_INET: return SocketAddress(raw.loadUnaligned(as: sockaddr_in.self))
    case AF_INET6: return SocketAddress(raw.loadUnaligned(as: sockaddr_in6.self))
    default: return nil
    }
  }
}

extension ConnectError {
  /// The corresponding error for the name of a proxy.
  fileprivate var ofProxy: ConnectError {
    guard case .unresolved(let host, let message) = self else { return self }
    return .proxy(.unresolved(host: host, message: message))
  }
}
