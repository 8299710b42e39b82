import TestPeers
import Testing

@testable import LoadTesting

@Suite(.blocking) struct TallyTests {
  @Test func theCommonestFirstThenPhaseClassAndCode() {
    var tally = ErrorTally()
    tally.record(.open, .unanswered, count: 5, at: 30)
    tally.record(.upgrade, .http(503), code: 503, at: 20, sample: "busy")
    tally.record(.upgrade, .http(401), code: 401, at: 25)
    tally.record(.tcp, .reset, code: 104, at: 12)
    tally.record(.tcp, .refused, code: 111, at: 11)
    tally.record(.tcp, .refused, code: 110, at: 11)
    tally.record(.tcp, .refused, count: 0, at: 1)
    #expect(
      tally.entries.map { "\($0.phase.rawValue) \($0.class.name) \($0.code ?? 0) \($0.count)" } == [
        "open unanswered 0 5", "tcp refused 110 1", "tcp refused 111 1", "tcp reset 104 1",
        "upgrade http-401 401 1", "upgrade http-503 503 1",
      ])
    #expect(tally.total == 10)
    #expect(tally.count(of: .refused) == 2)
  }

  @Test func theFirstKeepsItsTimeAndWords() {
    var tally = ErrorTally()
    tally.record(.tcp, .refused, at: 5, sample: "first")
    tally.record(.tcp, .refused, at: 9, sample: "second")
    var earlier = ErrorTally()
    earlier.record(.tcp, .refused, count: 3, at: 2, sample: "before")
    earlier.record(.tls, .certificate, at: 1, sample: String(repeating: "x", count: 1000))
    tally.merge(earlier)
    #expect(
      tally.entries.first
        == ErrorTally.Entry(
          phase: .tcp, class: .refused, code: nil, count: 5, first: 2, sample: "before"))
    #expect(tally.entries.last?.sample?.count == 200)
  }

  @Test func failuresOfTheWindowAreToldApart() {
    var begin = ErrorTally()
    begin.record(.tcp, .refused, count: 2, at: 1)
    begin.record(.open, .mismatch, count: 1, at: 2)
    var end = begin
    end.record(.open, .mismatch, count: 4, at: 3)
    end.record(.open, .lost, at: 4)
    var all = end
    all.record(.open, .lost, count: 5, at: 5)
    all.setWindow(from: begin, to: end)
    var other = ErrorTally()
    other.record(.open, .lost, at: 1)
    all.merge(other)
    #expect(all.entries.map(\.count) == [7, 5, 2])
    #expect(all.entries.map(\.inWindow) == [1, 4, 0])
  }

  @Test func closes() {
    var tally = CloseTally()
    tally.record(code: 1006, by: .peer)
    tally.record(code: 1000, by: .peer)
    var other = CloseTally()
    other.record(code: 1000, by: .ours, count: 3)
    other.record(code: 1000, by: .peer, count: 0)
    tally.merge(other)
    #expect(
      tally.entries == [
        .init(code: 1000, by: .ours, count: 3), .init(code: 1000, by: .peer, count: 1),
        .init(code: 1006, by: .peer, count: 1),
      ])
  }

  @Test func countsAddUp() {
    var counts = MessageCounts()
    counts.sent = 100
    counts.answered = 90
    counts.unanswered = 4
    counts.failed = 3
    counts.inFlightAtEnd = 2
    counts.unsent = 50
    #expect(counts.accounting() == 1)
    var other = MessageCounts()
    other.answered = 1
    counts.merge(other)
    #expect(counts.accounting() == 0)
    #expect(counts.attempted == 150)
    #expect(counts.censored == 59)
    counts.missing = 7
    counts.dropped = 3
    #expect(counts.planned == 160)
    #expect(counts.censored == 66)
    counts.answered += 5
    #expect(counts.accounting() == -5)
  }
}
