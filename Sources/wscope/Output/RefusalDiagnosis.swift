import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// Diagnoses of HTTP replies that are not a valid upgrade.
extension Diagnostician {
  func diagnose(_ refusal: HTTPRefusal) -> Diagnosis {
    let status = refusal.head.status
    var details: [String] = []
    for name in ["Location", "WWW-Authenticate", "Retry-After", "Sec-WebSocket-Version"] {
      for value in refusal.head.headers[name] {
        let shown = Redaction.value(value, of: name, showsSecrets: false)
        details.append("\(name.lowercased()): \(safe(shown))")
      }
    }
    if [401, 403].contains(status.code) {
      if let origin = configuration.origin {
        details.append("origin sent: \(origin)")
      } else if status.code == 403 {
        details.append("origin sent: none")
      }
    }
    let body = RefusalText.line(of: refusal)
    if !body.isEmpty { details.append("body: \(cut(body))") }
    details.append(next(refusal.head, body.lowercased()))
    let words = "\(status.code) \(safe(status.reasonPhrase))"
    return Diagnosis(
      cause: "server refused the upgrade: \(words) (expected \(configuration.http2 ? 200 : 101))",
      details: details)
  }

  /// Untrusted text up to 1 KiB; with `-v`, everything that was read.
  private func cut(_ text: String) -> String {
    let limit = isVerbose ? 16 * 1024 : 1024
    guard text.utf8.count > limit else { return safe(text) }
    let shown = String(decoding: text.utf8.prefix(limit), as: UTF8.self)
    return safe(shown) + "..." + (isVerbose ? "" : " (-v shows more)")
  }

  /// The next step for the user, based on the status and the body in lower case.
  private func next(_ head: HTTPResponseHead, _ body: String) -> String {
    let code = head.status.code
    func says(_ words: String...) -> Bool { words.contains(where: body.contains) }
    // Messages of HTTPS servers for unencrypted requests: nginx, Go, Apache.
    if code == 400, url.security == .plain,
      says("https port", "https server", "ssl-enabled server")
    {
      return "try: wscope \(command) \(other(.tls))"
    }
    if [400, 403].contains(code), says("ssl certificate", "client certificate") {
      return "hint: --cert FILE --key FILE sends a client certificate"
    }
    let versions = head.headers[canonicalForm: "Sec-WebSocket-Version"]
    if [400, 426].contains(code), !versions.isEmpty, !versions.contains("13") {
      return "hint: wscope implements version 13, the only standard version (RFC 6455); "
        + "the server is outdated"
    }
    if [400, 426].contains(code), says("upgrade", "http/1.1", "connection header") {
      return "hint: " + Self.reverseProxy
    }
    return "hint: " + (code == 401 ? credentials(head) : hint(code))
  }

  private static let reverseProxy =
    "a reverse proxy must forward Upgrade and Connection; nginx: proxy_http_version 1.1; "
    + "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"

  /// Credentials for the authentication schemes that the server offers (RFC 9110 section 11.6.1).
  private func credentials(_ head: HTTPResponseHead) -> String {
    if configuration.headers.contains(where: { $0.0.lowercased() == "authorization" }) {
      return
        "the server rejected the credentials; are they correct, and not expired?"
    }
    let schemes = head.headers["WWW-Authenticate"].map { $0.lowercased() }
    func offers(_ scheme: String) -> Bool { schemes.contains { $0.hasPrefix(scheme) } }
    switch (offers("basic"), offers("bearer")) {
    case (true, false): return "pass a user name and password with --user NAME"
    case (false, true): return "pass a token with --bearer @FILE"
    default: return "pass a password with --user NAME, or a token with --bearer @FILE"
    }
  }

  private func hint(_ code: UInt) -> String {
    switch code {
    case 200..<300:
      "this path is an ordinary page; WebSocket endpoints are often /ws or /socket"
    case 301, 302, 303, 307, 308: "-L follows the redirect"
    case 400: "the server may expect another path, or another version of the protocol"
    case 426: Self.reverseProxy
    case 403 where configuration.origin == nil:
      "the server may require an Origin, as a browser sends it: --origin URL"
    case 403: "the server may require another Origin: --origin URL"
    case 404: "there is nothing at this path; WebSocket endpoints are often /ws or /socket"
    case 429: "too many requests: wait before trying again, as long as Retry-After says if present"
    case 502, 503, 504:
      "a proxy replied, but the server behind it did not"
        + (command == "send" ? "; --wait-up 30s waits for it" : "")
    case 500...: "the server failed; check its log"
    default: "the server does not accept WebSockets at this path"
    }
  }

  // MARK: Invalid 101 replies

  func diagnose(_ violation: HandshakeViolation) -> Diagnosis {
    switch violation {
    case .version(let version):
      return invalid("it is \(safe(version)), not HTTP/1.1", hint: Self.reverseProxy)
    case .missingUpgrade:
      return invalid("the Upgrade field is missing", hint: Self.reverseProxy)
    case .wrongUpgrade(let value):
      return invalid(
        "the Upgrade field is wrong", "got: \(safe(value))", "expected: websocket",
        hint: "the server switches to another protocol at this path")
    case .missingConnection:
      return invalid("the Connection field is missing", hint: Self.reverseProxy)
    case .wrongConnection(let value):
      return invalid(
        "the Connection field is wrong", "got: \(safe(value))", "expected: Upgrade",
        hint: Self.reverseProxy)
    case .missingAccept:
      return invalid("Sec-WebSocket-Accept is missing", hint: Self.accept)
    case .severalAccepts(let count):
      return invalid("Sec-WebSocket-Accept occurs \(count) times", hint: Self.accept)
    case .wrongAccept(let got, let expected):
      return invalid(
        "Sec-WebSocket-Accept does not match the key", "got: \(safe(got))",
        "expected: \(expected)", hint: Self.accept)
    case .unofferedExtension(let name):
      return invalid(
        "the server chose an extension that was not offered", "got: \(safe(name))",
        "offered: \(configuration.deflate?.text ?? "none")",
        hint: "the server must choose among the offered ones (RFC 6455 section 9.1)")
    case .wrongExtension(let text):
      return invalid(
        "invalid response to the permessage-deflate offer", "got: \(safe(text))",
        "offered: \(configuration.deflate?.text ?? "none")",
        hint: "--no-compress connects without it")
    case .unofferedSubprotocol(let name):
      let offered = configuration.subprotocols.joined(separator: ", ")
      return invalid(
        "the server chose a subprotocol that was not offered", "got: \(safe(name))",
        "offered: \(offered.isEmpty ? "none" : offered)", hint: "--subprotocol NAME offers one")
    case .severalSubprotocols(let names):
      return invalid(
        "the server chose several subprotocols", "got: \(safe(names))",
        hint: "--subprotocol NAME offers a single one")
    }
  }

  private static let accept =
    "the server must compute it from the key (RFC 6455 section 4.2.2); or a cache repeats an old reply"

  private func invalid(_ what: String, _ details: String..., hint: String) -> Diagnosis {
    Diagnosis(
      cause: "invalid WebSocket handshake: \(what)", details: details + ["hint: \(hint)"])
  }
}
