import Testing

@testable import WebSocketProtocol

/// Redirects: references seen from a URL.
@Suite struct URLReferenceTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var reference: String
    var result: String
    var base = "ws://host:81/a/b/c?x=1"

    var testDescription: String { "\(reference) from \(base)" }
  }

  static let rows: [Row] = [
    // RFC 3986 section 5.4.1, without fragments, which are left out.
    Row(reference: "d", result: "ws://host:81/a/b/d"),
    Row(reference: "./d", result: "ws://host:81/a/b/d"),
    Row(reference: "d/", result: "ws://host:81/a/b/d/"),
    Row(reference: "/d", result: "ws://host:81/d"),
    Row(reference: "//d", result: "ws://d/"),
    Row(reference: "?y", result: "ws://host:81/a/b/c?y"),
    Row(reference: "d?y", result: "ws://host:81/a/b/d?y"),
    Row(reference: "#s", result: "ws://host:81/a/b/c?x=1"),
    Row(reference: "d#s", result: "ws://host:81/a/b/d"),
    Row(reference: "", result: "ws://host:81/a/b/c?x=1"),
    Row(reference: ".", result: "ws://host:81/a/b/"),
    Row(reference: "./", result: "ws://host:81/a/b/"),
    Row(reference: "..", result: "ws://host:81/a/"),
    Row(reference: "../", result: "ws://host:81/a/"),
    Row(reference: "../d", result: "ws://host:81/a/d"),
    Row(reference: "../..", result: "ws://host:81/"),
    Row(reference: "../../d", result: "ws://host:81/d"),
    // Section 5.4.2: more parents than there are.
    Row(reference: "../../../d", result: "ws://host:81/d"),
    Row(reference: "/./d", result: "ws://host:81/d"),
    Row(reference: "/../d", result: "ws://host:81/d"),
    Row(reference: "d.", result: "ws://host:81/a/b/d."),
    Row(reference: "..d", result: "ws://host:81/a/b/..d"),
    Row(reference: "./../d", result: "ws://host:81/a/d"),
    Row(reference: "d/../e", result: "ws://host:81/a/b/e"),
    Row(reference: "d?y/../z", result: "ws://host:81/a/b/d?y/../z"),
    Row(reference: "a//b", result: "ws://host:81/a/b/a//b"),
    Row(reference: "d", result: "ws://host/d", base: "ws://host?q"),
    // Whole URLs.
    Row(reference: "ws://other/x", result: "ws://other/x"),
    Row(reference: "wss://other:8/x?y#z", result: "wss://other:8/x?y"),
    Row(reference: "HTTP://Other/x", result: "ws://other/x"),
    Row(reference: "https://other", result: "wss://other/"),
    Row(reference: "//other:8/x", result: "wss://other:8/x", base: "wss://host/"),
    Row(reference: "wss://user:secret@other/", result: "wss://other/"),
    Row(reference: "//user:secret@other/", result: "ws://other/"),
    // A mark is a mark whatever stands behind it.
    Row(reference: "/\u{301}x", result: "ws://host:81/%CC%81x"),
    Row(reference: "..\u{301}/x", result: "ws://host:81/a/b/..%CC%81/x"),
    Row(reference: "/x", result: "ws+unix:/tmp/s:/x", base: "ws+unix:/tmp/s:/a"),
    // A colon behind a slash or before no scheme is no scheme's.
    Row(reference: "./a:b", result: "ws://host:81/a/b/a:b"),
    Row(reference: "a/b:c", result: "ws://host:81/a/b/a/b:c"),
    Row(reference: "a_b:c", result: "ws://host:81/a/b/a_b:c"),
    Row(reference: "1:2", result: "ws://host:81/a/b/1:2"),
    Row(reference: ":2", result: "ws://host:81/a/b/:2"),
  ]

  @Test(arguments: rows) func leadsTo(row: Row) throws {
    let base = try WebSocketURL.parse(row.base)
    #expect(try base.resolving(row.reference).description == row.result)
  }

  @Test func theUserStaysWhereHeIs() throws {
    let base = try WebSocketURL.parse("ws://user:secret@host/a")
    #expect(try base.resolving("/b").userInfo == nil)
    #expect(try base.resolving("ws://user:secret@host/b").userInfo == nil)
  }

  @Test(arguments: [
    ("javascript:alert(1)", WebSocketURLError.scheme("javascript")),
    ("ftp://host/", .scheme("ftp")),
    ("ws+unix:/tmp/s:/x", .scheme("ws+unix")),
    ("localhost:8080/x", .scheme("localhost")),
    ("http:path", .noHost),
    ("ws:", .noHost),
    ("ws:///x", .noHost),
    ("ws://host:99999/", .port("99999")),
    ("//b\u{fc}cher/", .internationalHost("bücher")),
    ("/a b", .forbiddenByte(offset: 2, byte: 0x20)),
    ("/a\r\nb", .forbiddenByte(offset: 2, byte: 0x0D)),
    ("?a\u{0}", .forbiddenByte(offset: 2, byte: 0)),
  ])
  func leadsNowhere(reference: String, error: WebSocketURLError) throws {
    let base = try WebSocketURL.parse("ws://host/folder/x")
    #expect(throws: error) { try base.resolving(reference) }
  }

  @Test(arguments: [
    ("ws://a/", "ws://a/x?y", true), ("ws://a/", "http://a:80/", true),
    ("ws://a/", "ws://A/", true), ("ws://a/", "wss://a/", false),
    ("ws://a/", "ws://a:81/", false), ("ws://a/", "ws://b/", false),
    ("ws://127.0.0.1/", "ws://127.1/", false), ("ws://[::1]/", "ws://127.0.0.1/", false),
    ("ws://a/", "ws://a./", false),
  ])
  func origin(one: String, other: String, isSame: Bool) throws {
    let urls = (try WebSocketURL.parse(one), try WebSocketURL.parse(other))
    #expect(urls.0.hasSameOrigin(as: urls.1) == isSame)
  }
}
