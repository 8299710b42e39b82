import NIOHTTP1
import WebSocketProtocol

/// `/status/CODE`: rejects the upgrade with an HTTP status.
enum StatusPath {
  static let entry = TestPathEntry(
    pattern: "/status/{code}", query: ["body", "header"],
    summary: "Rejects the upgrade with this HTTP status; header=Name:value adds a field.",
    answersHTTP: true
  ) { arguments throws(InvalidArgument) in
    let code = try arguments.number("code", in: 200...599) ?? 200
    var fields: [(String, String)] = []
    for text in arguments.target.values("header") { fields.append(try field(text)) }
    return .reply(try reply(code, arguments.text("body"), fields))
  }

  /// Creates a reply that rejects an upgrade.
  ///
  /// - Parameters:
  ///   - code: The status code, 200 to 599.
  ///   - text: The body, for a redirect also the Location; nil for the status as the body.
  ///   - fields: Fields in addition to those that the status requires.
  /// - Returns: The reply.
  /// - Throws: `InvalidArgument` for an invalid Location.
  static func reply(
    _ code: Int, _ text: String?, _ fields: [(String, String)] = []
  ) throws(InvalidArgument) -> HTTPReplyText {
    let status = HTTPResponseStatus(statusCode: code)
    let fields = requiredFields(code) + fields
    guard (300...399).contains(code), let text, !text.isEmpty else {
      let body = text.flatMap { $0.isEmpty ? nil : $0 }
      return HTTPReplyText(
        status: status, fields: fields, body: body ?? "\(code) \(status.reasonPhrase)")
    }
    return HTTPReplyText(
      status: status, fields: fields + [("Location", try location(text))], body: text)
  }

  /// The fields that a client needs to act on the status.
  private static func requiredFields(_ code: Int) -> [(String, String)] {
    switch code {
    case 401: [("WWW-Authenticate", "Basic realm=\"wscope\"")]
    case 426: [("Sec-WebSocket-Version", "13")]
    case 429, 503: [("Retry-After", "1")]
    default: []
    }
  }

  private static func field(_ text: String) throws(InvalidArgument) -> (String, String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, HeaderSyntax.isToken(String(parts[0])) else {
      throw InvalidArgument("header: invalid field \"\(text)\" (expected Name:value)")
    }
    let name = String(parts[0])
    let value = String(parts[1].drop { $0 == " " })
    guard HeaderSyntax.firstForbiddenByte(inValue: value) == nil else {
      throw InvalidArgument("header: the value of \(name) contains a control character")
    }
    // The URL may come from another site: it must not change the framing of the reply, the security
    // policy of the browser, or what the browser stores for this host.
    let lowercase = name.lowercased()
    guard !reserved.contains(lowercase), !lowercase.hasPrefix("access-control-"),
      !lowercase.hasPrefix("sec-websocket-")
    else {
      throw InvalidArgument("header: \(name) cannot be set")
    }
    if lowercase == "location" { return (name, try location(value)) }
    return (name, value)
  }

  private static let reserved: Set<String> = [
    "connection", "content-length", "content-security-policy", "date", "keep-alive", "set-cookie",
    "trailer", "transfer-encoding", "upgrade", "x-content-type-options", "clear-site-data",
    "strict-transport-security", "service-worker-allowed", "refresh",
  ]

  private static func location(_ text: String) throws(InvalidArgument) -> String {
    guard HeaderSyntax.firstForbiddenByte(inValue: text) == nil else {
      throw InvalidArgument("the location contains a control character")
    }
    let scheme = text.prefix { $0 != ":" && $0 != "/" && $0 != "?" && $0 != "#" }
    let hasScheme = text[scheme.endIndex...].hasPrefix(":")
    guard !hasScheme || ["http", "https", "ws", "wss"].contains(scheme.lowercased()) else {
      throw InvalidArgument("the location must be relative, or http, https, ws or wss")
    }
    return text
  }
}
