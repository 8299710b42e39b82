import Glibc
import NIOCore
import NIOHTTP1
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Why something failed, in words: one cause, the evidence, one next command (PRODUCT 1.5). Words
/// of the peer are escaped here when they go to a terminal.
struct Diagnosis: Equatable {
  var cause: String
  /// Lines that stand below it, each with its label: `got: ...`, `try: ...`.
  var details: [String] = []

  /// The lines for standard error.
  var lines: [String] {
    ["wscope: \(cause)"] + details.map { "  \($0)" }
  }
}

/// Makes diagnoses for one command and its URL.
struct Diagnostician {
  let command: String
  let configuration: ClientConfiguration
  /// Whether strangers' bytes must be escaped: the stream is a terminal.
  let escapes: Bool

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
        cause: "more than \(limit) redirects, the last one a \(status)",
        details: locations(refusal) + [
          "hint: --max-redirects N follows more, unless they go round in circles"
        ])
    case .noLocation:
      return Diagnosis(
        cause: "the server redirects with a \(status), but names no Location",
        details: ["hint: the server must say where to; without -L its own reply is shown"])
    case .severalLocations:
      return Diagnosis(
        cause: "the server redirects with a \(status) to several places",
        details: locations(refusal) + ["hint: connect to one of them without -L"])
    case .downgrade(let place):
      return Diagnosis(
        cause: "the server redirects from wss:// to ws://, which anybody on the way can read",
        details: locations(refusal) + [
          "try: wscope \(command) wss\(place.description.dropFirst(2)), or --allow-downgrade"
        ])
    case .badLocation(_, let error):
      return Diagnosis(
        cause: "the server redirects with a \(status) to what is no WebSocket URL",
        details: locations(refusal) + [
          "reason: \(safe(error.words("Location")))",
          "hint: a page for people, as for logging in, leads to no WebSocket; --cookie, --bearer",
        ])
    case .badProxy(let reason):
      return Diagnosis(
        cause: "there is no way to the proxy for the place to which the server redirects",
        details: locations(refusal) + [
          "reason: \(safe(reason))",
          "hint: --proxy, or a variable such as http_proxy, names the proxy",
        ])
    }
  }

  private func locations(_ refusal: HTTPRefusal) -> [String] {
    refusal.head.headers["Location"].map { "location: \(safe($0))" }
  }

  private func timedOut(
    _ phase: ConnectError.Phase, _ limit: TimeAmount, _ attempts: [ConnectError.Attempt]
  ) -> Diagnosis {
    let option = limit == configuration.connectTimeout ? "--connect-timeout" : "--open-timeout"
    return Diagnosis(
      cause: "timed out after \(Figures.shortDuration(limit.nanoseconds)) "
        + phase.words(configuration),
      details: attempts.map(Self.words) + [
        phase == .proxy
          ? "hint: is it a proxy of this kind? http, https, socks5 and socks5h differ"
          : "hint: \(option) sets how long to wait"
      ])
  }

  static func words(_ attempt: ConnectError.Attempt) -> String {
    "tried: \(text(attempt.address)): \(attempt.description)"
  }

  private func unresolved(_ host: String, _ message: String) -> Diagnosis {
    let hint: String
    switch (configuration.endpoint, configuration.addressRules.family) {
    case (.unixSocket, _): hint = "a shorter path, as a relative one, will do"
    case (.host(_, let port), .any):
      hint = "is the name right? --resolve \(host):\(port):ADDR gives it an address"
    case (.host, .v4): hint = "is the name right? Without -4 it may have an address"
    case (.host, .v6): hint = "is the name right? Without -6 it may have an address"
    }
    return Diagnosis(
      cause: "cannot resolve \(host): \(message)", details: ["hint: \(hint)"])
  }

  private func unreachable(_ attempts: [ConnectError.Attempt]) -> Diagnosis {
    let place: String
    switch configuration.endpoint {
    case .unixSocket(let path): place = path
    case .host(let host, let port): place = "\(host):\(port)"
    }
    let reasons = Set(attempts.map(\.description))
    let reason = reasons.count == 1 ? reasons.first ?? "" : "no address answered"
    var details = attempts.map(Self.words)
    // Of an address that was given there is nothing to tell.
    if attempts.count == 1, attempts[0].address.ipAddress.map({ place.contains($0) }) ?? true {
      details = []
    }
    return Diagnosis(
      cause: "cannot connect to \(place): \(reason)", details: details + ["hint: \(hint(attempts))"]
    )
  }

  /// By the reason that tells most: where somebody has refused, somebody is there.
  private func hint(_ attempts: [ConnectError.Attempt]) -> String {
    let codes = Set(attempts.compactMap(\.errno))
    if case .unixSocket = configuration.endpoint {
      return codes.contains(EACCES)
        ? "who may connect is in the permissions of the socket and of its directories"
        : "is the server running, and is this the path of its socket?"
    }
    if codes.contains(ECONNREFUSED) {
      return "is the server running, and is this its port?"
        + (command == "send" ? " --wait-up 30s waits for it" : "")
    }
    if !codes.isDisjoint(with: [ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL]) {
      return "no way leads there from here; -4, -6, --interface and --proxy choose another"
    }
    if !codes.isDisjoint(with: [EPERM, EACCES]) { return "a rule of this machine forbids it" }
    return "is the address right? A firewall may drop what goes there"
  }

  static func text(_ address: SocketAddress?) -> String {
    guard let address else { return "?" }
    guard let ip = address.ipAddress, let port = address.port else {
      return address.pathname ?? "unix socket"
    }
    return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
  }

  func other(_ security: WebSocketURL.Security) -> String {
    var other = url
    other.security = security
    return other.description
  }

  private func closedBeforeReply(_ received: [UInt8], _ errno: Int32?) -> Diagnosis {
    let how = errno == nil ? "closed the connection" : "reset the connection"
    guard !received.isEmpty else {
      return Diagnosis(
        cause: "the server \(how) before it replied",
        details: [
          url.security == .plain
            ? "hint: if it speaks TLS: wscope \(command) \(other(.tls))"
            : "hint: the log of the server may say why; is the path right?"
        ])
    }
    if received.first == 0x15 || received.first == 0x16 { return speaksTLS(received) }
    return Diagnosis(
      cause: "the server \(how) inside its reply",
      details: [
        "got: \(firstLine(received))",
        "hint: it, or a proxy before it, has given up; the log there may say why",
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
      return Diagnosis(
        cause: isHTTP ? "the reply is not valid HTTP/1.1" : "the server does not speak HTTP here",
        details: [
          "got: \(firstLine(received))",
          isHTTP
            ? "hint: the server, or a proxy before it, breaks the rules of HTTP (RFC 9112)"
            : "hint: another protocol lives on this port; is it the right one?",
        ])
    case .headTooLarge:
      return Diagnosis(
        cause: "the head of the reply is too large (over 8 KiB a line, 100 fields or 32 KiB)",
        details: [
          "got: \(firstLine(received))",
          "hint: a reply to an upgrade needs a few fields; is this the right server?",
        ])
    case .tooManyInterimReplies:
      return Diagnosis(
        cause: "more than 5 interim (1xx) replies",
        details: ["hint: the server must come to its reply: a 101, or a refusal"])
    }
  }

  // MARK: Strangers' bytes

  func safe(_ text: String) -> String {
    escapes ? ControlCharacters.escaped(text, keepingNewlines: false, highlight: false) : text
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
