import TestPeers
import Testing
import WebSocketProtocol

@testable import WebSocketNIO

/// What a URL of a proxy means, and which are none.
@Suite(.blocking) struct ProxyServerTests {
  @Test(arguments: [
    ("proxy.example", "http://proxy.example:1080"),
    ("proxy.example:3128", "http://proxy.example:3128"),
    ("http://proxy.example", "http://proxy.example:1080"),
    ("https://proxy.example", "https://proxy.example:443"),
    ("socks5://proxy.example", "socks5://proxy.example:1080"),
    ("socks5h://proxy.example/", "socks5h://proxy.example:1080"),
    ("SOCKS5H://PROXY.Example:9", "socks5h://proxy.example:9"),
    ("http://proxy.example:/", "http://proxy.example:1080"), (":3128", "http://localhost:3128"),
    ("http://127.0.0.1:80/", "http://127.0.0.1:80"), ("[::1]", "http://[::1]:1080"),
    ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
    ("socks5://[fe80::1%25lo]:1", "socks5://[fe80::1%lo]:1"),
    ("http://proxy.example:65535", "http://proxy.example:65535"),
  ])
  func places(_ text: String, _ wanted: String) throws {
    let proxy = try ProxyServer.parse(text)
    #expect(proxy.description == wanted)
    #expect(proxy.credentials == nil)
    #expect(proxy.endpoint == .host(proxy.host, port: proxy.port))
    #expect(!proxy.host.contains("["))
    #expect(try ProxyServer.parse(proxy.description) == proxy)
  }

  static let longest = String(repeating: "x", count: 255)
  static let tooLong = longest + "x"

  @Test(arguments: [
    ("me:secret@a", "me", "secret"), ("http://me@a", "me", ""), ("http://me:@a", "me", ""),
    ("http://@a", "", ""), ("http://:secret@a", "", "secret"), ("http://a:b:c@a", "a", "b:c"),
    ("https://me:p%40ss%3a%2F%25@a", "me", "p@ss:/%"), ("http://a@b:c@a", "a@b", "c"),
    ("socks5://m%C3%BCller:%e2%82%ac@a", "m\u{fc}ller", "\u{20ac}"),
    ("socks5://us%3Aer:x@a", "us:er", "x"), ("http://me:+%2b@a", "me", "++"),
    ("socks5://\(longest):\(longest)@a", longest, longest),
    ("http://\(tooLong):\(tooLong)@a", tooLong, tooLong),
  ])
  func credentials(_ text: String, _ user: String, _ password: String) throws {
    let proxy = try ProxyServer.parse(text)
    #expect(proxy.credentials == ProxyServer.Credentials(user: user, password: password))
    #expect(proxy.host == "a" && proxy.port == 1080 || proxy.kind == .https)
    #expect(!proxy.description.contains("@") && !proxy.authority.contains("@"))
  }

  @Test(
    arguments: [
      ("ftp://a", .scheme("ftp")), ("SOCKS4://a", .scheme("socks4")), ("://a", .scheme("")),
      ("socks://a", .scheme("socks")), ("ws://a", .scheme("ws")),
      ("", .authority(.noHost)), ("http://", .authority(.noHost)),
      ("http://me:x@", .authority(.noHost)),
      ("http:///x", .path), ("http://a/x", .path), ("http://a?", .path), ("http://a#x", .path),
      ("http://me:pass/word@a", .path), ("http://a//", .path),
      ("a:0", .authority(.port("0"))), ("a:65536", .authority(.port("65536"))),
      ("a:+1", .authority(.port("+1"))),
      ("a:80x", .authority(.port("80x"))),
      ("a:99999999999999999999", .authority(.port("99999999999999999999"))),
      ("a b", .authority(.host("a b"))),
      ("::1", .authority(.bareIPv6("::1"))), ("http://[::1", .authority(.host("[::1"))),
      ("http://[::1]x", .authority(.host("[::1]x"))), ("http://[a]", .authority(.host("[a]"))),
      ("http://a\r\nb", .authority(.forbiddenByte(offset: 8, byte: 0x0D))),
      ("\u{1b}", .authority(.forbiddenByte(offset: 0, byte: 0x1B))),
      ("http://%@a", .percentEncoding), ("http://%4@a", .percentEncoding),
      ("http://x:%zz@a", .percentEncoding), ("http://%+1@a", .percentEncoding),
      ("http://x:%-1@a", .percentEncoding), ("http://%ff@a", .percentEncoding),
      ("http://x:%C3@a", .percentEncoding), ("http://%\u{e9}1@a", .percentEncoding),
      ("http://%0d%0aX:y@a", .credentials(.controlCharacter)),
      ("socks5://me:%00@a", .credentials(.controlCharacter)),
      ("http://me:%7f@a", .credentials(.controlCharacter)),
      ("http://us%3aer:x@a", .credentials(.colonInUser)),
      ("https://us%3aer@a", .credentials(.colonInUser)),
      ("socks5://\(tooLong):x@a", .credentials(.tooLongForSOCKS)),
      ("socks5h://x:\(tooLong)@a", .credentials(.tooLongForSOCKS)),
      // 128 characters of two bytes each.
      (
        "socks5h://x:\(String(repeating: "%c3%bc", count: 128))@a", .credentials(.tooLongForSOCKS)
      ),
    ] as [(String, ProxyURLError)])
  func isNone(_ text: String, _ error: ProxyURLError) {
    #expect(throws: error) { try ProxyServer.parse(text) }
  }

  @Test func anInternationalName() throws {
    let name = InternationalName.ascii("b\u{fc}cher")
    guard let name else {
      #expect(throws: ProxyURLError.authority(.internationalHost("b\u{fc}cher"))) {
        try ProxyServer.parse("b\u{fc}cher")
      }
      return
    }
    #expect(try ProxyServer.parse("b\u{fc}cher").host == name)
  }

  @Test func credentialsOfTheirOwn() throws {
    var proxy = try ProxyServer.parse("socks5://a")
    proxy.credentials = .init(user: Self.tooLong, password: "")
    #expect(throws: CredentialsError.tooLongForSOCKS) { try proxy.checkCredentials() }
    proxy.kind = .http
    try proxy.checkCredentials()
    proxy.credentials = .init(user: "a:b", password: "c")
    #expect(throws: CredentialsError.colonInUser) { try proxy.checkCredentials() }
  }
}
