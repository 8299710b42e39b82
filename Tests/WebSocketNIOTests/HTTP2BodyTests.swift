import NIOCore
import NIOHTTP1
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

/// Request bodies over HTTP/2: DATA frames up to END_STREAM.
@Suite(.blocking) struct HTTP2BodyTests {
  private static func frame(_ kind: UInt8, _ flags: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [0, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF), kind, flags, 0, 0, 0, 1] + payload
  }

  /// A literal field without indexing (RFC 7541 section 6.2.2).
  private static func literal(_ name: String, _ value: String) -> [UInt8] {
    [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
  }

  private static func post(_ fields: [UInt8] = [], isEnd: Bool = false) -> [UInt8] {
    let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]
    // POST and http of the static table.
    let block = [0x83, 0x86] + literal(":path", "/read") + literal(":authority", "h") + fields
    return preface + settings + frame(1, isEnd ? 5 : 4, block)
  }

  private static func data(_ text: String, isEnd: Bool) -> [UInt8] {
    frame(0, isEnd ? 1 : 0, Array(text.utf8))
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var request: [UInt8]
    var reply: String
    var testDescription: String { name }
  }

  static let rows = [
    Row(
      name: "in two frames", request: post() + data("he", isEnd: false) + data("llo", isEnd: true),
      reply: "<hello>\n"),
    Row(name: "none", request: post(isEnd: true), reply: "<>\n"),
    Row(name: "at the limit", request: post() + data("0123456789", isEnd: true), reply: "9>\n"),
    Row(
      name: "over the limit", request: post() + data("01234567890", isEnd: false),
      reply: "the body is over 10 bytes\n"),
    Row(
      name: "over the limit, announced", request: post(literal("content-length", "11")),
      reply: "the body is over 10 bytes\n"),
    Row(
      name: "not complete in time", request: post() + data("x", isEnd: false),
      reply: "the body was not complete within the time limit\n"),
  ]

  @Test(arguments: rows) func isRead(_ row: Row) async throws {
    try await Road.channel.withServer {
      $0.http2 = true
      $0.bodyTimeout = row.name == "not complete in time" ? .milliseconds(100) : .seconds(100)
    } page: { _ in
      .reading(limit: 10) { body in .reply(HTTPReply(.ok, text: "<\(String(buffer: body))>")) }
    } consumer: {
      Mirror(Diary())
    } _: { port in
      let client = try RawClient(port: port)
      client.send(row.request)
      let reply = Array(row.reply.utf8)
      var came: [UInt8] = []
      while came.suffix(reply.count) != reply[...], let more = client.read(1).first {
        came.append(more)
      }
      #expect(came.suffix(reply.count) == reply[...])
    }
  }
}
