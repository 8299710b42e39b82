import NIOHTTP1
import Testing
import WebSocketProtocol

/// RFC 6455 section 4.1 and SECURITY R4: what a client sends, and which replies it takes.
@Suite struct ClientHandshakeTests {
  private static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
  private static let good = [
    ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept),
  ]

  /// With the key of section 1.3.
  private static func handshake(_ subprotocols: [String] = []) -> ClientHandshake {
    let bytes = Array("the sample nonce".utf8)
    let nonce = bytes.withUnsafeBytes {
      ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    return ClientHandshake(nonce: nonce, subprotocols: subprotocols)
  }

  private func check(
    _ edits: [String], _ verdict: ClientHandshake.Verdict, offering subprotocols: [String] = [],
    status: HTTPResponseStatus = .switchingProtocols, version: HTTPVersion = .http1_1,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let reply = HTTPResponseHead(
      version: version, status: status, headers: HeadEdits(Self.good, edits).headers)
    let came = Self.handshake(subprotocols).judge(reply)
    #expect(came == verdict, "\(edits)", sourceLocation: sourceLocation)
  }

  private func accept(
    _ edits: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    check(edits, .accepted(.init(subprotocol: nil)), sourceLocation: sourceLocation)
  }

  private func refuse(
    _ edits: String..., as violation: HandshakeViolation,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    check(edits, .invalid(violation), sourceLocation: sourceLocation)
  }

  @Test func repliesThatAreTaken() {
    accept()
    accept("Upgrade: WebSocket")
    accept("Upgrade: WEBSOCKET")
    accept("Upgrade:   websocket\t")
    accept("upgrade: websocket")
    accept("Upgrade: websocket,")
    accept("Connection: upgrade")
    accept("Connection: keep-alive, Upgrade")
    accept("Connection: Upgrade ,keep-alive")
    accept("Connection: keep-alive", "+Connection: upgrade")
    accept("Connection: ,,UPGRADE,,")
    accept("SEC-WEBSOCKET-ACCEPT: \(Self.accept)", "-Nothing")
    accept("+Server: x", "+Date: now", "+Set-Cookie: a=b", "+Set-Cookie: c=d")
    accept("+Content-Length: 0")
    accept("+Sec-WebSocket-Version: 13")
    accept("+Sec-WebSocket-Extensions: ")
  }

  @Test func theStatusIsJudgedFirst() {
    for code in [100, 103, 200, 204, 301, 302, 400, 401, 403, 404, 426, 429, 500, 503, 999] {
      check([], .refused, status: HTTPResponseStatus(statusCode: code))
      check(
        ["-Upgrade", "-Sec-WebSocket-Accept"], .refused,
        status: HTTPResponseStatus(statusCode: code), version: .http1_0)
    }
    // Whatever the words of the status line are.
    check(
      [], .accepted(.init(subprotocol: nil)),
      status: .custom(code: 101, reasonPhrase: "Web Socket Protocol Handshake"))
  }

  @Test func theVersionIsHTTP11() {
    check([], .invalid(.version("HTTP/1.0")), version: .http1_0)
    check([], .invalid(.version("HTTP/2.0")), version: .http2)
    check([], .invalid(.version("HTTP/0.9")), version: HTTPVersion(major: 0, minor: 9))
    check([], .invalid(.version("HTTP/1.2")), version: HTTPVersion(major: 1, minor: 2))
  }

  @Test func upgradeNamesWebsocketAndNothingElse() {
    refuse("-Upgrade", as: .missingUpgrade)
    refuse("Upgrade: ", as: .missingUpgrade)
    refuse("Upgrade:  , ,", as: .missingUpgrade)
    refuse("Upgrade: h2c", as: .wrongUpgrade("h2c"))
    refuse("Upgrade: websocketx", as: .wrongUpgrade("websocketx"))
    refuse("Upgrade: web socket", as: .wrongUpgrade("web socket"))
    refuse("Upgrade: websocket/13", as: .wrongUpgrade("websocket/13"))
    refuse("Upgrade: \"websocket\"", as: .wrongUpgrade("\"websocket\""))
    refuse("Upgrade: websocket, h2c", as: .wrongUpgrade("websocket, h2c"))
    refuse("+Upgrade: websocket", as: .wrongUpgrade("websocket, websocket"))
    refuse("+Upgrade: h2c", as: .wrongUpgrade("websocket, h2c"))
    // The Kelvin sign is no k, though it is one in lower case.
    refuse("Upgrade: websoc\u{212A}et", as: .wrongUpgrade("websoc\u{212A}et"))
    refuse("Upgrade: web\u{17F}ocket", as: .wrongUpgrade("web\u{17F}ocket"))
  }

  @Test func connectionNamesUpgrade() {
    refuse("-Connection", as: .missingConnection)
    refuse("Connection: ", as: .missingConnection)
    refuse("Connection: ,", as: .missingConnection)
    refuse("Connection: close", as: .wrongConnection("close"))
    refuse("Connection: keep-alive, close", as: .wrongConnection("keep-alive, close"))
    refuse("Connection: upgraded", as: .wrongConnection("upgraded"))
    refuse("Connection: not upgrade", as: .wrongConnection("not upgrade"))
    refuse("Connection: upgrade;q=1", as: .wrongConnection("upgrade;q=1"))
  }

  @Test func acceptIsTheAnswerToTheKeyOnce() {
    func wrong(_ got: String, sourceLocation: SourceLocation = #_sourceLocation) {
      refuse(
        "Sec-WebSocket-Accept: \(got)", as: .wrongAccept(got: got, expected: Self.accept),
        sourceLocation: sourceLocation)
    }
    refuse("-Sec-WebSocket-Accept", as: .missingAccept)
    refuse("+Sec-WebSocket-Accept: \(Self.accept)", as: .severalAccepts(2))
    refuse("+Sec-WebSocket-Accept: x", as: .severalAccepts(2))
    refuse("+Sec-WebSocket-Accept: x", "+Sec-WebSocket-Accept: y", as: .severalAccepts(3))
    wrong("")
    wrong("dGhlIHNhbXBsZSBub25jZQ==")
    wrong("s3pPLMBiTxaQ9kYGzzhZRbK+xOo")
    wrong("s3pPLMBiTxaQ9kYGzzhZRbK+xOo==")
    wrong("S3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    wrong("s3pPLMBiTxaQ9kYGzzhZRbK+xOp=")
    wrong("s3pPLMBiTxaQ9kYGzzhZRbK xOo=")
    wrong("\(Self.accept), \(Self.accept)")
    wrong("\"\(Self.accept)\"")
    wrong("\(Self.accept);x")
    // Equal as Unicode text, but not the same bytes.
    wrong("s3pPLMBiTxaQ9kYGzzhZRb\u{212A}+xOo=")
  }

  @Test func extensionsMustBeOffered() {
    func refuse(_ value: String, _ named: String) {
      self.refuse("Sec-WebSocket-Extensions: \(value)", as: .unofferedExtension(named))
    }
    refuse("permessage-deflate", "permessage-deflate")
    refuse(
      "permessage-deflate; server_no_context_takeover", "permessage-deflate")
    refuse("x-webkit-deflate-frame", "x-webkit-deflate-frame")
    refuse(", ,foo, bar", "foo")
    self.refuse(
      "+Sec-WebSocket-Extensions: ", "+Sec-WebSocket-Extensions: foo",
      as: .unofferedExtension("foo"))
  }

  @Test func oneOfTheOfferedSubprotocolsMayBeChosen() {
    let offered = ["chat.v2", "chat.v1", "Kelvin"]
    for chosen in offered {
      check(
        ["Sec-WebSocket-Protocol: \(chosen)"], .accepted(.init(subprotocol: chosen)),
        offering: offered)
    }
    // To choose none is allowed; what to make of it is the caller's business.
    check([], .accepted(.init(subprotocol: nil)), offering: offered)
    for wrong in [
      "", "chat", "chat.v3", "CHAT.V2", "chat.v2 ", "chat.v2,", "chat.v2, chat.v1", "chat.v2;x",
      "\u{212A}elvin", "chat.v2\u{0}",
    ] {
      check(
        ["Sec-WebSocket-Protocol:\(wrong)"], .invalid(.unofferedSubprotocol(wrong)),
        offering: offered)
    }
    check(["Sec-WebSocket-Protocol: chat"], .invalid(.unofferedSubprotocol("chat")))
    check(["Sec-WebSocket-Protocol: "], .invalid(.unofferedSubprotocol("")))
    check(
      ["+Sec-WebSocket-Protocol: chat.v1", "+Sec-WebSocket-Protocol: chat.v1"],
      .invalid(.severalSubprotocols("chat.v1, chat.v1")), offering: offered)
    check(
      ["+Sec-WebSocket-Protocol: chat.v1", "+Sec-WebSocket-Protocol: chat.v2"],
      .invalid(.severalSubprotocols("chat.v1, chat.v2")), offering: offered)
  }

  /// Of several faults the first in the order of the RFC is named.
  @Test func theFirstFaultIsNamed() {
    let everything = [
      "-Upgrade", "-Connection", "-Sec-WebSocket-Accept",
      "+Sec-WebSocket-Extensions: x", "+Sec-WebSocket-Protocol: y",
    ]
    let order: [HandshakeViolation] = [
      .missingUpgrade, .missingConnection, .missingAccept, .unofferedExtension("x"),
      .unofferedSubprotocol("y"),
    ]
    for (count, violation) in order.enumerated() {
      check(Array(everything.dropFirst(count)), .invalid(violation))
    }
  }

  // MARK: The request

  private func fields(
    _ url: String, _ handshake: ClientHandshake = handshake(), origin: String? = nil,
    extra: [(String, String)] = []
  ) throws -> [String] {
    let head = handshake.request(
      for: try WebSocketURL.parse(url), origin: origin, userAgent: "wscope/1", extra: extra)
    #expect(head.method == .GET)
    #expect(head.version == .http1_1)
    return [head.uri] + head.headers.map { "\($0.name): \($0.value)" }
  }

  @Test func theRequest() throws {
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    #expect(
      try fields("ws://Example.com:8080/chat?x=é") == [
        "/chat?x=%C3%A9", "Host: example.com:8080", "User-Agent: wscope/1", "Upgrade: websocket",
        "Connection: Upgrade", key, "Sec-WebSocket-Version: 13",
      ])
    #expect(
      try fields("wss://me:secret@[::1]", Self.handshake(["a", "b"]), origin: "http://o") == [
        "/", "Host: [::1]", "User-Agent: wscope/1", "Upgrade: websocket", "Connection: Upgrade",
        key, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: a, b", "Origin: http://o",
      ])
    #expect(try fields("ws+unix:/s:/x").prefix(2) == ["/x", "Host: localhost"])
  }

  /// Host and User-Agent of the user take the place of ours, everything else is added.
  @Test func fieldsOfTheUser() throws {
    let fields = try fields(
      "ws://a/", extra: [("X-A", "1"), ("host", "b"), ("X-A", "2"), ("USER-AGENT", "mine")])
    #expect(
      fields == [
        "/", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "X-A: 1",
        "host: b", "X-A: 2", "USER-AGENT: mine",
      ])
  }

  @Test func aRequestIsAcceptedByOurOwnServer() throws {
    for subprotocols in [[], ["a"], ["a", "b"]] {
      let handshake = Self.handshake(subprotocols)
      let head = handshake.request(
        for: try WebSocketURL.parse("ws://a/"), origin: "http://a", userAgent: "x")
      guard case .upgrade(let request) = ServerHandshake.judge(head) else {
        Issue.record("\(ServerHandshake.judge(head))")
        continue
      }
      #expect(request.subprotocols == subprotocols)
      let reply = ServerHandshake.accept(request, subprotocol: subprotocols.last)
      #expect(reply.status == .switchingProtocols)
      #expect(reply.version == .http1_1)
      #expect(handshake.judge(reply) == .accepted(.init(subprotocol: subprotocols.last)))
    }
  }
}
