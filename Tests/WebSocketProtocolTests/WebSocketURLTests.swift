import TestPeers
import Testing
import WebSocketProtocol

/// RFC 6455 section 3, and what people type instead.
@Suite struct WebSocketURLTests {
  private func check(
    _ text: String, _ security: WebSocketURL.Security, _ endpoint: WebSocketURL.Endpoint,
    _ target: String, userInfo: String? = nil, hostField: String, description: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    do throws(WebSocketURLError) {
      let url = try WebSocketURL.parse(text)
      var expected = WebSocketURL(security: security, endpoint: endpoint, target: target)
      expected.userInfo = userInfo
      #expect(url == expected, "\(text)", sourceLocation: sourceLocation)
      #expect(url.hostField == hostField, "\(text)", sourceLocation: sourceLocation)
      #expect(
        url.description == description ?? text, "\(text)", sourceLocation: sourceLocation)
      // What is shown can be typed, and means the same but for the user.
      var again = try WebSocketURL.parse(url.description)
      again.userInfo = userInfo
      #expect(again == url, "\(url.description)", sourceLocation: sourceLocation)
    } catch {
      Issue.record("\(text): \(error)", sourceLocation: sourceLocation)
    }
  }

  private func refuse(
    _ text: String, _ error: WebSocketURLError, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: error, "\(text)", sourceLocation: sourceLocation) {
      try WebSocketURL.parse(text)
    }
  }

  @Test func wholeURLs() {
    check("ws://a/", .plain, .host("a", port: 80), "/", hostField: "a")
    check("wss://a/", .tls, .host("a", port: 443), "/", hostField: "a")
    check("ws://a:443/", .plain, .host("a", port: 443), "/", hostField: "a:443")
    check("wss://a:80/", .tls, .host("a", port: 80), "/", hostField: "a:80")
    check(
      "ws://a:80/x", .plain, .host("a", port: 80), "/x", hostField: "a", description: "ws://a/x")
    check(
      "wss://a:443/x", .tls, .host("a", port: 443), "/x", hostField: "a",
      description: "wss://a/x")
    check(
      "ws://example.com:8080/chat?room=1&x=2", .plain, .host("example.com", port: 8080),
      "/chat?room=1&x=2", hostField: "example.com:8080")
    check(
      "ws://192.0.2.7:9/", .plain, .host("192.0.2.7", port: 9), "/", hostField: "192.0.2.7:9")
    check(
      "http://a/x", .plain, .host("a", port: 80), "/x", hostField: "a", description: "ws://a/x")
    check(
      "https://a/x", .tls, .host("a", port: 443), "/x", hostField: "a", description: "wss://a/x")
    check(
      "WSS://EXAMPLE.com/Path", .tls, .host("example.com", port: 443), "/Path",
      hostField: "example.com", description: "wss://example.com/Path")
    check(
      "HtTpS://a", .tls, .host("a", port: 443), "/", hostField: "a", description: "wss://a/")
    check(
      "ws://my_host-1.local./", .plain, .host("my_host-1.local.", port: 80), "/",
      hostField: "my_host-1.local.")
  }

  @Test func whatCanBeLeftOut() {
    check("a", .plain, .host("a", port: 80), "/", hostField: "a", description: "ws://a/")
    check("ws://a", .plain, .host("a", port: 80), "/", hostField: "a", description: "ws://a/")
    check(
      "localhost:3000", .plain, .host("localhost", port: 3000), "/", hostField: "localhost:3000",
      description: "ws://localhost:3000/")
    check(
      ":3000", .plain, .host("localhost", port: 3000), "/", hostField: "localhost:3000",
      description: "ws://localhost:3000/")
    check(
      ":3000/x", .plain, .host("localhost", port: 3000), "/x", hostField: "localhost:3000",
      description: "ws://localhost:3000/x")
    check(
      ":3000?q", .plain, .host("localhost", port: 3000), "/?q", hostField: "localhost:3000",
      description: "ws://localhost:3000/?q")
    check(
      "wss://:3000", .tls, .host("localhost", port: 3000), "/", hostField: "localhost:3000",
      description: "wss://localhost:3000/")
    check(
      "127.0.0.1:9/a/b", .plain, .host("127.0.0.1", port: 9), "/a/b", hostField: "127.0.0.1:9",
      description: "ws://127.0.0.1:9/a/b")
    check(
      "a.example/x?y", .plain, .host("a.example", port: 80), "/x?y", hostField: "a.example",
      description: "ws://a.example/x?y")
    check(
      "ws://a:/x", .plain, .host("a", port: 80), "/x", hostField: "a", description: "ws://a/x")
    check(
      "wss://a?x=1", .tls, .host("a", port: 443), "/?x=1", hostField: "a",
      description: "wss://a/?x=1")
    check("ws://a/?", .plain, .host("a", port: 80), "/?", hostField: "a")
    check("ws://a//", .plain, .host("a", port: 80), "//", hostField: "a")
  }

  /// A `://` behind a slash or a question mark belongs to the target.
  @Test func urlsInsideTheTarget() {
    check(
      "localhost:8080/a?b=c://d", .plain, .host("localhost", port: 8080), "/a?b=c://d",
      hostField: "localhost:8080", description: "ws://localhost:8080/a?b=c://d")
    check(
      "a/http://b", .plain, .host("a", port: 80), "/http://b", hostField: "a",
      description: "ws://a/http://b")
    check(
      "a?u=ws://b:1", .plain, .host("a", port: 80), "/?u=ws://b:1", hostField: "a",
      description: "ws://a/?u=ws://b:1")
    check("ws://a/wss://b@c:x", .plain, .host("a", port: 80), "/wss://b@c:x", hostField: "a")
    check("ws://a/[x]:y@z", .plain, .host("a", port: 80), "/[x]:y@z", hostField: "a")
  }

  /// Of URLs that are not ours.
  @Test func authorities() throws {
    for (text, host, port) in [
      ("a", "a", nil), ("A.b:1", "a.b", 1), ("a:", "a", nil), (":9", "localhost", 9),
      ("[::1]", "::1", nil), ("[::1]:65535", "::1", 65_535), ("[fe80::1%25Lo]:2", "fe80::1%Lo", 2),
    ] as [(String, String, Int?)] {
      let read = try WebSocketURL.authority(text)
      #expect(read.host == host && read.port == port, "\(text)")
    }
    for (text, error) in [
      ("", .noHost), (":", .noHost), ("a:0", .port("0")), ("a:x", .port("x")),
      ("a b", .host("a b")),
      ("a:1:2", .host("a:1:2")), ("[::1", .host("[::1")),
    ] as [(String, WebSocketURLError)] {
      #expect(throws: error, "\(text)") { try WebSocketURL.authority(text) }
    }
  }

  @Test func userInformation() {
    check(
      "ws://me@a/", .plain, .host("a", port: 80), "/", userInfo: "me", hostField: "a",
      description: "ws://a/")
    check(
      "wss://me:pa%3Ass@a:1/x", .tls, .host("a", port: 1), "/x", userInfo: "me:pa%3Ass",
      hostField: "a:1", description: "wss://a:1/x")
    check(
      "me:secret@a:1", .plain, .host("a", port: 1), "/", userInfo: "me:secret", hostField: "a:1",
      description: "ws://a:1/")
    // The last @ divides, as in browsers: the host is what stands behind all of them.
    check(
      "ws://good@evil@a/", .plain, .host("a", port: 80), "/", userInfo: "good@evil",
      hostField: "a", description: "ws://a/")
    check(
      "ws://@a/", .plain, .host("a", port: 80), "/", userInfo: "", hostField: "a",
      description: "ws://a/")
    check(
      "ws://me@[::1]:7/", .plain, .host("::1", port: 7), "/", userInfo: "me", hostField: "[::1]:7",
      description: "ws://[::1]:7/")
    check(
      "ws://me@:7/", .plain, .host("localhost", port: 7), "/", userInfo: "me",
      hostField: "localhost:7", description: "ws://localhost:7/")
    refuse("ws://me@", .noHost)
    refuse("ws://me@/x", .noHost)
  }

  @Test func ipv6Addresses() {
    check("ws://[::1]/", .plain, .host("::1", port: 80), "/", hostField: "[::1]")
    check("wss://[::1]/", .tls, .host("::1", port: 443), "/", hostField: "[::1]")
    check(
      "wss://[2001:DB8::A]:8443/x", .tls, .host("2001:db8::a", port: 8443), "/x",
      hostField: "[2001:db8::a]:8443", description: "wss://[2001:db8::a]:8443/x")
    check(
      "[::1]:9", .plain, .host("::1", port: 9), "/", hostField: "[::1]:9",
      description: "ws://[::1]:9/")
    check(
      "[::ffff:192.0.2.1]", .plain, .host("::ffff:192.0.2.1", port: 80), "/",
      hostField: "[::ffff:192.0.2.1]", description: "ws://[::ffff:192.0.2.1]/")
    check(
      "ws://[::]:/", .plain, .host("::", port: 80), "/", hostField: "[::]",
      description: "ws://[::]/")
    refuse("ws://[::1", .host("[::1"))
    refuse("ws://[::1/x]", .host("[::1"))
    refuse("ws://[::1]x/", .host("[::1]x"))
    refuse("ws://[::1]80", .host("[::1]80"))
    refuse("ws://[]/", .host("[]"))
    refuse("ws://[a]/", .host("[a]"))
    refuse("ws://[1:2]/", .host("[1:2]"))
    refuse("ws://[::g]/", .host("[::g]"))
    refuse("ws://[v1.a:b:c]/", .host("[v1.a:b:c]"))
    refuse("ws://::1/", .bareIPv6("::1"))
    refuse("ws://2001:db8::a/", .bareIPv6("2001:db8::a"))
    refuse("ws://[::1]:x/", .port("x"))
    refuse("ws://[::1]:0/", .port("0"))
  }

  /// RFC 6874: the zone says which interface, by a name that is told apart by case, and is not sent.
  @Test func zonesOfIPv6Addresses() {
    for text in ["ws://[fe80::1%Eth0.1]:9/", "ws://[FE80::1%25Eth0.1]:9/"] {
      check(
        text, .plain, .host("fe80::1%Eth0.1", port: 9), "/", hostField: "[fe80::1]:9",
        description: "ws://[fe80::1%Eth0.1]:9/")
    }
    check("ws://[fe80::1%2]/", .plain, .host("fe80::1%2", port: 80), "/", hostField: "[fe80::1]")
    // Interface 25, not an empty zone.
    check(
      "ws://[fe80::1%25]/", .plain, .host("fe80::1%25", port: 80), "/", hostField: "[fe80::1]")
    check(
      "ws://[fe80::1%2525a]/", .plain, .host("fe80::1%25a", port: 80), "/", hostField: "[fe80::1]",
      description: "ws://[fe80::1%2525a]/")
    refuse("ws://[fe80::1%]/", .host("[fe80::1%]"))
    refuse("ws://[fe80::1%a%b]/", .host("[fe80::1%a%b]"))
    refuse("ws://[fe80::1%é]/", .host("[fe80::1%é]"))
    refuse("ws://[%eth0]/", .host("[%eth0]"))
  }

  @Test func ports() {
    check("a:1", .plain, .host("a", port: 1), "/", hostField: "a:1", description: "ws://a:1/")
    check(
      "a:65535", .plain, .host("a", port: 65_535), "/", hostField: "a:65535",
      description: "ws://a:65535/")
    check(
      "a:00080", .plain, .host("a", port: 80), "/", hostField: "a", description: "ws://a/")
    for port in [
      "0", "65536", "-1", "+80", "8o", "80a", "٣", "0x50", "99999999999999999999999", "%38", "80.",
    ] {
      refuse("a:\(port)", .port(port))
      refuse("wss://a:\(port)/", .port(port))
      refuse(":\(port)", .port(port))
    }
    refuse("a:1:2", .host("a:1:2"))
    refuse("ws:host", .port("host"))
  }

  @Test func unixSockets() {
    func check(
      _ text: String, _ security: WebSocketURL.Security, _ path: String, _ target: String,
      _ description: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      self.check(
        text, security, .unixSocket(path: path), target, hostField: "localhost",
        description: description, sourceLocation: sourceLocation)
    }
    check("ws+unix:/tmp/s", .plain, "/tmp/s", "/", "ws+unix:/tmp/s:/")
    check("ws+unix:///tmp/s", .plain, "/tmp/s", "/", "ws+unix:/tmp/s:/")
    check("ws+unix:////tmp/s", .plain, "//tmp/s", "/", "ws+unix:////tmp/s:/")
    check("ws+unix:////\u{355}s", .plain, "//\u{355}s", "/", "ws+unix:////\u{355}s:/")
    check("ws+unix:/tmp/s:/x?y=1", .plain, "/tmp/s", "/x?y=1", "ws+unix:/tmp/s:/x?y=1")
    check("ws+unix:/tmp/s:", .plain, "/tmp/s", "/", "ws+unix:/tmp/s:/")
    check("ws+unix:/tmp/s:x", .plain, "/tmp/s", "/x", "ws+unix:/tmp/s:/x")
    check("ws+unix:/tmp/s:?x", .plain, "/tmp/s", "/?x", "ws+unix:/tmp/s:/?x")
    check("ws+unix:///tmp/s:/x", .plain, "/tmp/s", "/x", "ws+unix:/tmp/s:/x")
    check("wss+unix:/tmp/s:/x", .tls, "/tmp/s", "/x", "wss+unix:/tmp/s:/x")
    check("WS+UNIX:/tmp/S:/X", .plain, "/tmp/S", "/X", "ws+unix:/tmp/S:/X")
    check("ws+unix:run/s", .plain, "run/s", "/", "ws+unix:run/s:/")
    check("ws+unix:/tmp/é:/é", .plain, "/tmp/é", "/%C3%A9", "ws+unix:/tmp/é:/%C3%A9")
    check("ws+unix:/tmp/s:/a:b", .plain, "/tmp/s", "/a:b", "ws+unix:/tmp/s:/a:b")
    refuse("ws+unix:", .noHost)
    refuse("ws+unix://", .noHost)
    refuse("ws+unix::/x", .noHost)
    refuse("ws+unix:/tmp/s#x", .fragment)
    refuse("ws+unix:/tmp/a b", .forbiddenByte(offset: 14, byte: 0x20))
  }

  @Test func targetsGoOutAsTheyWereGiven() {
    for target in [
      "/a%20b", "/%zz", "/%", "/a%00", "/a;b,c=d", "/a..b/../c", "/~!$&'()*+,;=:@", "/\\|^`{}\"<>",
      "/?a?b/c", "/%C3%A9",
    ] {
      check("ws://a\(target)", .plain, .host("a", port: 80), target, hostField: "a")
    }
    check(
      "ws://a/é?ü=€😀", .plain, .host("a", port: 80), "/%C3%A9?%C3%BC=%E2%82%AC%F0%9F%98%80",
      hostField: "a", description: "ws://a/%C3%A9?%C3%BC=%E2%82%AC%F0%9F%98%80")
    // Invisible characters are not ASCII either; control characters are refused.
    check(
      "ws://a/\u{202E}", .plain, .host("a", port: 80), "/%E2%80%AE", hostField: "a",
      description: "ws://a/%E2%80%AE")
  }

  /// A combining accent makes one `Character` of itself and the mark before it; the mark counts all
  /// the same.
  @Test func marksWithAccents() {
    check(
      "ws://a/\u{301}x", .plain, .host("a", port: 80), "/%CC%81x", hostField: "a",
      description: "ws://a/%CC%81x")
    check(
      "ws://a?\u{301}", .plain, .host("a", port: 80), "/?%CC%81", hostField: "a",
      description: "ws://a/?%CC%81")
    check(
      "ws+unix:/s:\u{301}", .plain, .unixSocket(path: "/s"), "/%CC%81", hostField: "localhost",
      description: "ws+unix:/s:/%CC%81")
    refuse("ws://a/x#\u{301}", .fragment)
    refuse("ws://\u{301}a/", .internationalHost("\u{301}a"))
    refuse("ws://a@\u{301}b/", .internationalHost("\u{301}b"))
    refuse("ws://a:\u{301}1/", .port("\u{301}1"))
  }

  @Test func whatIsNoURL() {
    refuse("", .empty)
    refuse("/", .noHost)
    refuse("//", .noHost)
    refuse("//host", .noHost)
    refuse("//host/x", .noHost)
    refuse("/path", .noHost)
    refuse("?x", .noHost)
    refuse(":", .noHost)
    refuse("ws://", .noHost)
    refuse("ws:///", .noHost)
    refuse("ws:///x", .noHost)
    refuse("wss://?x", .noHost)
    refuse("ws://:/x", .noHost)
    refuse("://a", .scheme(""))
    refuse("ftp://a/", .scheme("ftp"))
    refuse("WSSS://a/", .scheme("wsss"))
    refuse("file:///x", .scheme("file"))
    refuse("javascript://a", .scheme("javascript"))
    // The long s and the Kelvin sign are no s and k.
    refuse("w\u{17F}://a", .scheme("w\u{17F}"))
    refuse("ws://\u{212A}/", .internationalHost("\u{212A}"))
    refuse("ws://héllo/", .internationalHost("héllo"))
    refuse("ws://a,b/", .host("a,b"))
    refuse("ws://a%41/", .host("a%41"))
    refuse("ws://a\\b/", .host("a\\b"))
    refuse("ws://a*b/", .host("a*b"))
    refuse("ws://]/", .host("]"))
    refuse("ws://a[::1]/", .host("a[::1]"))
    refuse("ws://a/#", .fragment)
    refuse("ws://a#x/", .fragment)
    refuse("#", .fragment)
  }

  /// SECURITY R9: nothing that could begin a line of its own, wherever it stands.
  @Test func controlBytesAndSpaces() {
    for byte in Array(UInt8(0)...0x20) + [0x7F] {
      let character = String(Unicode.Scalar(byte))
      refuse(character, .forbiddenByte(offset: 0, byte: byte))
      refuse("ws://a/x\(character)y", .forbiddenByte(offset: 8, byte: byte))
      refuse("ws://a\(character)", .forbiddenByte(offset: 6, byte: byte))
      refuse("ws://u\(character)@a", .forbiddenByte(offset: 6, byte: byte))
      refuse("ws+unix:/s\(character)", .forbiddenByte(offset: 10, byte: byte))
    }
    refuse("ws://é/\r\nX: y", .forbiddenByte(offset: 8, byte: 0x0D))
    for value in UInt8(0x80)...0x9F {
      let character = String(Unicode.Scalar(value))
      refuse("ws://a/x\(character)y", .forbiddenByte(offset: 9, byte: value))
      refuse("ws://a?\(character)", .forbiddenByte(offset: 8, byte: value))
    }
  }

  /// Reading is linear: a long text of anything takes no time worth speaking of.
  @Test func longURLs() throws {
    for piece in ["a", "/", ":", "@", "?", "%", "[", "é", "://", "/\u{301}"] {
      let long = String(repeating: piece, count: 100_000 / piece.utf8.count)
      let time = try cpuTime {
        _ = try? WebSocketURL.parse(long)
        _ = try? WebSocketURL.parse("ws://" + long)
        _ = try? WebSocketURL.parse("ws+unix:" + long)
        let url = try WebSocketURL.parse("ws://a/" + long)
        #expect(url.target.utf8.count >= 99_000)
      }
      #expect(time < .seconds(5))
    }
  }
}
