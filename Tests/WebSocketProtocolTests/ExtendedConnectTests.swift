import NIOHTTP1
import Testing
import WebSocketProtocol

/// The handshake over HTTP/2 (RFC 8441 section 5), of which HTTP/2 itself is not a part.
@Suite struct ExtendedConnectTests {
  private static let asked = [("Host", "localhost"), ("Sec-WebSocket-Version", "13")]

  private func judge(_ edits: [String], uri: String = "/chat") -> ServerHandshake.Verdict {
    ServerHandshake.judgeExtended(
      HTTPRequestHead(
        version: .http2, method: .CONNECT, uri: uri,
        headers: HeadEdits(Self.asked, edits).headers))
  }

  @Test func aRequestNeedsNoKeyAndNoUpgrade() {
    guard case .upgrade(let bare) = judge([]) else {
      Issue.record("\(judge([]))")
      return
    }
    #expect(bare.key == nil && bare.subprotocols.isEmpty && bare.extensions.isEmpty)
    let offered = judge([
      "+Sec-WebSocket-Protocol: a, b", "+Sec-WebSocket-Extensions: permessage-deflate",
      "+Content-Length: 0",
    ])
    guard case .upgrade(let request) = offered else {
      Issue.record("\(offered)")
      return
    }
    #expect(request.subprotocols == ["a", "b"])
    #expect(request.extensions.map(\.name) == ["permessage-deflate"])
  }

  @Test(arguments: [
    (["Sec-WebSocket-Version: 8"], "/", HTTPResponseStatus.upgradeRequired),
    (["-Sec-WebSocket-Version"], "/", .upgradeRequired),
    (["+Sec-WebSocket-Version: 13"], "/", .upgradeRequired),
    (["+Content-Length: 5"], "/", .badRequest),
    (["+Sec-WebSocket-Protocol: a, a"], "/", .badRequest),
    (["+Sec-WebSocket-Protocol: a b"], "/", .badRequest),
    (["+Sec-WebSocket-Extensions: ;"], "/", .badRequest),
    ([], "*", .badRequest), ([], "/a#b", .badRequest),
  ])
  func whatIsWrongIsRefused(edits: [String], uri: String, status: HTTPResponseStatus) {
    guard case .refuse(let refusal) = judge(edits, uri: uri) else {
      Issue.record("\(judge(edits, uri: uri))")
      return
    }
    #expect(refusal.status == status)
    #expect(!refusal.explanation.isEmpty)
  }

  @Test func theReplyIsA200() throws {
    guard case .upgrade(let request) = judge([]) else {
      Issue.record("\(judge([]))")
      return
    }
    let bare = ServerHandshake.accept(request, subprotocol: nil)
    #expect(bare.status == .ok && bare.version == .http2 && bare.headers.isEmpty)
    let full = ServerHandshake.accept(request, subprotocol: "a", deflate: DeflateParameters())
    #expect(full.headers["sec-websocket-protocol"] == ["a"])
    #expect(full.headers["sec-websocket-extensions"] == ["permessage-deflate"])
  }

  // MARK: The client

  private let handshake = ClientHandshake(
    nonce: (1, 2), subprotocols: ["a", "b"], deflate: DeflateParameters())

  private func judge(
    status: Int, _ fields: HTTPHeaders = [:]
  ) -> ClientHandshake.Verdict {
    handshake.judgeExtended(
      HTTPResponseHead(
        version: .http2, status: HTTPResponseStatus(statusCode: status), headers: fields))
  }

  @Test func any2xxAccepts() {
    for status in [200, 204, 299] { #expect(judge(status: status) == .accepted(.init())) }
    for status in [101, 103, 199, 300, 403, 500] { #expect(judge(status: status) == .refused) }
  }

  @Test func theRestIsJudgedAsOverHTTP11() {
    #expect(
      judge(
        status: 200,
        ["sec-websocket-protocol": "b", "sec-websocket-extensions": "permessage-deflate"])
        == .accepted(.init(subprotocol: "b", deflate: DeflateParameters())))
    #expect(
      judge(status: 200, ["sec-websocket-protocol": "c"]) == .invalid(.unofferedSubprotocol("c")))
    #expect(
      judge(status: 200, ["sec-websocket-extensions": "x"]) == .invalid(.unofferedExtension("x")))
    #expect(
      judge(status: 200, ["sec-websocket-extensions": ";"]) == .invalid(.wrongExtension(";")))
  }
}
