import WebSocketNIO

extension ConnectError.Phase {
  /// `waiting for TLS (TCP is up)`: the phase that was in progress at the timeout.
  func message(_ configuration: ClientConfiguration) -> String {
    switch self {
    case .resolve: "resolving the host name"
    case .connect:
      "waiting for the TCP connection" + (configuration.proxy.map { " to the proxy \($0)" } ?? "")
    case .proxy: "waiting for the proxy's reply (TCP is up)"
    case .tls: "waiting for TLS (\(Self.list(configuration, [])) up)"
    case .upgrade:
      "waiting for the upgrade reply "
        + "(\(Self.list(configuration, configuration.tls == nil ? [] : ["TLS"])) up)"
    }
  }

  /// `TCP is`, `TCP, proxy and TLS are`: the phases that are complete.
  private static func list(_ configuration: ClientConfiguration, _ more: [String]) -> String {
    let parts = ["TCP"] + (configuration.proxy == nil ? [] : ["proxy"]) + more
    guard parts.count > 1 else { return "TCP is" }
    return parts.dropLast().joined(separator: ", ") + " and " + parts[parts.count - 1] + " are"
  }
}
