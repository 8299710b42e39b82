import TestPeers
import Testing
import WebSocketProtocol

@testable import WebSocketNIO

/// Cookies as RFC 6265 has them, in Netscape's file.
@Suite(.blocking) struct CookieTests {
  /// 2026-11-25T20:00:00Z.
  static let now: Int64 = 1_795_636_800

  private static func url(_ text: String) throws -> WebSocketURL { try WebSocketURL.parse(text) }

  struct Row: Sendable, CustomTestStringConvertible {
    var field: String
    var from = "ws://www.example.com/a/b?c"
    /// What a request gets, by its URL.
    var sent: [String: String?]

    var testDescription: String { field }
  }

  static let rows: [Row] = [
    Row(
      field: "a=b",
      sent: [
        "ws://www.example.com/a/x": "a=b", "ws://www.example.com/a": "a=b",
        "wss://WWW.example.com:444/a/": "a=b", "ws://www.example.com/": nil,
        "ws://www.example.com/ab": nil, "ws://example.com/a/x": nil,
        "ws://x.www.example.com/a/x": nil,
      ]),
    Row(
      field: "a=b; Path=/",
      sent: ["ws://www.example.com/": "a=b", "ws://www.example.com/x/y": "a=b"]),
    Row(
      field: "a=b; path=x", sent: ["ws://www.example.com/a/": "a=b", "ws://www.example.com/": nil]),
    Row(
      field: "a=b; Path=/; Domain=.Example.com",
      sent: [
        "ws://www.example.com/": "a=b", "ws://example.com/": "a=b", "ws://x.y.example.com/": "a=b",
        "ws://badexample.com/": nil, "ws://com/": nil,
      ]),
    // Not the server's to give away.
    Row(
      field: "a=b; Path=/; Domain=com", sent: ["ws://www.example.com/": nil, "ws://x.com/": nil]),
    Row(field: "a=b; Path=/; Domain=other.com", sent: ["ws://other.com/": nil]),
    Row(field: "a=b; Path=/; Domain=x.www.example.com", sent: ["ws://x.www.example.com/": nil]),
    Row(
      field: "a=b; Domain=127.0.0.1", from: "ws://127.0.0.1/",
      sent: ["ws://127.0.0.1/": "a=b", "ws://1.127.0.0.1/": nil]),
    Row(field: "a=b; Domain=0.0.1", from: "ws://127.0.0.1/", sent: ["ws://127.0.0.1/": nil]),
    Row(
      field: "a=b; Secure", from: "wss://h/", sent: ["wss://h/": "a=b", "ws://h/": nil]),
    Row(field: "a=b; Secure", from: "ws://h/", sent: ["wss://h/": nil]),
    Row(field: "__Secure-a=b", from: "wss://h/", sent: ["wss://h/": nil]),
    Row(field: "__Secure-a=b; Secure", from: "wss://h/", sent: ["wss://h/": "__Secure-a=b"]),
    Row(field: "__Host-a=b; Secure", from: "wss://h/", sent: ["wss://h/": nil]),
    Row(
      field: "__Host-a=b; Secure; Path=/", from: "wss://h/x",
      sent: ["wss://h/": "__Host-a=b"]),
    Row(
      field: " a = b c ; HttpOnly; SameSite=Lax; Path=/", from: "ws://h/",
      sent: ["ws://h/": "a=b c"]),
    Row(field: "a=", from: "ws://h/", sent: ["ws://h/": "a="]),
    Row(field: "a==b=", from: "ws://h/", sent: ["ws://h/": "a==b="]),
    Row(field: "=b", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(field: "a", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(field: "", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(field: ";", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(field: "a=b\tc", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(field: "a=b\u{7}", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(
      field: "a=" + String(repeating: "b", count: 4095), from: "ws://h/", sent: ["ws://h/": nil]),
    Row(field: "a=b; Max-Age=0", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(field: "a=b; Max-Age=-9223372036854775808", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(field: "a=b; Max-Age=9223372036854775807", from: "ws://h/", sent: ["ws://h/": "a=b"]),
    Row(field: "a=b; Max-Age=soon", from: "ws://h/", sent: ["ws://h/": "a=b"]),
    Row(
      field: "a=b; Expires=Wed, 25 Nov 2026 20:00:00 GMT", from: "ws://h/", sent: ["ws://h/": nil]),
    Row(
      field: "a=b; Expires=Wed, 25 Nov 2026 20:00:01 GMT", from: "ws://h/",
      sent: ["ws://h/": "a=b"]),
    // Max-Age has precedence.
    Row(
      field: "a=b; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT", from: "ws://h/",
      sent: ["ws://h/": "a=b"]),
    Row(
      field: "a=b; Expires=Thu, 01 Jan 2030 00:00:00 GMT; Max-Age=0", from: "ws://h/",
      sent: ["ws://h/": nil]),
  ]

  @Test(arguments: rows) func isKeptAndSent(row: Row) throws {
    var jar = CookieJar()
    jar.take(row.field, from: try Self.url(row.from), at: Self.now)
    // The file says the same.
    for jar in [jar, CookieJar(jar.contents)] {
      for (endpoint, sent) in row.sent {
        #expect(jar.field(for: try Self.url(endpoint), at: Self.now) == sent, "\(endpoint)")
      }
    }
  }

  @Test func theLastWordStandsAndLongerPathsGoFirst() throws {
    var jar = CookieJar()
    let url = try Self.url("ws://h/a/b/")
    for field in ["a=1; Path=/", "b=2; Path=/a/b", "a=3; Path=/", "c=4; Path=/a/b", "d=5"] {
      jar.take(field, from: url, at: Self.now)
    }
    #expect(jar.field(for: url, at: Self.now) == "b=2; c=4; d=5; a=3")
    jar.take("b=; Max-Age=0; Path=/a/b", from: url, at: Self.now)
    #expect(jar.field(for: url, at: Self.now) == "c=4; d=5; a=3")
  }

  @Test func aServerCannotFillTheWorld() throws {
    var jar = CookieJar()
    let url = try Self.url("ws://h/")
    for number in 0..<3100 { jar.take("a\(number)=b", from: url, at: Self.now) }
    #expect(jar.cookies.count == 3000)
    #expect(jar.cookies.last?.name == "a3099")
  }

  @Test func theFileOfOthers() throws {
    let text =
      """
      # Netscape HTTP Cookie File
      # https://curl.se/docs/http-cookies.html

      .example.com\tTRUE\t/\tFALSE\t0\ta\tb
      #HttpOnly_h\tFALSE\t/x\tTRUE\t2000000000\tc\t
      h\tFALSE\t/\tFALSE\t1\told\tx\r
      no cookie
      h\tFALSE\t/\tFALSE\tnever\td\te
      h FALSE / FALSE 0 spaces v
      h\tFALSE\t/\tFALSE\t0\tbad\u{1b}\te
      """
    let jar = CookieJar(Array(text.utf8))
    #expect(jar.cookies.map(\.name) == ["a", "c", "old"])
    #expect(jar.cookies.map(\.isHTTPOnly) == [false, true, false])
    #expect(jar.field(for: try Self.url("wss://h/x/y"), at: Self.now) == "c=")
    #expect(jar.field(for: try Self.url("ws://www.example.com"), at: Self.now) == "a=b")
    #expect(jar.unreadable.map(\.number) == [7, 8, 9, 10])
    #expect(
      jar.unreadable.map(\.problem) == [
        .fields(1), .expiry("never"), .spaces, .controlCharacter,
      ])
    let again = CookieJar(jar.contents)
    #expect(again.cookies == jar.cookies)
    #expect(again.unreadable.map(\.bytes) == jar.unreadable.map(\.bytes))
  }

  @Test(
    arguments: [
      ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
      ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777), ("Sun Nov  6 08:49:37 1994", 784_111_777),
      ("Wed, 25-Nov-2026 20:00:00 GMT", 1_795_636_800), ("29 feb 2024 23:59:59", 1_709_251_199),
      ("1 mar 2000 0:0:0", 951_868_800), ("31 Dec 1969 23:59:59", -1),
      ("1 jan 69 0:0:0", 3_124_224_000), ("31 dec 9999 23:59:59", 253_402_300_799),
      ("06 Nov 1600 08:49:37", nil), ("32 Nov 1994 08:49:37", nil), ("6 Nov 1994 24:00:00", nil),
      ("6 Nov 1994", nil), ("", nil), ("6 1994 08:49:37", nil), ("x", nil),
    ] as [(String, Int64?)])
  func dates(text: String, seconds: Int64?) {
    #expect(CookieDate.seconds(text) == seconds)
  }
}
