import TestPeers
import Testing

@testable import LoadTesting

/// The small parts of the runner that need no socket.
@Suite(.blocking) struct RunnerPartsTests {
  @Test func connectionsAreDealtOut() {
    for threads in 1...7 {
      for connections in [1, 2, 7, 50, 1001] {
        let plan = LoadPlan(connections: connections, seed: 1, threads: threads)
        let shares = (0..<threads).map { Connector.share(of: plan, loop: $0) }
        #expect(shares.reduce(0, +) == connections)
      }
    }
  }

  @Test(arguments: [
    ("cpu  10 20 30 400 5 6 7 8 9 10\ncpu0 1 1 1 1\n", 81 as UInt64, 486 as UInt64),
    ("cpu 1 2 3 4\n", 6, 10),
  ])
  func procStatIsRead(text: String, busy: UInt64, total: UInt64) throws {
    let load = try #require(HostLoad(stat: text))
    #expect(load.busy == busy)
    #expect(load.total == total)
  }

  @Test(arguments: ["", "cpu", "cpu 1 2 3", "intr 1 2 3 4 5"])
  func otherTextIsNoProcStat(text: String) { #expect(HostLoad(stat: text) == nil) }

  @Test func shareOfTheHost() throws {
    let before = try #require(HostLoad(stat: "cpu 1000 0 0 1000\n"))
    let after = try #require(HostLoad(stat: "cpu 1300 0 0 1100\n"))
    #expect(after.share(since: before) == 0.75)
    #expect(before.share(since: before) == nil)
    // Ticks of 10 ms say nothing of less than a second.
    let soon = try #require(HostLoad(stat: "cpu 1090 0 0 1009\n"))
    #expect(soon.share(since: before) == nil)
    #expect(before.share(since: after) == nil)
  }

  /// The kernel counts 100 ticks a second (proc(5): USER_HZ).
  @Test(arguments: [(1000, 0.5), (3000, 0), (10_000, 0), (0, 0.75)] as [(Int64, Double)])
  func shareOfTheHostWithoutTheTimeAwake(milliseconds: Int64, share: Double) throws {
    let before = try #require(HostLoad(stat: "cpu 1000 0 0 1000\n"))
    let after = try #require(HostLoad(stat: "cpu 1300 0 0 1100\n"))
    #expect(after.share(since: before, without: milliseconds * 1_000_000) == share)
  }

  @Test func textPayloadsAreTextAndRepeatable() throws {
    let plan = LoadPlan(content: .generated(size: 100), seed: 3)
    let payload = MessagePayload(plan)
    defer { payload.deallocate() }
    let first = Array(payload.message(connection: 5, sequence: 9))
    #expect(String(validating: first, as: UTF8.self) != nil)
    #expect(first.withUnsafeBytes { MessageID($0) } == MessageID(connection: 5, sequence: 9))
    let other = MessagePayload(plan)
    defer { other.deallocate() }
    #expect(first == Array(other.message(connection: 5, sequence: 9)))
    #expect(first != Array(payload.message(connection: 5, sequence: 10)))
  }

  @Test func giveUpsTellTheMeasuredApart() {
    var ring = InFlight(limit: 10, matching: .sequence)
    for stamp in 0..<10 { _ = ring.push(intended: Int64(stamp), sent: Int64(stamp)) }
    #expect(
      ring.expire(sentBefore: 6, measuredFrom: 4) == InFlight.Dropped(all: 6, measured: 2))
    #expect(ring.abandon(measuredFrom: 9) == InFlight.Dropped(all: 4, measured: 1))
    #expect(ring.waiting == 0)
  }

  @Test func whatIsLeftOfAScheduleIsCountedWithoutWalkingIt() throws {
    let schedule = try #require(
      SendSchedule(rate: 1000, connections: 4, arrival: .constant, seed: 1))
    var queue = ScheduleQueue(schedule: schedule)
    for slot in 0..<4 { queue.add(slot: slot, connection: slot) }
    #expect(queue.count(dueBefore: 1_000_000_000) == 1000)
    #expect(queue.count(dueBefore: 0) == 0)
    #expect(queue.count(dueBefore: 1) == 1)
    for _ in 0..<250 { _ = queue.next(dueBy: .max) }
    #expect(queue.count(dueBefore: 1_000_000_000) == 750)
    queue.add(slot: 0, connection: 0, quota: 3)
    #expect(queue.count(dueBefore: .max) > 1_000_000)
  }

  @Test func estimatesNeedNoMinimum() {
    var histogram = LatencyHistogram()
    #expect(histogram.estimate(.p99) == nil)
    for value in 1...100 { histogram.record(Int64(value) * 1000) }
    let estimate = histogram.estimate(.p99) ?? 0
    #expect((99_000...99_100).contains(estimate))
    #expect(histogram.percentile(.p99) == .tooFewSamples(needed: 1000))
  }
}
