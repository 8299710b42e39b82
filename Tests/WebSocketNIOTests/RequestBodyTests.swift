import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestPeers
import Testing
import WebSocketProtocol

@testable import WebSocketNIO

/// Request bodies over HTTP/1.1: only an answer that depends on a body waits for it (SECURITY R3, R4).
@Suite(.blocking) struct RequestBodyTests {
  private static let limit = 10

  /// `POST /read` is answered with its body; everything else with `page`.
  private static func makeChannel() throws -> EmbeddedChannel {
    let channel = EmbeddedChannel()
    channel.allowRemoteHalfClosure = true
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80)).wait()
    let handler = ServerUpgradeHandler(ServerConfiguration()) { request in
      guard request.head.uri == "/read" else { return .reply(HTTPReply(.ok, text: "page")) }
      return .reading(limit: limit) { body in
        let reply = HTTPAnswer.reply(HTTPReply(.ok, text: "<\(String(buffer: body))>"))
        // The answer may also be known later.
        return request.head.headers.contains(name: "Later")
          ? .delayed(by: .seconds(1), reply) : reply
      }
    }
    try handler.install(on: channel)
    return channel
  }

  private static func output(_ channel: EmbeddedChannel) -> String {
    var text = ""
    while let written = try? channel.readOutbound(as: ByteBuffer.self) {
      text += String(buffer: written)
    }
    return text
  }

  /// The status codes and the bodies of the replies to bytes that come in such pieces.
  private static func replies(to pieces: [ArraySlice<UInt8>]) throws -> [String] {
    let channel = try makeChannel()
    for piece in pieces where channel.isActive && !piece.isEmpty {
      _ = try? channel.writeInbound(ByteBuffer(bytes: piece))
      channel.embeddedEventLoop.run()
    }
    channel.embeddedEventLoop.advanceTime(by: .seconds(2))
    let text = output(channel)
    _ = try? channel.finish()
    return text.split(separator: "HTTP/1.1 ").map { reply in
      let status = reply.prefix(3)
      let body = reply.split(separator: "\r\n\r\n", maxSplits: 1).dropFirst().first ?? ""
      return "\(status) \(body)".filter { $0 != "\n" }
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var request: String
    var replies: [String]
    var testDescription: String { name }
  }

  private static let over = "413 the body is over 10 bytes"
  static let rows: [Row] = [
    Row(name: "a body", request: post("Content-Length: 5", "hello"), replies: ["200 <hello>"]),
    Row(name: "no body", request: post("X: y", ""), replies: ["200 <>"]),
    Row(name: "an empty one", request: post("Content-Length: 0", ""), replies: ["200 <>"]),
    Row(
      name: "at the limit", request: post("Content-Length: 10", "0123456789"),
      replies: ["200 <0123456789>"]),
    Row(name: "over it", request: post("Content-Length: 11", "01234567890"), replies: [over]),
    Row(name: "over it, announced", request: post("Content-Length: 11", ""), replies: [over]),
    Row(
      name: "chunked",
      request: post("Transfer-Encoding: chunked", "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n"),
      replies: ["200 <abcde>"]),
    Row(
      name: "chunked, over the limit",
      request: post("Transfer-Encoding: chunked", "6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n"),
      replies: [over]),
    Row(
      name: "two requests in one segment",
      request: post("Content-Length: 1", "a") + post("Content-Length: 2", "bc")
        + "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
      replies: ["200 <a>", "200 <bc>", "200 page"]),
    Row(
      name: "a request after one that is answered later",
      request: post("Later: 1\r\nContent-Length: 1", "a") + post("Content-Length: 2", "bc"),
      replies: ["200 <a>", "200 <bc>"]),
    // Bytes that the decoder has with the end of the body are not answered.
    Row(
      name: "a request after a chunked body",
      request: post("Transfer-Encoding: chunked", "1\r\na\r\n0\r\n\r\n")
        + post("Content-Length: 1", "b"),
      replies: ["200 <a>"]),
    Row(
      name: "another transfer coding",
      request: post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
      replies: ["501 the only supported transfer coding is chunked"]),
    Row(
      name: "a body that nothing reads",
      request: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n01234567890123456789"
        + post("Content-Length: 1", "a"),
      replies: ["200 page", "200 <a>"]),
    Row(
      name: "100 Continue", request: post("Expect: 100-continue\r\nContent-Length: 1", "a"),
      replies: ["100 ", "200 <a>"]),
    Row(
      name: "no 100 Continue for too much",
      request: post("Expect: 100-continue\r\nContent-Length: 11", ""), replies: [over]),
  ]

  private static func post(_ fields: String, _ body: String) -> String {
    "POST /read HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\r\n\(body)"
  }

  @Test(arguments: rows) func isRead(_ row: Row) throws {
    let bytes = Array(row.request.utf8)
    #expect(try Self.replies(to: [bytes[...]]) == row.replies)
    #expect(try Self.replies(to: bytes.indices.map { bytes[$0...$0] }) == row.replies)
    for cut in bytes.indices {
      let replies = try Self.replies(to: [bytes[..<cut], bytes[cut...]])
      #expect(replies == row.replies, "cut at \(cut)")
    }
  }

  /// The parser refuses these before there is an answer.
  @Test(arguments: [
    "Content-Length: 1\r\nContent-Length: 1", "Content-Length: 1\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 1", "Content-Length: +1", "Content-Length: 1, 1",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
  ])
  func twoReadingsAreRefused(_ fields: String) throws {
    let replies = try Self.replies(to: [Array(Self.post(fields, "a").utf8)[...]])
    #expect(replies.first?.hasPrefix("400 not a valid ") == true, "\(replies)")
  }

  @Test(arguments: [
    ([("Content-Length", "1"), ("Content-Length", "1")], RequestBodyProblem.ambiguousLength),
    ([("Content-Length", "1"), ("Transfer-Encoding", "chunked")], .ambiguousLength),
    ([("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")], .ambiguousLength),
    ([("Content-Length", "-1")], .invalidLength), ([("Content-Length", "")], .invalidLength),
    ([("Content-Length", "99999999999999999999")], .invalidLength),
    ([("Transfer-Encoding", "identity")], .unknownCoding),
  ])
  func fieldsWithTwoReadingsAreRefused(
    _ fields: [(String, String)], _ problem: RequestBodyProblem
  ) {
    let error = #expect(throws: RequestBodyProblem.self) {
      try RequestBody.framing(HTTPHeaders(fields))
    }
    #expect(error == problem)
  }

  /// Absolute, not per byte.
  @Test func aBodyThatIsNotCompleteInTimeIsRefused() throws {
    let channel = try Self.makeChannel()
    try channel.writeInbound(ByteBuffer(string: Self.post("Content-Length: 9", "")))
    for _ in 0..<5 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(5))
      try channel.writeInbound(ByteBuffer(string: "x"))
    }
    #expect(Self.output(channel) == "")
    channel.embeddedEventLoop.advanceTime(by: .seconds(5))
    let reply = Self.output(channel)
    #expect(reply.hasPrefix("HTTP/1.1 408 ") && reply.contains("Connection: close"), "\(reply)")
    _ = try? channel.finish()
  }

  /// The bodies of all connections share their limit, and leave it when they are answered or lost.
  @Test func allBodiesTogetherAreLimited() throws {
    let bodies = RequestBodies(limit: 10)
    let piece = { (count: Int) in ByteBuffer(repeating: 0x61, count: count) }
    var first: RequestBody? = RequestBody(limit: 8, of: bodies)
    try first?.append(piece(8))
    do {
      var second = RequestBody(limit: 8, of: bodies)
      try second.append(piece(2))
      #expect(throws: RequestBodyProblem.tooMany) { try second.append(piece(1)) }
      #expect(second.bytes.readableBytes == 0)
    }
    var third = RequestBody(limit: 8, of: bodies)
    #expect(throws: RequestBodyProblem.tooMany) { try third.append(piece(3)) }
    first = nil
    try third.append(piece(8))
    #expect(third.bytes.readableBytes == 8)
    #expect(RequestBodyProblem.tooMany.status == .serviceUnavailable)
  }
}
