import NIOHTTP1
import TestPeers
import Testing
import WebSocketProtocol

@testable import WebSocketNIO

/// The rules of redirects that need no server (SECURITY R13).
@Suite(.blocking) struct RedirectionTests {
  private func followed(
    _ from: String, _ location: String, allowsDowngrade: Bool = false, hops: Int = 0
  ) throws -> ClientConfiguration {
    var configuration = ClientConfiguration(url: try WebSocketURL.parse(from))
    configuration.headers = [
      ("Authorization", "Bearer x"), ("COOKIE", "a=b"), ("X-Custom", "1"), ("user-agent", "me"),
      ("Accept-Language", "en"), ("Origin", "http://a"),
    ]
    configuration.redirects = RedirectPolicy(allowsDowngrade: allowsDowngrade)
    let head = HTTPResponseHead(
      version: .http1_1, status: .found, headers: ["Location": location])
    return try configuration.followed(HTTPRefusal(head: head, body: []), hops)
  }

  @Test(arguments: [
    ("ws://a/x", "/y", true), ("ws://a/x", "ws://A:80/y", true), ("ws://a/", "http://a/", true),
    ("wss://a/", "https://a:443/y", true), ("ws://127.0.0.1/", "//127.0.0.1/", true),
    ("ws://a/", "ws://b/", false), ("ws://a/", "ws://a:81/", false), ("ws://a/", "wss://a/", false),
    ("ws://127.0.0.1/", "ws://127.1/", false), ("ws://127.0.0.1/", "ws://localhost/", false),
    ("ws://a/", "ws://a.b/", false), ("ws://b.a/", "ws://a/", false),
    ("ws://a/", "ws://a./", false),
    ("ws://[::1]/", "ws://[0:0:0:0:0:0:0:1]/", false),
    ("ws+unix:/tmp/s:/", "ws://localhost/", false),
    ("ws+unix:/tmp/s:/", "/x", true),
  ])
  func whoGetsTheSecrets(from: String, location: String, isSame: Bool) throws {
    let names = Set(try followed(from, location).headers.map { $0.0.lowercased() })
    let harmless: Set = ["user-agent", "accept-language", "origin"]
    #expect(names == (isSame ? harmless.union(["authorization", "cookie", "x-custom"]) : harmless))
  }

  @Test func wssDoesNotBecomeWs() throws {
    do {
      _ = try followed("wss://a/", "ws://a/x")
      Issue.record("it has followed")
    } catch ConnectError.redirect(.downgrade(let endpoint), _) {
      #expect(endpoint.description == "ws://a/x")
    }
    let next = try followed("wss://a/", "ws://a/x", allowsDowngrade: true)
    #expect(next.tls == nil && next.url.security == .plain)
    #expect(next.headers.map(\.0).sorted() == ["Accept-Language", "Origin", "user-agent"])
  }

  @Test func wssHasTLS() throws {
    #expect(try followed("ws://a/", "wss://a/").tls != nil)
  }

  @Test func userInformationOfALocationIsIgnored() throws {
    let next = try followed("ws://a/", "ws://root:toor@b/")
    #expect(next.url.userInfo == nil)
    #expect(!next.headers.contains { $0.0 == "Authorization" })
  }

  @Test func theLastHopIsTheTenth() throws {
    _ = try followed("ws://a/", "/x", hops: 9)
    do {
      _ = try followed("ws://a/", "/x", hops: 10)
      Issue.record("it has followed")
    } catch ConnectError.redirect(.tooMany(let limit), _) {
      #expect(limit == 10)
    }
  }
}
