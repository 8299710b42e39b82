import NIOCore
import TestPeers
import Testing
import WebSocketProtocol

@testable import TestServer

/// Channels as values: their members and names, what is kept, and the texts of events.
@Suite(.blocking) struct ChannelTests {
  private static let room = ChannelKey.room("ops")

  private static func text(_ text: String) -> PublishedMessage {
    PublishedMessage(.text, Array(text.utf8))
  }

  private static func render(_ event: MemberEvent?, _ format: ChannelFormat) -> String? {
    event?.rendered(as: format).map { String(buffer: $0.payload) }
  }

  @Test func eventsInEachFormat() {
    var table = ChannelTable()
    let join = table.join(Self.room, client: 1, name: "ann", after: nil).event
    #expect(Self.render(join, .text) == "* ann joined (1 here)")
    #expect(Self.render(join, .json) == #"{"event":"join","name":"ann","here":1}"#)
    #expect(Self.render(join, .raw) == nil)
    let message = table.add(
      Self.text("a \"b\"\nc"), to: Self.room, from: 1, name: "ignored", keeping: 0)
    #expect(Self.render(message, .text) == "ann: a \"b\"\nc")
    #expect(
      Self.render(message, .json)
        == #"{"event":"message","name":"ann","here":1,"text":"a \"b\"\nc"}"#)
    #expect(Self.render(message, .raw) == "a \"b\"\nc")
    let published = table.add(Self.text("done"), to: Self.room, from: nil, name: nil, keeping: 0)
    #expect(Self.render(published, .text) == "done")
    #expect(Self.render(published, .json) == #"{"event":"message","here":1,"text":"done"}"#)
    let named = table.add(Self.text("done"), to: Self.room, from: nil, name: "ci", keeping: 0)
    #expect(Self.render(named, .text) == "ci: done")
    let binary = table.add(
      PublishedMessage(.binary, [0, 1, 2]), to: Self.room, from: 1, name: nil, keeping: 0)
    #expect(binary.rendered(as: .text) == PublishedMessage(.binary, [0, 1, 2]))
    #expect(binary.rendered(as: .raw) == PublishedMessage(.binary, [0, 1, 2]))
    #expect(
      Self.render(binary, .json) == #"{"event":"message","name":"ann","here":1,"base64":"AAEC"}"#)
    let renamed = table.rename(1, to: "bob", in: Self.room)
    #expect(Self.render(renamed, .text) == "* ann is now bob")
    #expect(
      Self.render(renamed, .json) == #"{"event":"nick","name":"bob","from":"ann","here":1}"#)
    let left = table.leave(Self.room, client: 1)
    #expect(Self.render(left, .text) == "* bob left (0 here)")
    #expect(Self.render(left, .json) == #"{"event":"leave","name":"bob","here":0}"#)
  }

  @Test func namesAreUnique() {
    var table = ChannelTable()
    let names = [nil, "ann", "ann", "ann", "guest-5", nil].enumerated().map { index, name in
      Self.render(
        table.join(Self.room, client: index + 1, name: name, after: nil).event, .text)
    }
    #expect(
      names == [
        "* guest-1 joined (1 here)", "* ann joined (2 here)", "* ann-2 joined (3 here)",
        "* ann-3 joined (4 here)", "* guest-5 joined (5 here)", "* guest-6 joined (6 here)",
      ])
    #expect(table.rename(1, to: "ann", in: Self.room) == nil)
    #expect(table.rename(1, to: "zoe", in: Self.room) != nil)
    #expect(
      table.names(in: Self.room) == ["ann", "ann-2", "ann-3", "guest-5", "guest-6", "zoe"])
    _ = table.leave(Self.room, client: 2)
    #expect(table.rename(1, to: "ann", in: Self.room) != nil)
    #expect(table.leave(Self.room, client: 99) == nil)
  }

  /// Another room has other members, other names and other numbers.
  @Test func roomsAreApart() {
    var table = ChannelTable()
    let other = ChannelKey.room("dev")
    _ = table.join(Self.room, client: 1, name: "ann", after: nil)
    let join = table.join(other, client: 2, name: "ann", after: nil).event
    #expect(Self.render(join, .text) == "* ann joined (1 here)")
    #expect(table.add(Self.text("a"), to: other, from: 2, name: nil, keeping: 0).number == 1)
    #expect(table.add(Self.text("b"), to: Self.room, from: 1, name: nil, keeping: 0).number == 1)
  }

  @Test func theLastMessagesAreKeptAfterTheLastMemberHasLeft() {
    var table = ChannelTable()
    for text in ["a", "b", "c", "d"] {
      _ = table.add(Self.text(text), to: Self.room, from: nil, name: nil, keeping: 3)
    }
    func kept(_ number: UInt64?) -> [String] {
      table.join(Self.room, client: 1, name: nil, after: number).kept.compactMap {
        Self.render($0, .text)
      }
    }
    #expect(kept(nil) == ["b", "c", "d"])
    // Last-Event-ID: what came after it, once.
    #expect(kept(2) == ["c", "d"])
    #expect(kept(4) == [])
    // A number of another run of the server.
    #expect(kept(5) == ["b", "c", "d"])
  }

  @Test func nothingIsKeptWithoutALimit() {
    var table = ChannelTable()
    _ = table.add(Self.text("a"), to: Self.room, from: nil, name: nil, keeping: 0)
    #expect(table.join(Self.room, client: 1, name: nil, after: nil).kept.isEmpty)
    // The room has been forgotten in between.
    _ = table.leave(Self.room, client: 1)
    #expect(table.add(Self.text("a"), to: Self.room, from: nil, name: nil, keeping: 0).number == 1)
  }

  /// Rooms that only a publisher has named are forgotten with their messages.
  @Test func thereIsABoundOnRooms() {
    var table = ChannelTable()
    _ = table.join(Self.room, client: 1, name: nil, after: nil)
    for number in 0..<KeptMessages().maxMessages + 100 {
      _ = table.add(Self.text("a"), to: .room("\(number)"), from: nil, name: nil, keeping: 2)
    }
    #expect(table.count == KeptMessages().maxMessages + 1)
    let large = PublishedMessage(.binary, [UInt8](repeating: 0, count: 1 << 20 + 1))
    _ = table.add(large, to: .room("large"), from: nil, name: nil, keeping: 2)
    #expect(table.count == KeptMessages().maxMessages + 1)
    #expect(table.names(in: Self.room) == ["guest-1"])
  }

  private static func event(_ number: UInt64, bytes: Int) -> MemberEvent {
    MemberEvent(
      serial: number, number: number, here: 0,
      content: .message(PublishedMessage(.binary, [UInt8](repeating: 0, count: bytes)), name: nil))
  }

  @Test func whatIsKeptHasABoundOverAllChannels() {
    var kept = KeptMessages()
    // A quarter of the limit each: the oldest of all goes first.
    for number in UInt64(1)...6 {
      _ = kept.keep(
        Self.event(number, bytes: 1 << 18), of: .room("\(number % 2)"), limit: 1000)
    }
    #expect(kept.bytes == 1 << 20 && kept.count == 4)
    #expect(kept.messages(of: .room("0"), after: nil, last: 6).map(\.number) == [4, 6])
    #expect(kept.messages(of: .room("1"), after: nil, last: 6).map(\.number) == [3, 5])
    _ = kept.keep(Self.event(7, bytes: 1 << 20), of: .broadcast, limit: 1)
    #expect(kept.bytes == 1 << 20 && kept.count == 1 && kept.isEmpty(.room("0")))
    _ = kept.keep(Self.event(8, bytes: 1 << 20 + 1), of: .broadcast, limit: 1)
    #expect(kept.bytes == 0 && kept.count == 0 && kept.isEmpty(.broadcast))
    for number in UInt64(0)..<100_000 {
      _ = kept.keep(Self.event(number, bytes: 0), of: .room("\(number % 30_000)"), limit: 3)
    }
    #expect(kept.count == KeptMessages().maxMessages && kept.bytes == 0)
  }

  @Test(arguments: [
    ("hello", ChatInput.text("hello")), ("", .text("")), ("//usr/bin", .text("/usr/bin")),
    ("/nick bob", .rename("bob")), ("/nick Ann B", .rename("Ann B")), ("/who", .who),
    ("/nick", .invalid("/nick: 1 to 32 printable characters")),
    ("/nick a\u{7}", .invalid("/nick: 1 to 32 printable characters")),
    ("/foo bar", .invalid("unknown command /foo: /nick NAME, /who")),
    ("/", .invalid("unknown command /: /nick NAME, /who")),
  ])
  func slashesBeginCommands(_ text: String, _ input: ChatInput) {
    #expect(ChatInput(text) == input)
  }

  @Test(arguments: [
    (
      ChatReply.names(["ann", "bob"]), "* 2 here: ann, bob",
      #"{"event":"who","here":2,"names":["ann","bob"]}"#
    ),
    (.problem("no"), "* no", #"{"event":"error","text":"no"}"#),
  ])
  func commandsAreAnswered(_ reply: ChatReply, _ text: String, _ json: String) {
    #expect(String(buffer: reply.rendered(as: .text).payload) == text)
    #expect(String(buffer: reply.rendered(as: .json).payload) == json)
  }

  @Test(arguments: [
    ("ann", true), ("Ann B.", true), ("änn", true), ("👩‍🚀", false), ("🚀", true), ("", false),
    (" a", false), ("a ", false), ("a\nb", false), ("a\u{202E}b", false), ("a\u{A0}b", false),
    (String(repeating: "x", count: 32), true), (String(repeating: "x", count: 33), false),
    ("a" + String(repeating: "\u{301}", count: 100), false),
  ])
  func namesArePrintable(_ name: String, _ isValid: Bool) {
    #expect(PrintableName.isValid(name) == isValid)
  }
}
