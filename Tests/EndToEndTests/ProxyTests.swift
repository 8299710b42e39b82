import TestPeers
import Testing

/// The way through a proxy that does as it should.
@Suite(.blocking) struct ProxyTests {
  /// A proxy of each kind, as `--proxy` names it.
  struct Proxy: Sendable {
    let peer: ProxyPeer
    let url: String
    private let front: TLSFront?

    /// `userInfo` is what the URL says of the user, with the @.
    ///
    /// - Throws: `TestPeerError`.
    init(
      _ scheme: String, credentials: String? = nil, userInfo: String = "",
      certificate: TestCertificate? = nil
    ) async throws {
      peer = try ProxyPeer(
        scheme.hasPrefix("socks") ? .socks : .connect, credentials: credentials)
      guard scheme == "https" else {
        front = nil
        url = "\(scheme)://\(userInfo)\(peer.endpoint)"
        return
      }
      let own = try TLSTests.authority.get()
      let front = try await TLSFront(try certificate ?? own.leaf("a proxy"), to: peer.port)
      self.front = front
      url = "https://\(userInfo)127.0.0.1:\(front.port)"
    }
  }

  static let schemes = ["http", "https", "socks5", "socks5h"]

  /// The options that a proxy of this kind needs.
  static func trust(_ scheme: String) throws -> [String] {
    scheme == "https" ? ["--proxy-cacert", try TLSTests.authority.get().path("root.pem")] : []
  }

  @Test(arguments: schemes) func ws(_ scheme: String) async throws {
    let proxy = try await Proxy(scheme)
    let server = try RawPeer([
      .readRequest, .accept, .frame(opcode: 1, Array("arrived".utf8)),
      .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    defer { server.stop() }
    let finished = try Wscope.run(
      ["send", server.url, "-v", "--proxy", proxy.url] + Self.trust(scheme), input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.outputText == "arrived\n")
    #expect(proxy.peer.destinations == ["127.0.0.1:\(server.port)"])
    let connected = finished.errorText.split(separator: "\n").first { $0.contains("connected to") }
    let endpoint = "127.0.0.1:\(server.port) through the proxy \(proxy.url) (tcp "
    #expect(connected?.contains(endpoint) == true, "\(finished.errorText)")
    #expect(connected?.contains("s, proxy ") == true && connected?.contains("s, upgrade ") == true)
    // The server sees nothing of it.
    let request = try #require(server.requests.first)
    #expect(request.hasPrefix("GET / HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n"))
    #expect(!request.lowercased().contains("proxy"), "\(request)")
  }

  @Test(arguments: schemes) func wss(_ scheme: String) async throws {
    let authority = try TLSTests.authority.get()
    let proxy = try await Proxy(scheme)
    let server = try await TLSPeer([try authority.leaf()])
    defer { server.stop() }
    let finished = try Wscope.run(
      [
        "send", "wss://localhost:\(server.port)/", "-v", "--proxy", proxy.url, "--cacert",
        authority.path("root.pem"), "-4",
      ] + Self.trust(scheme), input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.outputText == "hello\n")
    let asked = scheme == "socks5" ? "127.0.0.1" : "localhost"
    #expect(proxy.peer.destinations == ["\(asked):\(server.port)"])
    // With socks5 the name is looked up here.
    let first = scheme == "socks5" ? "dns" : "tcp"
    #expect(finished.errorText.contains("through the proxy \(proxy.url), TLSv1.3 (\(first) "))
    #expect(finished.errorText.contains("s, tls "))
  }

  @Test(arguments: schemes) func connectAndBench(_ scheme: String) async throws {
    let listener = try Listener(["-q"])
    let proxy = try await Proxy(scheme, credentials: "me:hush", userInfo: "me:hush@")
    let options = try ["--proxy", proxy.url] + Self.trust(scheme)
    let connected = try Wscope.run(["connect", listener.url] + options, input: "one\ntwo\n")
    #expect(connected.exitCode == 0, "\(connected.errorText)")
    #expect(connected.outputText == "one\ntwo\n")
    let before = proxy.peer.destinations.count
    #expect(before == 1)
    let benched = try Wscope.run(
      ["bench", listener.url, "-c", "3", "-n", "60", "--format", "json"] + options, input: "")
    #expect(benched.exitCode == 0, "\(benched.errorText)")
    let shown = proxy.url.replacing("me:hush@", with: "")
    #expect(benched.errorText.contains("goes through the proxy \(shown), which is measured too"))
    #expect(proxy.peer.destinations.count - before >= 3)
    for said in [connected, benched] {
      #expect(!(said.errorText + said.outputText).contains("hush"))
    }
  }

  /// Names that nobody but the proxy knows.
  @Test(arguments: schemes) func whoLooksTheNameUp(_ scheme: String) async throws {
    let listener = try Listener(["-q", "--allow-host", "name.invalid"])
    let proxy = try await Proxy(scheme)
    let url = "ws://name.invalid:\(listener.port)/"
    let options = try ["--proxy", proxy.url] + Self.trust(scheme)
    let finished = try Wscope.run(["send", url, "hello", "-N1"] + options)
    if scheme == "socks5" {
      #expect(finished.exitCode == 6, "\(finished.errorText)")
      #expect(finished.errorText.contains("cannot resolve name.invalid"))
      #expect(proxy.peer.destinations.isEmpty)
      let rule = "name.invalid:\(listener.port):127.0.0.1"
      let resolved = try Wscope.run(["send", url, "hello", "-N1", "--resolve", rule] + options)
      #expect(resolved.outputText == "hello\n", "\(resolved.errorText)")
      #expect(proxy.peer.destinations == ["127.0.0.1:\(listener.port)"])
    } else {
      #expect(finished.outputText == "hello\n", "\(finished.errorText)")
      #expect(proxy.peer.destinations == ["name.invalid:\(listener.port)"])
    }
  }

  @Test func connectToChangesWhatTheProxyIsAskedFor() async throws {
    let listener = try Listener(["-q", "--allow-host", "name.invalid"])
    let proxy = try await Proxy("http")
    let finished = try Wscope.run([
      "send", "ws://name.invalid/", "hello", "-N1", "--proxy", proxy.url, "--connect-to",
      "name.invalid:80:other.invalid:\(listener.port)",
    ])
    #expect(finished.outputText == "hello\n", "\(finished.errorText)")
    #expect(proxy.peer.destinations == ["other.invalid:\(listener.port)"])
  }

  // MARK: Who we are

  static let ways: [(userInfo: String, options: [String])] = [
    ("me:h%40sh:x@", []), ("", ["--proxy-user", "me:h@sh:x"]), ("", ["--proxy-user", "@FILE"]),
    ("", ["--proxy-user", "env:SECRET"]),
  ]

  @Test(arguments: schemes, ways.indices)
  func credentials(_ scheme: String, _ index: Int) async throws {
    let way = Self.ways[index]
    let file = try TestCertificate.write(
      Array("me:h@sh:x\r\nmore\n".utf8), to: "\(Wscope.scratch("proxy"))/secret-\(scheme)")
    let proxy = try await Proxy(scheme, credentials: "me:h@sh:x", userInfo: way.userInfo)
    let server = try RawPeer([
      .readRequest, .accept, .frame(opcode: 1, Array("arrived".utf8)),
      .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    defer { server.stop() }
    let finished = try Wscope.run(
      ["send", server.url, "-v", "--proxy", proxy.url] + Self.trust(scheme)
        + way.options.map { $0.replacing("@FILE", with: "@\(file)") },
      input: "", environment: ["SECRET": "me:h@sh:x"])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.outputText == "arrived\n")
    for secret in ["sh:x", "bWU6aEBzaDp4", "Proxy-Authorization"] {
      #expect(!finished.errorText.contains(secret), "\(finished.errorText)")
      #expect(!server.requests.joined().contains(secret))
    }
  }

  @Test(arguments: schemes) func wrongPassword(_ scheme: String) async throws {
    let proxy = try await Proxy(scheme, credentials: "me:hush")
    for (options, isKnown) in [([], false), (["--proxy-user", "me:hash"], true)] {
      for command in ["send", "connect", "bench"] {
        let finished = try Wscope.run(
          [command, "ws://127.0.0.1:1/", "--proxy", proxy.url] + Self.trust(scheme) + options,
          input: "")
        #expect(finished.exitCode == 97, "\(command): \(finished.errorText)")
        #expect(!finished.errorText.contains("hash"), "\(finished.errorText)")
        // What bench says of failures is its own table.
        guard command != "bench" else { continue }
        let said =
          switch (scheme.hasPrefix("socks"), isKnown) {
          case (false, false): "hint: --proxy-user USER:PASSWORD"
          case (false, true): "hint: it rejects this user and password"
          case (true, false): "refused: it accepts none of the offered authentication methods"
          case (true, true): "refused: it rejects this user and password"
          }
        #expect(finished.errorText.contains("the proxy \(proxy.url) refused"))
        #expect(finished.errorText.contains(said), "\(finished.errorText)")
        guard !scheme.hasPrefix("socks") else { continue }
        for text in [
          "to connect to 127.0.0.1:1: 407 Proxy Authentication Required",
          "proxy-authenticate: Basic realm=\"the realm\"", "body: who are you?",
        ] { #expect(finished.errorText.contains(text), "\(finished.errorText)") }
      }
    }
    #expect(proxy.peer.destinations.isEmpty)
  }

  // MARK: TLS with the proxy

  struct Trust: Sendable, CustomTestStringConvertible {
    var name: String
    var certificate: @Sendable (TLSTests.Authority) throws -> TestCertificate
    var options: [String]
    var exitCode: Int32 = 60
    var said: String

    var testDescription: String { name }
  }

  static let trusts: [Trust] = [
    Trust(
      name: "another authority", certificate: { try $0.leaf() },
      options: ["--proxy-cacert", "DIR/client.pem"], said: "unknown issuer CN=Test Root"),
    Trust(
      name: "the system's", certificate: { try $0.leaf() }, options: [],
      said: "unknown issuer CN=Test Root"),
    // Both are about the server, which is another one.
    Trust(
      name: "--cacert", certificate: { try $0.leaf() }, options: ["--cacert", "DIR/root.pem"],
      said: "unknown issuer CN=Test Root"),
    Trust(
      name: "--insecure", certificate: { try $0.leaf() }, options: ["--insecure"],
      said: "unknown issuer CN=Test Root"),
    Trust(
      name: "another name", certificate: { try $0.leaf(names: ["example.org"], addresses: []) },
      options: ["--proxy-cacert", "DIR/root.pem"], said: " is not for 127.0.0.1"),
  ]

  @Test(arguments: trusts) func distrust(row: Trust) async throws {
    let authority = try TLSTests.authority.get()
    let proxy = try await Proxy("https", certificate: try row.certificate(authority))
    let server = try await TLSPeer([try authority.leaf()])
    defer { server.stop() }
    let finished = try Wscope.run(
      ["send", "wss://127.0.0.1:\(server.port)/", "x", "--proxy", proxy.url]
        + row.options.map { $0.replacing("DIR", with: authority.files) })
    #expect(finished.exitCode == row.exitCode, "\(finished.errorText)")
    let about = "hint: this is the TLS connection to the proxy \(proxy.url)"
    for text in [row.said, "wscope: the certificate of the proxy \(proxy.url) ", about] {
      #expect(finished.errorText.contains(text), "\(text) in: \(finished.errorText)")
    }
    // No advice about the server's options.
    #expect(!finished.errorText.contains("hint: --cacert"), "\(finished.errorText)")
    #expect(proxy.peer.requests.allSatisfy { $0.isEmpty })
  }

  /// The other way round: what the proxy is believed for is not believed of the server.
  @Test func theServersCertificateIsCheckedByItself() async throws {
    let authority = try TLSTests.authority.get()
    let proxy = try await Proxy("https")
    let server = try await TLSPeer([try authority.leaf()])
    defer { server.stop() }
    let finished = try Wscope.run(
      ["send", "wss://localhost:\(server.port)/", "x", "--proxy", proxy.url]
        + Self.trust("https"))
    #expect(finished.exitCode == 60, "\(finished.errorText)")
    #expect(finished.errorText.contains("the certificate of localhost:\(server.port) is not"))
    #expect(!finished.errorText.contains("--proxy-cacert"), "\(finished.errorText)")
  }

  @Test func anHTTPProxyIsNoHTTPSOne() async throws {
    let peer = try ProxyPeer(.connect)
    let finished = try Wscope.run([
      "send", "ws://127.0.0.1:1/", "x", "--proxy", "https://\(peer.endpoint)", "--open-timeout",
      "3s",
    ])
    #expect(finished.exitCode == 35 || finished.exitCode == 28, "\(finished.errorText)")
    #expect(finished.errorText.contains("the proxy"), "\(finished.errorText)")
  }
}
