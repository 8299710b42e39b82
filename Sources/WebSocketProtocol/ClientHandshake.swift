package import struct NIOHTTP1.HTTPHeaders
package import struct NIOHTTP1.HTTPRequestHead
package import struct NIOHTTP1.HTTPResponseHead
package import enum NIOHTTP1.HTTPResponseStatus

/// The client's side of the opening handshake (RFC 6455 section 4.1): the request as a value, and
/// the verdict on the reply.
package struct ClientHandshake: Sendable {
  package var key: String
  /// Subprotocols offered, in order of preference.
  package var subprotocols: [String]
  /// The permessage-deflate offer; nil offers none.
  package var deflate: DeflateParameters?

  /// - Parameters:
  ///   - nonce: 16 random bytes.
  ///   - subprotocols: tokens, offered in this order.
  ///   - deflate: the permessage-deflate offer; nil offers none.
  package init(
    nonce: (UInt64, UInt64), subprotocols: [String] = [], deflate: DeflateParameters? = nil
  ) {
    key = HandshakeKey.encode(nonce: nonce)
    self.subprotocols = subprotocols
    self.deflate = deflate
  }

  /// The request to send. The user's fields (`extra`) called Host or User-Agent replace the default
  /// ones; all others are added. Fields of `forced` replace all fields of the same name, including
  /// those of the handshake itself; a forced field with an empty value only removes them.
  package func request(
    for url: WebSocketURL, origin: String? = nil, userAgent: String, extra: [(String, String)] = [],
    forced: [(String, String)] = []
  ) -> HTTPRequestHead {
    var headers = HTTPHeaders([
      ("Host", url.hostField), ("User-Agent", userAgent),
      ("Upgrade", "websocket"), ("Connection", "Upgrade"),
      ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13"),
    ])
    if !subprotocols.isEmpty {
      headers.add(name: "Sec-WebSocket-Protocol", value: subprotocols.joined(separator: ", "))
    }
    if let deflate { headers.add(name: "Sec-WebSocket-Extensions", value: deflate.text) }
    if let origin { headers.add(name: "Origin", value: origin) }
    for replaced in ["Host", "User-Agent"]
    where extra.contains(where: { HeaderTokens.equalsIgnoringCase($0.0, replaced) }) {
      headers.remove(name: replaced)
    }
    for (name, value) in extra { headers.add(name: name, value: value) }
    for (name, _) in forced { headers.remove(name: name) }
    for (name, value) in forced where !value.isEmpty { headers.add(name: name, value: value) }
    return HTTPRequestHead(version: .http1_1, method: .GET, uri: url.target, headers: headers)
  }

  /// Makes the reply be judged by `fields`, which replace those of the request: by their key,
  /// subprotocols and extensions.
  package mutating func adopt(_ fields: [(String, String)]) {
    func values(_ name: String) -> [String]? {
      let found = fields.filter { HeaderTokens.equalsIgnoringCase($0.0, name) }.map(\.1)
      return found.isEmpty ? nil : found
    }
    if let keys = values("Sec-WebSocket-Key") { key = keys[0] }
    if let lists = values("Sec-WebSocket-Protocol") {
      subprotocols = lists.flatMap { list in
        list.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
      }
    }
    if let lists = values("Sec-WebSocket-Extensions") {
      let offers = ExtensionOffer.list(lists.joined(separator: ", ")) ?? []
      deflate = offers.lazy.compactMap { DeflateParameters($0) }.first
    }
  }

  /// The verdict on a reply.
  package enum Verdict: Sendable, Equatable {
    /// The connection is now a WebSocket connection.
    case accepted(Negotiated)
    /// The server answered with a status other than 101.
    case refused
    /// The server claims to have switched protocols, but the reply breaks a rule.
    case invalid(HandshakeViolation)
  }

  /// The parameters that both sides agreed on.
  package struct Negotiated: Sendable, Hashable {
    package var subprotocol: String?
    package var deflate: DeflateParameters?

    package init(subprotocol: String? = nil, deflate: DeflateParameters? = nil) {
      self.subprotocol = subprotocol
      self.deflate = deflate
    }
  }

  /// Judges the reply by the six rules of RFC 6455 section 4.1.
  package func judge(_ reply: HTTPResponseHead) -> Verdict {
    guard reply.status.code == 101 else { return .refused }
    do {
      return .accepted(try check(reply))
    } catch {
      return .invalid(error)
    }
  }

  private func check(_ reply: HTTPResponseHead) throws(HandshakeViolation) -> Negotiated {
    guard reply.version == .http1_1 else {
      throw .version("HTTP/\(reply.version.major).\(reply.version.minor)")
    }
    // "If the response lacks an |Upgrade| header field or [it] contains a value that is not an
    // ASCII case-insensitive match for the value "websocket""
    let upgrades = HeaderTokens.list("Upgrade", in: reply.headers)
    guard let upgrade = upgrades.first else { throw .missingUpgrade }
    guard upgrades.count == 1, HeaderTokens.equalsIgnoringCase(upgrade, "websocket") else {
      throw .wrongUpgrade(upgrades.joined(separator: ", "))
    }
    let connections = HeaderTokens.list("Connection", in: reply.headers)
    guard !connections.isEmpty else { throw .missingConnection }
    guard connections.contains(where: { HeaderTokens.equalsIgnoringCase($0, "upgrade") }) else {
      throw .wrongConnection(connections.joined(separator: ", "))
    }
    let accepts = reply.headers["Sec-WebSocket-Accept"]
    guard let accept = accepts.first else { throw .missingAccept }
    guard accepts.count == 1 else { throw .severalAccepts(accepts.count) }
    let expected = HandshakeKey.accept(key)
    guard Self.isSame(accept, expected) else {
      throw .wrongAccept(got: accept, expected: expected)
    }
    return try negotiated(reply.headers)
  }

  /// Judges the reply to an extended CONNECT: "a 2XX series status code" accepts it (RFC 8441
  /// section 5).
  package func judgeExtended(_ reply: HTTPResponseHead) -> Verdict {
    guard (200..<300).contains(reply.status.code) else { return .refused }
    do {
      return .accepted(try negotiated(reply.headers))
    } catch {
      return .invalid(error)
    }
  }

  private func negotiated(_ headers: HTTPHeaders) throws(HandshakeViolation) -> Negotiated {
    let extensions = headers["Sec-WebSocket-Extensions"].joined(separator: ", ")
    guard let answers = ExtensionOffer.list(extensions) else { throw .wrongExtension(extensions) }
    var negotiated = Negotiated()
    negotiated.deflate = try DeflateChoice.check(answers, offered: deflate)
    let chosen = headers["Sec-WebSocket-Protocol"]
    guard chosen.count <= 1 else { throw .severalSubprotocols(chosen.joined(separator: ", ")) }
    guard let subprotocol = chosen.first else { return negotiated }
    guard subprotocols.contains(where: { Self.isSame($0, subprotocol) }) else {
      throw .unofferedSubprotocol(subprotocol)
    }
    negotiated.subprotocol = subprotocol
    return negotiated
  }

  /// Compares bytes: Swift strings are equal if they are canonically equivalent, so that the Kelvin
  /// sign would equal a K.
  private static func isSame(_ one: String, _ other: String) -> Bool {
    one.utf8.elementsEqual(other.utf8)
  }
}

/// Why a 101 reply is invalid. Values are quoted from the reply.
package enum HandshakeViolation: Error, Hashable, Sendable {
  case version(String)
  case missingUpgrade
  case wrongUpgrade(String)
  case missingConnection
  case wrongConnection(String)
  case missingAccept
  case severalAccepts(Int)
  case wrongAccept(got: String, expected: String)
  case unofferedExtension(String)
  /// The answer to permessage-deflate breaks the grammar or the offer.
  case wrongExtension(String)
  case unofferedSubprotocol(String)
  case severalSubprotocols(String)
}
