import TestPeers
import Testing

/// The test paths of `listen`, as clients meet them.
@Suite(.blocking) struct TestPathTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var path: String
    var exitCode: Int32
    var output: String
    var testDescription: String { path }
  }

  @Test(arguments: [
    Row(path: "/echo", exitCode: 0, output: "hi\n"),
    Row(path: "/raw/", exitCode: 0, output: "hi\n"),
    Row(path: "/mirror", exitCode: 0, output: "hi\n"),
    Row(path: "/websocket/echo", exitCode: 0, output: "hi\n"),
    Row(path: "/echo?max_message_size=1", exitCode: 111, output: ""),
    Row(path: "/delay/50", exitCode: 0, output: "hi\n"),
    Row(path: "/close/4000?after=1&reason=done", exitCode: 111, output: "hi\n"),
    Row(path: "/close/1006", exitCode: 56, output: ""),
    Row(path: "/close/1006?after=1", exitCode: 0, output: "hi\n"),
    Row(path: "/close/999", exitCode: 110, output: ""),
    Row(path: "/status/503", exitCode: 22, output: ""),
    Row(path: "/elsewhere", exitCode: 0, output: "hi\n"),
  ])
  func whatAClientReports(_ row: Row) throws {
    let listener = try Listener()
    let sent = try Wscope.run(["send", "ws://127.0.0.1:\(listener.port)\(row.path)", "hi", "-1"])
    #expect(sent.exitCode == row.exitCode, "\(sent.errorText)")
    #expect(sent.outputText == row.output)
  }

  private static func open(_ listener: Listener, _ path: String) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: path))
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  @Test func aCloseIsOnTheWireAsItWasAskedFor() throws {
    let listener = try Listener(["--no-compress"])
    #expect(
      try Self.open(listener, "/close/4001?reason=b%C3%A4h").read(8)
        == [0x88, 6, 0x0F, 0xA1] + Array("bäh".utf8))
    #expect(try Self.open(listener, "/close/1005").read(2) == [0x88, 0])
    #expect(try Self.open(listener, "/close/65535").read(4) == [0x88, 2, 0xFF, 0xFF])
    #expect(try Self.open(listener, "/close/1006").readToEnd() == [])
    let client = try Self.open(listener, "/close/1000?after=2")
    client.send(
      RawClient.frame(1, [0x61]) + RawClient.frame(1, [0x62]) + RawClient.frame(1, [0x63]))
    #expect(client.read(10) == [0x81, 1, 0x61, 0x81, 1, 0x62, 0x88, 2, 0x03, 0xE8])
  }

  @Test func lateEchoesAreInOrder() throws {
    let listener = try Listener(["--no-compress"])
    let client = try Self.open(listener, "/delay/200ms")
    let clock = ContinuousClock()
    let start = clock.now
    client.send((0..<20).flatMap { RawClient.frame(2, [UInt8($0)]) })
    #expect(client.read(60) == (0..<20).flatMap { [0x82, 1, UInt8($0)] })
    #expect(clock.now - start >= .milliseconds(200))
  }

  @Test func aPathComesBeforeTheMode() throws {
    let listener = try Listener(["--mode", "broadcast"])
    let sent = try Wscope.run(["send", "\(listener.url)echo", "hi", "-1"])
    #expect(sent.outputText == "hi\n")
  }

  @Test func strictPathsNameTheNearest() throws {
    let listener = try Listener(["--strict-paths"])
    let sent = try Wscope.run(["send", "\(listener.url)eco", "hi"])
    #expect(sent.exitCode == 22)
    #expect(sent.errorText.contains("unknown path /eco; did you mean /echo? GET /paths lists all"))
    #expect(try Wscope.run(["send", listener.url, "hi", "-1"]).outputText == "hi\n")
  }

  @Test func ordinaryRequestsAreAnswered() throws {
    let listener = try Listener()
    func get(_ path: String) throws -> String {
      let client = try RawClient(port: listener.port)
      client.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      return String(decoding: client.readToEnd(), as: UTF8.self)
    }
    let list = try get("/paths")
    #expect(list.hasPrefix("HTTP/1.1 200 OK\r\n") && list.contains("application/json"))
    #expect(list.contains("{\"path\":\"/close/{code}\",\"query\":[\"reason\",\"after\"]"))
    let hint = try get("/echo")
    #expect(hint.hasPrefix("HTTP/1.1 426 "))
    #expect(
      hint.contains("/echo is a WebSocket path; try: wscope connect ws://localhost/echo"))
    #expect(try get("/status/418?body=tea").hasSuffix("\r\n\r\ntea\n"))
    #expect(try get("/status/204").hasPrefix("HTTP/1.1 204 "))
  }
}
