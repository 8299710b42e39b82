import Glibc
package import NIOCore
import NIOPosix
import WebSocketProtocol

/// Local addresses and network interfaces.
package enum LocalAddress {
  /// Whether a socket can be bound to `address`: the kernel rejects addresses of other machines.
  package static func isOfThisMachine(_ address: SocketAddress) -> Bool {
    let descriptor = socket(
      address.protocol == .inet6 ? AF_INET6 : AF_INET, SOCK_STREAM.rawValue.asInt32, 0)
    // Without a descriptor this is unknown; the run will report the error.
    guard descriptor >= 0 else { return true }
    defer { close(descriptor) }
    return address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0
  }

  /// The addresses at which other machines may reach a socket bound to `address`: the address
  /// itself, or, for the unspecified address, those of the interfaces. Loopback and link-local
  /// addresses are omitted.
  package static func reachable(at address: SocketAddress) -> [SocketAddress] {
    let port = address.port ?? 0
    let candidates: [SocketAddress] =
      switch address.ipAddress {
      case "0.0.0.0": interfaceAddresses.filter { $0.protocol == .inet }
      case "::": interfaceAddresses
      default: [address]
      }
    return candidates.compactMap { candidate in
      guard let ip = candidate.ipAddress, ip != "::1", !ip.hasPrefix("127."),
        !ip.hasPrefix("fe80:"), !ip.hasPrefix("::ffff:127.")
      else { return nil }
      return try? SocketAddress(ipAddress: ip, port: port)
    }
  }

  private static var interfaceAddresses: [SocketAddress] {
    ((try? System.enumerateDevices()) ?? []).compactMap(\.address).filter {
      $0.protocol == .inet || $0.protocol == .inet6
    }
  }

  /// Whether this machine has a network interface of this name.
  package static func isInterface(_ name: String) -> Bool {
    !name.utf8.contains(0) && if_nametoindex(name) != 0
  }
}
