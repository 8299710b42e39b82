import WebSocketNIO

extension ConnectError.Phase {
  /// `waiting for TLS (TCP is up)`: what was waited for when the time was up.
  func words(_ configuration: ClientConfiguration) -> String {
    switch self {
    case .resolve: "resolving the host name"
    case .connect: "waiting for the TCP connection"
    case .tls: "waiting for TLS (TCP is up)"
    case .upgrade:
      "waiting for the upgrade reply (TCP \(configuration.tls == nil ? "is" : "and TLS are") up)"
    }
  }
}
