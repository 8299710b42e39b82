import Glibc
import NIOCore
import NIOHTTP1
import TestPeers
import Testing

@testable import TestServer

/// `listen --exec`: a process for each connection.
@Suite(.blocking) struct ProgramTests {
  private static func open(_ listener: Listener, path: String = "/") throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: path))
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  private static func listen(
    _ options: [String] = [], _ command: String..., environment: [String: String] = [:]
  ) throws -> Listener {
    try Listener(
      ["--exec", "--no-compress"] + options + ["--"] + command, environment: environment)
  }

  private static func text(_ text: String) -> [UInt8] { RawPeer.frame(1, Array(text.utf8)) }
  private static func said(_ text: String) -> [UInt8] { RawClient.frame(1, Array(text.utf8)) }
  private static func closing(_ code: Int, _ reason: String = "") -> [UInt8] {
    RawPeer.frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
  }

  private static func expect(_ client: RawClient, _ frames: [UInt8]) {
    let received = client.read(frames.count)
    #expect(received == frames, "\(String(decoding: received, as: UTF8.self))")
  }

  @Test func linesGoThroughAProcessOfEachClient() throws {
    let listener = try Self.listen(
      [], "/bin/sh", "-c", #"n=0; while read -r l; do n=$((n+1)); echo "$WS_CLIENT $n $l"; done"#)
    let first = try Self.open(listener)
    first.send(Self.said("a") + Self.said(""))
    Self.expect(first, Self.text("1 1 a") + Self.text("1 2 "))
    let second = try Self.open(listener)
    second.send(Self.said("b"))
    Self.expect(second, Self.text("2 1 b"))
    first.send(Self.said("c"))
    Self.expect(first, Self.text("1 3 c"))
  }

  /// What a process writes, how it ends, and what its client receives then.
  struct Row: Sendable, CustomTestStringConvertible {
    var script: String
    var options: [String] = []
    var received: [UInt8]
    var log: String

    var testDescription: String { script }
  }

  static let rows = [
    Row(
      script: "echo hi", received: text("hi") + closing(1000), log: "#1 exec exit 0, "),
    Row(
      script: "printf 'a\\r\\n\\nlast'; exit 3",
      received: text("a") + text("") + text("last") + closing(1011, "exit 3"),
      log: "#1 ! exec exit 3, "),
    Row(
      script: "kill -SEGV $$", received: closing(1011, "killed by SIGSEGV"),
      log: "#1 ! exec killed by SIGSEGV, "),
    Row(
      script: "printf '\\377\\n'; cat", received: closing(1011, "the output is not valid UTF-8"),
      log: "#1 exec exit 0, "),
    Row(
      script: "printf 'a\\n\\0b\\0'", options: ["-0"],
      received: text("a\n") + text("b") + closing(1000), log: "#1 exec exit 0, "),
    Row(
      script: "printf '\\377\\n'", options: ["-b"],
      received: RawPeer.frame(2, [0xFF, 0x0A]) + closing(1000), log: "#1 exec exit 0, "),
    Row(
      script: "echo no >&2; echo yes", received: text("yes") + closing(1000),
      log: "#1 stderr no"),
    Row(
      script: "printf 'a\"\\n'", options: ["--exec-stderr", "client"],
      received: text(#"{"stream":"stdout","data":"a\""}"#) + closing(1000),
      log: "#1 exec exit 0, "),
    Row(
      script: "echo no >&2", options: ["--exec-stderr", "client"],
      received: text(#"{"stream":"stderr","data":"no"}"#) + closing(1000),
      log: "#1 exec exit 0, "),
    Row(
      script: "echo 0123456789; cat", options: ["--max-message", "9"],
      received: closing(1011, "a message of the program is over the limit"), log: "#1 exec exit 0, "
    ),
    // The rest of the output comes from what the program left behind, and that is ended.
    Row(
      script: "(echo late; exec sleep 1000) & exit 0", options: ["--exec-grace", "100ms"],
      received: text("late") + closing(1000), log: "#1 exec exit 0, "),
  ]

  @Test(arguments: rows) func theClientReceivesTheOutputAndTheEnd(_ row: Row) throws {
    let listener = try Self.listen(row.options, "/bin/sh", "-c", row.script)
    let client = try Self.open(listener)
    Self.expect(client, row.received)
    client.send(RawClient.frame(8, [0x03, 0xE8]))
    _ = try listener.process.readLine(from: .standardError) { $0.contains(row.log) }
  }

  @Test func aMessageIsWrittenWithoutALineFeedIfItIsBinary() throws {
    let listener = try Self.listen(["-b"], "head", "-c", "3")
    let client = try Self.open(listener)
    client.send(Self.said("ab") + Self.said("cd"))
    // One read or two, as the pipe delivers them.
    var payload: [UInt8] = []
    while payload.count < 3 {
      let head = client.read(2)
      #expect(head.first == 0x82)
      payload += client.read(Int(head.last ?? 0))
    }
    #expect(payload == Array("abc".utf8))
    Self.expect(client, Self.closing(1000))
  }

  @Test func theEnvironmentIsFixed() throws {
    let listener = try Self.listen(
      ["--pass-env", "CANARY", "--pass-header", "X-Tenant", "--subprotocol", "chat"], "env",
      environment: ["CANARY": "kept", "OTHER": "dropped"])
    let client = try RawClient(port: listener.port)
    client.send(
      "GET /a%20b?q=1 HTTP/1.1\r\nHost: localhost:\(listener.port)\r\nUpgrade: websocket\r\n"
        + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        + "X-Tenant: blue\r\nX-Secret: s\r\nSec-WebSocket-Protocol: chat\r\n\r\n")
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    let output = String(decoding: client.readToEnd(), as: UTF8.self)
    for expected in [
      "CANARY=kept", "WS_HEADER_X_TENANT=blue", "WS_PATH=/a%20b", "WS_QUERY=q=1",
      "PATH_INFO=/a%20b", "QUERY_STRING=q=1", "REQUEST_URI=/a%20b?q=1", "WS_CLIENT=1",
      "WS_SUBPROTOCOL=chat", "WS_REMOTE_ADDR=127.0.0.1", "REMOTE_ADDR=127.0.0.1",
      "SERVER_PORT=\(listener.port)", "PATH=",
    ] {
      #expect(output.contains(expected), "\(expected) is not in \(output)")
    }
    for secret in ["OTHER", "HTTP_", "X_SECRET"] { #expect(!output.contains(secret)) }
  }

  /// A program that ignores the end of its input and SIGTERM ends with what it started.
  @Test func theProcessEndsWithItsClient() throws {
    let listener = try Self.listen(
      ["--exec-grace", "100ms"], "/bin/sh", "-c",
      "trap '' TERM; sleep 1000 & echo $$ $!; while :; do sleep 1000; done")
    var client: RawClient? = try Self.open(listener)
    let head = client?.read(2) ?? []
    let pids = String(decoding: client?.read(Int(head[1])) ?? [], as: UTF8.self).split(
      separator: " "
    )
    .compactMap { pid_t($0) }
    #expect(pids.count == 2)
    client?.endWithReset()
    client = nil
    _ = try listener.process.readLine(from: .standardError) { $0.contains("killed by SIGKILL") }
    // Those that are gone are reaped by their parents, or by init.
    for pid in pids { try waitForEnd(of: pid) }
  }

  /// Waits for a process that another one reaps.
  private func waitForEnd(of pid: pid_t) throws {
    for _ in 0..<3000 {
      guard kill(pid, 0) == 0, Self.state(of: pid) != "Z" else { return }
      usleep(10_000)
    }
    Issue.record("process \(pid) is still there")
  }

  private static func state(of pid: pid_t) -> String {
    guard let file = fopen("/proc/\(pid)/stat", "r") else { return "" }
    defer { fclose(file) }
    var line = [UInt8](repeating: 0, count: 512)
    let count = fread(&line, 1, line.count, file)
    let text = String(decoding: line[..<count], as: UTF8.self)
    return text.split(separator: ")").last?.split(separator: " ").first.map(String.init) ?? ""
  }

  @Test func theServerEndsItsProcesses() throws {
    let listener = try Self.listen(
      ["--exec-grace", "100ms", "--close-timeout", "100ms"], "/bin/sh", "-c",
      "trap '' TERM; echo $$; while :; do sleep 1000; done")
    let client = try Self.open(listener)
    let head = client.read(2)
    let pid = try #require(pid_t(String(decoding: client.read(Int(head[1])), as: UTF8.self)))
    listener.process.signal(SIGTERM)
    #expect(try listener.process.wait().exitCode == 0)
    #expect(kill(pid, 0) != 0)
    _ = client
  }

  @Test func aProcessInheritsOnlyItsStreams() throws {
    let listener = try Self.listen([], "ls", "-l", "/proc/self/fd")
    _ = try Self.open(listener).readToEnd()
    let client = try Self.open(listener)
    let output = String(decoding: client.readToEnd(), as: UTF8.self)
    // 3 is the directory that ls reads.
    #expect(output.contains(" 2 -> pipe:") && !output.contains(" 4 -> "), "\(output)")
    #expect(!output.contains("socket:"), "\(output)")
  }

  /// Python buffers what it writes to a pipe, and not what it writes to a terminal.
  @Test func aPseudoTerminalIsNotBuffered() throws {
    let command = ["python3", "-c", "while True: print(input().upper())"]
    let listener = try Listener(["--exec", "--exec-pty", "--no-compress", "--"] + command)
    let client = try Self.open(listener)
    client.send(Self.said("hello") + Self.said(String(repeating: "x", count: 100)))
    Self.expect(client, Self.text("HELLO") + Self.text(String(repeating: "X", count: 100)))
  }

  @Test func aSilentProcessIsExplained() throws {
    // It ends with its input, even if the server is killed.
    let listener = try Self.listen([], "/bin/sh", "-c", "cat >/dev/null")
    let client = try Self.open(listener)
    client.send(Self.said("hello"))
    _ = try listener.process.readLine(from: .standardError) {
      $0.contains(
        "#1 * /bin/sh has written nothing: programs buffer output to a pipe; try --exec-pty")
    }
  }

  @Test func theProcessesAreLimited() throws {
    let listener = try Self.listen([], "cat")
    let clients = try (0..<ServedProgram.maxProcesses).map { _ in try Self.open(listener) }
    do {
      let late = try RawClient(port: listener.port)
      late.send(RawClient.request())
      let head = late.readHead()
      #expect(head.hasPrefix("HTTP/1.1 503 ") && head.lowercased().contains("retry-after: 1"))
    }
    clients[0].send(RawClient.frame(8, [0x03, 0xE8]))
    _ = clients[0].readToEnd()
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#1 exec exit 0") }
    clients[1].send(Self.said("still here"))
    Self.expect(clients[1], Self.text("still here"))
  }

  /// More than pipe and sockets hold, in both directions at once.
  @Test func bothDirectionsHaveBackpressure() throws {
    let listener = try Self.listen(["-b"], "cat")
    let client = try Self.open(listener)
    let message = RawClient.frame(2, [UInt8](repeating: 7, count: 65_536))
    let count = 400
    // One thread sends, the other receives.
    nonisolated(unsafe) let sender = client
    TestThread.start { for _ in 0..<count { sender.send(message) } }
    var received = 0
    while received < count * 65_536 {
      let head = client.read(2)
      guard head.first == 0x82 else {
        Issue.record("frame \(head)")
        break
      }
      var length = Int(head[1])
      if length == 126 { length = client.read(2).reduce(0) { $0 << 8 | Int($1) } }
      if length == 127 { length = client.read(8).reduce(0) { $0 << 8 | Int($1) } }
      received += client.read(length).count
    }
    #expect(received == count * 65_536)
  }

  /// A client that cannot take it for longer than the grace receives what an ended process has left in its pipe.
  @Test func aSlowClientReceivesTheWholeOutput() throws {
    // The first part is more than a connection holds; the second one waits in the pipe when the process has ended.
    let size = 120_000
    let listener = try Self.listen(
      ["-b", "--exec-grace", "10ms", "--fault", "throttle=1KB/s,for=2s"], "/bin/sh", "-c",
      "head -c 70000 /dev/zero; sleep 0.1; head -c 50000 /dev/zero")
    let client = try Self.open(listener)
    var received = 0
    while received < size {
      let head = client.read(2)
      try #require(head.first == 0x82, "\(received) bytes, then \(head)")
      var length = Int(head[1])
      if length >= 126 {
        length = client.read(length == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) }
      }
      received += client.read(length).count
    }
    #expect(received == size)
    Self.expect(client, Self.closing(1000))
  }

  @Test func aSourceMayBeAProgram() throws {
    let listener = try Self.listen(
      ["--mode", "source", "--slow", "wait", "--exit-at-eof"], "/bin/sh", "-c",
      "echo warn >&2; seq 3; exit 4")
    let client = try Self.open(listener)
    Self.expect(client, Self.text("1") + Self.text("2") + Self.text("3"))
    #expect(Array(client.readToEnd().prefix(4).suffix(2)) == [0x03, 0xE9])
    let ended = try listener.process.wait()
    #expect(ended.exitCode == 0)
    #expect(ended.errorText.contains("stderr warn"))
    #expect(ended.errorText.contains("exec exit 4"))
  }

  @Test func jsonLinesAndMetricsCountProcesses() throws {
    let listener = try Self.listen(
      ["--format", "jsonl"], "/bin/sh", "-c", "echo no >&2; kill -KILL $$")
    let client = try Self.open(listener)
    _ = client.read(4)
    for expected in [#""event":"stderr","text":"no""#, #""event":"exec","signal":"SIGKILL""#] {
      _ = try listener.process.readLine(from: .standardOutput) { $0.contains(expected) }
    }
    let page = try RawClient(port: listener.port)
    page.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    let metrics = String(decoding: page.readToEnd(), as: UTF8.self)
    for line in [
      "wscope_exec_processes 0", #"wscope_exec_exits_total{status="signal"} 1"#,
      #"wscope_exec_exits_total{status="0"} 0"#,
    ] {
      #expect(metrics.contains(line + "\n"), "\(metrics)")
    }
  }

  @Test(arguments: [
    (["--exec"], "--exec requires a program after --"),
    (["--exec", "cat"], "--exec requires a program after --, as in: wscope listen --exec -- cat"),
    (["--exec", "--"], "--exec requires a program after --"),
    (["--", "cat"], "a program after -- requires --exec"),
    (["--exec-pty"], "--exec-pty requires --exec"),
    (["--pass-env", "A"], "--pass-env requires --exec"),
    (["--exec-grace", "1s"], "--exec-grace requires --exec"),
    (["--exec", "--mode", "echo", "--", "cat"], "--exec cannot be combined with --mode echo"),
    (["--exec", "--script", "-", "--", "cat"], "--exec cannot be combined with --script"),
    (["--exec", "--strict-paths", "--", "cat"], "--strict-paths requires test paths"),
    (["--exec", "--", "no-such-program"], "cannot run no-such-program: no such file"),
    (["--exec", "--", "/etc/passwd"], "cannot run /etc/passwd: permission denied"),
    (["--exec", "--", "/etc"], "cannot run /etc: it is a directory"),
    (
      ["--exec", "--host", "0.0.0.0", "--", "cat"],
      "--exec lets other machines run cat; --i-know allows it"
    ),
    (["--exec", "--pass-header", "a b", "--", "cat"], "--pass-header \"a b\" is not a token"),
    (
      ["--exec", "--mode", "source", "--exec-stderr", "client", "--", "cat"],
      "--exec-stderr requires a process for each connection"
    ),
    (["-b"], "--binary requires mode source or --exec"),
  ]) func badOptionsAreUsageErrors(options: [String], problem: String) throws {
    let ended = try Wscope.run(["listen", "0"] + options)
    #expect(ended.exitCode == 2)
    #expect(ended.errorText.contains(problem), "\(ended.errorText)")
  }
}

/// The parts of `--exec` that need no process.
@Suite struct ProgramPartTests {
  @Test func outputIsSplitWhereverItIsCut() throws {
    let bytes = Array("one\r\n\ntwo\nlast".utf8)
    for cut in 0...bytes.count {
      var splitter = OutputSplitter(.newline, limit: 10)
      var messages = try splitter.feed(ByteBuffer(bytes: bytes[..<cut]))
      messages += try splitter.feed(ByteBuffer(bytes: bytes[cut...]))
      messages += [splitter.finish()].compactMap(\.self)
      #expect(messages.map { String(buffer: $0) } == ["one", "", "two", "last"])
    }
  }

  @Test func aLongMessageIsRejected() throws {
    for text in ["0123456789a\n", "0123456789ab"] {
      var splitter = OutputSplitter(.newline, limit: 10)
      #expect(throws: OutputSplitter.TooLong.self) { try splitter.feed(ByteBuffer(string: text)) }
    }
    var splitter = OutputSplitter(.newline, limit: 10)
    #expect(try splitter.feed(ByteBuffer(string: "0123456789\r\n")).count == 1)
  }

  @Test func valuesWithControlCharactersAreLeftOut() {
    let program = ServedProgram(command: ["a"], environment: ["PATH": "/bin"])
    let request = ProgramEnvironment.Request(
      target: RequestTarget("/x"), uri: "/x", fields: ["Origin": "a\u{0}b", "Host": "h:x"])
    let variables = ProgramEnvironment.variables(program, request, client: 7)
    #expect(variables["WS_ORIGIN"] == nil)
    #expect(variables["SERVER_PORT"] == "")
    #expect(variables["WS_CLIENT"] == "7")
    #expect(ProgramEnvironment.variableName(ofField: "X-Röt_1") == "WS_HEADER_X_RÖT_1")
  }
}
