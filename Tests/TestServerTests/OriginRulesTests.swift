import NIOHTTP1
import TestPeers
import Testing

@testable import TestServer

/// SECURITY R11 and R12: which pages may talk to a server on a developer's machine.
@Suite(.blocking) struct OriginRulesTests {
  /// One Host and one Origin, or none.
  private func check(
    _ host: String, _ origin: String?, _ verdict: OriginRules.Verdict,
    rules: OriginRules = OriginRules(), sourceLocation: SourceLocation = #_sourceLocation
  ) {
    var headers = HTTPHeaders([("Host", host)])
    if let origin { headers.add(name: "Origin", value: origin) }
    #expect(
      rules.judge(headers) == verdict, "Host \(host), Origin \(origin ?? "none")",
      sourceLocation: sourceLocation)
  }

  private func allow(
    _ host: String, _ origin: String?, rules: OriginRules = OriginRules(),
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    check(host, origin, .allowed, rules: rules, sourceLocation: sourceLocation)
  }

  private func refuseHost(
    _ host: String, _ origin: String? = nil, rules: OriginRules = OriginRules(),
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    check(host, origin, .refusedHost(host), rules: rules, sourceLocation: sourceLocation)
  }

  private func refuseOrigin(
    _ host: String, _ origin: String, rules: OriginRules = OriginRules(),
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    check(host, origin, .refusedOrigin(origin), rules: rules, sourceLocation: sourceLocation)
  }

  /// "No Origin = not a browser = allowed", under any name of this machine and any address.
  @Test func withoutAnOriginTheHostDecides() {
    for host in [
      "localhost", "localhost:8080", "LOCALHOST", "LocalHost:1", "localhost.", "localhost.:8080",
      "app.localhost", "a.b.localhost:9", "127.0.0.1", "127.0.0.1:8080", "127.255.0.3", "[::1]",
      "[::1]:8080", "[0:0:0:0:0:0:0:1]:1", "192.168.1.7:8080", "0.0.0.0:8080", "8.8.8.8",
      "[fe80::1]:8080", "[2001:DB8::A]", "[::ffff:127.0.0.1]:80", "localhost:65535", "127.0.0.1.",
    ] {
      allow(host, nil)
    }
  }

  /// DNS rebinding: a name that anybody may point at this machine.
  @Test func hostsThatAreNobodysNameForThisMachine() {
    for host in [
      "evil.example", "evil.example:8080", "localhost.evil.com", "evil.localhost.com",
      "127.0.0.1.nip.io", "127.0.0.1.nip.io:8080", "xlocalhost", "localhostx",
      "localhost.localdomain",
      "localhost..", "example", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.256",
      "127.0.0.1..", "１２７.0.0.1",
    ] {
      refuseHost(host)
      // A good Origin does not help, and the Host is judged first.
      refuseHost(host, "http://localhost:8080")
      refuseHost(host, "http://\(host)")
      refuseHost(host, "http://evil.example")
    }
  }

  @Test func hostsThatAreMalformed() {
    for host in [
      "", " ", ":", ":8080", ".", ".:80", "localhost:", "localhost:0", "localhost:65536",
      "localhost:-1", "localhost:+80", "localhost:8o", "localhost:80:80", "localhost:٣",
      "localhost:99999999999999999999", "localhost:80 ", " localhost", "local host", "localhost\t",
      "localhost/", "localhost/x", "user@localhost", "localhost?x", "localhost#x", "local\\host",
      "localhost,evil.example", "http://localhost", "[::1", "::1", "[::1]x", "[::1]:", "[::1]:x",
      "[]", "[", "]", "[localhost]", "[127.0.0.1]", "[::1%eth0]", "[::g]", "localhost\u{0}",
      "localhost\u{7F}", "localhost\r\nX: y", "löcalhost", "\u{FF4C}ocalhost", "loca\u{301}lhost",
    ] {
      refuseHost(host)
      refuseHost(host, "http://localhost")
    }
  }

  /// Pages on this machine may talk to each other, whatever their ports.
  @Test func originsOfLoopback() {
    for origin in [
      "http://localhost", "http://localhost:8080", "http://localhost:3000", "https://localhost",
      "https://localhost:8443", "HTTP://LOCALHOST:8080", "http://localhost.",
      "http://app.localhost",
      "https://a.b.localhost:5", "http://127.0.0.1", "http://127.0.0.1:9", "http://127.8.9.10:1",
      "http://[::1]", "https://[::1]:8080", "http://[0:0:0:0:0:0:0:1]",
    ] {
      for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7:8080"] {
        allow(host, origin)
      }
    }
  }

  @Test func originsOfStrangers() {
    for origin in [
      "http://evil.example", "https://evil.example:8080", "null", "NULL", "",
      "http://localhost.evil.com", "http://evil.localhost.com", "http://127.0.0.1.nip.io",
      "http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]", "http://xlocalhost", "http://0.0.0.0",
      "http://0.0.0.0:8080", "http://2130706433", "http://127.1", "http://192.168.1.8:8080",
      "file://", "file:///etc/passwd", "ws://localhost", "wss://localhost:8080",
      "chrome-extension://abcdefgh", "moz-extension://localhost", "ftp://localhost",
      "data:text/html,x", "javascript://localhost", "localhost", "localhost:8080", "//localhost",
      "http:localhost", "http:/localhost", "http://", "http:///", "http://localhost/",
      "http://localhost/x", "http://localhost?x", "http://localhost#x", "http://localhost@evil.com",
      "http://evil.com@localhost", "http://localhost\\evil.com", "http://localhost:x",
      "http://localhost:0", "http://localhost:", "http://localhost:65536", "http://localhost evil",
      "http://localhost, http://evil.example", "http://localhost,evil.example",
      "http://[::1", "http://::1", "http://[localhost]", "http://localhost\u{0}",
      "http://http://localhost", "xhttp://localhost", " http://localhost", "http:// localhost",
      "http://löcalhost", "http\u{301}://localhost", "http://\u{301}localhost",
    ] {
      for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7:8080"] {
        refuseOrigin(host, origin)
      }
    }
  }

  /// A page that this server itself delivered, wherever it is reached.
  @Test func theSameHostAndPort() {
    allow("192.168.1.7:8080", "http://192.168.1.7:8080")
    allow("192.168.1.7", "http://192.168.1.7")
    allow("192.168.1.7:80", "http://192.168.1.7")
    allow("192.168.1.7", "https://192.168.1.7")
    allow("192.168.1.7:443", "https://192.168.1.7")
    allow("[fe80::1]:9", "http://[FE80::1]:9")
    allow("[::ffff:127.0.0.1]:80", "http://[::ffff:127.0.0.1]")
    refuseOrigin("192.168.1.7:8080", "http://192.168.1.7:8081")
    refuseOrigin("192.168.1.7:8080", "http://192.168.1.7")
    refuseOrigin("192.168.1.7", "http://192.168.1.7:8080")
    refuseOrigin("192.168.1.7:443", "http://192.168.1.7")
    refuseOrigin("192.168.1.7:80", "https://192.168.1.7")
    refuseOrigin("192.168.1.7:8080", "ws://192.168.1.7:8080")
    refuseOrigin("192.168.1.7:8080", "http://192.168.1.70:8080")
  }

  @Test func originsThatWereAllowed() {
    let rules = OriginRules(allowedOrigins: ["https://App.example", "null", "http://b.example:81"])
    for origin in [
      "https://app.example", "HTTPS://APP.EXAMPLE", "null", "http://b.example:81",
      "http://localhost:1",
    ] {
      allow("localhost:8080", origin, rules: rules)
    }
    for origin in [
      "http://app.example", "https://app.example:8080", "https://x.app.example",
      "https://app.example.evil.com", "https://app.example/", "http://b.example", "nullx", "",
    ] {
      refuseOrigin("localhost:8080", origin, rules: rules)
    }
    // An allowed origin does not make its name an allowed host.
    refuseHost("app.example", "https://app.example", rules: rules)
  }

  @Test func hostsThatWereAllowed() {
    let rules = OriginRules(allowedHosts: ["Dev.example", "abs.example.", "[2001:db8::1]"])
    for host in [
      "dev.example", "DEV.EXAMPLE:8080", "dev.example.", "dev.example.:1", "abs.example",
      "abs.example.", "localhost", "192.0.2.1",
    ] {
      allow(host, nil, rules: rules)
      allow(host, "http://localhost:1", rules: rules)
      refuseOrigin(host, "http://evil.example", rules: rules)
    }
    allow("dev.example:8080", "http://dev.example:8080", rules: rules)
    allow("dev.example:8080", "http://DEV.example.:8080", rules: rules)
    allow("dev.example", "https://dev.example", rules: rules)
    refuseOrigin("dev.example:8080", "http://dev.example", rules: rules)
    refuseOrigin("localhost:8080", "http://dev.example:8080", rules: rules)
    for host in ["x.dev.example", "dev.example.evil.com", "example", "xdev.example", ""] {
      refuseHost(host, rules: rules)
    }
  }

  @Test func hostAndOriginMustBeThereOnce() {
    func judge(_ fields: [(String, String)]) -> OriginRules.Verdict {
      OriginRules(allowedOrigins: ["null"]).judge(HTTPHeaders(fields))
    }
    #expect(judge([]) == .refusedHost(""))
    #expect(judge([("Origin", "http://localhost")]) == .refusedHost(""))
    #expect(
      judge([("Host", "localhost"), ("host", "localhost")])
        == .refusedHost("localhost, localhost"))
    #expect(
      judge([("Host", "localhost"), ("Host", "evil.example")])
        == .refusedHost("localhost, evil.example"))
    #expect(
      judge([
        ("Host", "localhost"), ("Origin", "http://localhost"), ("origin", "http://localhost"),
      ]) == .refusedOrigin("http://localhost, http://localhost"))
    #expect(
      judge([("Host", "localhost"), ("Origin", "null"), ("Origin", "http://evil.example")])
        == .refusedOrigin("null, http://evil.example"))
    #expect(judge([("HOST", "localhost"), ("ORIGIN", "null")]) == .allowed)
  }

  @Test func addresses() {
    #expect(IPAddress("127.0.0.1") == .v4(0x7F00_0001))
    #expect(IPAddress("1.2.3.4") == .v4(0x0102_0304))
    #expect(IPAddress("::1") == .v6([UInt8](repeating: 0, count: 15) + [1]))
    for text in ["", "localhost", "127.0.0", "1.2.3.4.5", "[::1]", "::1%lo", "1.2.3.4 ", ":::"] {
      #expect(IPAddress(text) == nil, "\(text)")
    }
    for text in ["127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"] {
      #expect(IPAddress(text)?.isLoopback == true, "\(text)")
    }
    for text in [
      "126.255.255.255", "128.0.0.0", "0.0.0.0", "::", "::2", "1::1", "::ffff:127.0.0.1",
      "::127.0.0.1",
    ] {
      #expect(IPAddress(text)?.isLoopback == false, "\(text)")
    }
  }
}
