import Glibc
import NIOCore
import NIOHTTP1
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Why something failed, as text: one cause, the evidence, one next command (PRODUCT 1.5). Text
/// from the peer is escaped here.
struct Diagnosis: Equatable {
  var cause: String
  /// The lines below the cause, each with its label: `got: ...`, `try: ...`.
  var details: [String] = []

  /// The lines for standard error.
  var lines: [String] {
    ["wscope: \(cause)"] + details.map { "  \($0)" }
  }
}

/// Creates diagnoses for one command and its URL.
struct Diagnostician {
  let command: String
  let configuration: ClientConfiguration
  var isVerbose = false

  var url: WebSocketURL { configuration.url }

  func diagnose(_ error: ConnectError) -> Diagnosis {
    switch error {
    case .unresolved(let host, let message):
      unresolved(host, message)
    case .unreachable(let attempts):
      unreachable(attempts)
    case .tls(let failure):
      TLSDiagnostician(self).diagnose(failure)
    case .proxy(let failure):
      diagnose(failure)
    case .http2(let failure):
      diagnose(failure)
    case .closedBeforeReply(let received, let errno):
      closedBeforeReply(received, errno)
    case .refused(let refusal):
      diagnose(refusal)
    case .malformedReply(let kind, let received):
      malformed(kind, received)
    case .invalidHandshake(let violation, _):
      diagnose(violation)
    case .timedOut(let phase, let limit, let attempts):
      timedOut(phase, limit, attempts)
    case .redirect(let problem, let refusal):
      diagnose(problem, refusal)
    }
  }

  private func diagnose(_ problem: RedirectProblem, _ refusal: HTTPRefusal) -> Diagnosis {
    let status = refusal.head.status.code
    switch problem {
    case .tooMany(let limit):
      return Diagnosis(
        cause: "more than \(limit) redirects, the last with status \(status)",
        details: locations(refusal) + [
          "hint: --max-redirects N follows more, unless it is a redirect loop"
        ])
    case .noLocation:
      return Diagnosis(
        cause: "the server redirects with status \(status), but sends no Location",
        details: ["hint: the server must send a Location; omit -L to see its reply"])
    case .severalLocations:
      return Diagnosis(
        cause: "the server redirects with status \(status) and several Location fields",
        details: locations(refusal) + ["hint: connect to one of them without -L"])
    case .downgrade(let endpoint):
      return Diagnosis(
        cause: "the server redirects from wss:// to ws://, which is not encrypted",
        details: locations(refusal) + [
          "try: wscope \(command) \(Redaction.url("wss\(endpoint.description.dropFirst(2))")), or --allow-downgrade"
        ])
    case .badLocation(_, let error):
      return Diagnosis(
        cause: "the server redirects with status \(status) to a URL that is not a WebSocket URL",
        details: locations(refusal) + [
          "reason: \(safe(error.message("Location")))",
          "hint: this looks like a login page; pass credentials with --cookie or --bearer",
        ])
    case .badProxy(let reason):
      return Diagnosis(
        cause: "no usable proxy for the URL that the server redirects to",
        details: locations(refusal) + [
          "reason: \(safe(reason))",
          "hint: the proxy is set by --proxy or a variable such as http_proxy",
        ])
    }
  }

  private func locations(_ refusal: HTTPRefusal) -> [String] {
    refusal.head.headers["Location"].map { "location: \(safe(Redaction.reference($0)))" }
  }

  private func timedOut(
    _ phase: ConnectError.Phase, _ limit: TimeAmount, _ attempts: [ConnectError.Attempt]
  ) -> Diagnosis {
    let option = limit == configuration.connectTimeout ? "--connect-timeout" : "--open-timeout"
    return Diagnosis(
      cause: "timed out after \(Figures.shortDuration(limit.nanoseconds)) "
        + phase.message(configuration),
      details: attempts.map(Self.message) + [
        phase == .proxy
          ? "hint: is this the right kind of proxy? http, https, socks5 and socks5h differ"
          : "hint: \(option) sets the time limit"
      ])
  }

  static func message(_ attempt: ConnectError.Attempt) -> String {
    "tried: \(text(attempt.address)): \(attempt.description)"
  }

  private func unresolved(_ host: String, _ message: String) -> Diagnosis {
    let hint: String
    switch (configuration.endpoint, configuration.addressRules.family) {
    case (.unixSocket, _): hint = "use a shorter path, for instance a relative one"
    case (.host(let name, _), _) where name.contains(":"):
      hint = "ip -6 address lists the interfaces of this machine"
    // It has no options for addresses.
    case (.host, .any) where command == "bench transports": hint = "is the name correct?"
    case (.host(_, let port), .any):
      hint = "is the name correct? --resolve \(host):\(port):ADDR sets its address"
    case (.host, .v4): hint = "is the name correct? It may have an IPv6 address (omit -4)"
    case (.host, .v6): hint = "is the name correct? It may have an IPv4 address (omit -6)"
    }
    return Diagnosis(
      cause: "cannot resolve \(host): \(message)", details: ["hint: \(hint)"])
  }

  private func unreachable(_ attempts: [ConnectError.Attempt]) -> Diagnosis {
    let endpoint: String
    switch configuration.endpoint {
    case .unixSocket(let path): endpoint = path
    case .host(let host, let port): endpoint = "\(host):\(port)"
    }
    let reasons = Set(attempts.map(\.description))
    let reason = reasons.count == 1 ? reasons.first ?? "" : "no address answered"
    var details = attempts.map(Self.message)
    // For an address that the user gave, there is nothing to add.
    if attempts.count == 1, attempts[0].address.ipAddress.map({ endpoint.contains($0) }) ?? true {
      details = []
    }
    return Diagnosis(
      cause: "cannot connect to \(endpoint): \(reason)",
      details: details + ["hint: \(hint(attempts))"]
    )
  }

  /// Based on the most informative error: if a connection was refused, the host is there.
  private func hint(_ attempts: [ConnectError.Attempt]) -> String {
    let codes = Set(attempts.compactMap(\.errno))
    if case .unixSocket = configuration.endpoint {
      return codes.contains(EACCES)
        ? "check the permissions of the socket and of its directories"
        : "is the server running, and is this its socket?"
    }
    if codes.contains(ECONNREFUSED) {
      return "is the server running, and is this its port?"
        + (command == "send" ? " --wait-up 30s waits for it" : "")
    }
    if !codes.isDisjoint(with: [ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL]) {
      return "no route to the host; -4, -6, --interface and --proxy select another route"
    }
    if !codes.isDisjoint(with: [EPERM, EACCES]) {
      return "a local firewall rule or policy forbids it"
    }
    return "is the address correct? A firewall may be dropping the packets"
  }

  static func text(_ address: SocketAddress?) -> String {
    guard let address else { return "?" }
    guard var ip = address.ipAddress, let port = address.port else {
      return address.pathname ?? "unix socket"
    }
    // An IPv4 client on an IPv6 socket (RFC 4291 section 2.5.5.2).
    if ip.hasPrefix("::ffff:"), ip.contains(".") { ip.removeFirst("::ffff:".count) }
    return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
  }

  func other(_ security: WebSocketURL.Security) -> String {
    var other = url
    other.security = security
    return Redaction.url(other.description)
  }

  private func closedBeforeReply(_ received: [UInt8], _ errno: Int32?) -> Diagnosis {
    let how = errno == nil ? "closed the connection" : "reset the connection"
    guard !received.isEmpty else {
      return Diagnosis(
        cause: "the server \(how) before it replied",
        details: [
          url.security == .plain
            ? "hint: if the server uses TLS: wscope \(command) \(other(.tls))"
            : "hint: check the path and the server's log"
        ])
    }
    if received.first == 0x15 || received.first == 0x16 { return speaksTLS(received) }
    return Diagnosis(
      cause: "the server \(how) in the middle of its reply",
      details: [
        "got: \(firstLine(received))",
        "hint: the server or a proxy in front of it failed; check its log",
      ])
  }

  private func speaksTLS(_ received: [UInt8]) -> Diagnosis {
    Diagnosis(
      cause: "the server speaks TLS on this port",
      details: [
        "got: a TLS record (\(hex(received.prefix(8))))",
        "try: wscope \(command) \(other(.tls))",
      ])
  }

  private func malformed(
    _ kind: ConnectError.MalformedReply, _ received: [UInt8]
  ) -> Diagnosis {
    switch kind {
    case .notHTTP:
      if received.first == 0x15 || received.first == 0x16 { return speaksTLS(received) }
      let isHTTP = received.starts(with: "HTTP/".utf8)
      if isHTTP, let fault = ReplyHead.fault(received) { return faulty(fault) }
      return Diagnosis(
        cause: isHTTP ? "the reply is not valid HTTP/1.1" : "the server does not speak HTTP here",
        details: [
          "got: \(firstLine(received))",
          isHTTP
            ? "hint: the server, or a proxy in front of it, must send valid HTTP (RFC 9112)"
            : "hint: this port serves another protocol; is it the right one?",
        ])
    case .headTooLarge:
      return Diagnosis(
        cause: "the head of the reply is too large (over 8 KiB a line, 100 fields or 32 KiB)",
        details: [
          "got: \(firstLine(received))",
          "hint: the reply to an upgrade needs only a few fields; is this the right server?",
        ])
    case .tooManyInterimReplies:
      return Diagnosis(
        cause: "more than 5 interim (1xx) replies",
        details: ["hint: the server must send a final response"])
    }
  }

  private func faulty(_ fault: ReplyHead.Fault) -> Diagnosis {
    let problem =
      switch fault.problem {
      case .badStatusLine: "is not a valid status line"
      case .folded: "begins with a space: a folded field, which is obsolete (RFC 9112 section 5.2)"
      case .noColon: "has no colon, so it is not a header field"
      case .spaceBeforeColon: "has a space before the colon (RFC 9112 section 5.1)"
      case .badName: "has a field name that is not a token (RFC 9110 section 5.1)"
      case .controlCharacter: "contains a control character"
      case .bareCarriageReturn: "contains a carriage return without a line feed"
      }
    return Diagnosis(
      cause: "the reply is not valid HTTP/1.1: line \(fault.line) \(problem)",
      details: [
        "got: \(firstLine(fault.text))",
        "hint: the server, or a proxy in front of it, must send valid HTTP (RFC 9112)",
      ])
  }

  // MARK: Untrusted bytes

  func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }

  func firstLine(_ bytes: [UInt8]) -> String {
    let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }.prefix(80)
    return "\"" + ControlCharacters.escaped(Array(line), keepingNewlines: false, highlight: false)
      + "\""
  }

  private func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined(separator: " ")
  }
}
