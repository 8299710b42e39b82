import Glibc
import TestPeers
import Testing
import WebSocketProtocol

@testable import wscope

/// `listen --mode manual`: the clients are answered by lines, of a program or of a person.
@Suite(.blocking) struct ManualModeTests {
  private static func open(_ listener: Listener) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  private static func listen(_ options: String...) throws -> Listener {
    try Listener(["--mode", "manual", "--no-compress"] + options, hasInput: true)
  }

  private static func text(_ text: String) -> [UInt8] { RawPeer.frame(1, Array(text.utf8)) }

  private static func expectLine(_ listener: Listener, _ text: String) throws {
    _ = try listener.process.readLine(from: .standardError) { $0.contains(text) }
  }

  @Test func aProgramAnswersByLines() throws {
    let listener = try Self.listen()
    let first = try Self.open(listener)
    first.send(RawClient.frame(1, Array("question".utf8)) + RawClient.frame(2, [0x00, 0xFF]))
    _ = try listener.process.readLine(from: .standardOutput) { $0 == "question" }
    try listener.process.writeLine("answer")
    #expect(first.read(8) == Self.text("answer"))
    try listener.process.writeLine("//not a command")
    #expect(first.read(16) == Self.text("/not a command"))
    let second = try Self.open(listener)
    try Self.expectLine(listener, "#2 open")
    try listener.process.writeLine("for whom?")
    try Self.expectLine(listener, "! line 3 of standard input: which client? @1 @2 or @all")
    try listener.process.writeLine("@2 two")
    #expect(second.read(5) == Self.text("two"))
    try listener.process.writeLine("@all both")
    for client in [first, second] { #expect(client.read(6) == Self.text("both")) }
    try listener.process.writeLine("/ping 2")
    #expect(second.read(2) == [0x89, 0])
    try listener.process.writeLine("/clients")
    try Self.expectLine(listener, "#1 /  127.0.0.1:")
    try Self.expectLine(listener, "#2 /  127.0.0.1:")
    try listener.process.writeLine("/close 1 4000 enough")
    #expect(first.read(10) == RawPeer.frame(8, [0x0F, 0xA0] + Array("enough".utf8)))
    try listener.process.writeLine("/cut 2")
    #expect(second.readToEnd() == [])
    try Self.expectLine(listener, "#2 connection lost")
    try listener.process.writeLine("@7 nobody")
    try Self.expectLine(listener, "client 7 is not open")
    try listener.process.writeLine("/quit")
    #expect(try listener.process.wait().exitCode == 0)
  }

  @Test func filesBytesAndFaults() throws {
    let listener = try Self.listen()
    let client = try Self.open(listener)
    try listener.process.writeLine("/hex 1 00 ff")
    #expect(client.read(4) == RawPeer.frame(2, [0x00, 0xFF]))
    let file = try Wscope.scratch("manual-file-\(UInt32.random(in: 0...UInt32.max))") + "/text"
    try Wscope.write("two\nlines", to: file)
    try listener.process.writeLine("/file all \(file)")
    #expect(client.read(11) == Self.text("two\nlines"))
    try listener.process.writeLine("/file 1 /nonexistent/file")
    try Self.expectLine(listener, "/file: cannot read /nonexistent/file: No such file")
    try listener.process.writeLine("/info 1")
    try Self.expectLine(listener, "#1 /  127.0.0.1:")
    try Self.expectLine(listener, "  sent         2 messages, 11 B")
    try listener.process.writeLine("/info 9")
    try Self.expectLine(listener, "client 9 is not open")
    try listener.process.writeLine("/fault refuse=503")
    try listener.process.writeLine("/faults")
    try Self.expectLine(listener, "1  refuse=503")
    let refused = try RawClient(port: listener.port)
    refused.send(RawClient.request())
    #expect(refused.readHead().hasPrefix("HTTP/1.1 503 "))
    try listener.process.writeLine("/fault clear")
    try Self.expectLine(listener, "* 1 fault removed")
    try listener.process.writeLine("/faults")
    try Self.expectLine(listener, "* no faults for new connections")
    _ = try Self.open(listener)
    try listener.process.writeLine("@1 still here")
    #expect(client.read(12) == Self.text("still here"))
  }

  /// More than a line of the log shows, unchanged.
  @Test func aLongMessageIsWholeOnStandardOutput() throws {
    let listener = try Self.listen("-q")
    let client = try Self.open(listener)
    let long = String(repeating: "x", count: 100_000)
    client.send(RawClient.frame(1, Array(long.utf8)))
    _ = try listener.process.readLine(from: .standardOutput) { $0 == long }
  }

  @Test func theEndOfTheInputMayEndIt() throws {
    let stays = try Self.listen()
    let client = try Self.open(stays)
    stays.process.closeInput()
    try Self.expectLine(stays, "* standard input ended; clients stay connected")
    client.send(RawClient.frame(9, []))
    #expect(client.read(2) == [0x8A, 0])
    let ends = try Self.listen("--exit-at-eof", "-b")
    let last = try Self.open(ends)
    try ends.process.writeLine("bye")
    #expect(last.read(5) == RawPeer.frame(2, Array("bye".utf8)))
    ends.process.closeInput()
    #expect(Array(last.read(4).suffix(2)) == [0x03, 0xE9])
    last.send(RawClient.frame(8, [0x03, 0xE9]))
    #expect(try ends.process.wait().exitCode == 0)
  }

  /// As a person sees it: messages above the line that is being typed.
  @Test func aPersonAnswersAtThePrompt() throws {
    let directory = try Wscope.scratch("manual-\(UInt32.random(in: 0...UInt32.max))")
    let file = directory + "/port"
    let terminal = try PseudoTerminal(
      Wscope.path, ["listen", "0", "--mode", "manual", "--no-compress", "--port-file", file],
      environment: Wscope.environment(["TERM": "xterm-256color", "INPUTRC": "/dev/null"]),
      columns: 100)
    try terminal.wait(for: "the prompt") { $0.cursorLine == ">" || $0.cursorLine == "> " }
    let digits = try Wscope.read(file).filter(\.isNumber)
    let client = try RawClient(port: try #require(Int(digits)))
    client.send(RawClient.request())
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    try terminal.type("half ty")
    try terminal.wait(for: "echo of keys") { $0.cursorLine == "> half ty" }
    client.send(RawClient.frame(1, Array("hello".utf8)))
    try terminal.wait(for: "the message above the line") {
      $0.text.contains("#1 < text 5 B  hello\n> half ty")
    }
    try terminal.type("ped\r")
    #expect(client.read(12) == Self.text("half typed"))
    try terminal.type("/nosuch\r")
    try terminal.wait(forText: "/nosuch: unknown command")
    try terminal.type("/help\r")
    try terminal.wait(forText: "lists the commands")
    try terminal.type("\u{4}")
    #expect(Array(client.read(4).suffix(2)) == [0x03, 0xE9])
    client.send(RawClient.frame(8, [0x03, 0xE9]))
    #expect(try terminal.waitForEnd() == .exited(0))
  }

  @Test(arguments: [
    (["--no-prompt"], "--no-prompt requires mode manual"),
    (["--mode", "manual", "--rules", "-"], "standard input is already used by --rules -"),
    (["--mode", "manual", "--null"], "--null requires mode source or --exec"),
    (["--exit-at-eof"], "--exit-at-eof requires mode source or manual"),
  ]) func badOptionsAreUsageErrors(options: [String], problem: String) throws {
    let ended = try Wscope.run(["listen", "0"] + options)
    #expect(ended.exitCode == 2)
    #expect(ended.errorText.contains(problem), "\(ended.errorText)")
  }
}

/// Lines as they are typed.
@Suite struct ManualInputTests {
  @Test(arguments: [
    ("", "nil"), ("hi there", "send(nil, \"hi there\")"), ("//x", "send(nil, \"/x\")"),
    ("@3 a b", "client(3)), \"a b\""), ("@all x", "ClientSelection.all), \"x\""),
    ("/clients", "clients"), ("/ping @4", "client(4)"), ("/cut all", "ClientSelection.all"),
    ("/close 3 4000 a b", "client(3)"),
  ])
  func areRead(_ line: String, _ expected: String) throws {
    #expect("\(String(describing: try ManualInput.parse(line)))".contains(expected))
  }

  @Test(arguments: [
    ("@x hi", "@x: no client (expected @3 or @all)"),
    ("@0 hi", "@0: no client (expected @3 or @all)"),
    ("/pin 3", "/pin: unknown command; did you mean /ping?"),
    ("/xyzzy", "/xyzzy: unknown command; /help lists them"),
    ("/ping", "/ping: name a client, as in /ping 3, or all"),
    ("/clients 3", "/clients takes no arguments"),
    ("/info all", "/info shows one client, as in /info 3"),
    ("/hex 3 0", "/hex: odd number of digits; every byte has two"),
    ("/hex 3", "/hex requires hexadecimal digits"), ("/file 3", "/file requires a file name"),
    ("/fault", "/fault requires a fault, as in /fault refuse=503, or clear"),
    ("/fault dely=1s", "/fault: unknown fault \"dely\"; did you mean delay?"),
    ("/fault drop=5", "/fault drop: invalid value \"5\" (expected 5% or 0.05)"),
    (
      "/close 3 999", "/close: invalid close code 999 (expected 1000 or 3000 to 4999)"
    ),
  ])
  func mistakesAreNamed(_ line: String, _ problem: String) {
    let error = #expect(throws: CommandError.self) { try ManualInput.parse(line) }
    #expect(error?.message == problem)
  }
}
