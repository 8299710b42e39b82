import Conversation
import enum Conversation.Expectation
import Testing
import WebSocketProtocol

/// What is expected of a conversation, when that is decided, and what came instead. Times in ms.
@Suite struct ExpectationTests {
  private enum Line {
    case opened(String? = nil, at: Int64)
    case sent(at: Int64)
    case text(String, at: Int64)
    case binary([UInt8], at: Int64)
    case closed(UInt16, byPeer: Bool = true, at: Int64)
    case goesOn(at: Int64, until: Int64?)
    case finished(at: Int64)
    case timedOut(at: Int64)
  }

  private static func message(_ text: String) -> Expectation {
    .message(.payload(Array(text.utf8)))
  }
  private static func text(_ text: String) -> ExpectationResult.Mismatch {
    .message(.text, Array(text.utf8), nil)
  }

  /// Waits are 10 s, the linger 1 s.
  private func check(
    _ expectations: [Expectation], within: Int64? = nil, count: Int? = nil, _ lines: [Line],
    met: [Bool], instead: [ExpectationResult.Mismatch?],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    var conversation = Conversation(
      WaitPolicy(wait: 10_000, linger: 1_000, count: count, within: within),
      expecting: expectations)
    var time: Int64 = 0
    for (index, line) in lines.enumerated() {
      var wanted: Conversation.Verdict?
      switch line {
      case .opened(let subprotocol, let at):
        time = at
        conversation.opened(subprotocol: subprotocol, at: at)
      case .sent(let at):
        time = at
        conversation.sending(1, at: at)
        conversation.sentAll(at: at)
      case .text(let text, let at):
        time = at
        _ = conversation.received(.text, Array(text.utf8), at: at)
      case .binary(let bytes, let at):
        time = at
        _ = conversation.received(.binary, bytes, at: at)
      case .closed(let code, let byPeer, let at):
        time = at
        conversation.closed(.init(rawValue: code), reason: "why", byPeer: byPeer, at: at)
      case .goesOn(let at, let until):
        (time, wanted) = (at, .goOn(until: until))
      case .finished(let at):
        (time, wanted) = (at, .finished)
      case .timedOut(let at):
        (time, wanted) = (at, .timedOut(waited: 10_000))
      }
      if let wanted {
        let verdict = conversation.verdict(at: time)
        #expect(verdict == wanted, "line \(index)", sourceLocation: sourceLocation)
      }
    }
    let results = conversation.finalResults(at: time)
    #expect(results.map(\.expectation) == expectations, sourceLocation: sourceLocation)
    #expect(results.map(\.isMet) == met, sourceLocation: sourceLocation)
    #expect(results.map(\.instead) == instead, sourceLocation: sourceLocation)
    #expect(results.allSatisfy { $0.state != .pending && $0.time != nil })
  }

  @Test func kindsOfMessages() throws {
    let pattern = Expectation.message(.pattern(try Pattern("^a.c$")))
    let condition = Expectation.message(.json(try JSONCondition(".op == 1")))
    check([pattern], [.text("abc", at: 1), .finished(at: 1)], met: [true], instead: [nil])
    check([pattern], [.text("xabc", at: 1)], met: [false], instead: [Self.text("xabc")])
    check(
      [pattern], [.text("a\u{1F468}\u{200D}c", at: 1)], met: [false],
      instead: [Self.text("a\u{1F468}\u{200D}c")])
    check(
      [pattern], [.binary([0x61, 0xFF, 0x63], at: 1)], met: [false],
      instead: [.message(.binary, [0x61, 0xFF, 0x63], .notText(offset: 1))])
    check([condition], [.text("{\"op\":1}", at: 1), .finished(at: 1)], met: [true], instead: [nil])
    check(
      [condition], [.text("{\"op\":2}", at: 1), .text("no JSON", at: 2)], met: [false],
      instead: [
        .message(
          .text, Array("no JSON".utf8),
          .notJSON(JSONError(offset: 0, problem: "expected a value")))
      ])
    let binary = Expectation.message(.binary([0x61]))
    check([binary], [.text("a", at: 1)], met: [false], instead: [Self.text("a")])
    check([binary], [.binary([0x61], at: 1), .finished(at: 1)], met: [true], instead: [nil])
    check([Self.message("a")], [.binary([0x61], at: 1)], met: [true], instead: [nil])
  }

  @Test func whatComesBehindSomethingUnmetIsNotReached() {
    check(
      [Self.message("a"), Self.message("b"), .silence(5)],
      [.sent(at: 0), .text("b", at: 1), .goesOn(at: 1, until: 1_001), .finished(at: 1_001)],
      met: [false, false, false], instead: [Self.text("b"), .notReached, .notReached])
  }

  @Test func theDeadlineTakesThePlaceOfTheWaits() {
    check(
      [Self.message("a")], within: 3_000,
      [
        .opened(at: 100), .goesOn(at: 100, until: 3_100), .sent(at: 200), .text("x", at: 300),
        .goesOn(at: 300, until: 3_100), .goesOn(at: 3_099, until: 3_100), .finished(at: 3_100),
        .text("a", at: 3_101), .finished(at: 3_101),
      ], met: [false], instead: [Self.text("x")])
    check(
      [Self.message("a")], within: 30_000,
      [
        .opened(at: 0), .sent(at: 0), .goesOn(at: 20_000, until: 30_000), .text("a", at: 29_999),
        .finished(at: 29_999),
      ], met: [true], instead: [nil])
  }

  @Test func silence() {
    check(
      [.silence(500)],
      [.sent(at: 10), .goesOn(at: 10, until: 510), .finished(at: 510)], met: [true], instead: [nil])
    check(
      [.silence(500)], [.sent(at: 10), .text("x", at: 20), .finished(at: 20)],
      met: [false], instead: [Self.text("x")])
    // A greeting is no answer; an answer that was faster than the sender is one.
    check(
      [.silence(500)],
      [.text("welcome", at: 1), .sent(at: 10), .goesOn(at: 10, until: 510), .finished(at: 510)],
      met: [true], instead: [nil])
    // Behind what is expected.
    check(
      [Self.message("a"), .silence(2_000)],
      [
        .sent(at: 0), .text("x", at: 5), .text("a", at: 900), .goesOn(at: 900, until: 2_900),
        .finished(at: 2_900),
      ], met: [true, true], instead: [nil, nil])
    check(
      [Self.message("a"), .silence(2_000)],
      [.sent(at: 0), .text("a", at: 900), .text("b", at: 2_899), .finished(at: 2_899)],
      met: [true, false], instead: [nil, Self.text("b")])
    // Nobody says anything on a connection that is closed.
    check(
      [.silence(500)], [.sent(at: 10), .closed(1000, at: 20)], met: [true], instead: [nil])
  }

  /// What comes while it is being closed is too late.
  @Test func nothingIsJudgedBehindTheEnd() {
    var conversation = Conversation(
      WaitPolicy(wait: 10_000, linger: 1_000), expecting: [.message(.payload([0x78]))])
    conversation.end()
    let isNearer = conversation.received(.text, [0x78], at: 1)
    #expect(!isNearer)
    #expect(conversation.finalResults(at: 2).map(\.isMet) == [false])
  }

  @Test func aReplyThatIsFasterThanTheSenderBreaksTheSilence() {
    var conversation = Conversation(
      WaitPolicy(wait: 10_000, linger: 1_000), expecting: [.silence(500)])
    conversation.sending(1, at: 0)
    _ = conversation.received(.text, [0x78], at: 1)
    #expect(conversation.verdict(at: 1) == .goOn(until: nil))
    conversation.sentAll(at: 2)
    #expect(conversation.verdict(at: 2) == .finished)
    #expect(conversation.finalResults(at: 2).map(\.isMet) == [false])
  }

  @Test func counts() {
    check(
      [.count(2)],
      [
        .sent(at: 0), .text("a", at: 1), .goesOn(at: 1, until: 10_001), .text("b", at: 5_000),
        .goesOn(at: 5_000, until: 6_000), .finished(at: 6_000),
      ], met: [true], instead: [nil])
    check(
      [.count(1)],
      [.sent(at: 0), .text("a", at: 1), .text("b", at: 2), .finished(at: 2), .text("c", at: 3)],
      met: [false], instead: [.count(3)])
    check(
      [.count(3)],
      [.sent(at: 0), .text("a", at: 1), .goesOn(at: 10_000, until: 10_001), .finished(at: 10_001)],
      met: [false], instead: [.count(1)])
    check(
      [.count(0)], [.sent(at: 0), .goesOn(at: 0, until: 1_000), .finished(at: 1_000)],
      met: [true], instead: [nil])
    check([.count(1)], [.sent(at: 0), .timedOut(at: 10_000)], met: [false], instead: [.count(0)])
  }

  @Test func closes() throws {
    let close = Expectation.close(try #require(CloseCodes("1008")))
    check(
      [close],
      [.sent(at: 0), .goesOn(at: 0, until: 10_000), .closed(1008, at: 50), .finished(at: 50)],
      met: [true], instead: [nil])
    check(
      [close], [.sent(at: 0), .closed(1011, at: 50)], met: [false],
      instead: [.close(.init(rawValue: 1011), reason: "why", subprotocol: nil)])
    // Ours is none of the peer's.
    check(
      [close],
      [
        .sent(at: 0), .text("x", at: 10), .goesOn(at: 10, until: 10_010), .finished(at: 10_010),
        .closed(1008, byPeer: false, at: 10_011),
      ], met: [false], instead: [.stillOpen])
    // It is waited for behind the messages, and decides nothing before them.
    check(
      [Self.message("a"), close],
      [
        .sent(at: 0), .text("a", at: 10), .goesOn(at: 10, until: 10_010), .closed(1008, at: 5_000),
        .finished(at: 5_000),
      ], met: [true, true], instead: [nil, nil])
  }

  @Test func untilAMessageCame() throws {
    let until = Expectation.until(.pattern(try Pattern("done")))
    check(
      [until],
      [
        .sent(at: 0), .text("1", at: 1), .goesOn(at: 1, until: 10_001), .text("2", at: 9_000),
        .goesOn(at: 9_000, until: 19_000), .text("all done", at: 18_000), .finished(at: 18_000),
      ], met: [true], instead: [nil])
    check(
      [until], [.sent(at: 0), .text("1", at: 1), .timedOut(at: 10_001)],
      met: [false], instead: [Self.text("1")])
    check(
      [until], within: 500, [.opened(at: 0), .sent(at: 0), .text("1", at: 1), .finished(at: 500)],
      met: [false], instead: [Self.text("1")])
    // It ends all, also what else was waited for.
    check(
      [Self.message("a"), until], [.sent(at: 0), .text("done", at: 1), .finished(at: 1)],
      met: [false, true], instead: [Self.text("done"), nil])
  }

  @Test func roundTrips() {
    check(
      [.roundTrip(200)],
      [
        .text("welcome", at: 1), .sent(at: 1_000), .text("a", at: 1_200),
        .goesOn(at: 1_200, until: 2_200), .finished(at: 2_200),
      ], met: [true], instead: [.roundTrip(200)])
    check(
      [.roundTrip(200)],
      [.sent(at: 1_000), .text("a", at: 1_100), .text("b", at: 1_201), .finished(at: 2_201)],
      met: [false], instead: [.roundTrip(201)])
    check(
      [.roundTrip(200)], [.sent(at: 0), .timedOut(at: 10_000)], met: [false],
      instead: [.noReply])
  }

  @Test func theHandshake() {
    check(
      [.status(101), .subprotocol("chat")], [.opened("chat", at: 3)], met: [true, true],
      instead: [.status(101), .subprotocol("chat")])
    check(
      [.status(401), .subprotocol("chat")], [.opened(nil, at: 3), .sent(at: 3)],
      met: [false, false], instead: [.status(101), .subprotocol(nil)])
    var conversation = Conversation(
      WaitPolicy(wait: 1, linger: 1), expecting: [.status(401), .subprotocol("chat")])
    conversation.refused(status: 401, at: 1)
    let results = conversation.finalResults(at: 2)
    #expect(results.map(\.isMet) == [true, false])
    #expect(results.map(\.instead) == [.status(401), .status(nil)])
  }
}
