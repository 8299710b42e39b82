import Conversation
import Glibc
import TestPeers
import Testing

/// `listen --format jsonl`: every event on standard output, valid against the schema.
@Suite(.blocking) struct ServerJSONLinesTests {
  /// The lines of a server, up to an event; each must be valid.
  private func lines(
    of listener: Listener, upTo isLast: (JSONValue) -> Bool
  ) throws -> [JSONValue] {
    let schema = SchemaCheck(try JSONValue.parse(SessionEvent.schema))
    var values: [JSONValue] = []
    while let line = try listener.process.readLine(from: .standardOutput) {
      let value = try JSONValue.parse(Array(line.utf8))
      #expect(schema.problems(of: value) == [], "\(line)")
      values.append(value)
      if isLast(value) { return values }
    }
    throw TestPeerError("the output ended after \(values)")
  }

  private func isClose(_ value: JSONValue) -> Bool { value["event"]?.string == "close" }

  private func has(_ values: [JSONValue], _ members: [String: JSONValue]) -> Bool {
    values.contains { value in members.allSatisfy { value[$0.key] == $0.value } }
  }

  @Test func aConnection() throws {
    let listener = try Listener(["--format", "jsonl", "--lint", "-s", "chat", "--compress"])
    _ = try Wscope.run(
      ["send", listener.url + "x?token=secret", "hé", "-s", "chat", "-N1", "--compress"])
    let values = try lines(of: listener, upTo: isClose)
    #expect(
      values.compactMap { $0["event"]?.string }
        == ["listening", "open", "message", "message", "lint", "close"]
        || values.compactMap { $0["event"]?.string }
          == ["listening", "open", "message", "message", "close"],
      "\(values)")
    #expect(values[0]["urls"] != .array([]) && values[0]["conn"] == nil)
    #expect(
      has(
        values,
        [
          "event": .string("open"), "conn": .number("1"), "path": .string("/x?token=***"),
          "status": .number("101"), "subprotocol": .string("chat"),
        ]), "\(values)")
    #expect(values[1]["extensions"] != .array([]))
    for direction in ["in", "out"] {
      #expect(
        has(
          values,
          [
            "event": .string("message"), "dir": .string(direction), "text": .string("hé"),
            "size": .number("3"),
          ]), "\(values)")
    }
    #expect(
      has(values, ["event": .string("close"), "dir": .string("in"), "code": .number("1000")]))
  }

  @Test func everyKindOfEvent() throws {
    let listener = try Listener([
      "--format", "jsonl", "--fault", "delay=1ms,path=/late", "--seed", "4711",
      "--http2",
    ])
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: "/late"))
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    client.send(
      RawClient.frame(9, [1]) + RawClient.frame(10, []) + RawClient.frame(2, [0, 255])
        + RawClient.frame(1, [0xFF]))
    _ = client.readToEnd()
    var values = try lines(of: listener, upTo: isClose)
    #expect(values[0]["seed"] == .number("4711"))
    for members in [
      ["event": "ping", "dir": "in", "base64": "AQ=="], ["event": "pong", "dir": "in"],
      ["event": "message", "dir": "in", "base64": "AP8="],
      ["event": "fault", "kind": "delay"], ["event": "close", "dir": "out"],
    ] {
      #expect(has(values, members.mapValues { .string($0) }), "\(members): \(values)")
    }
    // The end of the connection may come before the late message.
    let late = ["event": "message", "dir": "out", "fault": "delay=1ms"]
    if has(values, ["event": .string("message"), "dir": .string("out")]) {
      #expect(has(values, late.mapValues { .string($0) }), "\(values)")
    }
    _ = try Wscope.run(["send", listener.url, "x", "-o", "http://example.com"])
    values = try lines(of: listener) { $0["event"]?.string == "refused" }
    #expect(has(values, ["status": .number("403")]) && values.last?["conn"] == nil)
    let stranger = try RawClient(port: listener.port)
    stranger.send("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}")
    _ = stranger.readToEnd()
    values = try lines(of: listener) { $0["event"]?.string == "refused" }
    #expect(values.last?["conn"] == nil && values.last?["reason"]?.string?.isEmpty == false)
  }

  @Test func rules() throws {
    let listener = try Listener(["--format", "jsonl", "--on", "< a => > b"])
    _ = try Wscope.run(["send", listener.url, "x", "a", "-N1"])
    let values = try lines(of: listener, upTo: isClose)
    #expect(
      has(values, ["dir": .string("in"), "text": .string("a"), "rule": .string("on1")]), "\(values)"
    )
    #expect(
      has(values, ["dir": .string("out"), "text": .string("b"), "rule": .string("on1")]),
      "\(values)")
    #expect(has(values, ["text": .string("x")]))
  }

  @Test func scripts() throws {
    let path = try Wscope.scratch("jsonl") + "/a.wscope"
    try Wscope.write("< hello\n> hi\n", to: path)
    let listener = try Listener(["--format", "jsonl", "--script", path])
    _ = try Wscope.run(["send", listener.url, "hello", "-N1"])
    var values = try lines(of: listener, upTo: isClose)
    #expect(has(values, ["event": .string("script"), "ok": .bool(true)]), "\(values)")
    _ = try Wscope.run(["send", listener.url, "wrong", "-w", "0"])
    values = try lines(of: listener, upTo: isClose)
    let failure = try #require(values.first { $0["event"]?.string == "script" })
    #expect(failure["ok"] == .bool(false) && failure["line"] == .number("1"), "\(failure)")
    #expect(failure["step"] == .string("< hello"), "\(failure)")
    #expect(failure["got"]?.string?.contains("wrong") == true, "\(failure)")
  }

  @Test(arguments: [
    ("cat; exit 3", ["event": JSONValue.string("exec"), "status": .number("3")]),
    ("read x; echo $x; kill -9 $$", ["event": .string("exec"), "signal": .string("SIGKILL")]),
  ]) func programs(_ command: String, _ end: [String: JSONValue]) throws {
    let listener = try Listener([
      "--format", "jsonl", "--exec", "--", "sh", "-c", "echo oops >&2; \(command)",
    ])
    _ = try Wscope.run(["send", listener.url, "hello", "-N1"])
    let values = try lines(of: listener) { $0["event"]?.string == "exec" }
    #expect(end.allSatisfy { values.last?[$0.key] == $0.value }, "\(values)")
    #expect(has(values, ["event": .string("stderr"), "text": .string("oops")]), "\(values)")
    #expect(has(values, ["dir": .string("out"), "text": .string("hello")]), "\(values)")
    let metrics = try MetricsText(port: listener.port)
    let kind = end["signal"] == nil ? "error" : "signal"
    #expect(metrics.value("wscope_exec_exits_total{status=\"\(kind)\"}") == 1)
  }

  @Test func aFilterIsForMessagesOnly() throws {
    let listener = try Listener(["--format", "jsonl", "--filter", "needle"])
    _ = try Wscope.run(["send", listener.url, "hay", "needle", "-N2"])
    let values = try lines(of: listener, upTo: isClose)
    #expect(
      values.compactMap { $0["event"]?.string }
        == ["listening", "open", "message", "message", "close"])
    #expect(values.compactMap { $0["text"]?.string } == ["needle", "needle"])
  }

  /// EPIPE ends the output, not the server.
  @Test func aClosedOutput() throws {
    let port = try Wscope.scratch("jsonl") + "/port"
    unlink(port)
    let finished = try Wscope.shell(
      """
      "$WSCOPE" listen 0 --port-file \(port) --format jsonl 2>/dev/null > >(head -1) &
      server=$!
      until [ -s \(port) ]; do sleep 0.05; done
      for i in 1 2 3; do wscope send :$(cat \(port)) hello -N1 || exit 9; done
      kill $server
      wait $server
      """)
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.outputText.split(separator: "\n").count { $0 == "hello" } == 3)
  }

  /// While nobody reads, the server stops reading from its clients, and no event is lost.
  @Test func anUnreadOutputPausesReading() throws {
    let directory = try Wscope.scratch("jsonl")
    let fifo = directory + "/fifo"
    unlink(fifo)
    #expect(mkfifo(fifo, 0o600) == 0)
    // Open for reading and writing, which does not wait for the other side.
    let output = open(fifo, O_RDWR | O_CLOEXEC)
    try #require(output >= 0)
    defer { close(output) }
    let process = try ChildProcess.start(
      "/bin/sh",
      ["-c", "exec '\(Wscope.path)' listen 0 --mode sink --format jsonl >'\(fifo)'"],
      environment: Wscope.environment())
    let ready = try process.readLine(from: .standardError) { $0.contains("listening on") }
    let digits = ready.split(separator: "127.0.0.1:", maxSplits: 1).last?.prefix { $0.isNumber }
    let port = try #require(digits.flatMap { Int($0) })
    let count = 50_000
    TestThread.start { [frame = RawClient.frame(1, [0x61])] in
      guard let client = try? RawClient(port: port) else { return }
      client.send(RawClient.request())
      _ = client.readHead()
      for _ in 0..<(count / 1000) {
        client.send(Array(repeatElement(frame, count: 1000).joined()))
      }
      client.send(RawClient.frame(8, [0x03, 0xE8]))
      _ = client.readToEnd()
    }
    // The events that wait fill 16 MiB, at 1 KiB each.
    var received = 0
    while received < 16_000 { received = try Self.received(port) }
    for _ in 0..<20 {
      received = try Self.received(port)
      #expect(received < count)
    }
    // The lines of the messages, and those of listening, open and close.
    var lines = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while lines < count + 3 {
      let bytes = read(output, &buffer, buffer.count)
      try #require(bytes > 0)
      lines += buffer.prefix(bytes).withUnsafeBytes { Self.newlines($0) }
    }
    #expect(lines == count + 3)
    #expect(try Self.received(port) == count)
    process.signal(SIGTERM)
    #expect(try process.wait().errorText.contains("dropped") == false)
  }

  private static func newlines(_ bytes: UnsafeRawBufferPointer) -> Int {
    var (count, next) = (0, bytes.baseAddress)
    while let start = next, let end = bytes.baseAddress.map({ $0 + bytes.count }), start < end,
      let found = memchr(start, 0x0A, end - start)
    {
      count += 1
      next = UnsafeRawPointer(found) + 1
    }
    return count
  }

  private static func received(_ port: Int) throws -> Int {
    let text = try MetricsText(port: port)
    return Int(text.value("wscope_messages_received_total") ?? 0)
  }

  @Test(arguments: [
    (["-q"], "--quiet and --format jsonl"), (["--json"], "--format jsonl and --json"),
    (["--timestamps"], "--format jsonl and --timestamps"),
    (["--port-file", "-"], "--port-file - and --format jsonl"),
    (["--script", "x", "--tap-output"], "--tap-output and --format jsonl"),
    (["--script", "x", "--junit", "-"], "--junit - and --format jsonl"),
  ]) func badOptions(_ options: [String], _ message: String) throws {
    let finished = try Wscope.run(["listen", "0", "--format", "jsonl"] + options)
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains(message), "\(finished.errorText)")
  }
}
