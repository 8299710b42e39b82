package import struct NIOHTTP1.HTTPHeaders
package import struct NIOHTTP1.HTTPRequestHead
package import struct NIOHTTP1.HTTPResponseHead
package import enum NIOHTTP1.HTTPMethod
package import enum NIOHTTP1.HTTPResponseStatus

/// The server's side of the opening handshake (RFC 6455 section 4.2): the verdict on a request, and
/// the reply as a value.
package enum ServerHandshake {
  /// A request that may be answered with 101.
  package struct Request: Sendable, Equatable {
    /// nil over HTTP/2, which has no key (RFC 8441 section 5).
    package var key: String?
    /// Subprotocols that the client offers, in its order of preference.
    package var subprotocols: [String]
    /// Extensions that the client offers, in its order of preference.
    package var extensions: [ExtensionOffer]
  }

  package enum Verdict: Sendable, Equatable {
    case upgrade(Request)
    /// An ordinary HTTP request that does not ask for an upgrade.
    case notAnUpgrade
    /// An invalid request for an upgrade, or an HTTP request without exactly one Host field.
    case refuse(Refusal)
  }

  /// Why a request is refused; `status` and `explanation` are used in the reply.
  package struct Refusal: Sendable, Equatable {
    package var status: HTTPResponseStatus
    package var explanation: String
    package var headers: [String: String] = [:]
  }

  /// Judges a request head.
  package static func judge(_ head: HTTPRequestHead) -> Verdict {
    let headers = head.headers
    let hosts = headers["Host"]
    // RFC 9112 section 3.2: 400 "to any HTTP/1.1 request message that lacks a Host header field
    // and to any request message that contains more than one".
    guard hosts.count == 1 else {
      return refuse(.badRequest, "the request must have exactly one Host field, not \(hosts.count)")
    }
    let asksUpgrade = HeaderTokens.contains("websocket", in: "Upgrade", of: headers)
    guard asksUpgrade || headers.contains(name: "Sec-WebSocket-Key") else { return .notAnUpgrade }
    guard head.method == .GET else {
      return refuse(.badRequest, "the method of a WebSocket handshake is GET, not \(head.method)")
    }
    guard isPath(head.uri) else { return refuse(.badRequest, noPath) }
    guard head.version == .http1_1 else {
      return refuse(.badRequest, "a WebSocket handshake requires HTTP/1.1")
    }
    guard asksUpgrade else {
      return refuse(.badRequest, "the Upgrade field must name websocket")
    }
    guard HeaderTokens.contains("upgrade", in: "Connection", of: headers) else {
      return refuse(.badRequest, "the Connection field must name Upgrade")
    }
    if headers.contains(name: "Transfer-Encoding") || announcesBody(headers) {
      return refuse(.badRequest, "a WebSocket handshake has no body")
    }
    if let refusal = wrongVersion(headers) { return .refuse(refusal) }
    let keys = headers["Sec-WebSocket-Key"]
    guard let key = keys.first, keys.count == 1 else {
      return refuse(.badRequest, "there must be exactly one Sec-WebSocket-Key, not \(keys.count)")
    }
    guard HandshakeKey.isValid(key) else {
      return refuse(.badRequest, "Sec-WebSocket-Key must be the base64 of 16 bytes")
    }
    return offer(headers, key: key)
  }

  /// Judges an extended CONNECT with the protocol "websocket" (RFC 8441 section 4); its `:path` is
  /// the target of `head` and its `:authority` the Host. The rules of HTTP/2 itself have been
  /// checked already.
  package static func judgeExtended(_ head: HTTPRequestHead) -> Verdict {
    guard isPath(head.uri) else { return refuse(.badRequest, noPath) }
    guard !announcesBody(head.headers) else {
      return refuse(.badRequest, "a WebSocket handshake has no body")
    }
    if let refusal = wrongVersion(head.headers) { return .refuse(refusal) }
    return offer(head.headers, key: nil)
  }

  /// "*" is for OPTIONS (RFC 9112 section 3.2.4), and "Fragment identifiers [...] MUST NOT be used"
  /// (RFC 6455 section 3).
  private static func isPath(_ target: String) -> Bool {
    target != "*" && !target.utf8.contains(UInt8(ascii: "#"))
  }

  private static let noPath = "the target of a WebSocket handshake is a path without a fragment"

  private static func announcesBody(_ headers: HTTPHeaders) -> Bool {
    headers["Content-Length"].contains { $0 != "0" }
  }

  /// Section 4.2.2: "an appropriate HTTP error code (such as 426 Upgrade Required) and a
  /// |Sec-WebSocket-Version| header field indicating the version(s) the server is capable of".
  private static func wrongVersion(_ headers: HTTPHeaders) -> Refusal? {
    guard headers["Sec-WebSocket-Version"] != ["13"] else { return nil }
    return Refusal(
      status: .upgradeRequired,
      explanation: "there must be exactly one Sec-WebSocket-Version, and it must be 13",
      headers: ["Sec-WebSocket-Version": "13"])
  }

  private static func offer(_ headers: HTTPHeaders, key: String?) -> Verdict {
    let offered = HeaderTokens.list("Sec-WebSocket-Protocol", in: headers)
    guard offered.allSatisfy(HeaderSyntax.isToken), Set(offered).count == offered.count else {
      return refuse(.badRequest, "Sec-WebSocket-Protocol must be a list of distinct tokens")
    }
    let field = headers["Sec-WebSocket-Extensions"].joined(separator: ", ")
    guard let extensions = ExtensionOffer.list(field) else {
      return refuse(.badRequest, "Sec-WebSocket-Extensions is not valid (RFC 6455 section 9.1)")
    }
    return .upgrade(Request(key: key, subprotocols: offered, extensions: extensions))
  }

  /// The reply that accepts `request`: a 101, or a 200 over HTTP/2. The subprotocol must be one of
  /// those offered; nil selects none. A nil `deflate` declines permessage-deflate.
  package static func accept(
    _ request: Request, subprotocol: String?, deflate: DeflateParameters? = nil
  ) -> HTTPResponseHead {
    var reply = HTTPResponseHead(version: .http2, status: .ok)
    if let key = request.key {
      reply = HTTPResponseHead(
        version: .http1_1, status: .switchingProtocols,
        headers: [
          "Upgrade": "websocket", "Connection": "Upgrade",
          "Sec-WebSocket-Accept": HandshakeKey.accept(key),
        ])
    }
    if let subprotocol { reply.headers.add(name: "Sec-WebSocket-Protocol", value: subprotocol) }
    if let deflate { reply.headers.add(name: "Sec-WebSocket-Extensions", value: deflate.text) }
    return reply
  }

  private static func refuse(_ status: HTTPResponseStatus, _ explanation: String) -> Verdict {
    .refuse(Refusal(status: status, explanation: explanation))
  }
}
