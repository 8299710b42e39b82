import NIOCore
package import WebSocketProtocol

/// Chooses the proxy of a connection by options and environment, as curl does.
package struct ProxyChoice: Sendable {
  /// A proxy as the user typed it, and the option or variable that it comes from.
  package struct Wish: Hashable, Sendable {
    /// The URL of the proxy as typed.
    package var text: String
    /// `--proxy`, or the name of a variable.
    package var origin: String
  }

  private let option: String?
  private let exceptions: NoProxyList
  private let environment: [String: String]

  /// - Parameters:
  ///   - option: the value of `--proxy`; an empty one means no proxy.
  ///   - exceptions: the value of `--noproxy`, which takes precedence over the variables.
  ///   - environment: the environment variables.
  package init(option: String?, exceptions: String?, environment: [String: String]) {
    self.option = option
    self.environment = environment
    self.exceptions = NoProxyList(
      exceptions ?? Self.first(["no_proxy", "NO_PROXY"], environment)?.text ?? "")
  }

  /// The proxy for connections to `endpoint`, or nil for a direct connection.
  package func wish(
    for endpoint: WebSocketURL.Endpoint, _ security: WebSocketURL.Security
  ) -> Wish? {
    // A Unix socket is on this machine.
    guard case .host(let host, let port) = endpoint, !exceptions.contains(host, port) else {
      return nil
    }
    if let option { return option.isEmpty ? nil : Wish(text: option, origin: "--proxy") }
    // Not HTTP_PROXY: the header field "Proxy" of a request would set it in a CGI program
    // (httpoxy).
    let own = security == .tls ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"]
    return Self.first(own + ["all_proxy", "ALL_PROXY"], environment)
  }

  private static func first(_ names: [String], _ environment: [String: String]) -> Wish? {
    names.lazy.compactMap { name in
      environment[name].flatMap { $0.isEmpty ? nil : Wish(text: $0, origin: name) }
    }.first
  }
}

/// `no_proxy`: hosts to connect to without a proxy, separated by commas or spaces.
///
/// A name matches itself and all its subdomains, with or without a leading dot; an address matches
/// itself; `10.0.0.0/8` matches a network; `*` alone matches every host. A port after a colon
/// restricts the match.
package struct NoProxyList: Sendable {
  private enum Entry: Sendable {
    case name(String, port: Int?)
    case network([UInt8], bits: Int, port: Int?)
  }

  private let isEveryHost: Bool
  private let entries: [Entry]

  package init(_ text: String) {
    let items = text.split { $0 == "," || $0 == " " || $0 == "\t" }
    isEveryHost = items == ["*"]
    entries = items.compactMap(Self.entry)
  }

  /// Whether the list contains a host; an IPv6 address is given without brackets.
  package func contains(_ host: String, _ port: Int) -> Bool {
    if isEveryHost { return true }
    let address = Self.bytes(Substring(host.prefix { $0 != "%" }))
    var name = host.lowercased()
    if name.hasSuffix(".") { name.removeLast() }
    return entries.contains { entry in
      switch entry {
      case .name(let suffix, let wanted):
        address == nil && wanted ?? port == port
          && (name == suffix || name.hasSuffix("." + suffix))
      case .network(let network, let bits, let wanted):
        wanted ?? port == port && Self.isEqual(network, address, bits)
      }
    }
  }

  private static func entry(_ item: Substring) -> Entry? {
    if let address = bytes(item) { return .network(address, bits: address.count * 8, port: nil) }
    if let slash = item.firstIndex(of: "/") {
      guard let address = bytes(item[..<slash]), let bits = number(item[slash...].dropFirst()),
        bits <= address.count * 8
      else { return nil }
      return .network(address, bits: bits, port: nil)
    }
    var host = item
    var port: Int?
    if let colon = item.lastIndex(of: ":"), item[colon...].dropFirst().first != "]",
      let number = number(item[colon...].dropFirst())
    {
      host = item[..<colon]
      port = number
    }
    if let address = bytes(host) {
      return .network(address, bits: address.count * 8, port: port)
    }
    var name = host.lowercased()
    if name.hasPrefix("*.") { name.removeFirst() }
    if name.hasPrefix(".") { name.removeFirst() }
    if name.hasSuffix(".") { name.removeLast() }
    return name.isEmpty ? nil : .name(name, port: port)
  }

  private static func number(_ text: Substring) -> Int? {
    text.allSatisfy { $0.isASCII && $0.isNumber } ? Int(text, radix: 10) : nil
  }

  /// The bytes of an address, with or without brackets; nil for anything else.
  private static func bytes(_ text: Substring) -> [UInt8]? {
    let isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
    let literal = String(isBracketed ? text.dropFirst().dropLast() : text)
    guard !isBracketed || literal.contains(":") else { return nil }
    return (try? SocketAddress(ipAddress: literal, port: 0))?.packedBytes
  }

  private static func isEqual(_ network: [UInt8], _ address: [UInt8]?, _ bits: Int) -> Bool {
    guard let address, address.count == network.count else { return false }
    let whole = bits / 8
    guard address.prefix(whole) == network.prefix(whole) else { return false }
    let rest = bits % 8
    guard rest > 0 else { return true }
    return (address[whole] ^ network[whole]) >> (8 - rest) == 0
  }
}
