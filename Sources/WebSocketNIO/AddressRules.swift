package import NIOCore
import WebSocketProtocol

/// The kinds of addresses that may be connected to.
package enum AddressFamily: Hashable, Sendable {
  case any
  case v4
  case v6

  package func contains(_ address: SocketAddress) -> Bool {
    switch (self, address.protocol) {
    case (.v4, .inet6), (.v6, .inet): false
    default: true
    }
  }

  /// Of an address; a unix socket has none.
  package init(of address: SocketAddress) {
    switch address.protocol {
    case .inet: self = .v4
    case .inet6: self = .v6
    default: self = .any
    }
  }
}

/// A name whose addresses are given by hand: `--resolve HOST:PORT:ADDR[,ADDR]`.
package struct NameOverride: Hashable, Sendable {
  /// In lower case; nil stands for every name.
  package var host: String?
  package var port: Int
  /// Literals, in the order in which to try them.
  package var addresses: [String]

  package init(host: String?, port: Int, addresses: [String]) {
    self.host = host
    self.port = port
    self.addresses = addresses
  }
}

/// Which addresses a name has for one connection.
package struct AddressRules: Hashable, Sendable {
  package var family = AddressFamily.any
  /// A name of its own goes before the one for every name.
  package var overrides: [NameOverride] = []

  package init(family: AddressFamily = .any, overrides: [NameOverride] = []) {
    self.family = family
    self.overrides = overrides
  }

  /// The addresses that are given by hand, or nil if the name is to be looked up.
  func given(_ host: String, _ port: Int) -> [SocketAddress]? {
    let fitting = overrides.filter { $0.port == port }
    let rule = fitting.first { $0.host == host.lowercased() } ?? fitting.first { $0.host == nil }
    return rule?.addresses.compactMap { try? SocketAddress(ipAddress: $0, port: port) }
  }
}

/// Another place to connect to than the URL says: `--connect-to HOST1:PORT1:HOST2:PORT2`. Host, SNI and the
/// name in the certificate stay those of the URL.
package struct ConnectToRule: Hashable, Sendable {
  /// Of whom it speaks; nil for any. The host is in lower case.
  package var host: String?
  package var port: Int?
  /// Where to connect instead; nil leaves it as it is.
  package var newHost: String?
  package var newPort: Int?

  package init(host: String?, port: Int?, newHost: String?, newPort: Int?) {
    self.host = host
    self.port = port
    self.newHost = newHost
    self.newPort = newPort
  }

  /// The place instead of this one, or nil if the rule is for others.
  func place(insteadOf host: String, _ port: Int) -> WebSocketURL.Endpoint? {
    guard self.host ?? host == host, self.port ?? port == port else { return nil }
    return .host(newHost ?? host, port: newPort ?? port)
  }
}

extension [SocketAddress] {
  /// IPv6 and IPv4 in turn, beginning with the family of the first: so that one family that does not
  /// work costs one delay and not one for each of its addresses (RFC 8305 section 4).
  package var interleaved: [SocketAddress] {
    guard let first else { return self }
    let own = filter { $0.protocol == first.protocol }
    let others = filter { $0.protocol != first.protocol }
    var mixed: [SocketAddress] = []
    for index in 0..<Swift.max(own.count, others.count) {
      if index < own.count { mixed.append(own[index]) }
      if index < others.count { mixed.append(others[index]) }
    }
    return mixed
  }
}
