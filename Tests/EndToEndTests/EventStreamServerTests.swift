import Glibc
import TestPeers
import Testing

/// Server-sent events of a channel, as clients meet them.
@Suite(.blocking) struct EventStreamServerTests {
  private static func open(
    _ listener: Listener, _ path: String, _ fields: [String] = []
  ) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    let lines = ["GET \(path) HTTP/1.1", "Host: localhost"] + fields
    client.send(lines.map { $0 + "\r\n" }.joined() + "\r\n")
    let head = client.readHead()
    #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(head)")
    #expect(head.contains("Content-Type: text/event-stream\r\n"), "\(head)")
    return client
  }

  private static func expect(
    _ client: RawClient, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let came = String(decoding: client.read(text.utf8.count), as: UTF8.self)
    #expect(came == text, sourceLocation: sourceLocation)
  }

  @Test(arguments: [1, 3]) func aRoomIsAStreamToo(threads: Int) throws {
    let listener = try Listener(["--threads", "\(threads)"])
    let stream = try Self.open(listener, "/room/x/sse")
    Self.expect(stream, "data: * guest-1 joined (1 here)\n\n")
    let ann = try RoomTests.join(listener, "/room/x?name=ann")
    Self.expect(stream, "data: * ann joined (2 here)\n\n")
    RoomTests.say(ann, "a\nb")
    Self.expect(stream, "id: 1\ndata: ann: a\ndata: b\n\n")
    ann.send(RawClient.frame(2, [0, 255, 10]))
    Self.expect(stream, "id: 2\nevent: binary\ndata: AP8K\n\n")
    #expect(try RoomTests.post(listener, "/chat/x", "done") == #"200 {"delivered":2}"#)
    Self.expect(stream, "id: 3\ndata: done\n\n")
    let line = try listener.process.readLine(from: .standardError) { $0.contains("#1 open") }
    #expect(line.contains("/room/x/sse (sse) from 127.0.0.1:"), "\(line)")
  }

  /// There is no Close frame to name.
  @Test func aClientThatGoesHasLeft() throws {
    let listener = try Listener(["--slow", "close"])
    do {
      let stream = try Self.open(listener, "/room/x/sse")
      Self.expect(stream, "data: * guest-1 joined (1 here)\n\n")
    }
    let line = try listener.process.readLine(from: .standardError) { $0.contains("#1 left") }
    #expect(line.contains("#1 left   0 in, 1 out, "), "\(line)")
    let stays = try Self.open(listener, "/room/x/sse")
    Self.expect(stays, "data: * guest-2 joined (1 here)\n\n")
    listener.process.signal(SIGTERM)
    #expect(stays.readToEnd() == [])
    let ended = try listener.process.wait()
    #expect(ended.errorText.contains("#2 closed 1001 going away"), "\(ended.errorText)")
  }

  /// Each message once, on whichever loop the client is.
  @Test func aClientGoesOnWhereItWas() throws {
    let listener = try Listener(["--threads", "3"])
    let accept = "Accept: text/event-stream"
    for number in 1...30 {
      #expect(try RoomTests.post(listener, "/room/x", "m\(number)") == #"200 {"delivered":0}"#)
      do {
        let last = try Self.open(
          listener, "/room/x?format=raw", [accept, "Last-Event-ID: \(number - 1)"])
        Self.expect(last, "id: \(number)\ndata: m\(number)\n\n")
      }
      // Only then the next message is for nobody.
      _ = try listener.process.readLine(from: .standardError) { $0.contains("#\(number) left") }
    }
    // The kept ones; without a number of the client, and with one that the server never gave.
    for fields in [[accept], [accept, "Last-Event-ID: 31"], [accept, "Last-Event-ID: x"]] {
      let stream = try Self.open(listener, "/room/x?format=raw", fields)
      for number in 11...30 { Self.expect(stream, "id: \(number)\ndata: m\(number)\n\n") }
    }
  }

  @Test(arguments: [["--mode", "broadcast"], ["--mode", "broadcast", "--keep", "1"], []])
  func aBroadcastIsAStreamToo(_ options: [String]) throws {
    let listener = try Listener(options)
    let stream = try Self.open(listener, "/broadcast/sse")
    let client = try RoomTests.join(listener, "/broadcast")
    RoomTests.say(client, "one")
    Self.expect(stream, "id: 1\ndata: one\n\n")
    #expect(try RoomTests.post(listener, "/broadcast", "two") == #"200 {"delivered":2}"#)
    Self.expect(stream, "id: 2\ndata: two\n\n")
  }

  @Test func itCountsAsAClient() throws {
    let listener = try Listener(["--max-clients", "1"])
    do {
      let stream = try Self.open(listener, "/broadcast/sse")
      for request in [
        RawClient.request(), "GET /broadcast/sse HTTP/1.1\r\nHost: localhost\r\n\r\n",
      ] {
        let second = try RawClient(port: listener.port)
        second.send(request)
        #expect(second.readHead().hasPrefix("HTTP/1.1 503 "))
      }
      _ = stream
    }
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#1 left") }
    _ = try Self.open(listener, "/broadcast/sse")
  }

  @Test func itEndsWithTheServer() throws {
    let listener = try Listener()
    let stream = try Self.open(listener, "/room/x/sse")
    Self.expect(stream, "data: * guest-1 joined (1 here)\n\n")
    // Bytes after the request are not frames.
    stream.send("GET / HTTP/1.1\r\n\r\n")
    listener.process.signal(SIGINT)
    #expect(stream.readToEnd() == [])
    let line = try listener.process.readLine(from: .standardError) { $0.contains("#1 closed") }
    #expect(line.contains("1001"), "\(line)")
  }

  @Test func aFaultCutsIt() throws {
    let listener = try Listener(["--mode", "broadcast"])
    let stream = try Self.open(listener, "/broadcast/sse?fault=fin,after=1")
    let client = try RoomTests.join(listener, "/")
    RoomTests.say(client, "one")
    #expect(String(decoding: stream.readToEnd(), as: UTF8.self) == "id: 1\ndata: one\n\n")
  }

  @Test func whatIsNotAStream() throws {
    let listener = try Listener()
    for (request, status) in [
      (RawClient.request(path: "/room/x/sse"), "400"),
      ("GET /room/x HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", "426"),
      ("GET /echo HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", "426"),
      ("HEAD /room/x/sse HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
      (
        "GET /room/x/sse HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", "403"
      ),
      ("GET /room/x/sse HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"),
    ] {
      let client = try RawClient(port: listener.port)
      client.send(request)
      #expect(client.readHead().hasPrefix("HTTP/1.1 \(status) "), "\(request)")
    }
  }
}
