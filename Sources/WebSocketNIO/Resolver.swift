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
    of endpoint: WebSocketURL.Endpoint
  ) async throws(ConnectError) -> [SocketAddress] {
    if let literal = literal(endpoint) { return [literal] }
    switch endpoint {
    case .unixSocket(let path):
      throw .unresolved(host: path, message: "the path of a unix socket is too long or empty")
    case .host(let host, let port):
      do {
        return try await NIOThreadPool.singleton.runIfActive { try lookUp(host, port) }
      } catch let error as ConnectError {
        throw error
      } catch {
        throw .unresolved(host: host, message: "\(error)")
      }
    }
  }

  /// The address, when `endpoint` is one already.
  static func literal(_ endpoint: WebSocketURL.Endpoint) -> SocketAddress? {
    switch endpoint {
    case .unixSocket(let path): try? SocketAddress(unixDomainSocketPath: path)
    case .host(let host, let port): try? SocketAddress(ipAddress: host, port: port)
    }
  }

  private static func lookUp(_ host: String, _ port: Int) throws -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = SOCK_STREAM.rawValue.signed32
    hints.ai_protocol = IPPROTO_TCP.signed32
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &list)
    guard status == 0 else {
      throw ConnectError.unresolved(host: host, message: String(cString: gai_strerror(status)))
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
      throw ConnectError.unresolved(host: host, message: "no address")
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
