import NIOHTTP1
import TestPeers
import Testing
import WebSocketProtocol

/// RFC 6455 section 4.2 and SECURITY R4: which requests a server upgrades.
@Suite struct ServerHandshakeTests {
  private static let good = [
    ("Host", "localhost"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
  ]

  private func judge(
    _ edits: [String], method: HTTPMethod = .GET, version: HTTPVersion = .http1_1
  ) -> ServerHandshake.Verdict {
    ServerHandshake.judge(
      HTTPRequestHead(
        version: version, method: method, uri: "/", headers: HeadEdits(Self.good, edits).headers))
  }

  private func accept(
    _ edits: String..., offering subprotocols: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard case .upgrade(let request) = judge(edits) else {
      Issue.record("\(edits): \(judge(edits))", sourceLocation: sourceLocation)
      return
    }
    #expect(request.key == "dGhlIHNhbXBsZSBub25jZQ==", sourceLocation: sourceLocation)
    #expect(request.subprotocols == subprotocols, "\(edits)", sourceLocation: sourceLocation)
  }

  private func refuse(
    _ edits: String..., method: HTTPMethod = .GET, version: HTTPVersion = .http1_1,
    with status: HTTPResponseStatus = .badRequest,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let verdict = judge(edits, method: method, version: version)
    guard case .refuse(let refusal) = verdict else {
      Issue.record("\(edits): \(verdict)", sourceLocation: sourceLocation)
      return
    }
    #expect(refusal.status == status, "\(edits)", sourceLocation: sourceLocation)
    #expect(!refusal.explanation.isEmpty, sourceLocation: sourceLocation)
    #expect(
      refusal.headers == (status == .upgradeRequired ? ["Sec-WebSocket-Version": "13"] : [:]),
      sourceLocation: sourceLocation)
  }

  private func isNoUpgrade(
    _ edits: String..., method: HTTPMethod = .GET, version: HTTPVersion = .http1_1,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      judge(edits, method: method, version: version) == .notAnUpgrade, "\(edits)",
      sourceLocation: sourceLocation)
  }

  /// RFC 9112 section 3.2.4 and RFC 6455 section 3.
  @Test(arguments: ["*", "/#x", "/a?b#"]) func targetsThatAreNoPath(target: String) {
    var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target)
    head.headers = [
      "Host": "a", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ]
    guard case .refuse(let refusal) = ServerHandshake.judge(head) else {
      Issue.record("not refused")
      return
    }
    #expect(refusal.status == .badRequest)
  }

  @Test func requestsThatAreUpgraded() {
    accept()
    accept("Upgrade: WebSocket")
    accept("Upgrade: WEBSOCKET")
    accept("Upgrade:  websocket ")
    accept("Upgrade: h2c, websocket")
    accept("Upgrade: h2c", "+Upgrade: websocket")
    accept("Connection: upgrade")
    accept("Connection: keep-alive, Upgrade")
    accept("Connection: keep-alive", "+Connection: Upgrade")
    accept("Connection: ,Upgrade,")
    accept("host: example.com:8080")
    accept("Host: ")
    accept("+Origin: http://evil.example")
    accept("+Content-Length: 0")
    accept("+Cookie: a=b", "+Cookie: c=d", "+Authorization: Basic eA==")
    accept("+Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    accept("+Expect: 100-continue")
  }

  @Test func requestsForSomethingElse() {
    isNoUpgrade("-Upgrade", "-Connection", "-Sec-WebSocket-Key", "-Sec-WebSocket-Version")
    isNoUpgrade("Upgrade: h2c", "-Sec-WebSocket-Key")
    isNoUpgrade("Upgrade: websocketx", "-Sec-WebSocket-Key")
    isNoUpgrade("-Upgrade", "-Sec-WebSocket-Key")
    isNoUpgrade("-Upgrade", "-Sec-WebSocket-Key", method: .POST)
    isNoUpgrade("-Upgrade", "-Sec-WebSocket-Key", method: .HEAD)
    isNoUpgrade("-Upgrade", "-Sec-WebSocket-Key", version: .http1_0)
  }

  /// RFC 9112 section 3.2, for requests of any kind.
  @Test func hostIsThereOnce() {
    refuse("-Host")
    refuse("+Host: localhost")
    refuse("+Host: evil.example")
    refuse("+HOST: localhost")
    refuse("-Host", "-Upgrade", "-Sec-WebSocket-Key")
    refuse("+Host: b", "-Upgrade", "-Sec-WebSocket-Key")
    refuse("+Host: b", "+Host: c", method: .POST)
  }

  @Test func theMethodIsGET() {
    for method in [
      HTTPMethod.POST, .PUT, .HEAD, .OPTIONS, .DELETE, .TRACE, .CONNECT, .PATCH, .RAW(value: "get"),
      .RAW(value: "GETX"),
    ] {
      refuse(method: method)
      refuse("-Upgrade", method: method)
    }
  }

  @Test func theVersionOfHTTPIs11() {
    for (major, minor) in [(1, 0), (0, 9), (2, 0), (1, 2), (3, 0)] {
      refuse(version: HTTPVersion(major: major, minor: minor))
    }
  }

  @Test func upgradeNamesWebsocket() {
    refuse("-Upgrade")
    refuse("Upgrade: ")
    refuse("Upgrade: h2c")
    refuse("Upgrade: websocketx")
    refuse("Upgrade: web socket")
    refuse("Upgrade: websocket/13")
    refuse("Upgrade: \"websocket\"")
    refuse("Upgrade: websoc\u{212A}et")
  }

  @Test func connectionNamesUpgrade() {
    refuse("-Connection")
    refuse("Connection: ")
    refuse("Connection: keep-alive")
    refuse("Connection: close")
    refuse("Connection: upgraded")
    refuse("Connection: not upgrade")
    refuse("Connection: upgrade;x")
  }

  @Test func aRequestHasNoBody() {
    refuse("+Content-Length: 1")
    refuse("+Content-Length: 0", "+Content-Length: 5")
    refuse("+Content-Length: ")
    refuse("+Content-Length: 00")
    refuse("+Content-Length: -1")
    refuse("+Content-Length: 18446744073709551616")
    refuse("+Transfer-Encoding: chunked")
    refuse("+transfer-encoding: identity")
    refuse("+Transfer-Encoding: ", "+Content-Length: 0")
  }

  /// Section 4.2.2: 426, and which version would do.
  @Test func theVersionOfTheProtocolIs13Once() {
    refuse("-Sec-WebSocket-Version", with: .upgradeRequired)
    for version in ["", "8", "12", "14", "013", "13, 8", "13,13", "+13", "0xD", "٣", "13.0"] {
      refuse("Sec-WebSocket-Version:\(version)", with: .upgradeRequired)
    }
    refuse("+Sec-WebSocket-Version: 13", with: .upgradeRequired)
    refuse("+Sec-WebSocket-Version: 8", with: .upgradeRequired)
  }

  @Test func theKeyIsThereOnceAndHas16Bytes() {
    refuse("-Sec-WebSocket-Key")
    refuse("+Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    refuse("+Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==")
    for key in [
      "", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==",
      "dGhlIHNhbXBsZSBub25jZWU=", "dGhlIHNhbXBsZSBub25j-Q==", "dGhlIHNhbXBsZSBub25jZQ==,",
      "\"dGhlIHNhbXBsZSBub25jZ==", "dGhlIHNhbXBsZSBub25jéQ==", "SGVsbG8sIHdvcmxkIQ==",
    ] {
      refuse("Sec-WebSocket-Key: \(key)")
    }
  }

  @Test func subprotocolsAreDifferentTokens() {
    accept("+Sec-WebSocket-Protocol: chat", offering: ["chat"])
    accept("+Sec-WebSocket-Protocol: b, a ,c", offering: ["b", "a", "c"])
    accept(
      "+Sec-WebSocket-Protocol: b,a", "+Sec-WebSocket-Protocol: c", offering: ["b", "a", "c"])
    accept("+Sec-WebSocket-Protocol: chat, CHAT", offering: ["chat", "CHAT"])
    accept("+Sec-WebSocket-Protocol: v1.x_y~z!#$%&'*+-^`|", offering: ["v1.x_y~z!#$%&'*+-^`|"])
    // RFC 9110 section 5.6.1.2: empty elements are read over.
    accept("+Sec-WebSocket-Protocol: ")
    accept("+Sec-WebSocket-Protocol: ,, a,\t,", offering: ["a"])
    for wrong in [
      "a, a", "a,b,a", "a b", "a;b", "a=b", "a/b", "a:b", "(a)", "\"a\"", "a@b", "[a]", "{a}", "é",
      "a\u{7F}", "a\u{0}b", "a\u{1}", "<a>", "a?b", "a\\b",
    ] {
      refuse("+Sec-WebSocket-Protocol: \(wrong)")
    }
    refuse("+Sec-WebSocket-Protocol: a", "+Sec-WebSocket-Protocol: a")
  }

  /// SECURITY R4: a field is read in linear time.
  @Test func hugeFieldsAreReadInLinearTime() {
    let spaces = String(repeating: " ", count: 1 << 20)
    let time = cpuTime {
      accept("+Sec-WebSocket-Protocol: \(spaces)")
      accept("+Sec-WebSocket-Protocol: a\(spaces),\(spaces)b", offering: ["a", "b"])
      accept("Connection: \(spaces)Upgrade")
      refuse("+Sec-WebSocket-Protocol: a\(spaces)b")
      refuse("Sec-WebSocket-Key: \(spaces)")
      refuse("Upgrade: \(spaces)")
      refuse("Upgrade: websocket\(spaces)x")
      refuse("+Content-Length: \(spaces)")
      accept("+Sec-WebSocket-Protocol: \(String(repeating: ",", count: 1 << 20))")
    }
    #expect(time < .seconds(20))
  }

  /// Of several faults the first is named by its status; the version is the one with a status of
  /// its own.
  @Test func aFaultOfTheVersionIsToldBeforeOneOfTheKey() {
    refuse("-Sec-WebSocket-Version", "-Sec-WebSocket-Key", with: .upgradeRequired)
    refuse("-Sec-WebSocket-Version", "-Connection", with: .badRequest)
  }

  @Test func theReply() {
    guard case .upgrade(let request) = judge(["+Sec-WebSocket-Protocol: a, b"]) else {
      Issue.record("not upgraded")
      return
    }
    func fields(_ subprotocol: String?) -> [String] {
      let reply = ServerHandshake.accept(request, subprotocol: subprotocol)
      return ["\(reply.version)", "\(reply.status.code)"]
        + reply.headers.map { "\($0.name): \($0.value)" }
    }
    let plain = [
      "HTTP/1.1", "101", "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ]
    #expect(fields(nil) == plain)
    #expect(fields("b") == plain + ["Sec-WebSocket-Protocol: b"])
  }
}
