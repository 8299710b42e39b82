package import NIOHTTP1

/// Rules for the Host and Origin of requests, which protect a server on a developer's machine. A
/// browser lets any web page send requests to loopback, with the origin of the page in Origin; and
/// after DNS rebinding, a page sends its own name in Host. Both are rejected, for upgrades and for
/// pages.
package struct OriginRules: Sendable {
  /// Allowed origins besides those of the server itself and of loopback, such as
  /// `https://example.com` or `null`.
  package var allowedOrigins: [String]
  /// Allowed names in Host besides loopback names and address literals.
  package var allowedHosts: [String]

  package init(allowedOrigins: [String] = [], allowedHosts: [String] = []) {
    self.allowedOrigins = allowedOrigins
    self.allowedHosts = allowedHosts
  }

  /// The decision on a request; a rejection has the rejected value.
  package enum Verdict: Sendable, Equatable {
    case allowed
    case refusedHost(String)
    case refusedOrigin(String)
  }

  /// Checks Host first, then Origin. A request must have exactly one Host and at most one Origin.
  package func judge(_ headers: HTTPHeaders) -> Verdict {
    let hosts = headers["Host"]
    guard hosts.count == 1, let host = HostAndPort(hosts[0]), isAllowed(host) else {
      return .refusedHost(hosts.joined(separator: ", "))
    }
    let origins = headers["Origin"]
    // Browsers always send Origin with an upgrade request, so this is not a browser.
    guard let origin = origins.first else { return .allowed }
    guard origins.count == 1, isAllowed(origin: origin, to: host) else {
      return .refusedOrigin(origins.joined(separator: ", "))
    }
    return .allowed
  }

  /// Whether a request is from no page, or from a page of the server that it is for. Any other page is foreign, that of
  /// another port of this machine too.
  static func isOwn(_ headers: HTTPHeaders) -> Bool {
    // Browsers that say nothing else say this of the requests of images and links.
    let site = headers["Sec-Fetch-Site"]
    guard site.allSatisfy({ $0 == "same-origin" || $0 == "none" }) else { return false }
    let origins = headers["Origin"]
    guard let origin = origins.first else { return true }
    let parts = origin.lowercased().split(separator: "://", maxSplits: 1)
    guard origins.count == 1, parts.count == 2, parts[0] == "http" || parts[0] == "https",
      let from = HostAndPort(String(parts[1])),
      let host = headers["Host"].first.flatMap(HostAndPort.init)
    else { return false }
    let defaultPort = parts[0] == "https" ? 443 : 80
    return from.name == host.name && (from.port ?? defaultPort) == (host.port ?? defaultPort)
  }

  private func isAllowed(_ host: HostAndPort) -> Bool {
    host.isLoopbackName || host.isAddressLiteral
      || allowedHosts.contains { HostAndPort($0)?.name == host.name }
  }

  private func isAllowed(origin: String, to host: HostAndPort) -> Bool {
    if allowedOrigins.contains(where: { $0.lowercased() == origin.lowercased() }) { return true }
    let parts = origin.lowercased().split(separator: "://", maxSplits: 1)
    guard parts.count == 2, parts[0] == "http" || parts[0] == "https",
      let from = HostAndPort(String(parts[1]))
    else { return false }
    if from.isLoopbackName || from.isLoopbackAddress { return true }
    let defaultPort = parts[0] == "https" ? 443 : 80
    return from.name == host.name && (from.port ?? defaultPort) == (host.port ?? defaultPort)
  }
}

/// `name`, `name:port` or `[v6]:port`, as in Host and Origin.
struct HostAndPort: Equatable {
  /// The name in lowercase, without brackets and without the trailing dot of an absolute name.
  var name: String
  var port: Int?

  init?(_ text: String) {
    // Bytes, not characters: comparing characters would take a tenth of the handshake time.
    guard !text.isEmpty, text.utf8.allSatisfy(Self.mayStand) else { return nil }
    var rest = Substring(text)
    if rest.hasPrefix("[") {
      guard let close = rest.firstIndex(of: "]") else { return nil }
      name = rest[rest.index(after: rest.startIndex)..<close].lowercased()
      rest = rest[rest.index(after: close)...]
      guard IPAddress(name) != nil, name.contains(":") else { return nil }
    } else {
      let end = rest.firstIndex(of: ":") ?? rest.endIndex
      name = rest[..<end].lowercased()
      if name.hasSuffix(".") { name.removeLast() }
      rest = rest[end...]
    }
    guard !name.isEmpty else { return nil }
    guard !rest.isEmpty else { return }
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let number = Int(digits), (1...65_535).contains(number)
    else { return nil }
    port = number
  }

  private static func mayStand(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "/"), UInt8(ascii: "@"), UInt8(ascii: "?"), UInt8(ascii: "#"),
      UInt8(ascii: "\\"), UInt8(ascii: ","):
      false
    default: byte > 0x20 && byte < 0x7F
    }
  }

  var isLoopbackName: Bool { name == "localhost" || name.hasSuffix(".localhost") }
  var isAddressLiteral: Bool { IPAddress(name) != nil }
  var isLoopbackAddress: Bool { IPAddress(name)?.isLoopback ?? false }
}
