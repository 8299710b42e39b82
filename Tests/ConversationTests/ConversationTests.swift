import Conversation
import Testing
import WebSocketProtocol

/// PRODUCT 1.3: when a one-shot conversation is over, and how, over a clock that a row sets.
@Suite struct ConversationTests {
  /// What happens, and what is then the verdict; times in ms.
  private enum Line {
    case sending(Int, at: Int64)
    case sentAll(at: Int64)
    /// A message comes; whether the end may have come nearer by it.
    case reply(String, at: Int64, isFirst: Bool)
    case verdict(at: Int64, Conversation.Verdict)
  }

  private static let wait: Int64 = 10_000
  private static let linger: Int64 = 1_000

  private static func goOn(_ until: Int64? = nil) -> Conversation.Verdict { .goOn(until: until) }
  private static let timedOut = Conversation.Verdict.timedOut(waited: wait)

  private func check(
    wait: Int64 = Self.wait, count: Int? = nil, awaitsUnasked: Bool = false,
    expecting: [String] = [], _ lines: [Line], meets: [Bool] = [], instead: [String?]? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    var conversation = Conversation(
      WaitPolicy(
        wait: wait, linger: Self.linger, count: count, awaitsUnasked: awaitsUnasked),
      expecting: expecting.map { .message(.payload(Array($0.utf8))) })
    var sent = 0
    var received = 0
    for (index, line) in lines.enumerated() {
      switch line {
      case .sending(let messages, let time):
        conversation.sending(messages, at: time)
        sent += messages
      case .sentAll(let time):
        conversation.sentAll(at: time)
      case .reply(let text, let time, let isFirst):
        let nearer = conversation.received(.text, Array(text.utf8), at: time)
        #expect(nearer == isFirst, "line \(index)", sourceLocation: sourceLocation)
        received += 1
      case .verdict(let time, let verdict):
        let came = conversation.verdict(at: time)
        #expect(came == verdict, "line \(index)", sourceLocation: sourceLocation)
      }
      #expect(conversation.sent == sent, "line \(index)", sourceLocation: sourceLocation)
      #expect(conversation.received == received, "line \(index)", sourceLocation: sourceLocation)
    }
    #expect(conversation.results.map(\.isMet) == meets, sourceLocation: sourceLocation)
    let came = conversation.finalResults(at: .max).map { result -> String? in
      guard case .message(_, let payload, _) = result.instead else { return nil }
      return String(decoding: payload, as: UTF8.self)
    }
    if let instead { #expect(came == instead, sourceLocation: sourceLocation) }
  }

  @Test func theFirstReplyIsWaitedFor() {
    check([
      .verdict(at: 0, Self.goOn()), .sending(1, at: 100), .verdict(at: 100, Self.goOn()),
      .verdict(at: 50_000, Self.goOn()), .sentAll(at: 200), .verdict(at: 200, Self.goOn(10_200)),
      .verdict(at: 10_199, Self.goOn(10_200)), .verdict(at: 10_200, Self.timedOut),
      .verdict(at: 99_999, Self.timedOut),
    ])
  }

  @Test func afterAReplyItEndsWhenNothingMoreComes() {
    check(
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("a", at: 9_000, isFirst: true),
        .verdict(at: 9_000, Self.goOn(10_000)), .verdict(at: 9_999, Self.goOn(10_000)),
        .reply("b", at: 9_999, isFirst: false), .verdict(at: 10_000, Self.goOn(10_999)),
        .verdict(at: 10_998, Self.goOn(10_999)), .verdict(at: 10_999, .finished),
      ])
  }

  /// The last reply may come before the sender hears that all is sent.
  @Test func aReplyBeforeAllIsSaidToBeSent() {
    check(
      [
        .sending(2, at: 0), .reply("a", at: 5, isFirst: true), .reply("b", at: 6, isFirst: false),
        .verdict(at: 6, Self.goOn()), .verdict(at: 70_000, Self.goOn()), .sentAll(at: 8),
        .verdict(at: 8, Self.goOn(1_008)), .verdict(at: 1_008, .finished),
      ])
  }

  /// What comes before the last message is sent is no reply to it.
  @Test func repliesToEarlierMessagesOnly() {
    check(
      [
        .sending(1, at: 0), .reply("a", at: 5, isFirst: true), .sending(3, at: 100),
        .sentAll(at: 110), .verdict(at: 110, Self.goOn(10_110)),
        .verdict(at: 5_000, Self.goOn(10_110)), .verdict(at: 10_110, Self.timedOut),
        .reply("b", at: 10_110, isFirst: true), .verdict(at: 10_110, Self.goOn(11_110)),
        .verdict(at: 11_110, .finished),
      ])
    // A batch that turns out to be empty begins nothing.
    check(
      [
        .sending(1, at: 0), .reply("a", at: 5, isFirst: true), .sending(0, at: 100),
        .sentAll(at: 110), .verdict(at: 110, Self.goOn(1_110)),
        .verdict(at: 1_110, .finished),
      ])
  }

  @Test func aGreetingIsNoReply() {
    check(
      [
        .reply("welcome", at: 1, isFirst: true), .sending(1, at: 2), .sentAll(at: 3),
        .verdict(at: 3, Self.goOn(10_003)), .verdict(at: 10_003, Self.timedOut),
      ])
  }

  /// Without a message `send` checks the handshake and no more.
  @Test func nothingIsSent() {
    check([.verdict(at: 0, Self.goOn()), .sentAll(at: 7), .verdict(at: 7, .finished)])
    check([.sending(0, at: 0), .sentAll(at: 7), .verdict(at: 7, .finished)])
    check(
      [.reply("welcome", at: 1, isFirst: true), .sentAll(at: 7), .verdict(at: 7, .finished)])
  }

  /// `connect` as a filter waits for what comes unasked, and does not mind when nothing comes.
  @Test func nothingIsSentAndAMessageIsWaitedForAllTheSame() {
    check(
      awaitsUnasked: true,
      [
        .sentAll(at: 7), .verdict(at: 7, Self.goOn(10_007)), .verdict(at: 10_007, .finished),
      ])
    check(
      awaitsUnasked: true,
      [
        .sentAll(at: 7), .reply("a", at: 20, isFirst: true), .verdict(at: 20, Self.goOn(1_020)),
        .verdict(at: 1_020, .finished),
      ])
    // What was asked for must come.
    check(
      awaitsUnasked: true,
      [.sending(1, at: 0), .sentAll(at: 7), .verdict(at: 10_007, Self.timedOut)])
    check(
      count: 1, awaitsUnasked: true,
      [.sentAll(at: 7), .verdict(at: 7, Self.goOn(10_007)), .verdict(at: 10_007, Self.timedOut)])
    check(
      awaitsUnasked: true, expecting: ["a"],
      [.sentAll(at: 7), .verdict(at: 10_007, Self.timedOut)], meets: [false])
  }

  /// `-w 0` waits for nothing, whether or not a reply was faster than the sender.
  @Test func noWait() {
    check(
      wait: 0,
      [
        .sending(1, at: 0), .verdict(at: 0, Self.goOn()), .sentAll(at: 1),
        .verdict(at: 1, .finished),
      ])
    check(
      wait: 0,
      [
        .sending(1, at: 0), .reply("a", at: 1, isFirst: true), .sentAll(at: 2),
        .verdict(at: 2, .finished),
      ])
    check(
      wait: 0, count: 2,
      [
        .sending(1, at: 0), .reply("a", at: 1, isFirst: true), .sentAll(at: 2),
        .verdict(at: 2, .finished),
      ])
    check(
      wait: 0, expecting: ["b"],
      [
        .sending(1, at: 0), .reply("a", at: 1, isFirst: true), .sentAll(at: 2),
        .verdict(at: 2, .finished),
      ], meets: [false], instead: ["a"])
    check(wait: 0, awaitsUnasked: true, [.sentAll(at: 1), .verdict(at: 1, .finished)])
  }

  @Test func aCountEndsItAtOnce() {
    check(
      count: 2,
      [
        .sending(3, at: 0), .sentAll(at: 0), .reply("a", at: 1, isFirst: true),
        .verdict(at: 1, Self.goOn(10_001)), .reply("b", at: 2, isFirst: false),
        .verdict(at: 2, .finished),
      ])
    // Even when there is more to send.
    check(
      count: 1,
      [
        .sending(1, at: 0), .reply("a", at: 1, isFirst: true), .verdict(at: 1, .finished),
        .sending(1, at: 2), .verdict(at: 2, .finished),
      ])
    // And when nothing was sent: then it is listened for.
    check(
      count: 1,
      [
        .sentAll(at: 0), .verdict(at: 0, Self.goOn(10_000)), .reply("a", at: 1, isFirst: true),
        .verdict(at: 1, .finished),
      ])
  }

  /// With a count to come a pause is no end: each message is waited for.
  @Test func aCountThatIsNotReached() {
    check(
      count: 3,
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("a", at: 1, isFirst: true),
        .verdict(at: 5_000, Self.goOn(10_001)), .reply("b", at: 9_000, isFirst: false),
        .verdict(at: 18_999, Self.goOn(19_000)), .verdict(at: 19_000, Self.timedOut),
      ])
    check(
      count: 1,
      [
        .sending(1, at: 0), .sentAll(at: 0), .verdict(at: 9_999, Self.goOn(10_000)),
        .verdict(at: 10_000, Self.timedOut),
      ])
  }

  @Test func expectationsThatAreMetEndItAtOnce() {
    check(
      expecting: ["a"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("a", at: 1, isFirst: true),
        .verdict(at: 1, .finished),
      ], meets: [true])
    // In their order, with others in between.
    check(
      expecting: ["a", "b"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("b", at: 1, isFirst: true),
        .reply("x", at: 2, isFirst: false), .reply("a", at: 3, isFirst: false),
        .verdict(at: 3, Self.goOn(1_003)), .reply("x", at: 4, isFirst: false),
        .reply("b", at: 5, isFirst: false), .verdict(at: 5, .finished),
      ], meets: [true, true], instead: [nil, nil])
    check(
      expecting: ["a", "b"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("b", at: 1, isFirst: true),
        .reply("a", at: 2, isFirst: false), .verdict(at: 2, Self.goOn(1_002)),
        .verdict(at: 1_002, .finished),
      ], meets: [true, false], instead: [nil, nil])
    // An empty message is one too.
    check(
      expecting: [""],
      [.sending(1, at: 0), .reply("", at: 1, isFirst: true), .verdict(at: 1, .finished)],
      meets: [true])
  }

  @Test func oneMessageMeetsOneExpectation() {
    check(
      expecting: ["a", "a"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("a", at: 1, isFirst: true),
        .verdict(at: 1, Self.goOn(1_001)), .verdict(at: 1_001, .finished),
      ], meets: [true, false])
    check(
      expecting: ["a", "a"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("a", at: 1, isFirst: true),
        .reply("a", at: 2, isFirst: false), .verdict(at: 2, .finished),
        .reply("a", at: 3, isFirst: false),
      ], meets: [true, true], instead: [nil, nil])
  }

  @Test func expectationsThatAreNotMet() {
    // Other replies end it by the pause behind them, none at all by the wait.
    check(
      expecting: ["a", "b"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("b ", at: 1, isFirst: true),
        .reply("a", at: 500, isFirst: false), .verdict(at: 1_499, Self.goOn(1_500)),
        .verdict(at: 1_500, .finished),
      ], meets: [true, false], instead: [nil, nil])
    check(
      expecting: ["a"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .verdict(at: 9_999, Self.goOn(10_000)),
        .verdict(at: 10_000, Self.timedOut),
      ], meets: [false])
    // Something is expected although nothing was sent.
    check(
      expecting: ["a"],
      [.sentAll(at: 0), .verdict(at: 0, Self.goOn(10_000)), .verdict(at: 10_000, Self.timedOut)],
      meets: [false])
  }

  @Test func aCountAndExpectationsMustBothBeReached() {
    check(
      count: 2, expecting: ["a"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("a", at: 1, isFirst: true),
        .verdict(at: 1, Self.goOn(10_001)), .reply("x", at: 2, isFirst: false),
        .verdict(at: 2, .finished),
      ], meets: [true], instead: [nil])
    check(
      count: 1, expecting: ["a"],
      [
        .sending(1, at: 0), .sentAll(at: 0), .reply("x", at: 1, isFirst: true),
        .verdict(at: 1, Self.goOn(10_001)), .verdict(at: 10_001, Self.timedOut),
        .reply("a", at: 10_002, isFirst: false), .verdict(at: 10_002, .finished),
      ], meets: [true], instead: [nil])
  }

  /// The bytes count, not the text they may be.
  @Test func payloadsAreComparedByteByByte() {
    var conversation = Conversation(
      WaitPolicy(wait: 1, linger: 1), expecting: [.message(.payload(Array("K".utf8)))])
    _ = conversation.received(.text, Array("\u{212A}".utf8), at: 0)
    #expect(conversation.results.map(\.isMet) == [false])
    _ = conversation.received(.text, [0x4B], at: 0)
    #expect(conversation.results.map(\.isMet) == [true])
  }
}
