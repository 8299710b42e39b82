import NIOCore
import NIOHTTP1
import Terminal
import WebSocketNIO

/// Why there was no way through the proxy, in words. Everything that it has said is a stranger's.
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
        details: (attempts.count > 1 ? attempts.map(Self.words) : []) + [Self.hint])
    case .tls(let failure):
      var diagnosis = TLSDiagnostician(self, of: proxy).diagnose(failure)
      // Those are about the options for the server.
      diagnosis.details.removeAll { $0.hasPrefix("hint: ") || $0.hasPrefix("try: ") }
      if case .notTLS = failure {
        diagnosis.details.append("hint: a proxy that is spoken to in the clear is http://HOST:PORT")
      } else {
        diagnosis.details.append(
          "hint: this is about \(proxy), which speaks TLS itself and has a --proxy-cacert of its own"
        )
      }
      return diagnosis
    case .refused(let refusal):
      return refused(refusal)
    case .refusedBySOCKS(let refusal):
      return Diagnosis(
        cause: "\(proxy) refused: \(Self.words(refusal))", details: ["hint: \(Self.hint(refusal))"])
    case .malformedReply(let kind, let received):
      return Diagnosis(
        cause: "the reply of \(proxy) is not valid: \(Self.words(kind))",
        details: [
          "got: \(firstLine(received))",
          "hint: is it a proxy for HTTP? One for SOCKS is --proxy socks5h://HOST:PORT",
        ])
    case .notSOCKS(let received):
      return Diagnosis(
        cause: "\(proxy) does not speak SOCKS version 5",
        details: [
          "got: \(firstLine(received))", "hint: a proxy for HTTP is --proxy http://HOST:PORT",
        ])
    case .closed(let received, let errno):
      return Diagnosis(
        cause: "\(proxy) \(errno == nil ? "closed" : "reset") the connection "
          + (received.isEmpty ? "before it replied" : "inside its reply"),
        details: (received.isEmpty ? [] : ["got: \(firstLine(received))"]) + [
          "hint: is it a proxy, of this kind? https:// speaks TLS with it, socks5h:// SOCKS"
        ])
    }
  }

  private static let hint = "hint: --proxy, or a variable such as http_proxy, names the proxy"

  private func refused(_ refusal: HTTPRefusal) -> Diagnosis {
    let status = refusal.head.status
    let ways = refusal.head.headers["Proxy-Authenticate"]
    var details = ways.prefix(4).map { "proxy-authenticate: \(brief($0))" }
    let body = RefusalText.line(of: refusal.body)
    if !body.isEmpty { details.append("body: \(brief(body))") }
    switch status.code {
    // tinyproxy says 401 of a wrong password.
    case 401, 407:
      details.append(
        Self.authenticationHint(ways, isKnown: configuration.proxy?.credentials != nil))
    case 500...:
      details.append("hint: the proxy does not reach the server; is its name and its port right?")
    default:
      details.append("hint: its rules may not allow it; --noproxy HOST goes around the proxy")
    }
    return Diagnosis(
      cause: "\(proxy) refused to connect to \(configuration.tunnel?.destination ?? "the server"): "
        + "\(status.code) \(brief(status.reasonPhrase))", details: details)
  }

  /// A proxy may say more than anybody wants to read.
  private func brief(_ text: String) -> String { safe(String(text.prefix(200))) }

  private static func authenticationHint(_ ways: [String], isKnown: Bool) -> String {
    guard ways.isEmpty || ways.contains(where: { $0.lowercased().hasPrefix("basic") }) else {
      return "hint: it takes no passwords by Basic, and nothing else is spoken here"
    }
    return isKnown
      ? "hint: it does not take this user and password" : "hint: --proxy-user USER:PASSWORD"
  }

  private static func words(_ refusal: SOCKSRefusal) -> String {
    switch refusal {
    case .noAcceptableMethod: "it takes none of our ways to authenticate"
    case .wrongCredentials: "it does not take this user and password"
    case .nameTooLong: "the host name is too long for SOCKS"
    // RFC 1928 section 6.
    case .reply(1): "general failure (SOCKS reply 1)"
    case .reply(2): "its rules do not allow the connection (SOCKS reply 2)"
    case .reply(3): "the network is unreachable for it (SOCKS reply 3)"
    case .reply(4): "the host is unreachable for it (SOCKS reply 4)"
    case .reply(5): "the server refused its connection (SOCKS reply 5)"
    case .reply(6): "TTL expired (SOCKS reply 6)"
    case .reply(7): "it does not know CONNECT (SOCKS reply 7)"
    case .reply(8): "it does not know this type of address (SOCKS reply 8)"
    case .reply(let code): "SOCKS reply \(code)"
    }
  }

  private static func hint(_ refusal: SOCKSRefusal) -> String {
    switch refusal {
    case .noAcceptableMethod: "--proxy-user USER:PASSWORD, if it wants one"
    case .wrongCredentials: "--proxy-user USER:PASSWORD names others"
    case .reply(8): "socks5h has the proxy look the name up"
    case .nameTooLong: "socks5 looks the name up here, not at the proxy"
    case .reply(2), .reply(7): "its rules may not allow it; --noproxy HOST goes around the proxy"
    case .reply: "the proxy does not reach the server; is its name and its port right?"
    }
  }

  private static func words(_ kind: ConnectError.MalformedReply) -> String {
    switch kind {
    case .notHTTP: "it is no HTTP"
    case .headTooLarge: "its head is too large (over 8 KiB a line, 100 fields or 32 KiB)"
    case .tooManyInterimReplies: "more than 5 interim (1xx) replies"
    }
  }
}
