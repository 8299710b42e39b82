import TestPeers
import Testing

/// Rooms, and publishing by HTTP, as clients meet them.
@Suite(.blocking) struct RoomTests {
  static func join(_ listener: Listener, _ path: String) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: path))
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  static func expect(
    _ client: RawClient, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let frame = RawPeer.frame(1, Array(text.utf8))
    let came = client.read(frame.count)
    #expect(
      came == frame, "\(text): \(String(decoding: came, as: UTF8.self))",
      sourceLocation: sourceLocation)
  }

  static func say(_ client: RawClient, _ text: String) {
    client.send(RawClient.frame(1, Array(text.utf8)))
  }

  /// The status and the body of the reply to a request.
  static func request(
    _ listener: Listener, _ method: String, _ path: String, _ fields: [String] = [],
    body: [UInt8] = []
  ) throws -> String {
    let client = try RawClient(port: listener.port)
    let head =
      ["\(method) \(path) HTTP/1.1", "Host: localhost", "Connection: close"] + fields
      + ["Content-Length: \(body.count)"]
    client.send(Array((head.map { $0 + "\r\n" }.joined() + "\r\n").utf8) + body)
    let status = client.readHead().dropFirst("HTTP/1.1 ".count).prefix(3)
    let text = String(decoding: client.readToEnd(), as: UTF8.self)
    return "\(status) \(text.filter { $0 != "\n" })"
  }

  static func post(_ listener: Listener, _ path: String, _ text: String) throws -> String {
    try request(listener, "POST", path, body: Array(text.utf8))
  }

  @Test(arguments: [1, 3]) func membersTalkInEachFormat(threads: Int) throws {
    let listener = try Listener(["--no-compress", "--threads", "\(threads)"])
    let ann = try Self.join(listener, "/room/ops?name=ann")
    Self.expect(ann, "* ann joined (1 here)")
    let bob = try Self.join(listener, "/chat/ops?name=ann&format=json&self=1")
    Self.expect(ann, "* ann-2 joined (2 here)")
    Self.expect(bob, #"{"event":"join","name":"ann-2","here":2}"#)
    let raw = try Self.join(listener, "/room/ops?format=raw")
    Self.expect(ann, "* guest-3 joined (3 here)")
    Self.expect(bob, #"{"event":"join","name":"guest-3","here":3}"#)
    Self.say(ann, "hello")
    Self.expect(bob, #"{"event":"message","name":"ann","here":3,"text":"hello"}"#)
    Self.expect(raw, "hello")
    Self.say(bob, "//x")
    Self.expect(ann, "ann-2: /x")
    Self.expect(bob, #"{"event":"message","name":"ann-2","here":3,"text":"/x"}"#)
    Self.expect(raw, "/x")
    Self.say(raw, "/who")
    Self.expect(ann, "guest-3: /who")
    Self.expect(bob, #"{"event":"message","name":"guest-3","here":3,"text":"/who"}"#)
    ann.send(RawClient.frame(2, [0, 255]))
    Self.expect(bob, #"{"event":"message","name":"ann","here":3,"base64":"AP8="}"#)
    #expect(raw.read(4) == [0x82, 2, 0, 255])
    Self.say(ann, "/nick zoe")
    Self.expect(ann, "* ann is now zoe")
    Self.expect(bob, #"{"event":"nick","name":"zoe","from":"ann","here":3}"#)
    Self.say(ann, "/nick ann-2")
    Self.expect(ann, "* the name ann-2 is taken")
    Self.say(ann, "/who")
    Self.expect(ann, "* 3 here: ann-2, guest-3, zoe")
    Self.say(ann, "/foo")
    Self.expect(ann, "* unknown command /foo: /nick NAME, /who")
    bob.send(RawClient.frame(8, [3, 0xE8]))
    Self.expect(ann, "* ann-2 left (2 here)")
    #expect(try Self.post(listener, "/room/ops", "deploy done") == #"200 {"delivered":2}"#)
    Self.expect(ann, "deploy done")
    Self.expect(raw, "deploy done")
    #expect(
      try Self.request(listener, "PUT", "/room/ops?name=ci", body: [0x61])
        == #"200 {"delivered":2}"#)
    Self.expect(ann, "ci: a")
    Self.expect(raw, "a")
    let line = try listener.process.readLine(from: .standardError) { $0.contains("POST") }
    #expect(line.contains("POST /room/ops from 127.0.0.1:"), "\(line)")
    #expect(line.contains("text 11 B  deploy done   to 2 clients"), "\(line)")
  }

  @Test func modeChatJoinsOneRoom() throws {
    let listener = try Listener(["--mode", "chat", "--keep", "2", "--no-compress"])
    for text in ["a", "b", "c"] {
      #expect(try Self.post(listener, "/room/lobby", text) == #"200 {"delivered":0}"#)
    }
    let ann = try Self.join(listener, "/any/path?name=ann")
    for text in ["b", "c", "* ann joined (1 here)"] { Self.expect(ann, text) }
    let bob = try Self.join(listener, "/?name=bob&format=json")
    Self.expect(bob, #"{"event":"message","here":0,"text":"b"}"#)
    Self.expect(ann, "* bob joined (2 here)")
    let echo = try Self.join(listener, "/echo")
    Self.say(echo, "x")
    Self.expect(echo, "x")
    let refused = try RawClient(port: listener.port)
    refused.send(RawClient.request(path: "/?name=\(String(repeating: "x", count: 33))"))
    #expect(refused.readHead().hasPrefix("HTTP/1.1 400 "))
    #expect(
      String(decoding: refused.readToEnd(), as: UTF8.self)
        == "name: 1 to 32 printable characters\n")
  }

  /// A client of another behaviour is not a member.
  @Test(arguments: [[], ["--keep", "3"], ["--slow", "wait"], ["--threads", "3"]])
  func aBroadcastIsForItsMembers(_ options: [String]) throws {
    let listener = try Listener(["--mode", "broadcast", "--no-compress"] + options)
    let echo = try Self.join(listener, "/echo")
    let ears = try [Self.join(listener, "/"), Self.join(listener, "/broadcast")]
    let mouth = try Self.join(listener, "/broadcast?self=1")
    Self.say(mouth, "hi")
    for client in ears + [mouth] { Self.expect(client, "hi") }
    #expect(try Self.post(listener, "/broadcast", "done") == #"200 {"delivered":3}"#)
    for client in ears + [mouth] { Self.expect(client, "done") }
    Self.say(echo, "x")
    Self.expect(echo, "x")
  }

  @Test func eachModeHasTheChannelBroadcast() throws {
    let listener = try Listener(["--no-compress"])
    let one = try Self.join(listener, "/broadcast")
    let two = try Self.join(listener, "/broadcast")
    Self.say(one, "hi")
    Self.expect(two, "hi")
    #expect(
      try Self.request(
        listener, "POST", "/broadcast", ["Content-Type: application/octet-stream; x=y"],
        body: [0xFF]) == #"200 {"delivered":2}"#)
    #expect(one.read(3) == [0x82, 1, 0xFF])
  }

  @Test func aSourceCanBePublishedTo() throws {
    let listener = try Listener(["--mode", "source", "--no-compress"], hasInput: true)
    #expect(try Self.post(listener, "/broadcast", "first") == #"200 {"delivered":0}"#)
    let client = try Self.join(listener, "/")
    Self.expect(client, "first")
    #expect(try Self.post(listener, "/broadcast", "two") == #"200 {"delivered":1}"#)
    Self.expect(client, "two")
    try listener.process.write(Array("three\n".utf8))
    Self.expect(client, "three")
    let late = try Self.join(listener, "/broadcast")
    Self.expect(late, "three")
  }

  /// A page of another site can have a browser send a form.
  @Test func aFormOfAnotherSiteIsNotPublished() throws {
    let listener = try Listener(["--no-compress"])
    let client = try Self.join(listener, "/room/x?format=raw")
    for origin in ["http://evil.example", "null"] {
      let reply = try Self.request(
        listener, "POST", "/room/x",
        ["Origin: \(origin)", "Content-Type: application/x-www-form-urlencoded"],
        body: Array("a=b".utf8))
      #expect(reply.hasPrefix("403 rejected origin \(origin)"), "\(reply)")
    }
    #expect(
      try Self.request(
        listener, "POST", "/room/x", ["Origin: http://localhost:1"], body: [0x61])
        == #"200 {"delivered":1}"#)
    Self.expect(client, "a")
  }

  @Test func credentialsComeFirst() throws {
    let listener = try Listener(["--bearer", "secret"])
    #expect(try Self.post(listener, "/room/x?name=", "a").hasPrefix("401 "))
    #expect(
      try Self.request(
        listener, "POST", "/room/x", ["Authorization: Bearer secret"], body: [0x61])
        == #"200 {"delivered":0}"#)
  }

  @Test func whatCannotBePublished() throws {
    let listener = try Listener(["--max-message", "4"])
    let rows: [(method: String, path: String, body: [UInt8], reply: String)] = [
      (
        "POST", "/room/x", [0xC3, 0x28],
        "400 the body is not valid UTF-8; send it as application/octet-stream"
      ),
      ("POST", "/room/x", Array("12345".utf8), "413 the body is over 4 bytes"),
      ("POST", "/room/x?name=", [], "400 name: 1 to 32 printable characters"),
      (
        "POST", "/room/x?format=xml", [],
        "400 format: unknown format \"xml\" (expected text, json or raw)"
      ),
      ("POST", "/room", [], "400 the path must be /room/{room}"),
      (
        "POST", "/room/\(String(repeating: "x", count: 65))", [],
        "400 room: 1 to 64 printable characters"
      ),
      ("POST", "/echo", [], "405 only GET"), ("POST", "/", [], "405 only GET"),
      ("DELETE", "/room/x", [], "405 only GET, POST and PUT"),
    ]
    for row in rows {
      #expect(
        try Self.request(listener, row.method, row.path, body: row.body) == row.reply,
        "\(row.method) \(row.path)")
    }
    let log = try listener.process.readLine(from: .standardError) { $0.contains("413") }
    #expect(log.contains("the request body is over 4 B; --max-message SIZE raises the limit"))
    let client = try RawClient(port: listener.port)
    client.send("POST /room/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(client.readHead().hasPrefix("HTTP/1.1 400 "))
    #expect(
      String(decoding: client.readToEnd(), as: UTF8.self)
        == "the request has no body; try: curl -d TEXT URL\n")
  }

  /// Rules turn test paths off, but not the channel of the mode.
  @Test(arguments: [
    ([], "404", "404"), (["--mode", "chat"], "404", "200"),
    (["--mode", "broadcast"], "200", "404"),
  ])
  func rulesLeaveTheChannelOfTheMode(_ options: [String], _ broadcast: String, _ room: String)
    throws
  {
    let listener = try Listener(["--on", "< ping => > pong"] + options)
    #expect(try Self.post(listener, "/broadcast", "x").hasPrefix(broadcast))
    #expect(try Self.post(listener, "/room/x", "x").hasPrefix(room))
  }

  /// More than the kernel takes for a member that does not read.
  @Test(arguments: [
    ("/broadcast", ["--mode", "broadcast"]), ("/room/x?format=raw", ["--mode", "chat"]),
  ])
  func messagesForASlowMemberAreDropped(_ path: String, _ mode: [String]) throws {
    let listener = try Listener(
      mode + ["--keep", "0", "--slow", "drop", "--max-queue", "64k", "--no-compress"])
    do {
      let slow = try Self.join(listener, path)
      let ear = try Self.join(listener, path)
      let mouth = try Self.join(listener, path)
      let payload = [UInt8](repeating: 0x61, count: 60_000)
      let header: [UInt8] = [0x82, 126, 0xEA, 0x60]
      for _ in 0..<300 {
        mouth.send(RawClient.frame(2, payload))
        guard ear.read(60_004) == header + payload else {
          Issue.record("a message is missing or changed")
          break
        }
      }
      _ = slow
    }
    let line = try listener.process.readLine(from: .standardError) { $0.contains("slow consumer") }
    #expect(line.contains("#1 ! slow consumer: ") && line.contains(" messages dropped"), "\(line)")
  }

  @Test(arguments: [
    (
      ["--keep", "3", "--on", "< a => > b"],
      "--keep requires mode broadcast, chat or source, or test paths"
    ),
    (
      ["--slow", "drop", "--on", "< a => > b"],
      "--slow requires mode broadcast, chat or source, or test paths"
    ),
    (["--mode", "chat", "--keep", "1001"], "--keep must be from 0 to 1000"),
    (["--mode", "chta"], "unknown mode \"chta\"; did you mean chat?"),
  ])
  func mistakesEndBeforeAnythingIsBound(_ options: [String], _ problem: String) throws {
    let finished = try Wscope.run(["listen", "0"] + options)
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains(problem), "\(finished.errorText)")
  }
}
