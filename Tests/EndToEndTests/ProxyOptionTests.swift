import TestPeers
import Testing

/// Which proxy is taken, by options, variables and redirects.
@Suite(.blocking) struct ProxyOptionTests {
  /// Variables, options and a URL that begins with `SCHEME`; whether the way goes through the proxy.
  struct Row: Sendable, CustomTestStringConvertible {
    var scheme = "ws"
    /// The proxy stands for `PROXY`.
    var variables: [String: String] = [:]
    var options: [String] = []
    var host = "127.0.0.1"
    var isThrough: Bool
    var testDescription: String { "\(scheme) \(host) \(variables) \(options)" }
  }

  static let rows: [Row] = [
    Row(variables: ["http_proxy": "PROXY"], isThrough: true),
    Row(variables: ["http_proxy": "http://PROXY/"], isThrough: true),
    Row(variables: ["HTTP_PROXY": "PROXY"], isThrough: false),
    Row(variables: ["https_proxy": "PROXY", "HTTPS_PROXY": "PROXY"], isThrough: false),
    Row(variables: ["all_proxy": "PROXY"], isThrough: true),
    Row(variables: ["ALL_PROXY": "PROXY"], isThrough: true),
    Row(variables: ["http_proxy": "PROXY", "all_proxy": "127.0.0.1:1"], isThrough: true),
    Row(scheme: "wss", variables: ["https_proxy": "PROXY"], isThrough: true),
    Row(scheme: "wss", variables: ["HTTPS_PROXY": "PROXY"], isThrough: true),
    Row(scheme: "wss", variables: ["http_proxy": "PROXY"], isThrough: false),
    Row(scheme: "wss", variables: ["all_proxy": "PROXY"], isThrough: true),
    Row(variables: ["http_proxy": "127.0.0.1:1"], options: ["--proxy", "PROXY"], isThrough: true),
    Row(variables: ["http_proxy": "127.0.0.1:1"], options: ["--proxy", ""], isThrough: false),
    Row(variables: ["http_proxy": "PROXY", "no_proxy": "127.0.0.1"], isThrough: false),
    Row(variables: ["http_proxy": "PROXY", "NO_PROXY": "127.0.0.0/8"], isThrough: false),
    Row(variables: ["http_proxy": "PROXY", "no_proxy": "*"], isThrough: false),
    Row(variables: ["http_proxy": "PROXY", "no_proxy": "0.0.1,a.example"], isThrough: true),
    Row(
      variables: ["http_proxy": "PROXY", "no_proxy": "localhost"], host: "localhost",
      isThrough: false),
    Row(variables: ["no_proxy": "*"], options: ["--proxy", "PROXY"], isThrough: false),
    Row(
      variables: ["no_proxy": "*"], options: ["--proxy", "PROXY", "--noproxy", "x"], isThrough: true
    ),
    Row(
      variables: ["http_proxy": "PROXY"], options: ["--noproxy", "127.0.0.0/8"], isThrough: false),
    Row(variables: ["http_proxy": "PROXY"], options: ["--noproxy", "*"], isThrough: false),
    Row(
      options: ["--proxy", "PROXY", "--proxy-cacert", "/dev/null", "--noproxy", "127.0.0.1"],
      isThrough: false),
  ]

  @Test(arguments: rows) func choice(row: Row) async throws {
    let proxy = try ProxyPeer(.connect)
    let authority = try TLSTests.authority.get()
    let greeting: [RawPeer.Step] = [
      .readRequest, .accept, .frame(opcode: 1, Array("hello".utf8)),
      .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ]
    let plain = try RawPeer(greeting)
    let secure = try await TLSPeer([try authority.leaf()])
    defer {
      plain.stop()
      secure.stop()
    }
    let port = row.scheme == "wss" ? secure.port : plain.port
    func filled(_ text: String) -> String { text.replacing("PROXY", with: proxy.endpoint) }
    let trust = row.scheme == "wss" ? ["--cacert", authority.path("root.pem")] : []
    let finished = try Wscope.run(
      ["send", "\(row.scheme)://\(row.host):\(port)/", "-4"] + trust + row.options.map(filled),
      input: "", environment: row.variables.mapValues(filled))
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.outputText == "hello\n")
    #expect(proxy.destinations == (row.isThrough ? ["\(row.host):\(port)"] : []))
  }

  /// The user of `--proxy-user` is for the proxy of a variable too, in place of the one that stands there.
  @Test func theUserOfAVariable() throws {
    let listener = try Listener(["-q"])
    let proxy = try ProxyPeer(.connect, credentials: "me:hush")
    for (variable, options) in [
      ("http://me:hush@", []), ("http://", ["--proxy-user", "me:hush"]),
      ("http://you:hash@", ["--proxy-user", "me:hush"]),
    ] {
      let finished = try Wscope.run(
        ["send", listener.url, "hello", "-N1"] + options,
        environment: ["http_proxy": variable + proxy.endpoint])
      #expect(finished.outputText == "hello\n", "\(finished.errorText)")
    }
  }

  @Test func neverForAUnixSocket() throws {
    let path = "\(try Wscope.scratch("proxy"))/socket"
    let server = try Wscope.start(["listen", "--unix-socket", path], hasInput: false)
    _ = try server.readLine(from: .standardError) { $0.contains("listening on") }
    let proxy = try ProxyPeer(.connect)
    let finished = try Wscope.run(
      ["send", "ws+unix:\(path)", "hello", "-N1"],
      environment: ["http_proxy": proxy.endpoint, "all_proxy": proxy.endpoint])
    #expect(finished.outputText == "hello\n", "\(finished.errorText)")
    #expect(proxy.requests.isEmpty)
    let typed = try Wscope.run(["send", "ws+unix:\(path)", "hello", "--proxy", proxy.endpoint])
    #expect(typed.exitCode == 2)
    #expect(typed.errorText.contains("--proxy and a unix socket cannot be used together"))
  }

  // MARK: Redirects

  private static func redirect(to location: String) -> [RawPeer.Step] {
    let reply = "HTTP/1.1 302 Found\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n"
    return [.readRequest, .send(Array(reply.utf8))]
  }

  @Test func aRedirectToWssHasTheProxyOfWss() async throws {
    let authority = try TLSTests.authority.get()
    let (first, second) = (try ProxyPeer(.connect), try ProxyPeer(.socks, credentials: "me:hush"))
    let last = try await TLSPeer([try authority.leaf()])
    let start = try RawPeer(Self.redirect(to: "wss://localhost:\(last.port)/"))
    defer {
      last.stop()
      start.stop()
    }
    let finished = try Wscope.run(
      [
        "send", start.url, "-L", "-v", "--cacert", authority.path("root.pem"), "-H",
        "X-API-Key: sesame",
      ], input: "",
      environment: [
        "http_proxy": first.endpoint, "https_proxy": "socks5h://me:hush@\(second.endpoint)",
      ])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.outputText == "hello\n")
    #expect(first.destinations == ["127.0.0.1:\(start.port)"])
    #expect(second.destinations == ["localhost:\(last.port)"])
    #expect(!finished.errorText.contains("hush") && !first.requests.joined().contains("hush"))
    #expect(
      finished.errorText.contains(
        "localhost:\(last.port) through the proxy socks5h://\(second.endpoint)"))
    #expect(finished.errorText.contains("not sent there: X-API-Key"))
  }

  /// The proxy's password stays the proxy's, whatever the origin is.
  @Test func aRedirectToAnotherOriginKeepsTheProxy() throws {
    let proxy = try ProxyPeer(.connect, credentials: "me:hush")
    let last = try RawPeer([
      .readRequest, .accept, .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    let start = try RawPeer(Self.redirect(to: last.url))
    defer {
      last.stop()
      start.stop()
    }
    let finished = try Wscope.run(
      ["send", start.url, "-L", "--proxy", "http://me:hush@\(proxy.endpoint)", "-u", "ada:sesame"],
      input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(proxy.destinations == ["127.0.0.1:\(start.port)", "127.0.0.1:\(last.port)"])
    let seen = (start.requests + last.requests).joined()
    #expect(!seen.contains("Proxy-Authorization") && !seen.contains("bWU6aHVzaA=="))
    #expect(last.requests.allSatisfy { !$0.contains("Authorization") })
    #expect(last.requests.count == 1)
  }

  @Test func aRedirectToWhereNoProxyIs() throws {
    let proxy = try ProxyPeer(.connect)
    let last = try RawPeer([
      .readRequest, .accept, .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    let start = try RawPeer(Self.redirect(to: "ws://localhost:\(last.port)/"))
    defer {
      last.stop()
      start.stop()
    }
    let finished = try Wscope.run(
      ["send", start.url, "-L", "-4"], input: "",
      environment: ["http_proxy": proxy.endpoint, "no_proxy": "localhost"])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(proxy.destinations == ["127.0.0.1:\(start.port)"])
    #expect(last.requests.count == 1)
  }

  @Test func aRedirectWhoseProxyIsNone() throws {
    let start = try RawPeer(Self.redirect(to: "wss://localhost:1/"))
    defer { start.stop() }
    let finished = try Wscope.run(
      ["send", start.url, "-L"], input: "", environment: ["https_proxy": "ftp://me:hush@a"])
    #expect(finished.exitCode == 2, "\(finished.errorText)")
    for text in [
      "no usable proxy for the URL that the server redirects to",
      "location: wss://localhost:1/", "reason: https_proxy: unsupported proxy scheme \"ftp\"",
    ] { #expect(finished.errorText.contains(text), "\(finished.errorText)") }
    #expect(!finished.errorText.contains("hush"))
  }

  // MARK: What is typed

  @Test(arguments: [
    (["--proxy", "ftp://a"], "--proxy: unsupported proxy scheme \"ftp\""),
    (["--proxy", "http://"], "--proxy: the URL has no host"),
    (["--proxy", "a:99999"], "--proxy: invalid port"),
    (["--proxy", "http://a/x"], "--proxy: a proxy URL has no path"),
    (["--proxy", "http://a b"], "--proxy: invalid host name"),
    (["--proxy", "http://a\nb"], "--proxy: the URL contains a control character (byte 8)"),
    (["--proxy", "http://me:hu%sh@a"], "contains an invalid percent-encoding"),
    (["--proxy", "http://me:hu%0dsh@a"], "the user or the password contains a control character"),
    (["--proxy", "a", "--proxy-user", "me"], "--proxy-user requires USER:PASSWORD"),
    (["--proxy", "a", "--proxy-user", "me:hu\nsh"], "--proxy-user contains a line break"),
    (
      ["--proxy", "a", "--proxy-user", "env:NOWHERE"],
      "the environment variable after env: is not set"
    ),
    (
      ["--proxy", "a", "--proxy-user", "@/nonexistent/x"],
      "cannot read the file after @: No such file"
    ),
    (["--proxy", "http://me:hush@a", "--proxy-user", "me:hush"], "cannot be used together"),
    (
      ["--proxy", "socks5://a", "--proxy-user", "me:\(String(repeating: "h", count: 256))"],
      "at most 255 bytes each with SOCKS"
    ),
    (["--proxy", "a", "--proxy-cacert", "/dev/null"], "--proxy-cacert requires an https proxy"),
    (["--proxy", "https://a", "--proxy-cacert", "/nonexistent/x"], "/nonexistent/x"),
    (["--proxy", "https://a", "--proxy-cacert", "/dev/null"], "/dev/null"),
  ])
  func isRefused(_ options: [String], _ said: String) throws {
    for command in ["send", "connect", "bench"] {
      let finished = try Wscope.run([command, "ws://127.0.0.1:1/"] + options, input: "")
      #expect(finished.exitCode == 2, "\(command): \(finished.errorText)")
      #expect(finished.errorText.contains(said), "\(finished.errorText)")
      #expect(!finished.errorText.contains("hush") && !finished.errorText.contains("hhh"))
      let own = finished.errorText.split(separator: "\n").filter { $0.hasPrefix("wscope: ") }
      #expect(own.count == 1, "\(finished.errorText)")
    }
  }

  @Test func aVariableIsNamedWhenItIsNoProxy() throws {
    for (name, url) in [("http_proxy", "ws"), ("HTTPS_PROXY", "wss"), ("all_proxy", "ws")] {
      let finished = try Wscope.run(
        ["send", "\(url)://127.0.0.1:1/", "x"], environment: [name: "ftp://me:hush@a"])
      #expect(finished.exitCode == 2, "\(finished.errorText)")
      #expect(finished.errorText.contains("wscope: \(name): unsupported proxy scheme \"ftp\""))
      #expect(!finished.errorText.contains("hush"))
    }
  }
}
