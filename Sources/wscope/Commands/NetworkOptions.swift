import ArgumentParser
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// How to reach the server: which addresses, from which local address, and within what time.
struct NetworkOptions: ParsableArguments {
  @Flag(name: [.customShort("4"), .long], help: "Connect to IPv4 addresses only.")
  var ipv4 = false

  @Flag(name: [.customShort("6"), .long], help: "Connect to IPv6 addresses only.")
  var ipv6 = false

  @Option(
    help: ArgumentHelp(
      "Connect from this local address, or through this network interface.",
      valueName: "address"))
  var interface: PublicText?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      """
      Use these addresses for a host and port instead of resolving the name; * matches every host, \
      -HOST:PORT removes an earlier entry. May be repeated.
      """, valueName: "host:port:addr[,addr]"))
  var resolve: [PublicText] = []

  @Option(
    help: ArgumentHelp(
      """
      Connect to HOST2:PORT2 instead of HOST1:PORT1. An empty HOST1 or PORT1 matches any; an empty \
      HOST2 or PORT2 is left unchanged. May be repeated; the first match applies.
      """, valueName: "host1:port1:host2:port2"))
  var connectTo: [PublicText] = []

  @Option(
    help: ArgumentHelp(
      """
      Time limit for name resolution, TCP, proxy and TLS together, as in 3s; by default only \
      --open-timeout applies.
      """, valueName: "duration"))
  var connectTimeout: DurationOption?

  /// Validates the options and applies them.
  ///
  /// - Throws: `CommandFailure`.
  func apply(to configuration: inout ClientConfiguration) throws {
    var rules = AddressRules()
    guard !(ipv4 && ipv6) else {
      throw CommandFailure(.usage, "--ipv4 and --ipv6 cannot be used together")
    }
    if ipv4 { rules.family = .v4 }
    if ipv6 { rules.family = .v6 }
    if let interface { try leave(from: interface.text, &rules, &configuration) }
    for text in resolve { try PlaceOption.resolve(text.text, &rules.overrides) }
    configuration.addressRules = rules
    configuration.connectTo = try connectTo.map { try PlaceOption.connectTo($0.text) }
    if let connectTimeout {
      guard connectTimeout.nanoseconds > 0 else {
        throw CommandFailure(.usage, "--connect-timeout must be longer than 0")
      }
      configuration.connectTimeout = .nanoseconds(connectTimeout.nanoseconds)
    }
  }

  private func leave(
    from source: String, _ rules: inout AddressRules, _ configuration: inout ClientConfiguration
  ) throws {
    guard let address = try? SocketAddress(ipAddress: source, port: 0) else {
      guard LocalAddress.isInterface(source) else {
        throw CommandFailure(
          .usage,
          "--interface \"\(source)\" is not an address or a network interface of this machine")
      }
      configuration.interface = source
      return
    }
    guard LocalAddress.isOfThisMachine(address) else {
      throw CommandFailure(.usage, "--interface: \(source) is not an address of this machine")
    }
    let family = AddressFamily(of: address)
    guard rules.family == .any || rules.family == family else {
      throw CommandFailure(
        .usage, "--interface: \(source) does not belong to the address family of -4 or -6")
    }
    rules.family = family
    configuration.localAddress = address
  }

  /// Whether an option is given that only makes sense for a server elsewhere.
  var namesAPlace: Bool { !connectTo.isEmpty || !resolve.isEmpty }
}

/// Parses `--resolve` and `--connect-to`: endpoints with colons between their parts, and IPv6
/// addresses in brackets.
enum PlaceOption {
  /// Adds a `HOST:PORT:ADDR[,ADDR]` to the rules, or removes one with `-HOST:PORT`. The last rule
  /// for a host and port applies.
  static func resolve(_ text: String, _ rules: inout [NameOverride]) throws {
    let failure = CommandFailure(
      .usage, "--resolve \"\(text)\" is not HOST:PORT:ADDR[,ADDR] or -HOST:PORT")
    let isRemoved = text.hasPrefix("-")
    // In curl, `+` marks a rule that may expire; rules here last as long as the command.
    var rest = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : Substring(text)
    guard let host = part(&rest), !host.isEmpty, isPlain(host), let port = port(part(&rest)) else {
      throw failure
    }
    let name = host == "*" ? nil : host.lowercased()
    rules.removeAll { $0.host == name && $0.port == port }
    guard !isRemoved else {
      guard rest.isEmpty else { throw failure }
      return
    }
    let addresses = rest.split(separator: ",", omittingEmptySubsequences: false).map { address in
      address.hasPrefix("[") && address.hasSuffix("]")
        ? String(address.dropFirst().dropLast()) : String(address)
    }
    for address in addresses where (try? SocketAddress(ipAddress: address, port: 0)) == nil {
      guard !rest.isEmpty else { throw failure }
      throw CommandFailure(.usage, "--resolve \"\(text)\": invalid address \"\(address)\"")
    }
    guard !addresses.isEmpty else { throw failure }
    rules.append(NameOverride(host: name, port: port, addresses: addresses))
  }

  /// `HOST1:PORT1:HOST2:PORT2`, each of which may be empty.
  static func connectTo(_ text: String) throws -> ConnectToRule {
    let failure = CommandFailure(.usage, "--connect-to \"\(text)\" is not HOST1:PORT1:HOST2:PORT2")
    var rest = Substring(text)
    guard let host = part(&rest), let portText = part(&rest), let newHost = part(&rest) else {
      throw failure
    }
    let newPortText = String(rest)
    let (oldPort, newPort) = (port(portText), port(newPortText))
    guard portText.isEmpty || oldPort != nil, newPortText.isEmpty || newPort != nil,
      isPlain(host), isPlain(newHost)
    else { throw failure }
    return ConnectToRule(
      host: host.isEmpty ? nil : host.lowercased(), port: oldPort,
      newHost: newHost.isEmpty ? nil : newHost.lowercased(), newPort: newPort)
  }

  /// The text before the next colon, or in brackets; nil if no colon follows, which the last part
  /// of a text does not need.
  private static func part(_ rest: inout Substring) -> String? {
    guard rest.hasPrefix("[") else {
      let part = rest.prefix { $0 != ":" }
      guard part.endIndex < rest.endIndex else {
        // `-HOST:PORT` ends after the port.
        defer { rest = "" }
        return rest.isEmpty || rest.contains(where: { !$0.isNumber }) ? nil : String(rest)
      }
      rest = rest[part.endIndex...].dropFirst()
      return String(part)
    }
    guard let close = rest.firstIndex(of: "]") else { return nil }
    let part = rest[..<close].dropFirst()
    rest = rest[close...].dropFirst()
    guard rest.first == ":" else { return nil }
    rest = rest.dropFirst()
    return String(part)
  }

  private static func port(_ text: String?) -> Int? {
    guard let text, text.allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(text),
      (1...65_535).contains(port)
    else { return nil }
    return port
  }

  /// Whether the text is free of spaces and control characters.
  private static func isPlain(_ host: String) -> Bool {
    host.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
  }
}
