import Glibc
import NIOCore
import WebSocketNIO

/// The address that a test server listens on.
package enum ListeningAddress: Sendable, Hashable {
  /// 127.0.0.1 and ::1 with the same port; 0 for any free port.
  case loopback(port: Int)
  /// An address or a name, open to every client that can reach it; `*` means all addresses of this
  /// machine.
  case host(String, port: Int)
  case unixSocket(path: String)

  /// The name to allow in Host because the user chose it; nil for address literals, which are
  /// always allowed.
  package var hostName: String? {
    guard case .host(let name, _) = self, name != "*", IPAddress(name) == nil else { return nil }
    return name
  }

  /// Whether only processes of this machine can connect, as far as the text says; the name of another host
  /// counts as open.
  package var isLoopback: Bool {
    switch self {
    case .loopback, .unixSocket: true
    case .host(let name, _):
      name == "localhost" || name == "::1" || name.hasPrefix("127.") && IPAddress(name) != nil
    }
  }

  /// Binds all addresses.
  func bind(
    _ open: (Server.Address) async throws -> Server
  ) async throws -> [Server] {
    switch self {
    case .unixSocket(let path):
      return [try await open(.unixSocket(path: path))]
    case .host("*", let port):
      do {
        // An IPv6 socket also accepts IPv4 clients.
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

  /// Binds 127.0.0.1 and ::1. A port that is free for IPv4 may be in use for IPv6: then another one
  /// is tried. On a machine without ::1 only 127.0.0.1 is bound.
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
