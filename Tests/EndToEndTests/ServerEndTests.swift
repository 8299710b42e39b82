import Glibc
import TestPeers
import Testing

/// `listen` that ends by itself, and its exit status.
@Suite(.blocking) struct ServerEndTests {
  /// What a client does, and the exit code of `--once`.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var code: Int32
    var options: [String] = []
    /// After the 101.
    var sent: [UInt8] = []
    var isReset = false

    var testDescription: String { name }
  }

  static let rows = [
    Row(name: "Close 1000", code: 0, sent: close(1000)),
    Row(name: "Close 1001", code: 0, sent: close(1001)),
    Row(name: "Close without a code", code: 0, sent: RawClient.frame(8, [])),
    Row(name: "Close 4000", code: 111, sent: close(4000)),
    Row(
      name: "Close 4000, accepted", code: 0, options: ["--accept-close", "4000-4001"],
      sent: close(4000)),
    Row(
      name: "Close 4002, not accepted", code: 111, options: ["--accept-close", "4000-4001"],
      sent: close(4002)),
    Row(name: "invalid UTF-8", code: 110, sent: RawClient.frame(1, [0xFF])),
    Row(name: "FIN", code: 56),
    Row(name: "RST", code: 56, isReset: true),
    Row(
      name: "too large", code: 63, options: ["--max-message", "10"],
      sent: RawClient.frame(1, Array("0123456789a".utf8))),
  ]

  private static func script(_ steps: String) throws -> String {
    let path = try Wscope.scratch("server-end") + "/\(steps.utf8.reduce(0) { $0 &* 31 &+ Int($1) })"
    try Wscope.write(steps, to: path)
    return path
  }

  private static func close(_ code: Int) -> [UInt8] {
    RawClient.frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)])
  }

  @Test(arguments: rows) func theOneConnectionDecides(_ row: Row) throws {
    let listener = try Listener(["--once"] + row.options)
    do {
      let client = try RawClient(port: listener.port)
      client.send(RawClient.request())
      #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
      client.send(row.sent)
      if row.isReset { client.endWithReset() }
      if !row.sent.isEmpty { _ = client.readToEnd() }
    }
    #expect(try listener.process.wait().exitCode == row.code)
  }

  /// The code is that of the first client that failed, not of the first failure.
  @Test func theFirstFailedClientDecides() throws {
    let listener = try Listener(["--exit-after", "3"])
    let clients = try (1...3).map { number in
      let client = try RawClient(port: listener.port)
      client.send(RawClient.request())
      #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
      _ = try listener.process.readLine(from: .standardError) { $0.contains("#\(number) open") }
      return client
    }
    let late = try RawClient(port: listener.port)
    late.send(RawClient.request())
    #expect(late.readHead().hasPrefix("HTTP/1.1 503 "))
    let page = try RawClient(port: listener.port)
    page.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    #expect(String(decoding: page.readToEnd(), as: UTF8.self).hasSuffix("\r\n\r\nok\n"))
    clients[2].send(RawClient.frame(1, [0xFF]))
    _ = clients[2].readToEnd()
    clients[0].send(Self.close(1000))
    _ = clients[0].readToEnd()
    clients[1].send(Self.close(4000))
    _ = clients[1].readToEnd()
    #expect(try listener.process.wait().exitCode == 111)
  }

  /// A request that is rejected leaves the place to the next.
  @Test func aRejectedRequestDoesNotCount() throws {
    let listener = try Listener(["--once", "--on", "upgrade 1 => status 503", "--on", "< a => > b"])
    #expect(try Wscope.run(["send", listener.url, "a"], input: "").exitCode == 22)
    let plain = try RawClient(port: listener.port)
    plain.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    #expect(plain.readHead().hasPrefix("HTTP/1.1 403 "))
    #expect(try Wscope.run(["send", listener.url, "a", "-1"], input: "").outputText == "b\n")
    #expect(try listener.process.wait().exitCode == 0)
  }

  @Test func aFailedStepDecides() throws {
    let listener = try Listener(["--once", "--script", try Self.script("< hello\n> hi\n")])
    #expect(try Wscope.run(["send", listener.url, "hallo"], input: "").exitCode != 0)
    #expect(try listener.process.wait().exitCode == 1)
  }

  @Test func aScriptThatIsDoneIsASuccess() throws {
    let listener = try Listener(["--once", "--script", try Self.script("< hello\n> hi\n")])
    #expect(try Wscope.run(["send", listener.url, "hello"], input: "").outputText == "hi\n")
    #expect(try listener.process.wait().exitCode == 0)
  }

  @Test func aRejectionByTheScriptIsAConnection() throws {
    let listener = try Listener(["--once", "--script", try Self.script("status 401 no\n")])
    #expect(
      try Wscope.run(["send", listener.url, "--expect-status", "401"], input: "").exitCode == 0)
    #expect(try listener.process.wait().exitCode == 0)
  }

  @Test(
    arguments: [
      (SIGTERM, [], 0), (SIGINT, [], 0), (SIGTERM, ["--once"], 143),
      (SIGINT, ["--exit-after", "2"], 130),
    ] as [(Int32, [String], Int32)])
  func aSignalEndsIt(_ signal: Int32, _ options: [String], _ code: Int32) throws {
    let listener = try Listener(options)
    listener.process.signal(signal)
    #expect(try listener.process.wait().exitCode == code)
  }

  /// What was read has reached the client before its Close.
  @Test func theEndOfTheInputEndsIt() throws {
    let listener = try Listener(["--mode", "source", "--exit-at-eof"], hasInput: true)
    let client = try Wscope.start(["connect", listener.url])
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#1 open") }
    try listener.process.write(Array((1...1000).map { "\($0)\n" }.joined().utf8))
    listener.process.closeInput()
    #expect(try listener.process.wait().exitCode == 0)
    let received = try client.wait()
    #expect(received.outputText == (1...1000).map { "\($0)\n" }.joined())
    #expect(received.exitCode == 0)
  }

  @Test func theTimeLimitEndsIt() throws {
    let finished = try Wscope.run(["listen", "0", "-q", "--max-time", "50ms"], input: "")
    #expect(finished.exitCode == 28)
    #expect(finished.errorText.hasSuffix("wscope: timed out after 50 ms (--max-time)\n"))
  }

  @Test(arguments: [
    ("--once --exit-after 2", "--once and --exit-after cannot be used together"),
    ("--exit-after 0", "--exit-after must be at least 1"),
    ("--accept-close 4000", "--accept-close requires --once or --exit-after"),
    ("--once --accept-close 77", "--accept-close \"77\": expected codes from 1000 to 4999"),
    ("--exit-at-eof", "--exit-at-eof requires mode source"),
    ("--max-time 0s", "--max-time must be longer than 0"),
    ("--require-subprotocol", "--require-subprotocol requires --subprotocol"),
    ("--basic-auth user", "--basic-auth requires USER:PASSWORD"),
    ("--bearer=a_token", "--bearer requires a token without spaces"),
  ])
  func mistakesAreNamed(_ options: String, _ message: String) throws {
    let words = options.split(separator: " ").map { String($0).replacing("_", with: " ") }
    let finished = try Wscope.run(["listen", "0"] + words, input: "")
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.hasPrefix("wscope: \(message)"), "\(finished.errorText)")
    #expect(finished.errorText.split(separator: "\n").count == 1)
  }
}

/// Who may connect to `listen`.
@Suite(.blocking) struct AccessTests {
  private static let basic = "Authorization: Basic dXNlcjpwYTpzcw=="  // user:pa:ss

  struct Row: Sendable, CustomTestStringConvertible {
    var path = "/"
    var fields: [String] = []
    var status: Int
    var reason = ""
    var options = ["--basic-auth", "user:pa:ss", "--bearer", "t0ken"]

    var testDescription: String { "\(path) \(fields)" }
  }

  static let rows = [
    Row(status: 401, reason: "no credentials"),
    Row(fields: [basic], status: 101),
    Row(fields: ["Authorization: bAsIc dXNlcjpwYTpzcw=="], status: 101),
    Row(fields: ["Authorization: Bearer t0ken"], status: 101),
    Row(path: "/?access_token=t0ken", status: 101),
    Row(path: "/?access_token=t0ke%6E&x=1", status: 101),
    Row(path: "/?access_token=t0ke", status: 401, reason: "wrong credentials"),
    Row(path: "/?access_token=", status: 401, reason: "wrong credentials"),
    Row(fields: ["Authorization: Bearer t0kenX"], status: 401, reason: "wrong credentials"),
    Row(fields: ["Authorization: Bearer"], status: 401, reason: "wrong credentials"),
    Row(fields: ["Authorization: Basic t0ken"], status: 401, reason: "wrong credentials"),
    Row(
      fields: ["Authorization: Bearer dXNlcjpwYTpzcw=="], status: 401,
      reason: "wrong credentials"),
    // Origin and Host come first, the path comes after.
    Row(fields: ["Origin: http://evil.example"], status: 403),
    Row(path: "/delay/x", status: 401),
    Row(path: "/delay/x", fields: [basic], status: 400),
    // What is not asked for admits nobody.
    Row(
      fields: ["Authorization: Bearer t0ken"], status: 401, reason: "wrong credentials",
      options: ["--basic-auth", "user:pa:ss"]),
    Row(
      path: "/?access_token=t0ken", status: 401, reason: "no credentials",
      options: ["--basic-auth", "user:pa:ss"]),
    Row(fields: [basic], status: 401, options: ["--bearer", "t0ken"]),
    Row(
      status: 400, reason: "offer one of the subprotocols a, b",
      options: ["--require-subprotocol", "-s", "a", "-s", "b"]),
    Row(
      fields: ["Sec-WebSocket-Protocol: c, b"], status: 101,
      options: ["--require-subprotocol", "-s", "a", "-s", "b"]),
    Row(
      fields: ["Sec-WebSocket-Protocol: c"], status: 400, reason: "offer the subprotocol a",
      options: ["--require-subprotocol", "-s", "a"]),
  ]

  @Test(arguments: rows) func isJudged(_ row: Row) throws {
    let listener = try Listener(row.options)
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: row.path, fields: row.fields))
    let head = client.readHead()
    #expect(head.hasPrefix("HTTP/1.1 \(row.status) "), "\(head)")
    guard row.status != 101 else { return }
    let line = try listener.process.readLine(from: .standardError) { $0.hasPrefix("! ") }
    #expect(line.hasPrefix("! \(row.status) to 127.0.0.1:"))
    #expect(line.contains(row.reason), "\(line)")
    #expect(!line.contains("t0ke"))
    if row.status == 401 {
      #expect(
        head.contains("WWW-Authenticate: Basic realm=\"wscope\"")
          == row.options.contains("--basic-auth"))
      #expect(head.contains("WWW-Authenticate: Bearer") == row.options.contains("--bearer"))
    }
  }

  @Test func pagesNeedCredentialsButHealthDoesNot() throws {
    let listener = try Listener(["--basic-auth", "user:pa:ss"])
    for (path, field, status) in [
      ("/", "", 401), ("/", Self.basic + "\r\n", 200), ("/paths", "", 401), ("/healthz", "", 200),
    ] {
      let client = try RawClient(port: listener.port)
      client.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n")
      #expect(client.readHead().hasPrefix("HTTP/1.1 \(status) "), "\(path)")
    }
    // An upgrade to that path is not a health check.
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: "/healthz"))
    #expect(client.readHead().hasPrefix("HTTP/1.1 401 "))
  }

  @Test func ourOwnClientGetsIn() throws {
    let listener = try Listener(
      ["--basic-auth", "user:pa:ss", "--bearer", "env:TOKEN"], environment: ["TOKEN": "t0ken"])
    for (options, code) in [
      (["-u", "user:pa:ss"], 0), (["--bearer", "t0ken"], 0), (["-u", "user:no"], 22), ([], 22),
    ] as [([String], Int32)] {
      let finished = try Wscope.run(["send", listener.url, "x", "-1"] + options, input: "")
      #expect(finished.exitCode == code)
    }
  }
}
