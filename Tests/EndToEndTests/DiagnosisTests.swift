import TestPeers
import Testing

/// Why there is no connection: each case of PRODUCT 1.5 by a server that really does it, with the whole of
/// what is said. Those of TLS are in `TLSTests`.
@Suite(.blocking) struct DiagnosisTests {
  /// `<port>` is the server's. A line that ends in `*` may go on.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    /// nil for a port where nobody listens.
    var steps: [RawPeer.Step]?
    var url = "ws://127.0.0.1:<port>/chat"
    var options: [String] = []
    var exitCode: Int32
    var said: [String]
    var testDescription: String { name }
  }

  static let nginx =
    "  hint: a reverse proxy must forward Upgrade and Connection; nginx: proxy_http_version 1.1; "
    + "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
  static let accept =
    "  hint: the server must compute it from the key (RFC 6455 section 4.2.2); "
    + "or a cache repeats an old reply"

  /// A refusal: `fields` of the reply, its `body`, and the lines below the first.
  static func refused(
    _ status: String, fields: [String] = [], body: String = "", options: [String] = [],
    name: String? = nil, _ said: String...
  ) -> Row {
    let head = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + fields
    let reply = head.map { $0 + "\r\n" }.joined() + "\r\n" + body
    return Row(
      name: name ?? status, steps: [.readRequest, .send(Array(reply.utf8)), .readToEnd],
      options: options, exitCode: 22,
      said: ["wscope: server refused the upgrade: \(status) (expected 101)"]
        + said.map { "  " + $0 })
  }

  static let refusals: [Row] = [
    refused(
      "200 OK", fields: ["Content-Type: text/html"], body: "<html><title>Shop</title>",
      "body: Shop",
      "hint: this path is an ordinary page; WebSocket endpoints are often /ws or /socket"),
    refused(
      "301 Moved Permanently", fields: ["Location: https://127.0.0.1/"],
      "location: https://127.0.0.1/",
      "hint: -L follows the redirect"),
    refused(
      "302 Found", fields: ["Location: /login"], "location: /login", "hint: -L follows the redirect"
    ),
    refused(
      "307 Temporary Redirect", fields: ["Location: /b"], "location: /b",
      "hint: -L follows the redirect"),
    refused(
      "308 Permanent Redirect", fields: ["Location: /b"], "location: /b",
      "hint: -L follows the redirect"),
    refused("304 Not Modified", "hint: the server does not accept WebSockets at this path"),
    refused(
      "400 Bad Request",
      "hint: the server may expect another path, or another version of the protocol"),
    refused(
      "400 Bad Request", fields: ["Sec-WebSocket-Version: 8"], name: "400, another version",
      "sec-websocket-version: 8",
      "hint: wscope implements version 13, the only standard version (RFC 6455); "
        + "the server is outdated"),
    refused(
      "400 Bad Request", body: "Can \"Upgrade\" only to \"WebSocket\".",
      name: "400, no upgrade came",
      "body: Can \"Upgrade\" only to \"WebSocket\".", String(nginx.dropFirst(2))),
    refused(
      "401 Unauthorized", fields: ["WWW-Authenticate: Bearer realm=\"x\""],
      body: "{\"error\":\"expired\"}",
      "www-authenticate: Bearer realm=\"x\"", "body: {\"error\":\"expired\"}",
      "hint: pass a token with --bearer @FILE"),
    refused(
      "401 Unauthorized", fields: ["WWW-Authenticate: Basic realm=\"x\""], name: "401, Basic",
      "www-authenticate: Basic realm=\"x\"", "hint: pass a user name and password with --user NAME"),
    refused(
      "401 Unauthorized", name: "401, no scheme",
      "hint: pass a password with --user NAME, or a token with --bearer @FILE"),
    refused(
      "401 Unauthorized", options: ["--bearer", "old", "-o", "http://a"], name: "401, once more",
      "origin sent: http://a",
      "hint: the server rejected the credentials; are they correct, and not expired?"
    ),
    refused(
      "403 Forbidden", options: ["--origin", "https://a.example"], name: "403, an Origin",
      "origin sent: https://a.example", "hint: the server may require another Origin: --origin URL"),
    refused(
      "403 Forbidden", "origin sent: none",
      "hint: the server may require an Origin, as a browser sends it: --origin URL"),
    refused(
      "404 Not Found",
      "hint: there is nothing at this path; WebSocket endpoints are often /ws or /socket"),
    refused("405 Method Not Allowed", "hint: the server does not accept WebSockets at this path"),
    refused("426 Upgrade Required", String(nginx.dropFirst(2))),
    refused(
      "426 Upgrade Required", fields: ["Sec-WebSocket-Version: 7, 8"], name: "426, another version",
      "sec-websocket-version: 7, 8",
      "hint: wscope implements version 13, the only standard version (RFC 6455); "
        + "the server is outdated"),
    refused(
      "429 Too Many Requests", fields: ["Retry-After: 17"], "retry-after: 17",
      "hint: too many requests: wait before trying again, as long as Retry-After says if present"),
    refused("500 Internal Server Error", "hint: the server failed; check its log"),
    refused(
      "502 Bad Gateway",
      "hint: a proxy replied, but the server behind it did not; --wait-up 30s waits for it"),
    refused(
      "503 Service Unavailable", fields: ["Retry-After: 5"], "retry-after: 5",
      "hint: a proxy replied, but the server behind it did not; --wait-up 30s waits for it"),
  ]

  static func wrong(
    _ what: String, version: String = "HTTP/1.1", _ fields: [String], _ said: String...
  ) -> Row {
    let lines = ["\(version) 101 Switching Protocols"] + fields
    let reply = lines.map { $0 + "\r\n" }.joined() + "\r\n"
    return Row(
      name: what, steps: [.readRequest, .send(Array(reply.utf8)), .readToEnd], exitCode: 8,
      said: ["wscope: invalid WebSocket handshake: \(what)"] + said)
  }

  static func chosen(_ what: String, _ field: String, options: [String] = [], _ said: String...)
    -> Row
  {
    Row(
      name: what, steps: [.readRequest, .acceptAnd(field), .readToEnd], options: options,
      exitCode: 8, said: ["wscope: invalid WebSocket handshake: \(what)"] + said)
  }

  static let upgrade = ["Upgrade: websocket", "Connection: Upgrade"]

  static let handshakes: [Row] = [
    wrong("it is HTTP/1.0, not HTTP/1.1", version: "HTTP/1.0", upgrade, nginx),
    wrong("the Upgrade field is missing", ["Connection: Upgrade"], nginx),
    wrong("the Connection field is missing", ["Upgrade: websocket"], nginx),
    wrong(
      "the Upgrade field is wrong", ["Upgrade: h2c", "Connection: Upgrade"], "  got: h2c",
      "  expected: websocket", "  hint: the server switches to another protocol at this path"),
    wrong(
      "the Connection field is wrong", ["Upgrade: websocket", "Connection: close"], "  got: close",
      "  expected: Upgrade", nginx),
    wrong("Sec-WebSocket-Accept is missing", upgrade, accept),
    wrong(
      "Sec-WebSocket-Accept does not match the key", upgrade + ["Sec-WebSocket-Accept: AAAA"],
      "  got: AAAA", "  expected: *", accept),
    wrong(
      "Sec-WebSocket-Accept occurs 2 times",
      upgrade + ["Sec-WebSocket-Accept: AAAA", "Sec-WebSocket-Accept: AAAA"], accept),
    chosen(
      "the server chose a subprotocol that was not offered", "Sec-WebSocket-Protocol: chat",
      options: ["-s", "a,b"], "  got: chat", "  offered: a, b",
      "  hint: --subprotocol NAME offers one"),
    chosen(
      "the server chose several subprotocols",
      "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b",
      options: ["-s", "a,b"], "  got: a, b", "  hint: --subprotocol NAME offers a single one"),
    chosen(
      "the server chose an extension that was not offered", "Sec-WebSocket-Extensions: x-bzip",
      "  got: x-bzip", "  offered: permessage-deflate*",
      "  hint: the server must choose among the offered ones (RFC 6455 section 9.1)"),
    chosen(
      "invalid response to the permessage-deflate offer",
      "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7",
      "  got: permessage-deflate; server_max_window_bits=7", "  offered: permessage-deflate*",
      "  hint: --no-compress connects without it"),
  ]

  static func reply(_ text: String) -> RawPeer.Step { .send(Array(text.utf8)) }

  static let others: [Row] = [
    Row(
      name: "no such name", steps: [], url: "ws://no.such.host.invalid:<port>/", exitCode: 6,
      said: [
        "wscope: cannot resolve no.such.host.invalid: *",
        "  hint: is the name correct? --resolve no.such.host.invalid:<port>:ADDR sets its address",
      ]),
    Row(
      name: "a family that the address is not of", steps: [], options: ["-6"], exitCode: 6,
      said: [
        "wscope: cannot resolve 127.0.0.1: *",
        "  hint: is the name correct? It may have an IPv4 address (omit -6)",
      ]),
    Row(
      name: "refused", exitCode: 7,
      said: [
        "wscope: cannot connect to 127.0.0.1:<port>: Connection refused",
        "  hint: is the server running, and is this its port? --wait-up 30s waits for it",
      ]),
    Row(
      name: "refused by each address", url: "ws://two.test:<port>/",
      options: ["--resolve", "two.test:<port>:127.0.0.1,127.0.0.2"], exitCode: 7,
      said: [
        "wscope: cannot connect to two.test:<port>: Connection refused",
        "  tried: 127.0.0.1:<port>: Connection refused",
        "  tried: 127.0.0.2:<port>: Connection refused",
        "  hint: is the server running, and is this its port? --wait-up 30s waits for it",
      ]),
    Row(
      name: "no socket there", options: ["--unix-socket", "/nonexistent/s"], exitCode: 7,
      said: [
        "wscope: cannot connect to /nonexistent/s: *",
        "  hint: is the server running, and is this its socket?",
      ]),
    Row(
      name: "closed before a reply", steps: [.readRequest], exitCode: 52,
      said: [
        "wscope: the server closed the connection before it replied",
        "  hint: if the server uses TLS: wscope send wss://127.0.0.1:<port>/chat",
      ]),
    Row(
      name: "reset before a reply", steps: [.readRequest, .reset], exitCode: 52,
      said: [
        "wscope: the server reset the connection before it replied",
        "  hint: if the server uses TLS: wscope send wss://127.0.0.1:<port>/chat",
      ]),
    Row(
      name: "closed inside the reply", steps: [.readRequest, reply("HTTP/1.1 101 Swi")],
      exitCode: 8,
      said: [
        "wscope: the server closed the connection in the middle of its reply",
        "  got: \"HTTP/1.1 101 Swi\"",
        "  hint: the server or a proxy in front of it failed; check its log",
      ]),
    Row(
      name: "not HTTP", steps: [reply("220 mail.example ESMTP\r\n"), .readToEnd], exitCode: 8,
      said: [
        "wscope: the server does not speak HTTP here", "  got: \"220 mail.example ESMTP\"",
        "  hint: this port serves another protocol; is it the right one?",
      ]),
    Row(
      name: "bad HTTP", steps: [.readRequest, reply("HTTP/1.1 1o1 Hm\r\n\r\n"), .readToEnd],
      exitCode: 8,
      said: [
        "wscope: the reply is not valid HTTP/1.1: line 1 is not a valid status line",
        "  got: \"HTTP/1.1 1o1 Hm\"",
        "  hint: the server, or a proxy in front of it, must send valid HTTP (RFC 9112)",
      ]),
    Row(
      name: "a head without end",
      steps: [
        .readRequest, reply("HTTP/1.1 101 OK\r\n" + String(repeating: "X: y\r\n", count: 200)),
        .readToEnd,
      ], exitCode: 8,
      said: [
        "wscope: the head of the reply is too large (over 8 KiB a line, 100 fields or 32 KiB)",
        "  got: \"HTTP/1.1 101 OK\"",
        "  hint: the reply to an upgrade needs only a few fields; is this the right server?",
      ]),
    Row(
      name: "interim replies",
      steps: [
        .readRequest,
        reply(String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 9)), .readToEnd,
      ], exitCode: 8,
      said: [
        "wscope: more than 5 interim (1xx) replies",
        "  hint: the server must send a final response",
      ]),
    Row(
      name: "ws to a TLS port",
      steps: [.readRequest, .send([0x15, 3, 1, 0, 2, 2, 0x46]), .readToEnd],
      exitCode: 8,
      said: [
        "wscope: the server speaks TLS on this port",
        "  got: a TLS record (15 03 01 00 02 02 46)",
        "  try: wscope send wss://127.0.0.1:<port>/chat",
      ]),
    Row(
      name: "wss to a plain port",
      steps: [.read(1), reply("HTTP/1.1 400 Bad Request\r\n\r\n"), .readToEnd],
      url: "wss://127.0.0.1:<port>/chat", exitCode: 35,
      said: [
        "wscope: TLS failed: the server answered in plain HTTP on this port",
        "  got: \"HTTP/1.1 400 Bad Request\"", "  try: wscope send ws://127.0.0.1:<port>/chat",
      ]),
    Row(
      name: "silent", steps: [.readRequest, .silence], options: ["--open-timeout", "300ms"],
      exitCode: 28,
      said: [
        "wscope: timed out after 300 ms waiting for the upgrade reply (TCP is up)",
        "  hint: --open-timeout sets the time limit",
      ]),
  ]

  static func moved(
    _ name: String, _ locations: [String], exitCode: Int32 = 8, options: [String] = [],
    _ said: String...
  ) -> Row {
    let fields = locations.map { "Location: \($0)\r\n" }.joined()
    return Row(
      name: name,
      steps: [
        .readRequest, reply("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\(fields)\r\n"), .readToEnd,
      ],
      options: ["-L"] + options, exitCode: exitCode, said: said)
  }

  static let redirects: [Row] = [
    moved(
      "redirect loop", ["/chat"], exitCode: 47, options: ["--max-redirects", "2"],
      "wscope: more than 2 redirects, the last with status 302", "  location: /chat",
      "  hint: --max-redirects N follows more, unless it is a redirect loop"),
    moved(
      "to nowhere", [], exitCode: 22,
      "wscope: the server redirects with status 302, but sends no Location",
      "  hint: the server must send a Location; omit -L to see its reply"),
    moved(
      "several Location fields", ["/a", "/b"], exitCode: 22,
      "wscope: the server redirects with status 302 and several Location fields", "  location: /a",
      "  location: /b", "  hint: connect to one of them without -L"),
    moved(
      "to a page that is none", ["mailto:a@b"], exitCode: 22,
      "wscope: the server redirects with status 302 to a URL that is not a WebSocket URL",
      "  location: mailto:a@b", "  reason: *",
      "  hint: this looks like a login page; pass credentials with --cookie or --bearer"),
  ]

  /// What a proxy does: here the peer is one.
  static func proxy(
    _ name: String, _ steps: [RawPeer.Step], scheme: String = "http", exitCode: Int32 = 97,
    _ said: String...
  ) -> Row {
    Row(
      name: "proxy: \(name)", steps: steps, url: "ws://far.test/",
      options: ["--proxy", "\(scheme)://127.0.0.1:<port>"], exitCode: exitCode, said: said)
  }

  static func proxyRefuses(_ status: String, _ said: String...) -> Row {
    var row = proxy(
      status, [.readRequest, reply("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n"), .readToEnd])
    row.said =
      ["wscope: the proxy http://127.0.0.1:<port> refused to connect to far.test:80: \(status)"]
      + said
    return row
  }

  static let proxies: [Row] = [
    proxyRefuses(
      "407 Proxy Authentication Required", "  hint: --proxy-user USER:PASSWORD"),
    proxyRefuses(
      "403 Forbidden",
      "  hint: the rules of the proxy may forbid it; --noproxy HOST bypasses the proxy"),
    proxyRefuses(
      "502 Bad Gateway",
      "  hint: the proxy cannot reach the server; are its name and port correct?"),
    proxy(
      "no HTTP", [.readRequest, reply("hello\r\n\r\n"), .readToEnd],
      "wscope: the reply of the proxy http://127.0.0.1:<port> is not valid: it is not HTTP",
      "  got: \"hello\"",
      "  hint: is it an HTTP proxy? For SOCKS, use --proxy socks5h://HOST:PORT"),
    proxy(
      "closed", [.readRequest],
      "wscope: the proxy http://127.0.0.1:<port> closed the connection before it replied",
      "  hint: is this the right kind of proxy? https:// uses TLS, socks5h:// uses SOCKS"),
    proxy(
      "no SOCKS", [.read(1), reply("HTTP/1.1 400 Bad Request\r\n\r\n"), .readToEnd],
      scheme: "socks5h",
      "wscope: the proxy socks5h://127.0.0.1:<port> does not speak SOCKS version 5",
      "  got: \"HTTP/1.1 400 Bad Request\"",
      "  hint: for an HTTP proxy, use --proxy http://HOST:PORT"),
    proxy(
      "SOCKS reply 5",
      [.read(3), .send([5, 0]), .read(5), .send([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]), .readToEnd],
      scheme: "socks5h",
      "wscope: the proxy socks5h://127.0.0.1:<port> refused: "
        + "connection refused by the server (SOCKS reply 5)",
      "  hint: the proxy cannot reach the server; are its name and port correct?"),
  ]

  @Test(arguments: refusals + handshakes + others + redirects + proxies)
  func row(_ row: Row) throws {
    let peer = try RawPeer(row.steps ?? [])
    if row.steps == nil { peer.stop() }
    defer { if row.steps != nil { peer.stop() } }
    func filled(_ text: String) -> String { text.replacing("<port>", with: "\(peer.port)") }
    let finished = try Wscope.run(
      ["send", filled(row.url), "x"] + row.options.map(filled))
    #expect(finished.exitCode == row.exitCode, "\(finished.errorText)")
    let lines = finished.errorText.split(separator: "\n").map(String.init)
    let wanted = row.said.map(filled)
    #expect(lines.count == wanted.count, "\(finished.errorText)")
    for (got, wanted) in zip(lines, wanted) {
      if wanted.hasSuffix("*") {
        #expect(got.hasPrefix(wanted.dropLast()) && got.utf8.count >= wanted.utf8.count)
      } else {
        #expect(got == wanted)
      }
    }
    let last = lines.last ?? ""
    #expect(last.hasPrefix("  hint: ") || last.hasPrefix("  try: "), "\(last)")
  }
}
