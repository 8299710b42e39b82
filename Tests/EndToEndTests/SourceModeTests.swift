import TestPeers
import Testing

/// The modes of `listen` whose clients are not answered.
@Suite(.blocking) struct SourceModeTests {
  private static func open(_ listener: Listener) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  private static func text(_ text: String) -> [UInt8] { RawPeer.frame(1, Array(text.utf8)) }

  @Test(arguments: ["sink", "source"]) func messagesAreDiscarded(mode: String) throws {
    let listener = try Listener(["--mode", mode])
    let client = try Self.open(listener)
    client.send(RawClient.frame(1, [0x61]) + RawClient.frame(9, [0x62]))
    #expect(client.read(3) == [0x8A, 1, 0x62])
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#1 < text 1 B") }
  }

  @Test(arguments: [1, 3]) func eachLineGoesToEveryClient(threads: Int) throws {
    let listener = try Listener(
      ["--mode", "source", "--no-compress", "--threads", "\(threads)"], hasInput: true)
    try listener.process.write(Array("one\r\n".utf8))
    let first = try Self.open(listener)
    // It comes live, or is the last one.
    #expect(first.read(5) == Self.text("one"))
    try listener.process.write(Array("two\n".utf8))
    #expect(first.read(5) == Self.text("two"))
    let others = try (0..<4).map { _ in try Self.open(listener) }
    // Each loop keeps the last message for itself.
    for other in others { #expect(other.read(5) == Self.text("two")) }
    try listener.process.write(Array("three\n\nend".utf8))
    listener.process.closeInput()
    for client in [first] + others {
      #expect(client.read(14) == Self.text("three") + Self.text("") + Self.text("end"))
    }
    let end = try listener.process.readLine(from: .standardError) { $0.contains("ended") }
    #expect(end.contains("* standard input ended after 5 lines; clients stay connected"))
    first.send(RawClient.frame(9, []))
    #expect(first.read(2) == [0x8A, 0])
  }

  @Test func aTestPathIsNotFed() throws {
    let listener = try Listener(["--mode", "source", "--no-compress"], hasInput: true)
    let client = try Self.open(listener)
    let echo = try RawClient(port: listener.port)
    echo.send(RawClient.request(path: "/echo"))
    _ = echo.readHead()
    try listener.process.write(Array("one\n".utf8))
    #expect(client.read(5) == Self.text("one"))
    echo.send(RawClient.frame(1, [0x61]))
    #expect(echo.read(3) == [0x81, 1, 0x61])
  }

  @Test func messagesMayBeBinaryAndEndWithNUL() throws {
    let listener = try Listener(
      ["--mode", "source", "-b", "-0", "--keep", "0", "--no-compress", "--slow", "wait"],
      hasInput: true)
    // Nothing is read before there is a client.
    try listener.process.write([0xFF, 0x0A, 0x00, 0x41, 0x00])
    let client = try Self.open(listener)
    #expect(client.read(7) == [0x82, 2, 0xFF, 0x0A, 0x82, 1, 0x41])
  }

  @Test func unusableLinesAreSkipped() throws {
    let listener = try Listener(
      ["--mode", "source", "--keep", "2", "--no-compress", "--max-message", "9"], hasInput: true)
    try listener.process.write(
      Array("a\n".utf8) + [0xC3, 0x28, 0x0A] + Array("0123456789\nb\n".utf8))
    for problem in [
      "! line 2 of standard input is not valid UTF-8, skipped (use --binary)",
      "! line 3 of standard input is over 9 B (--max-message), skipped",
    ] {
      _ = try listener.process.readLine(from: .standardError) { $0.contains(problem) }
    }
    let client = try Self.open(listener)
    #expect(client.read(6) == Self.text("a") + Self.text("b"))
  }

  /// More than the kernel takes for a client that does not read.
  private static let lines = 20_000
  private static let line = [UInt8](repeating: 0x61, count: 999) + [0x0A]

  private static func feed(_ listener: Listener) {
    TestThread.start {
      for _ in 0..<lines { try? listener.process.write(line) }
      listener.process.closeInput()
    }
  }

  @Test func aSourceWaitsForItsSlowestClient() throws {
    let listener = try Listener(
      ["--mode", "source", "--no-compress", "--slow", "wait"], hasInput: true)
    let client = try Self.open(listener)
    Self.feed(listener)
    let frame = RawPeer.frame(1, Array(Self.line.dropLast()))
    for _ in 0..<Self.lines where client.read(frame.count) != frame {
      Issue.record("a message is missing or changed")
      break
    }
    _ = try listener.process.readLine(from: .standardError) { $0.contains("after 20 000 lines") }
  }

  @Test func messagesForASlowClientAreDropped() throws {
    let listener = try Listener(
      ["--mode", "source", "--no-compress", "--slow", "drop", "--max-queue", "64k"],
      hasInput: true)
    do {
      let client = try Self.open(listener)
      Self.feed(listener)
      _ = try listener.process.readLine(from: .standardError) { $0.contains("input ended") }
      _ = client
    }
    let line = try listener.process.readLine(from: .standardError) { $0.contains("slow consumer") }
    #expect(line.contains("! slow consumer: ") && line.contains(" messages dropped"), "\(line)")
  }

  @Test func aSlowClientIsClosed() throws {
    let listener = try Listener(
      [
        "--mode", "source", "--no-compress", "--max-queue", "64k", "--close-timeout", "100s",
      ], hasInput: true)
    let client = try Self.open(listener)
    Self.feed(listener)
    _ = try listener.process.readLine(from: .standardError) { $0.contains("input ended") }
    client.send(RawClient.frame(8, [0x03, 0xF0]))
    let end = [0x88, 15, 0x03, 0xF0] + Array("slow consumer".utf8)
    #expect(client.readToEnd().suffix(end.count).elementsEqual(end))
  }

  @Test(arguments: [
    (["--null", "--mode", "sink"], "--null requires mode source"),
    (["--binary"], "--binary requires mode source"),
    (["--mode", "source", "--keep", "1001"], "--keep must be from 0 to 1000"),
    (["--mode", "source", "--slow", "never"], "--slow"),
    (["--mode", "source", "--rules", "-"], "standard input is already used by --rules -"),
  ])
  func mistakesEndBeforeAnythingIsBound(_ options: [String], _ problem: String) throws {
    let finished = try Wscope.run(["listen", "0"] + options)
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains(problem), "\(finished.errorText)")
  }
}
