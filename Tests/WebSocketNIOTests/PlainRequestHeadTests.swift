import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestPeers
import Testing
import WebSocketProtocol

@testable import WebSocketNIO

/// The short way into the server takes nothing that NIO's parser would not read in the same way.
@Suite(.blocking) struct PlainRequestHeadTests {
  private static func plain(_ bytes: [UInt8]) -> (head: HTTPRequestHead, length: Int)? {
    bytes.withUnsafeBytes { PlainRequestHead.read($0) }
  }

  /// The first head as NIO reads it, and whether a body belongs to it; nil if it is refused or not whole.
  private static func byNIO(_ bytes: [UInt8]) -> (head: HTTPRequestHead, hasBody: Bool)? {
    let channel = EmbeddedChannel(
      handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes)))
    defer { _ = try? channel.finish() }
    _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    guard case .head(var head)? = try? channel.readInbound(as: HTTPServerRequestPart.self) else {
      return nil
    }
    head.headers = head.headers.withoutOuterSpace
    let next = try? channel.readInbound(as: HTTPServerRequestPart.self)
    if case .end? = next { return (head, false) }
    return (head, true)
  }

  @Test func nothingOfTheCorpusIsReadInAnotherWay() throws {
    let cases = try HandshakeCorpus("requests.txt").cases
    var taken = 0
    for one in cases {
      guard let (head, length) = Self.plain(one.bytes) else { continue }
      taken += 1
      let other = try #require(Self.byNIO(one.bytes), "\(one) is taken, and NIO refuses it")
      #expect(head == other.head, "\(one)")
      #expect(!other.hasBody, "\(one)")
      #expect(length <= HeadLimits.standard.head && length <= one.bytes.count, "\(one)")
    }
    // Most are wrong in what they say, not in how.
    #expect(taken > 40 && taken < cases.count)
  }

  /// Every head of a well-meaning client with one byte replaced by any other.
  @Test func oneWrongByteIsReadInTheSameWay() throws {
    let request = Array(
      "GET /chat?x=1 HTTP/1.1\r\nHost: h:1\r\nX:\t a b \r\nEmpty:\r\nOrigin: http://h\r\n\r\nbehind"
        .utf8)
    let whole = try #require(Self.plain(request))
    #expect(whole.length == request.count - 6)
    #expect(whole.head.headers.map(\.value) == ["h:1", "a b", "", "http://h"])
    for endpoint in 0..<whole.length {
      for byte in UInt8.min...UInt8.max {
        var changed = request
        changed[endpoint] = byte
        guard let head = Self.plain(changed)?.head else { continue }
        let other = Self.byNIO(changed)
        #expect(other?.head == head && other?.hasBody == false, "byte \(endpoint) is \(byte)")
      }
    }
  }

  @Test func aHeadThatIsNotWholeIsNotTaken() throws {
    let request = Array(RawClient.request().utf8)
    #expect(Self.plain(request)?.length == request.count)
    for length in request.indices { #expect(Self.plain(Array(request[..<length])) == nil) }
  }

  @Test(arguments: [
    ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", false), ("GET / HTTP/1.0\r\nHost: h\r\n\r\n", false),
    ("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", false),
    ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", false),
    ("GET / HTTP/1.1\nHost: h\r\n\r\n", false), ("GET / HTTP/1.1\r\nHost: h\n\r\n", false),
    ("GET / HTTP/1.1\r\nHost: h\r\n\n", false),
    ("GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", false),
    ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", false),
    ("GET / HTTP/1.1\r\nContent-LENGTH: 0\r\n\r\n", false),
    ("GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", false),
    ("GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", false),
    ("GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n", false),
    ("GET / HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", false),
    ("GET / HTTP/1.1\r\n\r\n", true), ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true),
    ("GET / HTTP/1.1\r\nContent-Lengths: 5\r\n\r\n", true),
  ])
  func isTaken(text: String, isTaken: Bool) {
    #expect((Self.plain(Array(text.utf8)) != nil) == isTaken)
  }

  /// At the limit and one above.
  @Test func limits() {
    func fields(_ count: Int) -> [UInt8] {
      Array(("GET / HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: count) + "\r\n").utf8)
    }
    #expect(Self.plain(fields(100)) != nil)
    #expect(Self.plain(fields(101)) == nil)
    func line(_ length: Int) -> [UInt8] {
      let value = String(repeating: "v", count: length - "a: \r\n".utf8.count)
      return Array("GET / HTTP/1.1\r\na: \(value)\r\n\r\n".utf8)
    }
    #expect(Self.plain(line(HeadLimits.standard.line)) != nil)
    #expect(Self.plain(line(HeadLimits.standard.line + 1)) == nil)
    func target(_ length: Int) -> [UInt8] {
      let path = String(repeating: "p", count: length - "GET / HTTP/1.1\r\n".utf8.count)
      return Array("GET /\(path) HTTP/1.1\r\n\r\n".utf8)
    }
    #expect(Self.plain(target(HeadLimits.standard.line - 1)) != nil)
    #expect(Self.plain(target(HeadLimits.standard.line + 1)) == nil)
    func head(_ length: Int) -> [UInt8] {
      let start =
        "GET / HTTP/1.1\r\n"
        + String(repeating: "a: \(String(repeating: "v", count: 8000))\r\n", count: 4)
      let left = length - start.utf8.count - "b: \r\n\r\n".utf8.count
      return Array((start + "b: \(String(repeating: "w", count: left))\r\n\r\n").utf8)
    }
    #expect(Self.plain(head(HeadLimits.standard.head)) != nil)
    #expect(Self.plain(head(HeadLimits.standard.head + 1)) == nil)
  }
}
