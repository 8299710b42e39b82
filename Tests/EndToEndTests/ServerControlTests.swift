import TestPeers
import Testing

/// `listen --control`: requests that ask what has happened, and change what happens.
@Suite(.blocking) struct ServerControlTests {
  private static func listen(_ options: String...) throws -> Listener {
    try Listener(["--control", "--no-compress"] + options)
  }

  private static func join(_ listener: Listener, _ path: String = "/") throws -> RawClient {
    try RoomTests.join(listener, path)
  }

  private static func text(_ text: String) -> [UInt8] { RawPeer.frame(1, Array(text.utf8)) }

  private static func get(_ listener: Listener, _ path: String) throws -> String {
    try RoomTests.request(listener, "GET", path)
  }

  /// With curl, as the manual shows it.
  private static func curl(_ listener: Listener, _ arguments: String) throws -> String {
    let ended = try Wscope.shell(
      "curl -sS --max-time 60 \(arguments.replacing("URL", with: "http://127.0.0.1:\(listener.port)"))"
    )
    #expect(ended.exitCode == 0, "\(ended.errorText)")
    return ended.outputText.filter { $0 != "\n" }
  }

  @Test(arguments: [[], ["--threads", "3"], ["--http2"]]) func everyRow(options: [String]) throws {
    let listener = try Listener(["--control", "--no-compress"] + options)
    #expect(try Self.curl(listener, "URL/_/clients") == "[]")
    let first = try Self.join(listener, "/a?token=canary")
    let second = try Self.join(listener, "/b")
    first.send(RawClient.frame(1, Array("hello".utf8)))
    #expect(first.read(7) == Self.text("hello"))
    let clients = try Self.curl(listener, "URL/_/clients")
    let row =
      #/\[\{"conn":1,"path":"/a\?token=\*\*\*","from":"127\.0\.0\.1:\d+","seconds":\d+\.\d,"in":1,"out":1,"queued":0\},\{"conn":2,.*\]/#
    #expect(clients.wholeMatch(of: row) != nil, "\(clients)")
    #expect(try Self.curl(listener, "-d one 'URL/_/send?to=1'") == #"{"delivered":1}"#)
    #expect(first.read(5) == Self.text("one"))
    #expect(try Self.curl(listener, "-d all 'URL/_/send?to=all'") == #"{"delivered":2}"#)
    for client in [first, second] { #expect(client.read(5) == Self.text("all")) }
    #expect(try Self.curl(listener, "-d some 'URL/_/send?to=/b*'") == #"{"delivered":1}"#)
    #expect(second.read(6) == Self.text("some"))
    #expect(
      try Self.curl(
        listener,
        "-H 'Content-Type: application/octet-stream' --data-binary $'\\xff' 'URL/_/send?to=2'")
        == #"{"delivered":1}"#)
    #expect(second.read(3) == [0x82, 1, 0xFF])
    #expect(
      try Self.curl(listener, "-X POST 'URL/_/close/1?code=1011&reason=a%20b'") == #"{"closed":1}"#)
    #expect(first.read(7) == RawPeer.frame(8, [0x03, 0xF3] + Array("a b".utf8)))
    #expect(try Self.curl(listener, "-X POST URL/_/cut/all").hasPrefix(#"{"closed":"#))
    #expect(second.readToEnd() == [])
    #expect(try Self.curl(listener, "-d x 'URL/_/send?to=2'") == "client 2 is not open")
    #expect(try Self.curl(listener, "-d x 'URL/_/send?to=/b'") == #"{"delivered":0}"#)
    #expect(try Self.curl(listener, "URL/_/").contains("<!doctype html>"))
    #expect(try Self.curl(listener, "URL/_/paths").hasPrefix(#"[{"path":"/echo""#))
    #expect(try Self.curl(listener, "URL/_/metrics").contains("wscope_connections_total 2"))
    #expect(try Self.curl(listener, "URL/_/healthz") == "ok")
  }

  @Test func faultsChangeWhileItRuns() throws {
    let listener = try Self.listen("--fault", "delay=1ms")
    #expect(try Self.curl(listener, "URL/_/faults") == #"[{"fault":1,"line":"delay=1ms"}]"#)
    #expect(try Self.curl(listener, "-d refuse=503,conn=2 URL/_/faults") == #"{"fault":2}"#)
    // The first request after the fault, and the second.
    _ = try Self.join(listener)
    let refused = try RawClient(port: listener.port)
    refused.send(RawClient.request())
    #expect(refused.readHead().hasPrefix("HTTP/1.1 503 "))
    #expect(try Self.curl(listener, "-X DELETE URL/_/faults") == #"{"cleared":2}"#)
    #expect(try Self.curl(listener, "URL/_/faults") == "[]")
    _ = try Self.join(listener)
    #expect(
      try Self.curl(listener, "-d dely=1s URL/_/faults")
        == #"fault: unknown fault "dely"; did you mean delay?"#)
    #expect(try Self.curl(listener, "-X POST URL/_/faults").hasPrefix("the body must be one fault"))
  }

  @Test func theJournalHasWhatTheLogDoesNotShow() throws {
    // The log cuts, limits and filters; the journal does not.
    let listener = try Self.listen("--filter", "nothing like it")
    let client = try Self.join(listener, "/room/a?format=raw&self=1")
    let long = String(repeating: "x", count: 3000)
    client.send(RawClient.frame(1, Array(long.utf8)))
    #expect(client.read(3004) == Self.text(long))
    for number in 1...200 {
      client.send(RawClient.frame(1, Array(#"{"n":\#(number)}"#.utf8)))
      let reply = Self.text(#"{"n":\#(number)}"#)
      #expect(client.read(reply.count) == reply)
    }
    client.send(RawClient.frame(9, [0x70]))
    #expect(client.read(3) == [0x8A, 1, 0x70])
    #expect(try RoomTests.post(listener, "/room/a", "published") == #"200 {"delivered":1}"#)
    let all = try Self.get(listener, "/_/messages")
    // open, 201 messages in and out, the ping; what was published and, sent to the client, itself.
    let events = all.split(separator: #"{"id":"#).count - 1
    #expect(events == 1 + 2 * 201 + 1 + 2, "\(events)")
    #expect(all.hasPrefix(#"200 [{"id":1,"v":1,"t":"#))
    #expect(all.contains(#""text":"\#(long)""#))
    #expect(all.contains(#""event":"ping","dir":"in","size":1,"base64":"cA==""#))
    #expect(
      all.contains(
        #""event":"published","type":"text","size":9,"text":"published","path":"/room/a","from":"127."#
      ))
    let last = try Self.get(listener, "/_/messages?json=.n%20%3D%3D%20200")
    #expect(last.split(separator: #"{"id":"#).count - 1 == 2, "\(last)")
    let first = try #require(last.firstMatch(of: #/"id":(\d+)/#)?.1)
    let since = try Self.get(listener, "/_/messages?since=\(first)&match=%22n%22")
    #expect(since.split(separator: #"{"id":"#).count - 1 == 1, "\(since)")
    #expect(try Self.get(listener, "/_/messages?match=absent") == "200 []")
  }

  /// The order is what counts: the reply comes after the message, not before, and without any other event.
  @Test func waitEndsWithTheMessage() throws {
    let listener = try Self.listen()
    let client = try Self.join(listener)
    let waiting = try RawClient(port: listener.port)
    waiting.send(
      "GET /_/messages?match=%5Ego&count=2&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.send(RawClient.frame(1, Array("no".utf8)) + RawClient.frame(1, Array("come".utf8)))
    #expect(client.read(10) == Self.text("no") + Self.text("come"))
    #expect(waiting.isSilent(for: 0.2))
    client.send(RawClient.frame(1, Array("go".utf8)))
    #expect(waiting.readHead().hasPrefix("HTTP/1.1 200 "))
    #expect(client.read(4) == Self.text("go"))
  }

  @Test func waitEndsWithTheTime() throws {
    let listener = try Self.listen()
    #expect(try Self.get(listener, "/_/messages?match=x&wait=50ms") == "200 []")
    _ = try Self.join(listener)
    #expect(
      try Self.get(listener, "/_/messages?count=10000&wait=50ms").contains(#""event":"open""#))
  }

  @Test func waitingRequestsDoNotStopAnEcho() throws {
    let listener = try Self.listen()
    let client = try Self.join(listener)
    let waiting = try (0..<100).map { _ in
      let request = try RawClient(port: listener.port)
      request.send(
        "GET /_/messages?match=(a%7Ca)%2Bend$&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n")
      return request
    }
    for number in 0..<200 {
      let text = "message \(number)"
      client.send(RawClient.frame(1, Array(text.utf8)))
      #expect(client.read(text.utf8.count + 2) == Self.text(text))
    }
    client.send(RawClient.frame(1, Array("aaend".utf8)))
    for request in waiting { #expect(request.readHead().hasPrefix("HTTP/1.1 200 ")) }
  }

  @Test func onlyTheOwnPageMayAsk() throws {
    let listener = try Self.listen("--allow-origin", "http://friend.example")
    let host = "Host: localhost:\(listener.port)"
    let status = { (fields: [String]) in
      let client = try RawClient(port: listener.port)
      client.send(
        (["DELETE /_/faults HTTP/1.1"] + fields + ["", ""]).joined(separator: "\r\n"))
      return String(client.readHead().dropFirst("HTTP/1.1 ".count).prefix(3))
    }
    #expect(try status([host]) == "200")
    #expect(try status([host, "Origin: http://localhost:\(listener.port)"]) == "200")
    #expect(try status([host, "Sec-Fetch-Site: same-origin"]) == "200")
    // Another port of loopback, a page that may connect, a name that resolves to loopback, a link on another page.
    #expect(try status([host, "Origin: http://localhost:\(listener.port % 65_535 + 1)"]) == "403")
    #expect(try status([host, "Origin: http://127.0.0.1:\(listener.port)"]) == "403")
    #expect(try status([host, "Origin: http://friend.example"]) == "403")
    #expect(try status([host, "Origin: null"]) == "403")
    #expect(try status(["Host: rebound.example"]) == "403")
    #expect(try status([host, "Sec-Fetch-Site: cross-site"]) == "403")
    #expect(try status([host, "Sec-Fetch-Site: same-site"]) == "403")
  }

  @Test func offLoopbackItNeedsTheToken() throws {
    let process = try Wscope.start(["listen", "0.0.0.0:0", "--control", "--bearer", "other"])
    let ready = try process.readLine(from: .standardError) { $0.contains("listening on") }
    let port = try #require(ready.firstMatch(of: #/127\.0\.0\.1:(\d+)/#).flatMap { Int($0.1) })
    let line = try process.readLine(from: .standardError) { $0.contains("control token: ") }
    let token = try #require(line.firstMatch(of: #/\* control token: ([0-9a-f]{32})$/#)?.1)
    let status = { (fields: String) in
      let client = try RawClient(port: port)
      client.send("GET /_/clients HTTP/1.1\r\nHost: 127.0.0.1\r\n\(fields)\r\n")
      return String(client.readHead().dropFirst("HTTP/1.1 ".count).prefix(3))
    }
    #expect(try status("") == "401")
    #expect(try status("Authorization: Bearer other\r\n") == "401")
    #expect(try status("Authorization: Bearer \(token)\r\n") == "200")
    process.signal(15)
    let rest = try process.wait().errorText
    #expect(rest.ranges(of: token).count == 1, "\(rest)")
  }

  @Test(arguments: [
    ("GET", "/_/send?to=1", "405 only POST"), ("POST", "/_/clients", "405 only GET"),
    ("PUT", "/_/faults", "405 only GET, POST, DELETE"), ("GET", "/_/cut/1", "405 only POST"),
    ("GET", "/_/close/1", "405 only POST"), ("DELETE", "/_/messages", "405 only GET"),
    ("POST", "/_/metrics", "405 only GET"), ("POST", "/_/", "405 only GET"),
    ("GET", "/_/client", "404 unknown path /_/client; did you mean /_/clients?"),
    ("GET", "/_/nothing/like/it", "404 unknown path /_/nothing/like/it"),
    ("POST", "/_/send", "400 to: missing value (expected a client as in 3, all, or a path)"),
    (
      "POST", "/_/send?to=x",
      "400 to: invalid value \"x\" (expected a client as in 3, all, or a path)"
    ),
    ("POST", "/_/cut/0", "400 client: invalid value \"0\" (expected a client as in 3, or all)"),
    ("POST", "/_/close/1?code=65536", "400 code: invalid number \"65536\" (expected 0 to 65535)"),
    ("POST", "/_/close/1?cod=1", "400 unknown parameter \"cod\"; did you mean code?"),
    ("POST", "/_/cut/1", "404 client 1 is not open"),
    ("POST", "/_/close/1", "404 client 1 is not open"),
    ("GET", "/_/messages?count=0", "400 count: invalid number \"0\" (expected 1 to 10000)"),
    (
      "GET", "/_/messages?wait=61s",
      "400 wait: invalid duration \"61s\" (expected 5s; at most 60s)"
    ),
    (
      "GET", "/_/messages?match=(",
      "400 match: not a regular expression: missing closing parenthesis (byte 1)"
    ),
    ("GET", "/_/messages?json=.a%20%3D", "400 json: "),
    ("GET", "/_/messages?since=-1", "400 since: invalid number \"-1\" (expected 0 to "),
  ]) func badRequestsGetOneSentence(method: String, path: String, reply: String) throws {
    let listener = try Self.listen()
    let came = try RoomTests.request(listener, method, path)
    #expect(came.hasPrefix(reply), "\(came)")
  }

  @Test func withoutTheOptionThePathsAreTheMode() throws {
    let listener = try Listener(["--no-compress"])
    #expect(try RoomTests.request(listener, "GET", "/_/clients").hasPrefix("404 "))
    let client = try Self.join(listener, "/_/clients")
    client.send(RawClient.frame(1, [0x61]))
    #expect(client.read(3) == [0x81, 1, 0x61])
    let controlled = try Self.listen()
    let refused = try RawClient(port: controlled.port)
    refused.send(RawClient.request(path: "/_/clients"))
    #expect(refused.readHead().hasPrefix("HTTP/1.1 400 "))
  }
}
