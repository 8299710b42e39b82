import Glibc
import NIOCore
import WebSocketNIO

/// Where a test server listens.
package enum ListeningAddress: Sendable, Hashable {
  /// 127.0.0.1 and ::1 on one port number; 0 takes a free one.
  case loopback(port: Int)
  /// One address or name, open to every client that reaches it; `*` is every address of this machine.
  case host(String, port: Int)
  case unixSocket(path: String)

  /// A name that clients may use in Host because the person named it; an address literal needs no
  /// permission.
  package var hostName: String? {
    guard case .host(let name, _) = self, name != "*", IPAddress(name) == nil else { return nil }
    return name
  }

  /// Binds all the addresses of the place.
  func bind(
    _ open: (Server.Address) async throws -> Server
  ) async throws -> [Server] {
    switch self {
    case .unixSocket(let path):
      return [try await open(.unixSocket(path: path))]
    case .host("*", let port):
      do {
        // A socket of IPv6 takes clients of IPv4 too.
        return [try await open(.host("::", port: port))]
      } catch let error as IOError where [EADDRNOTAVAIL, EAFNOSUPPORT].contains(error.errnoCode) {
        return [try await open(.host("0.0.0.0", port: port))]
      }
    case .host(let name, let port):
      return [try await open(.host(name, port: port))]
    case .loopback(let port):
      return try await bindLoopback(port, open)
    }
  }

  /// A free port for IPv4 may be taken for IPv6: then another one is tried. A machine without ::1 is
  /// served on 127.0.0.1 alone.
  private func bindLoopback(
    _ port: Int, _ open: (Server.Address) async throws -> Server
  ) async throws -> [Server] {
    var attempts = port == 0 ? 20 : 1
    while true {
      attempts -= 1
      let first = try await open(.host("127.0.0.1", port: port))
      do {
        let bound = first.localAddress?.port ?? port
        return [first, try await open(.host("::1", port: bound))]
      } catch let error as IOError
        where [EADDRNOTAVAIL, EAFNOSUPPORT, EPROTONOSUPPORT].contains(error.errnoCode)
      {
        return [first]
      } catch {
        await first.stopAccepting()
        guard attempts > 0 else { throw error }
      }
    }
  }
}
