import Glibc
package import NIOCore
import NIOPosix
package import WebSocketProtocol

/// Names to addresses, by the system's resolver on a thread of its own.
package enum Resolver {
  /// The addresses of `endpoint` in the order in which to try them; never empty.
  ///
  /// An address literal costs no look-up.
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
  /// - Throws: `ConnectError.unresolved` if there are some, but none of the family that is wanted.
  static func known(
    _ endpoint: WebSocketURL.Endpoint, _ rules: AddressRules
  ) throws(ConnectError) -> [SocketAddress]? {
    switch endpoint {
    case .unixSocket(let path):
      guard let address = try? SocketAddress(unixDomainSocketPath: path) else {
        throw .unresolved(host: path, message: "the path of a unix socket is too long or empty")
      }
      return [address]
    case .host(let host, let port):
      let literal = (try? SocketAddress(ipAddress: host, port: port)).map { [$0] }
      guard let all = rules.given(host, port) ?? literal else { return nil }
      let fitting = all.filter(rules.family.contains)
      guard !fitting.isEmpty else {
        throw .unresolved(host: host, message: "no address" + words(rules.family))
      }
      return fitting
    }
  }

  private static func words(_ family: AddressFamily) -> String {
    switch family {
    case .any: ""
    case .v4: " (only IPv4 is wanted)"
    case .v6: " (only IPv6 is wanted)"
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
    hints.ai_socktype = SOCK_STREAM.rawValue.signed32
    hints.ai_protocol = IPPROTO_TCP.signed32
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &list)
    guard status == 0 else {
      throw ConnectError.unresolved(
        host: host, message: String(cString: gai_strerror(status)) + words(family))
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
      throw ConnectError.unresolved(host: host, message: "no address" + words(family))
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
