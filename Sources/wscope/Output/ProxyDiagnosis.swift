import NIOCore
import NIOHTTP1
import Terminal
import WebSocketNIO

/// Diagnoses of failed tunnels through a proxy. All text from the proxy is untrusted.
extension Diagnostician {
  private var proxy: String { configuration.proxy.map { "the proxy \($0)" } ?? "the proxy" }

  func diagnose(_ failure: ProxyFailure) -> Diagnosis {
    switch failure {
    case .unresolved(let host, let message):
      return Diagnosis(
        cause: "cannot resolve the proxy \(host): \(message)", details: [Self.hint])
    case .unreachable(let attempts):
      let reasons = Set(attempts.map(\.description))
      return Diagnosis(
        cause: "cannot connect to \(proxy): "
          + (reasons.count == 1 ? reasons.first ?? "" : "no address answered"),
        details: (attempts.count > 1 ? attempts.map(Self.message) : []) + [Self.hint])
    case .tls(let failure):
      var diagnosis = TLSDiagnostician(self, of: proxy).diagnose(failure)
      // These concern the options for the server.
      diagnosis.details.removeAll { $0.hasPrefix("hint: ") || $0.hasPrefix("try: ") }
      if case .notTLS = failure {
        diagnosis.details.append("hint: for a proxy without TLS, use http://HOST:PORT")
      } else {
        diagnosis.details.append(
          "hint: this is the TLS connection to \(proxy); --proxy-cacert FILE sets what it trusts"
        )
      }
      return diagnosis
    case .refused(let refusal):
      return refused(refusal)
    case .refusedBySOCKS(let refusal):
      return Diagnosis(
        cause: "\(proxy) refused: \(Self.message(refusal))",
        details: ["hint: \(Self.hint(refusal))"])
    case .malformedReply(let kind, let received):
      return Diagnosis(
        cause: "the reply of \(proxy) is not valid: \(Self.message(kind))",
        details: [
          "got: \(firstLine(received))",
          "hint: is it an HTTP proxy? For SOCKS, use --proxy socks5h://HOST:PORT",
        ])
    case .notSOCKS(let received):
      return Diagnosis(
        cause: "\(proxy) does not speak SOCKS version 5",
        details: [
          "got: \(firstLine(received))", "hint: for an HTTP proxy, use --proxy http://HOST:PORT",
        ])
    case .closed(let received, let errno):
      return Diagnosis(
        cause: "\(proxy) \(errno == nil ? "closed" : "reset") the connection "
          + (received.isEmpty ? "before it replied" : "in the middle of its reply"),
        details: (received.isEmpty ? [] : ["got: \(firstLine(received))"]) + [
          "hint: is this the right kind of proxy? https:// uses TLS, socks5h:// uses SOCKS"
        ])
    }
  }

  private static let hint = "hint: the proxy is set by --proxy or a variable such as http_proxy"

  private func refused(_ refusal: HTTPRefusal) -> Diagnosis {
    let status = refusal.head.status
    let ways = refusal.head.headers["Proxy-Authenticate"]
    var details = ways.prefix(4).map { "proxy-authenticate: \(brief($0))" }
    let body = RefusalText.line(of: refusal)
    if !body.isEmpty { details.append("body: \(brief(body))") }
    switch status.code {
    // tinyproxy replies with 401 to a wrong password.
    case 401, 407:
      details.append(
        Self.authenticationHint(ways, isKnown: configuration.proxy?.credentials != nil))
    case 500...:
      details.append("hint: the proxy cannot reach the server; are its name and port correct?")
    default:
      details.append(
        "hint: the rules of the proxy may forbid it; --noproxy HOST bypasses the proxy")
    }
    return Diagnosis(
      cause: "\(proxy) refused to connect to \(configuration.tunnel?.destination ?? "the server"): "
        + "\(status.code) \(brief(status.reasonPhrase))", details: details)
  }

  /// A proxy may send more text than is useful.
  private func brief(_ text: String) -> String { safe(String(text.prefix(200))) }

  private static func authenticationHint(_ ways: [String], isKnown: Bool) -> String {
    guard ways.isEmpty || ways.contains(where: { $0.lowercased().hasPrefix("basic") }) else {
      return "hint: it does not accept Basic authentication, the only method supported here"
    }
    return isKnown
      ? "hint: it rejects this user and password" : "hint: --proxy-user USER:PASSWORD"
  }

  private static func message(_ refusal: SOCKSRefusal) -> String {
    switch refusal {
    case .noAcceptableMethod: "it accepts none of the offered authentication methods"
    case .wrongCredentials: "it rejects this user and password"
    case .nameTooLong: "the host name is too long for SOCKS"
    // RFC 1928 section 6.
    case .reply(1): "general failure (SOCKS reply 1)"
    case .reply(2): "its rules forbid the connection (SOCKS reply 2)"
    case .reply(3): "network unreachable (SOCKS reply 3)"
    case .reply(4): "host unreachable (SOCKS reply 4)"
    case .reply(5): "connection refused by the server (SOCKS reply 5)"
    case .reply(6): "TTL expired (SOCKS reply 6)"
    case .reply(7): "it does not support CONNECT (SOCKS reply 7)"
    case .reply(8): "it does not support this type of address (SOCKS reply 8)"
    case .reply(let code): "SOCKS reply \(code)"
    }
  }

  private static func hint(_ refusal: SOCKSRefusal) -> String {
    switch refusal {
    case .noAcceptableMethod: "--proxy-user USER:PASSWORD, if it requires one"
    case .wrongCredentials: "--proxy-user USER:PASSWORD sets others"
    case .reply(8): "with socks5h, the proxy resolves the name"
    case .nameTooLong: "with socks5, wscope resolves the name"
    case .reply(2), .reply(7):
      "the rules of the proxy may forbid it; --noproxy HOST bypasses the proxy"
    case .reply: "the proxy cannot reach the server; are its name and port correct?"
    }
  }

  private static func message(_ kind: ConnectError.MalformedReply) -> String {
    switch kind {
    case .notHTTP: "it is not HTTP"
    case .headTooLarge: "its head is too large (over 8 KiB a line, 100 fields or 32 KiB)"
    case .tooManyInterimReplies: "more than 5 interim (1xx) replies"
    }
  }
}
