import NIOHPACK
import NIOHTTP1
import WebSocketProtocol

/// Converts header fields between HTTP/1.1, which the handshake code uses, and HTTP/2.
enum HTTP2Fields {
  /// The extended CONNECT equivalent to `request`, an HTTP/1.1 handshake (RFC 8441 section 5): "The
  /// "Connection" and "Upgrade" header fields [...] are not used", and there is no key.
  static func extendedConnect(_ request: HTTPRequestHead, isSecure: Bool) -> HPACKHeaders {
    var fields: HPACKHeaders = [
      ":method": "CONNECT", ":protocol": "websocket", ":scheme": isSecure ? "https" : "http",
      ":path": request.uri, ":authority": request.headers.first(name: "Host") ?? "",
    ]
    for (name, value) in request.headers {
      let name = name.lowercased()
      guard !ofConnection.contains(name), name != "host", name != "sec-websocket-key" else {
        continue
      }
      fields.add(name: name, value: value)
    }
    return fields
  }

  /// "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields"
  /// (RFC 9113 section 8.2.2); NIO resets a stream that does.
  private static let ofConnection: Set<String> = [
    "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te",
  ]

  /// The head of a request; nil without a method, or with neither a path nor an authority.
  static func request(_ fields: HPACKHeaders) -> HTTPRequestHead? {
    guard let method = fields.first(name: ":method") else { return nil }
    let authority = fields.first(name: ":authority")
    // A CONNECT for a tunnel has no path (RFC 9113 section 8.5).
    guard let target = fields.first(name: ":path") ?? authority else { return nil }
    var headers = ordinary(fields)
    if let authority, !headers.contains(name: "Host") {
      headers.add(name: "Host", value: authority)
    }
    return HTTPRequestHead(
      version: .http2, method: HTTPMethod(rawValue: method), uri: target, headers: headers)
  }

  /// The head of a reply; nil without a status.
  static func reply(_ fields: HPACKHeaders) -> HTTPResponseHead? {
    let text = fields.first(name: ":status") ?? ""
    guard text.utf8.count == 3, let status = Int(text, radix: 10), status >= 100 else { return nil }
    return HTTPResponseHead(
      version: .http2, status: HTTPResponseStatus(statusCode: status), headers: ordinary(fields))
  }

  /// The fields of a reply in HTTP/2.
  static func fields(_ reply: HTTPResponseHead) -> HPACKHeaders {
    var fields: HPACKHeaders = [":status": String(reply.status.code)]
    for (name, value) in reply.headers { fields.add(name: name.lowercased(), value: value) }
    return fields
  }

  private static func ordinary(_ fields: HPACKHeaders) -> HTTPHeaders {
    var headers = HTTPHeaders()
    for (name, value, _) in fields where !name.hasPrefix(":") {
      headers.add(name: name, value: value)
    }
    return headers.withoutOuterSpace
  }
}
