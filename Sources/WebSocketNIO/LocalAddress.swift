import Glibc
package import NIOCore
import WebSocketProtocol

/// Addresses and interfaces that connections leave from.
package enum LocalAddress {
  /// Whether a socket can be bound to an address: the kernel refuses what is not this machine's.
  package static func isOfThisMachine(_ address: SocketAddress) -> Bool {
    let descriptor = socket(
      address.protocol == .inet6 ? AF_INET6 : AF_INET, SOCK_STREAM.rawValue.signed32, 0)
    // Without a descriptor nothing can be said; the run will tell.
    guard descriptor >= 0 else { return true }
    defer { close(descriptor) }
    return address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0
  }

  /// Whether this machine has a network interface of this name.
  package static func isInterface(_ name: String) -> Bool {
    !name.utf8.contains(0) && if_nametoindex(name) != 0
  }
}
