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
      Diagnosis(cause: "cannot resolve \(host): \(message)")
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
    case .invalidHandshake(let violation, let head):
      diagnose(violation, head)
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
        details: locations(refusal) + ["hint: --max-redirects N follows more"])
    case .noLocation:
      return Diagnosis(cause: "the server redirects with a \(status), but names no Location")
    case .severalLocations:
      return Diagnosis(
        cause: "the server redirects with a \(status) to several places",
        details: locations(refusal))
    case .downgrade(let place):
      return Diagnosis(
        cause: "the server redirects from wss:// to ws://, which anybody on the way can read",
        details: locations(refusal) + [
          "try: wscope \(command) wss\(place.description.dropFirst(2)), or --allow-downgrade"
        ])
    case .badLocation(_, let error):
      return Diagnosis(
        cause: "the server redirects with a \(status) to what is no WebSocket URL",
        details: locations(refusal) + ["reason: \(safe(error.words("Location")))"])
    case .badProxy(let reason):
      return Diagnosis(
        cause: "there is no way to the proxy for the place to which the server redirects",
        details: locations(refusal) + ["reason: \(safe(reason))"])
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
      details: attempts.map(Self.words) + ["hint: \(option) sets how long to wait"])
  }

  static func words(_ attempt: ConnectError.Attempt) -> String {
    "tried: \(text(attempt.address)): \(attempt.description)"
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
    return Diagnosis(cause: "cannot connect to \(place): \(reason)", details: details)
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
        details: url.security == .plain ? ["hint: if it speaks TLS: \(other(.tls))"] : [])
    }
    if received.first == 0x15 || received.first == 0x16 { return speaksTLS(received) }
    return Diagnosis(
      cause: "the server \(how) inside its reply", details: ["got: \(firstLine(received))"])
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
        details: ["got: \(firstLine(received))"])
    case .headTooLarge:
      return Diagnosis(
        cause: "the head of the reply is too large (over 8 KiB a line, 100 fields or 32 KiB)",
        details: ["got: \(firstLine(received))"])
    case .tooManyInterimReplies:
      return Diagnosis(cause: "more than 5 interim (1xx) replies")
    }
  }

  // MARK: HTTP

  private func diagnose(_ refusal: HTTPRefusal) -> Diagnosis {
    let status = refusal.head.status
    var details: [String] = []
    for name in ["Location", "WWW-Authenticate", "Retry-After", "Sec-WebSocket-Version"] {
      for value in refusal.head.headers[name] {
        details.append("\(name.lowercased()): \(safe(value))")
      }
    }
    if let origin = configuration.origin, [401, 403].contains(status.code) {
      details.append("origin sent: \(origin)")
    }
    let body = RefusalText.line(of: refusal.body)
    if !body.isEmpty { details.append("body: \(safe(String(body.prefix(200))))") }
    if let next = next(status, body.lowercased()) { details.append(next) }
    let words = "\(status.code) \(safe(status.reasonPhrase))"
    return Diagnosis(
      cause: "server refused the upgrade: \(words) (expected \(configuration.http2 ? 200 : 101))",
      details: details)
  }

  /// What to try, by the status and by what the body says in lower case.
  private func next(_ status: HTTPResponseStatus, _ body: String) -> String? {
    func says(_ words: String...) -> Bool { words.contains(where: body.contains) }
    // Servers of HTTPS that are spoken to in the clear: nginx, Go, Apache.
    if status == .badRequest, url.security == .plain,
      says("https port", "https server", "ssl-enabled server")
    {
      return "try: wscope \(command) \(other(.tls))"
    }
    if [400, 403].contains(status.code), says("ssl certificate", "client certificate") {
      return "hint: --cert FILE --key FILE shows a client certificate"
    }
    if [400, 426].contains(status.code), says("upgrade", "http/1.1", "connection header") {
      return "hint: " + Self.reverseProxy
    }
    return Self.hint(status).map { "hint: \($0)" }
  }

  private static let reverseProxy =
    "a reverse proxy must pass Upgrade and Connection on; nginx: proxy_http_version 1.1; "
    + "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"

  private static func hint(_ status: HTTPResponseStatus) -> String? {
    switch status.code {
    case 200..<300:
      "an ordinary page lives at this path; WebSocket endpoints are often /ws or /socket"
    case 301, 302, 303, 307, 308: "-L goes where it leads"
    case 400: "the server may want another path, or another version of the protocol"
    case 426: reverseProxy
    case 401: "pass a password with --user NAME, a token with --bearer @FILE"
    case 403: "the server may want another Origin: --origin URL"
    case 404: "nothing lives at this path"
    case 429: "too many requests: wait"
    case 502, 503, 504: "a proxy answers, the server behind it does not"
    default: nil
    }
  }

  private func diagnose(_ violation: HandshakeViolation, _ head: HTTPResponseHead) -> Diagnosis {
    let proxy = "hint: " + Self.reverseProxy
    switch violation {
    case .version(let version):
      return invalid("it is \(safe(version)), not HTTP/1.1")
    case .missingUpgrade:
      return invalid("the Upgrade field is missing", proxy)
    case .wrongUpgrade(let value):
      return invalid("the Upgrade field is wrong", "got: \(safe(value))", "expected: websocket")
    case .missingConnection:
      return invalid("the Connection field is missing", proxy)
    case .wrongConnection(let value):
      return invalid("the Connection field is wrong", "got: \(safe(value))", "expected: Upgrade")
    case .missingAccept:
      return invalid("Sec-WebSocket-Accept is missing")
    case .severalAccepts(let count):
      return invalid("Sec-WebSocket-Accept stands \(count) times")
    case .wrongAccept(let got, let expected):
      return invalid(
        "Sec-WebSocket-Accept does not match the key", "got: \(safe(got))",
        "expected: \(expected)")
    case .body:
      return invalid("a 101 reply cannot have a body (Transfer-Encoding)")
    case .unofferedExtension(let name):
      return invalid("the server chose an extension that was not offered", "got: \(safe(name))")
    case .wrongExtension(let text):
      return invalid(
        "the answer to permessage-deflate breaks its rules", "got: \(safe(text))",
        "offered: \(configuration.deflate?.text ?? "none")")
    case .unofferedSubprotocol(let name):
      let offered = configuration.subprotocols.joined(separator: ", ")
      return invalid(
        "the server chose a subprotocol that was not offered", "got: \(safe(name))",
        "offered: \(offered.isEmpty ? "none" : offered)")
    case .severalSubprotocols(let names):
      return invalid("the server chose several subprotocols", "got: \(safe(names))")
    }
  }

  private func invalid(_ what: String, _ details: String...) -> Diagnosis {
    Diagnosis(cause: "invalid WebSocket handshake: \(what)", details: details)
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
