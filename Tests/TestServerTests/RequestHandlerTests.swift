import NIOCore
import NIOHTTP1
import Synchronization
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

@testable import TestServer

/// What is answered to a request: handshake, Host and Origin, path, mode, in this order. Nothing here has a
/// socket.
@Suite(.blocking) struct RequestHandlerTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var target: String
    /// In place of an upgrade.
    var method: HTTPMethod?
    var fields: [(String, String)] = []
    var strict = false
    var urlFaults = true
    var transports = false
    var verdict: String

    var testDescription: String { "\(method?.rawValue ?? "upgrade") \(target)" }
  }

  static let rows: [Row] = [
    // The mode.
    Row(target: "/", verdict: "upgrade"),
    Row(target: "/anything/else?x=1", verdict: "upgrade"),
    Row(target: "/ws", strict: true, verdict: "upgrade"),
    Row(target: "/.ws", strict: true, verdict: "upgrade"),
    Row(target: "/Echo", strict: false, verdict: "upgrade"),
    Row(
      target: "/eco", strict: true,
      verdict: "404 unknown path /eco; did you mean /echo? GET /paths lists all"),
    Row(
      target: "/clsoe/1000", strict: true,
      verdict: "404 unknown path /clsoe/1000; did you mean /close/{code}? GET /paths lists all"),
    Row(
      target: "/nothing-like-it", strict: true,
      verdict: "404 unknown path /nothing-like-it; GET /paths lists all"),
    // Test paths.
    Row(target: "/echo", strict: true, verdict: "upgrade"),
    Row(target: "/echo/", strict: true, verdict: "upgrade"),
    Row(target: "/websocket/echo", strict: true, verdict: "upgrade"),
    Row(target: "/echo?max_message_size=64k", verdict: "upgrade, at most 65536"),
    Row(
      target: "/echo?max_message_size=17M",
      verdict:
        "400 max_message_size: invalid size \"17M\" (expected 64, 16k or 1M, at most 16777216 bytes)"
    ),
    Row(
      target: "/echo?max_mesage_size=1",
      verdict: "400 unknown parameter \"max_mesage_size\"; did you mean max_message_size?"),
    Row(target: "/echo?colour=red", verdict: "upgrade"),
    Row(target: "/delay/250", verdict: "upgrade, 1 fault of the path"),
    Row(target: "/delay/2s", verdict: "upgrade, 1 fault of the path"),
    Row(
      target: "/delay/soon",
      verdict: "400 ms: invalid duration \"soon\" (expected 200ms, 1s or 2m; at most 10m)"),
    Row(
      target: "/delay/600001",
      verdict: "400 ms: invalid duration \"600001\" (expected 200ms, 1s or 2m; at most 10m)"),
    Row(target: "/close/1000?after=3&reason=bye", verdict: "upgrade"),
    Row(target: "/close", verdict: "400 the path must be /close/{code}"),
    Row(target: "/close/1000/x", verdict: "400 the path must be /close/{code}"),
    Row(target: "/close/", verdict: "400 the path must be /close/{code}"),
    Row(
      target: "/close/65536", verdict: "400 code: invalid number \"65536\" (expected 0 to 65535)"),
    Row(target: "/close/-1", verdict: "400 code: invalid number \"-1\" (expected 0 to 65535)"),
    Row(
      target: "/close/1000?after=1000001",
      verdict: "400 after: invalid number \"1000001\" (expected 0 to 1000000)"),
    Row(
      target: "/close/1000?reason=\(String(repeating: "x", count: 124))",
      verdict: "400 reason: longer than 123 bytes"),
    Row(target: "/status/503", verdict: "reject 503 [Retry-After: 1]"),
    Row(target: "/status/426", verdict: "reject 426 [Sec-WebSocket-Version: 13]"),
    Row(target: "/status/302?body=/echo", verdict: "reject 302 [Location: /echo]"),
    Row(target: "/status/418?header=X-A:%20b", verdict: "reject 418 [X-A: b]"),
    Row(target: "/status/199", verdict: "400 code: invalid number \"199\" (expected 200 to 599)"),
    Row(
      target: "/status/200?header=X-A:b%0d%0aX-B:c",
      verdict: "400 header: the value of X-A contains a control character"),
    Row(
      target: "/status/200?header=Content-Length:3",
      verdict: "400 header: Content-Length cannot be set"),
    Row(
      target: "/status/200?header=Access-Control-Allow-Origin:*",
      verdict: "400 header: Access-Control-Allow-Origin cannot be set"),
    Row(
      target: "/status/302?body=javascript:alert(1)",
      verdict: "400 the location must be relative, or http, https, ws or wss"),
    Row(target: "/count/0", verdict: "400 n: invalid number \"0\" (expected 1 to 1000000)"),
    Row(
      target: "/count/1000001", verdict: "400 n: invalid number \"1000001\" (expected 1 to 1000000)"
    ),
    Row(target: "/count/1000000?every=10m", verdict: "upgrade"),
    Row(
      target: "/ticker?every=soon",
      verdict: "400 every: invalid duration \"soon\" (expected 200ms, 1s or 2m; at most 10m)"),
    Row(
      target: "/ticker?evry=1s", verdict: "400 unknown parameter \"evry\"; did you mean every?"),
    Row(target: "/binary/16M", verdict: "upgrade"),
    Row(
      target: "/binary/17M",
      verdict: "400 size: invalid size \"17M\" (expected 64, 16k or 1M, at most 16777216 bytes)"),
    Row(
      target: "/bad-opcode/8", verdict: "400 n: invalid number \"8\" (expected 3 to 7, 11 to 15)"),
    Row(target: "/bad-opcode/16", verdict: "400 n: invalid number \"16\" (expected 3 to 15)"),
    Row(
      target: "/drop?after=x",
      verdict: "400 after: invalid duration \"x\" (expected 200ms, 1s or 2m; at most 10m)"),
    Row(target: "/reset?after=2", verdict: "upgrade, 1 fault of the path"),
    Row(target: "/redirect/2", verdict: "reject 302 [Location: /redirect/1]"),
    Row(target: "/redirect/1", verdict: "reject 302 [Location: /echo]"),
    Row(
      target: "/redirect-to?url=wss://a.example/x&status_code=308",
      verdict: "reject 308 [Location: wss://a.example/x]"),
    Row(target: "/redirect-to", verdict: "400 url: missing (expected /redirect-to?url=/echo)"),
    Row(
      target: "/redirect-to?url=javascript:1",
      verdict: "400 the location must be relative, or http, https, ws or wss"),
    Row(
      target: "/redirect-to?url=/a%0d%0aX:1",
      verdict: "400 the location contains a control character"),
    Row(target: "/subprotocol/chat", verdict: "400 offer the subprotocol chat"),
    Row(
      target: "/protocol/chat", fields: [("Sec-WebSocket-Protocol", "a, chat")], verdict: "upgrade"),
    // Faults of the URL.
    Row(target: "/?fault=rst&fault=delay=1s~1ms,p=30%", verdict: "upgrade, 2 faults"),
    Row(target: "/echo?fault=rst,after=2", verdict: "upgrade, 1 fault"),
    Row(target: "/?fault=rst,conn=1", verdict: "400 fault: conn= is not valid in a URL"),
    Row(target: "/?fault=dely", verdict: "400 fault: unknown fault \"dely\"; did you mean delay?"),
    Row(target: "/?fault=dely", urlFaults: false, verdict: "upgrade"),
    // Ordinary requests.
    Row(target: "/", method: .GET, verdict: "page"),
    Row(target: "/.ws", method: .HEAD, verdict: "page"),
    Row(target: "/favicon.ico", method: .GET, verdict: "reply 204"),
    Row(target: "/paths", method: .GET, verdict: "reply 200"),
    Row(target: "/metrics", method: .GET, strict: true, verdict: "metrics"),
    Row(target: "/metrics", method: .POST, verdict: "reply 405"),
    Row(target: "/metrics", verdict: "upgrade"),
    Row(target: "/paths", method: .POST, verdict: "reply 405"),
    Row(target: "/status/404", method: .GET, verdict: "reply 404"),
    Row(
      target: "/status/999", method: .GET,
      verdict: "400 code: invalid number \"999\" (expected 200 to 599)"),
    Row(target: "/echo", method: .GET, verdict: "reply 426"),
    Row(target: "/eco", method: .GET, verdict: "reply 404"),
    // Channels.
    Row(target: "/broadcast", verdict: "upgrade"),
    Row(
      target: "/broadcast?self=yes", verdict: "400 self: invalid value \"yes\" (expected 0 or 1)"),
    Row(target: "/broadcast/x", strict: false, verdict: "upgrade"),
    Row(target: "/room/ops?name=ann&format=json&self=1", verdict: "upgrade"),
    Row(target: "/room", verdict: "400 the path must be /room/{room}"),
    Row(target: "/chat", verdict: "upgrade"),
    Row(target: "/room/a%0Ab", verdict: "400 room: 1 to 64 printable characters"),
    Row(target: "/room/a?name=", verdict: "400 name: 1 to 32 printable characters"),
    Row(target: "/room/a?nme=x", verdict: "400 unknown parameter \"nme\"; did you mean name?"),
    Row(target: "/room/a", method: .GET, verdict: "reply 426"),
    Row(target: "/room/a", method: .DELETE, verdict: "reply 405"),
    Row(
      target: "/room/a", method: .POST, fields: [("Content-Length", "1")],
      verdict: "publish text"),
    Row(
      target: "/room/a?name=ci", method: .PUT,
      fields: [("Content-Length", "1"), ("Content-Type", "Application/Octet-Stream")],
      verdict: "publish binary as ci"),
    Row(
      target: "/broadcast", method: .POST, fields: [("Transfer-Encoding", "chunked")],
      verdict: "publish text"),
    Row(
      target: "/broadcast", method: .POST,
      verdict: "400 the request has no body; try: curl -d TEXT URL"),
    Row(
      target: "/broadcast", method: .POST,
      fields: [("Content-Length", "1"), ("Origin", "http://evil.example")],
      verdict: "403 rejected origin http://evil.example; or not"),
    Row(target: "/room/a/sse", method: .GET, verdict: "stream"),
    Row(
      target: "/chat/a?fault=rst", method: .GET,
      fields: [("Accept", "text/event-stream"), ("Last-Event-ID", "7")],
      verdict: "stream after 7, 1 fault"),
    Row(target: "/broadcast/sse", method: .GET, verdict: "stream"),
    Row(
      target: "/broadcast", method: .GET, fields: [("Accept", "text/event-stream")],
      verdict: "stream"),
    Row(
      target: "/echo", method: .GET, fields: [("Accept", "text/event-stream")], verdict: "reply 426"
    ),
    Row(
      target: "/room/a/sse", method: .POST, fields: [("Content-Length", "1")], verdict: "reply 405"),
    Row(target: "/room/a/sse", method: .HEAD, verdict: "reply 405"),
    Row(
      target: "/room/a/sse?name=", method: .GET, verdict: "400 name: 1 to 32 printable characters"),
    Row(target: "/room/a/sse", verdict: "400 /room/a/sse is an event stream, not a WebSocket path"),
    Row(
      target: "/room/a/sse", method: .GET, fields: [("Origin", "http://evil.example")],
      verdict: "403 rejected origin http://evil.example; or not"),
    // Transports.
    Row(target: "/t/ws", verdict: "upgrade"),
    Row(target: "/t/ws?channel=a%20b", transports: true, verdict: "upgrade"),
    Row(
      target: "/t/ws?channel=", transports: true,
      verdict: "400 channel: 1 to 64 printable characters"
    ),
    Row(
      target: "/t/ws?chanel=a", transports: true,
      verdict: "400 unknown parameter \"chanel\"; did you mean channel?"),
    Row(target: "/t/ws", method: .GET, transports: true, verdict: "reply 426"),
    Row(target: "/t/echo", transports: true, verdict: "upgrade, at most 65536"),
    Row(target: "/t/echo", method: .POST, transports: true, verdict: "answer"),
    Row(target: "/t/echo", method: .GET, transports: true, verdict: "reply 405"),
    Row(target: "/t/sse", method: .GET, transports: true, verdict: "stream"),
    Row(
      target: "/t/sse?fault=rst", method: .GET, fields: [("Last-Event-ID", "0")], transports: true,
      verdict: "stream after 0, 1 fault"),
    Row(
      target: "/t/sse", method: .GET, fields: [("Last-Event-ID", "x")], transports: true,
      verdict: "400 Last-Event-ID: invalid number \"x\""),
    Row(
      target: "/t/sse", method: .GET, fields: [("Last-Event-ID", "1")], transports: true,
      verdict: "400 the newest update is 0"),
    Row(
      target: "/t/sse", transports: true,
      verdict: "400 /t/sse is an event stream, not a WebSocket path"),
    Row(target: "/t/poll?since=0", method: .GET, transports: true, verdict: "answer"),
    Row(
      target: "/t/poll?since=1", method: .GET, transports: true,
      verdict: "400 the newest update is 0"),
    Row(
      target: "/t/poll?since=-1", method: .GET, transports: true,
      verdict: "400 since: invalid number \"-1\" (expected 0 to 9223372036854775807)"),
    Row(target: "/t/poll", method: .POST, transports: true, verdict: "reply 405"),
    Row(
      target: "/t/poll", transports: true,
      verdict: "400 /t/poll is not a WebSocket path; it expects GET without Upgrade"),
    Row(target: "/t/longpoll?wait=120s", method: .GET, transports: true, verdict: "answer"),
    Row(
      target: "/t/longpoll?wait=121s", method: .GET, transports: true,
      verdict: "400 wait: invalid duration \"121s\" (expected 30s; at most 120s)"),
    Row(target: "/t/publish", method: .POST, transports: true, verdict: "answer"),
    Row(target: "/t/publish", method: .GET, transports: true, verdict: "reply 405"),
    Row(
      target: "/t/publish", transports: true,
      verdict: "400 /t/publish is not a WebSocket path; it expects POST"),
    Row(
      target: "/t/publish", method: .POST, fields: [("Origin", "http://evil.example")],
      transports: true, verdict: "403 rejected origin http://evil.example; or not"),
    Row(
      target: "/t/pol", method: .GET, transports: true,
      verdict: "404 unknown path /t/pol; did you mean /t/poll? GET /paths lists all"),
    Row(
      target: "/t", transports: true, verdict: "404 unknown path /t; GET /paths lists all"),
    // What comes first.
    Row(
      target: "/close/x", fields: [("Origin", "http://evil.example")],
      verdict: "403 rejected origin http://evil.example; or not"),
    Row(
      target: "/paths", method: .GET, fields: [("Origin", "null")],
      verdict: "403 rejected origin null; or not"),
    Row(
      target: "/status/503", fields: [("Sec-WebSocket-Extensions", ";")],
      verdict: "400 Sec-WebSocket-Extensions is not valid (RFC 6455 section 9.1)"),
  ]

  private static func handler(
    strict: Bool = false, urlFaults: Bool = true, transports: Bool = false, maxClients: Int = .max,
    report: @escaping @Sendable (ServerEvent) -> Void = { _ in }
  ) -> RequestHandler {
    var configuration = TestServerConfiguration()
    configuration.isStrictAboutPaths = strict
    configuration.allowsURLFaults = urlFaults
    configuration.hasTransports = transports
    configuration.maxClients = maxClients
    configuration.originRemedy = { _ in "or not" }
    return RequestHandler(
      configuration, [], joined: AsyncStream.makeStream(of: Void.self).continuation, report)
  }

  static func request(
    _ target: String, _ method: HTTPMethod? = nil, _ fields: [(String, String)] = []
  ) -> HTTPRequest {
    var all = [("Host", "localhost:1")]
    if method == nil {
      all += [
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
      ]
    }
    return HTTPRequest(
      head: HTTPRequestHead(
        version: .http1_1, method: method ?? .GET, uri: target, headers: HTTPHeaders(all + fields)))
  }

  private static func text(_ verdict: RequestVerdict) -> String {
    switch verdict {
    case .upgrade(let upgrade):
      let faults = upgrade.faults.count
      return "upgrade"
        + (upgrade.connection.messageLimit.map { ", at most \($0)" } ?? "")
        + (upgrade.connection.faults.isEmpty ? "" : ", 1 fault of the path")
        + (faults == 0 ? "" : ", \(faults) fault\(faults == 1 ? "" : "s")")
    case .page: return "page"
    case .answer: return "answer"
    case .subscribe(let stream):
      let last = (stream.behaviour as? ChannelMember.Maker)?.options.lastNumber
      return "stream" + (last.map { " after \($0)" } ?? "")
        + (stream.faults.isEmpty ? "" : ", \(stream.faults.count) fault")
    case .publish(let publication):
      return "publish \(publication.kind)" + (publication.name.map { " as \($0)" } ?? "")
    case .metrics: return "metrics"
    case .reply(let reply): return "reply \(reply.status.code)"
    case .reject(let reply, _):
      let fields = reply.fields.map { "\($0.0): \($0.1)" }.joined(separator: ", ")
      return "reject \(reply.status.code) [\(fields)]"
    case .refuse(let refusal): return "\(refusal.status.code) \(refusal.explanation)"
    }
  }

  @Test(arguments: rows) func judges(_ row: Row) {
    let handler = Self.handler(
      strict: row.strict, urlFaults: row.urlFaults, transports: row.transports)
    let request = Self.request(row.target, row.method, row.fields)
    // Twice: a verdict changes nothing.
    for _ in 0..<2 { #expect(Self.text(handler.judge(request)) == row.verdict) }
  }

  @Test func onlyAdmissionTakesASlot() throws {
    let refusals = Mutex<[String]>([])
    let handler = Self.handler(maxClients: 1) { event in
      if case .refused(_, _, let explanation) = event {
        refusals.withLock { $0.append(explanation) }
      }
    }
    let request = Self.request("/")
    for _ in 0..<3 { _ = handler.judge(request) }
    var answers = [handler.admit(handler.judge(request), request)]
    answers.append(handler.admit(handler.judge(request), request))
    guard case .upgrade = answers[0], case .reply(let full) = answers[1] else {
      Issue.record("\(answers)")
      return
    }
    #expect(full.status == .serviceUnavailable)
    #expect(refusals.withLock { $0 } == ["the limit of clients is reached"])
    // An answer that is dropped gives the slot back.
    answers = []
    guard case .upgrade = handler.admit(handler.judge(request), request) else {
      Issue.record("the slot was not given back")
      return
    }
  }

  @Test func aSlowOpeningIsAnsweredLater() {
    let handler = Self.handler()
    let request = Self.request("/?fault=slow-open=1s")
    guard case .later = handler.answer(request) else {
      Issue.record("not later")
      return
    }
  }

  /// A page of another site can lead a browser to a path whose text it has chosen.
  @Test func nothingOfAPathRunsInABrowser() {
    let target = "/status/200?body=%3Cscript%3E&header=Content-Type:text/html"
    guard case .reply(let reply) = Self.handler().judge(Self.request(target, .GET)) else {
      Issue.record("no reply")
      return
    }
    let headers = HTTPHeaders(reply.headers)
    #expect(headers["Content-Security-Policy"] == ["default-src 'none'; sandbox"])
    #expect(headers["X-Content-Type-Options"] == ["nosniff"])
    #expect(headers["Content-Type"] == ["text/html"])
  }

  @Test(arguments: [
    ("/a/b/", ["a", "b"], []), ("/", [], []), ("/a%2Fb?x=%31&y", ["a/b"], ["x=1", "y="]),
    ("/%zz%4?p=30%&q=%C3%A4%FF", ["%zz%4"], ["p=30%", "q=ä\u{FFFD}"]),
    ("/a?b?c=d=e&&", ["a"], ["b?c=d=e"]), ("//a", ["", "a"], []),
  ])
  func targetsAreTakenApart(_ text: String, _ segments: [String], _ query: [String]) {
    let target = RequestTarget(text)
    #expect(target.segments == segments)
    #expect(target.query.map { "\($0.name)=\($0.value)" } == query)
  }
}

@Suite(.blocking) struct ModesTests {
  @Test(arguments: ["echo", "broadcast", "broadcast=all", "chat"]) func areFound(_ text: String)
    throws
  {
    #expect(try Modes.parse(text).text == text)
  }

  @Test(arguments: [
    ("eco", "unknown mode \"eco\"; did you mean echo?"),
    ("broadcast=al", "unknown mode \"broadcast=al\"; did you mean broadcast=all?"),
    ("echo=1", "unknown mode \"echo=1\"; did you mean echo?"),
    ("reverse", "unknown mode \"reverse\""),
  ])
  func unknownOnesAreRefused(_ text: String, _ message: String) {
    let error = #expect(throws: UnknownMode.self) { try Modes.parse(text) }
    #expect(error?.description == message)
  }
}
