package import NIOCore
import WebSocketProtocol

/// The kinds of addresses that may be connected to.
package enum AddressFamily: Hashable, Sendable {
  case any
  case v4
  case v6

  /// Whether an address may be used; always true for a Unix socket.
  package func contains(_ address: SocketAddress) -> Bool {
    switch (self, address.protocol) {
    case (.v4, .inet6), (.v6, .inet): false
    default: true
    }
  }

  /// The family of `address`; `any` for a Unix socket.
  package init(of address: SocketAddress) {
    switch address.protocol {
    case .inet: self = .v4
    case .inet6: self = .v6
    default: self = .any
    }
  }
}

/// A host name with addresses that the user specifies: `HOST:PORT:ADDR[,ADDR]`.
package struct NameOverride: Hashable, Sendable {
  /// In lower case; nil matches every name.
  package var host: String?
  package var port: Int
  /// IP address literals, in the order in which to try them.
  package var addresses: [String]

  package init(host: String?, port: Int, addresses: [String]) {
    self.host = host
    self.port = port
    self.addresses = addresses
  }
}

/// The addresses of a name, for one connection.
package struct AddressRules: Hashable, Sendable {
  package var family = AddressFamily.any
  /// An override for the exact name takes precedence over one for every name.
  package var overrides: [NameOverride] = []

  package init(family: AddressFamily = .any, overrides: [NameOverride] = []) {
    self.family = family
    self.overrides = overrides
  }

  /// The addresses that the user specifies for a name; nil if the name must be looked up.
  func given(_ host: String, _ port: Int) -> [SocketAddress]? {
    let fitting = overrides.filter { $0.port == port }
    let rule = fitting.first { $0.host == host.lowercased() } ?? fitting.first { $0.host == nil }
    return rule?.addresses.compactMap { try? SocketAddress(ipAddress: $0, port: port) }
  }
}

/// An endpoint to connect to instead of the one in the URL: `HOST1:PORT1:HOST2:PORT2`. The Host
/// field, SNI and the name expected in the certificate are still those of the URL.
package struct ConnectToRule: Hashable, Sendable {
  /// The endpoint that the rule applies to; nil matches any. The host is in lower case.
  package var host: String?
  package var port: Int?
  /// The endpoint to connect to instead; nil keeps that part of the original.
  package var newHost: String?
  package var newPort: Int?

  package init(host: String?, port: Int?, newHost: String?, newPort: Int?) {
    self.host = host
    self.port = port
    self.newHost = newHost
    self.newPort = newPort
  }

  /// The replacement endpoint, or nil if the rule does not apply to `host` and `port`.
  func endpoint(insteadOf host: String, _ port: Int) -> WebSocketURL.Endpoint? {
    guard self.host ?? host == host, self.port ?? port == port else { return nil }
    return .host(newHost ?? host, port: newPort ?? port)
  }
}

extension [SocketAddress] {
  /// The addresses with IPv6 and IPv4 alternating, starting with the family of the first one. A
  /// family that does not work then causes a single delay, not one per address (RFC 8305 section
  /// 4).
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
