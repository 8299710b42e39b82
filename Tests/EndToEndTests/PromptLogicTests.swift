import Conversation
import NIOCore
import Terminal
import TestPeers
import Testing
import WebSocketProtocol

@testable import wscope

/// The logic of the prompt, without a terminal: what a line means.
@Suite(.blocking) struct ReplTests {
  @Test func linesAndCommands() {
    var repl = Repl(usesCommands: true)
    #expect(repl.line("hello") == .send("hello"))
    #expect(repl.line("") == nil)
    #expect(repl.line(" ") == .send(" "))
    #expect(repl.line("//ping") == .send("/ping"))
    #expect(repl.line("/ping") == .perform(.ping([])))
    #expect(repl.line("/ping  a b ") == .perform(.ping(Array("a b".utf8))))
    #expect(repl.endOfInput() == .leave)
    #expect(repl.interrupt() == nil)
  }

  @Test func withoutCommandsEverythingIsSent() {
    var repl = Repl(usesCommands: false)
    #expect(repl.line("/ping") == .send("/ping"))
    #expect(repl.line("//x") == .send("//x"))
  }

  @Test func severalLinesAreOneMessage() {
    var repl = Repl(usesCommands: true)
    for (isInterrupted, ending) in [(false, "end"), (false, "eof"), (true, "")] {
      #expect(repl.line("/multi") != nil)
      #expect(repl.isCollecting)
      #expect(repl.line("one") == nil)
      #expect(repl.line("") == nil)
      #expect(repl.line("/quit") == nil)
      if isInterrupted {
        #expect(repl.interrupt() == .inform("dropped"))
      } else if ending == "end" {
        #expect(repl.line("/end") == .send("one\n\n/quit"))
      } else {
        #expect(repl.endOfInput() == .send("one\n\n/quit"))
      }
      #expect(!repl.isCollecting)
    }
    #expect(repl.line("/multi") != nil)
    #expect(repl.line("/end") == .inform("no lines; nothing was sent"))
  }

  static let understood: [(String, SlashCommand)] = [
    ("/pong x", .pong([0x78])), ("/close", .close(CloseFrame(.normal))),
    ("/close 1000", .close(CloseFrame(.normal))),
    (
      "/close 4001 see you later",
      .close(CloseFrame(CloseCode(rawValue: 4001), reason: "see you later"))
    ),
    ("/quit", .quit), ("/reconnect", .reconnect), ("/connect :80/x", .connect(":80/x")),
    ("/hex 00ff", .sendBinary([0, 255])), ("/hex 00 FF,0a", .sendBinary([0, 255, 10])),
    ("/base64 AP8=", .sendBinary([0, 255])), ("/file a b.txt", .sendFile("a b.txt", nil)),
    ("/file a b.txt  binary", .sendFile("a b.txt", .binary)),
    ("/file x text", .sendFile("x", .text)),
    ("/file text", .sendFile("text", nil)), ("/edit", .edit("")), ("/edit  a b", .edit("a b")),
    ("/repeat 3 a b", .repeatMessage(3, "a b")), ("/json", .json(nil)), ("/json off", .json(false)),
    ("/timestamps iso", .timestamps(.on(.iso))), ("/timestamps off", .timestamps(.off)),
    ("/rtt on", .roundTrips(true)), ("/pause", .pause), ("/filter", .filter(nil)),
    ("/filter ^a b$", .filter("^a b$")), ("/clear", .clear), ("/save a b", .save("a b", nil)),
    ("/save a b 12", .save("a b", 12)), ("/record x y", .record("x y")),
    ("/record off", .record(nil)),
    ("/history", .history(.here)), ("/history all", .history(.everywhere)),
    ("/history a b", .history(.containing("a b"))), ("/info", .info), ("/headers", .headers),
    ("/help", .help(nil)), ("/help /ping", .help("ping")), ("/help ping", .help("ping")),
  ]

  @Test(arguments: understood) func everyCommandIsUnderstood(
    _ line: String, _ command: SlashCommand
  ) {
    var repl = Repl(usesCommands: true)
    #expect(repl.line(line) == .perform(command))
  }

  static let mistakes = [
    ("/", "unknown command /"), ("/pnig", "did you mean /ping?"),
    ("/xyzzy", "//xyzzy sends the text"),
    ("/ping " + String(repeating: "x", count: 126), "longer than 125 bytes"),
    ("/close 70000", "invalid close code"), ("/close -1", "invalid close code"),
    ("/close 1006", "invalid close code 1006 (expected 1000 or 3000 to 4999)"),
    ("/close 1000 " + String(repeating: "x", count: 124), "longer than 123 bytes"),
    ("/quit now", "takes no arguments"), ("/connect", "requires a URL"), ("/hex", "requires"),
    ("/hex 0", "odd number"), ("/hex 0g", "invalid hexadecimal digit \"g\""),
    ("/hex ٣٣", "invalid hexadecimal"),
    ("/base64", "requires"), ("/base64 A", "invalid base64"), ("/file", "requires a file name"),
    ("/repeat 3", "requires a number and a message"), ("/repeat x y", "invalid number"),
    ("/repeat 0 y", "invalid number"), ("/json maybe", "on or off"),
    ("/timestamps", "requires iso"),
    ("/timestamps utc", "invalid value \"utc\""), ("/rtt 1", "on or off"),
    ("/pause 1", "takes no arguments"),
    ("/save", "requires a file name"), ("/record", "requires a file name, or off"),
    ("/help nix", "unknown command /nix"),
    ("/help pnig", "did you mean /ping?"), ("/multi x", "takes no arguments"),
  ]

  @Test(arguments: mistakes) func everyMistakeIsAnsweredInOneLine(
    _ line: String, _ words: String
  ) throws {
    var repl = Repl(usesCommands: true)
    guard case .warn(let answer) = repl.line(line) else {
      Issue.record("\(line) is taken")
      return
    }
    #expect(answer.contains(words), "\(answer)")
    #expect(!answer.contains("\n"))
    #expect(answer.count < 120)
  }

  @Test func everyCommandHasHelpAndATest() {
    for entry in CommandRegistry.entries {
      #expect(entry.explanation.hasSuffix("."))
      #expect(CommandRegistry.help(entry.name).count == 2)
      let isTried =
        entry.name == "multi" || entry.name == "ping"
        || Self.understood.contains { $0.0.hasPrefix("/" + entry.name) }
      #expect(isTried, "\(entry.name)")
    }
    #expect(CommandRegistry.entries.count == 24)
  }

  @Test(arguments: [20, 40, 80, 200]) func theHelpFitsOneScreen(columns: Int) {
    let lines = CommandRegistry.help(columns: columns)
    // The prompt and the line that was typed need a row each.
    #expect(lines.count <= 22)
    for line in lines { #expect(DisplayWidth.columns(of: line) <= columns, "\(line)") }
    for entry in CommandRegistry.entries {
      #expect(lines.contains { $0.contains("/" + entry.name) }, "\(entry.name)")
    }
  }

  @Test func tabOffersWhatFits() {
    func offered(_ line: String) -> LineEditor.Completion {
      CommandRegistry.completion(line, cursor: line.utf8.count, urls: ["ws://a/", "ws://b/"])
    }
    #expect(offered("hello") == .words([]))
    #expect(offered("//f") == .words([]))
    #expect(offered("/jso") == .words(CommandRegistry.entries.map { "/" + $0.name }))
    #expect(offered("/json ") == .words(["on", "off"]))
    #expect(offered("/json on ") == .words([]))
    #expect(offered("/timestamps r") == .words(["iso", "rel", "delta", "off"]))
    #expect(offered("/connect ") == .words(["ws://a/", "ws://b/"]))
    #expect(offered("/file my fi") == .fileNames(from: 6))
    #expect(offered("/save  x") == .fileNames(from: 7))
    #expect(offered("/help p") == .words(CommandRegistry.entries.map(\.name)))
    #expect(offered("/nix x") == .words([]))
  }
}

@Suite(.blocking) struct DisplayQueueTests {
  private func message(_ text: String, isIncoming: Bool = true) -> ShownMessage {
    ShownMessage(
      isIncoming: isIncoming, kind: .text, payload: ByteBuffer(string: text), time: .now())
  }

  private func shown(_ items: [DisplayQueue.Item]) -> [String] {
    items.map { item in
      switch item {
      case .message(let message): String(buffer: message.payload)
      case .line(let line): line
      case .skipped(let count): "skipped \(count)"
      }
    }
  }

  @Test func theOrderIsKept() {
    var queue = DisplayQueue()
    queue.add(message("a"))
    queue.add(line: "* b")
    queue.add(message("c"))
    #expect(shown(queue.take(messages: 1, bytes: 100)) == ["a"])
    #expect(shown(queue.take(messages: 10, bytes: 100)) == ["* b", "c"])
    #expect(queue.isEmpty)
  }

  @Test func bytesBoundADraw() {
    var queue = DisplayQueue()
    for _ in 0..<4 { queue.add(message("0123456789")) }
    #expect(queue.take(messages: 10, bytes: 15).count == 2)
    #expect(queue.take(messages: 10, bytes: 1).count == 1)
  }

  @Test func theOldestAreSkippedAndCounted() {
    var queue = DisplayQueue()
    queue.add(line: "* first")
    let all = 10 * DisplayQueue.maxMessages
    for number in 1...all { queue.add(message("\(number)")) }
    queue.add(line: "* last")
    var items: [String] = []
    while !queue.isEmpty { items += shown(queue.take(messages: 100, bytes: 1 << 20)) }
    #expect(items.first == "* first")
    #expect(items.last == "* last")
    #expect(items[items.count - 2] == "\(all)")
    let skipped = items.filter { $0.hasPrefix("skipped") }
    #expect(skipped.count == 1)
    let count = skipped.first.flatMap { Int($0.dropFirst(8)) } ?? 0
    #expect(count + items.count - 3 == all)
    #expect(items.count <= 2 * DisplayQueue.maxMessages + 3)
  }

  @Test func aFewLargeMessagesAreSkippedToo() {
    var queue = DisplayQueue()
    let large = String(repeating: "x", count: DisplayQueue.maxBytes / 4)
    for _ in 0..<20 { queue.add(message(large)) }
    #expect(queue.take(messages: 100, bytes: .max).count < 8)
  }

  @Test func pausedIsHeldAndCounted() {
    var queue = DisplayQueue()
    queue.pause()
    for number in 1...5 { queue.add(message("\(number)")) }
    queue.add(line: "* ours")
    queue.add(message("own", isIncoming: false))
    #expect(queue.heldCount == 5)
    #expect(shown(queue.take(messages: 10, bytes: 100)) == ["* ours", "own"])
    queue.resume()
    #expect(queue.heldCount == 0)
    #expect(shown(queue.take(messages: 10, bytes: 100)) == ["1", "2", "3", "4", "5"])
    #expect(!queue.isPaused)
  }

  @Test func aLongPauseCostsNoMemory() {
    var queue = DisplayQueue()
    queue.pause()
    let all = 5 * DisplayQueue.maxHeld
    for number in 1...all { queue.add(message("\(number)")) }
    #expect(queue.heldCount == all)
    queue.resume()
    var items: [String] = []
    while !queue.isEmpty { items += shown(queue.take(messages: 1000, bytes: 1 << 20)) }
    #expect(items.count <= 2 * DisplayQueue.maxHeld + 1)
    #expect(items.first == "skipped \(all - items.count + 1)")
    #expect(items.last == "\(all)")
  }

  @Test func theFilterCountsWhatItHides() throws {
    var queue = DisplayQueue()
    queue.set(try MessageFilter("^a+$"))
    for text in ["aaa", "b", "ab", "a"] { queue.add(message(text)) }
    queue.add(message("mine", isIncoming: false))
    #expect(queue.hiddenCount == 2)
    #expect(shown(queue.take(messages: 10, bytes: 100)) == ["aaa", "a", "mine"])
    queue.set(nil)
    #expect(queue.hiddenCount == 0)
    queue.add(message("b"))
    #expect(shown(queue.take(messages: 10, bytes: 100)) == ["b"])
  }

  @Test(arguments: [
    ("err", "an error", true), ("err", "fine", false), ("(?i)ERR", "an error", true),
    ("\"op\":\\s*\"x\"", "{\"op\": \"x\"}", true), ("a.c", "abc", true), ("a\\.c", "abc", false),
    ("", "anything", true), ("ü", "grün", true),
  ])
  func patterns(_ pattern: String, _ text: String, _ matches: Bool) throws {
    #expect(try MessageFilter(pattern).matches(ByteBuffer(string: text)) == matches)
  }

  @Test func aWrongPatternIsAMistake() {
    #expect(throws: Pattern.Failure.self) { try MessageFilter("(") }
  }
}

@Suite(.blocking) struct RoundTripTests {
  private let start = NIODeadline.uptimeNanoseconds(1_000_000)

  @Test func pingsFindTheirPongs() {
    var trips = RoundTrips()
    let first = trips.ping([], at: start)
    let second = trips.ping([], at: start + .milliseconds(1))
    #expect(first != second)
    #expect(trips.pong(second, at: start + .milliseconds(3)) == 2_000_000)
    #expect(trips.pong(first, at: start + .milliseconds(4)) == 4_000_000)
    #expect(trips.last == 4_000_000)
    #expect(trips.pong(first, at: start + .milliseconds(5)) == nil)
    #expect(trips.ping([1, 2], at: start) == [1, 2])
  }

  @Test func theNextReplyIsTheOneThatCounts() {
    var trips = RoundTrips()
    #expect(trips.received(at: start) == nil)
    trips.sent(at: start)
    #expect(trips.received(at: start + .milliseconds(2)) == 2_000_000)
    #expect(trips.received(at: start + .milliseconds(3)) == nil)
    trips.sent(at: start)
    trips.reset()
    #expect(trips.received(at: start + .milliseconds(3)) == nil)
  }
}

@Suite(.blocking) struct MessageStoreTests {
  @Test func theLastOnesAreKept() {
    var store = MessageStore()
    #expect(store[1] == nil)
    for number in 1...5000 { #expect(store.keep(ByteBuffer(string: "\(number)")) == number) }
    #expect(store.last == 5000)
    #expect(store[5000] == ByteBuffer(string: "5000"))
    #expect(store[store.first] == ByteBuffer(string: "\(store.first)"))
    #expect(store[store.first - 1] == nil)
    #expect(store[5001] == nil)
    #expect(store[0] == nil)
    #expect(store.first > 5000 - 2 * MessageStore.maxMessages)
  }

  @Test func aLargeOneIsKeptAlone() {
    var store = MessageStore()
    _ = store.keep(ByteBuffer(string: "small"))
    let large = ByteBuffer(repeating: 7, count: MessageStore.maxBytes + 1)
    #expect(store.keep(large) == 2)
    #expect(store[2] == large)
    #expect(store[1] == nil)
  }
}

@Suite(.blocking) struct PromptTextTests {
  @Test func whatStandsBeforeTheLine() {
    let style = Style(isOn: false)
    #expect(PromptText().text(style) == "> ")
    #expect(PromptText(isCollecting: true).text(style) == "| ")
    #expect(PromptText(isConnected: false).text(style) == "[not connected] > ")
    #expect(
      PromptText(held: 12_345, hidden: 3).text(style) == "[paused, 12 345 held; 3 hidden] > ")
    // Every escape is between marks that take no room.
    let colored = PromptText(held: 1, progress: "sending, 3 %").text(Style(isOn: true))
    var plain = ""
    var isHidden = false
    for scalar in colored.unicodeScalars {
      if scalar.value == 1 { isHidden = true }
      if !isHidden, scalar.value > 2 { plain.unicodeScalars.append(scalar) }
      if scalar.value == 2 { isHidden = false }
    }
    #expect(plain == "[sending, 3 %; paused, 1 held] > ")
  }
}
