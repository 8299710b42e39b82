import Conversation
import TestPeers
import Testing

@testable import LoadTesting

@Suite(.blocking) struct SendScheduleTests {
  private static func times(
    _ schedule: SendSchedule, connection: Int, count: Int
  ) -> [Int64] {
    var cursor = schedule.cursor(connection: connection)
    return (0..<count).map { _ in
      defer { _ = schedule.advance(&cursor) }
      return cursor.due
    }
  }

  @Test func constantArrivalIsOneEvenStream() throws {
    let schedule = try #require(
      SendSchedule(rate: 1_000, connections: 4, arrival: .constant, seed: 1))
    #expect(Self.times(schedule, connection: 0, count: 3) == [0, 4_000_000, 8_000_000])
    #expect(Self.times(schedule, connection: 3, count: 2) == [3_000_000, 7_000_000])
    let all = (0..<4).flatMap { Self.times(schedule, connection: $0, count: 250) }.sorted()
    #expect(all == (0..<1000).map { Int64($0) * 1_000_000 })
  }

  @Test func constantArrivalNeverDrifts() throws {
    // A third of a millisecond is no whole number of nanoseconds.
    let schedule = try #require(
      SendSchedule(rate: 3_000, connections: 1, arrival: .constant, seed: 1))
    var cursor = schedule.cursor(connection: 0)
    for index in Int64(0)..<300_000 {
      let due = cursor.due
      #expect(due == index * 1_000_000 / 3)
      if due != index * 1_000_000 / 3 { break }
      _ = schedule.advance(&cursor)
    }
  }

  @Test(arguments: [0, -1, .nan, .infinity, 1e13, 1e-9])
  func noSchedule(rate: Double) {
    #expect(SendSchedule(rate: rate, connections: 1, arrival: .constant, seed: 1) == nil)
    #expect(SendSchedule(rate: 1, connections: 0, arrival: .constant, seed: 1) == nil)
  }

  @Test func theEndOfTimeEndsAConnection() throws {
    let schedule = try #require(
      SendSchedule(rate: 0.000_001, connections: 1_000_000, arrival: .constant, seed: 1))
    var cursor = schedule.cursor(connection: 0)
    #expect(cursor.due == 0)
    #expect(!schedule.advance(&cursor))
  }

  @Test func aQuotaEndsAConnection() throws {
    let schedule = try #require(
      SendSchedule(rate: 10, connections: 1, arrival: .constant, seed: 1))
    var cursor = schedule.cursor(connection: 0, quota: 2)
    let more = (schedule.advance(&cursor), schedule.advance(&cursor))
    #expect(more == (true, false))
  }

  @Test("row 6: a count takes the first messages of the merged stream", arguments: [1, 50, 1000])
  func row06_theFirstOfTheMergedStream(total: Int) throws {
    for connections in [1, 7, 50] {
      let schedule = try #require(
        SendSchedule(rate: 500, connections: connections, arrival: .poisson, seed: 3))
      let merged = (0..<connections).flatMap { connection in
        Self.times(schedule, connection: connection, count: total).map { ($0, connection) }
      }.sorted { $0 < $1 }.prefix(total)
      var quotas = [Int](repeating: 0, count: connections)
      for (_, connection) in merged { quotas[connection] += 1 }
      #expect(schedule.quotas(ofFirst: total) == quotas)
    }
    let even = try #require(
      SendSchedule(rate: 500, connections: 3, arrival: .constant, seed: 3))
    #expect(even.quotas(ofFirst: 5) == [2, 2, 1])
  }

  @Test func whatIsDueIsCountedExactly() throws {
    for rate in [3.0, 70, 999.5, 1e6] {
      let schedule = try #require(
        SendSchedule(rate: rate, connections: 3, arrival: .constant, seed: 1))
      for connection in 0..<3 {
        let times = Self.times(schedule, connection: connection, count: 40)
        let cursor = schedule.cursor(connection: connection)
        let ends: [Int64] = [0, 1] + times + times.map { $0 + 1 }
        for end in ends where end <= times[39] {
          #expect(schedule.count(from: cursor, dueBefore: end) == times.count { $0 < end })
        }
        #expect(schedule.count(from: cursor, dueBefore: .max) > 1_000_000)
      }
    }
  }

  @Test func poissonGapsAreExponential() throws {
    let schedule = try #require(
      SendSchedule(rate: 20_000, connections: 10, arrival: .poisson, seed: 42))
    let all = (0..<10).flatMap { Self.times(schedule, connection: $0, count: 20_000) }.sorted()
    // Each connection sends 2000 a second; up to nine seconds all of them are within their list.
    let window = all.filter { $0 < 9_000_000_000 }
    #expect(abs(window.count - 180_000) < 4 * 425)
    let gaps = zip(window.dropFirst(), window).map { Double($0 - $1) }
    let mean = gaps.reduce(0, +) / Double(gaps.count)
    let square = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
    #expect(abs(mean - 50_000) < 500)
    #expect(abs(square.squareRoot() / mean - 1) < 0.02)
    let again = Self.times(schedule, connection: 3, count: 100)
    #expect(again == Self.times(schedule, connection: 3, count: 100))
    #expect(again != Self.times(schedule, connection: 4, count: 100))
  }
}

@Suite(.blocking) struct ScheduleQueueTests {
  @Test func tenThousandConnectionsKeepTheTotalRate() throws {
    let connections = 10_000
    let schedule = try #require(
      SendSchedule(rate: 70_000, connections: connections, arrival: .constant, seed: 1))
    var queue = ScheduleQueue(schedule: schedule)
    // Slots in another order than connections: the schedule alone decides.
    for slot in 0..<connections { queue.add(slot: slot, connection: connections - 1 - slot) }
    var sent = 0
    var counts = [Int](repeating: 0, count: connections)
    for now in stride(from: Int64(999_999), to: 1_000_000_000, by: 1_000_000) {
      while let due = queue.next(dueBy: now) {
        #expect(due.intended == Int64(sent) * 1_000_000_000 / 70_000)
        counts[due.slot] += 1
        sent += 1
      }
      let next = try #require(queue.nextDue)
      #expect(next > now)
    }
    #expect(sent == 70_000)
    #expect(counts.allSatisfy { $0 == 7 })
  }

  @Test func afterADelayEachMessageHasItsOwnTime() throws {
    let schedule = try #require(
      SendSchedule(rate: 100, connections: 2, arrival: .constant, seed: 1))
    var queue = ScheduleQueue(schedule: schedule)
    queue.add(slot: 0, connection: 0)
    queue.add(slot: 1, connection: 1)
    var handed: [ScheduleQueue.Due] = []
    while let due = queue.next(dueBy: 35_000_000) { handed.append(due) }
    #expect(
      handed == [
        .init(slot: 0, intended: 0), .init(slot: 1, intended: 10_000_000),
        .init(slot: 0, intended: 20_000_000), .init(slot: 1, intended: 30_000_000),
      ])
    #expect(queue.nextDue == 40_000_000)
  }

  @Test func quotasEmptyTheQueue() throws {
    let plan = LoadPlan(
      pacing: .open(rate: 1_000, arrival: .poisson), connections: 7, length: .messages(100), seed: 5
    )
    var queue = ScheduleQueue(schedule: try #require(plan.schedule()))
    for slot in 0..<7 {
      queue.add(slot: slot, connection: slot, quota: plan.quotas()?[slot])
    }
    var sent = 0
    while queue.next(dueBy: Int64.max) != nil { sent += 1 }
    #expect(sent == 100)
    #expect(queue.count == 0)
    #expect(queue.nextDue == nil)
  }

  @Test(arguments: [1, 2, 3])
  func lostAndFoundConnectionsKeepTheOrder(seed: UInt64) throws {
    let schedule = try #require(
      SendSchedule(rate: 5_000, connections: 200, arrival: .poisson, seed: seed))
    var queue = ScheduleQueue(schedule: schedule)
    var random = SeededGenerator(seed: seed)
    var present: Set<Int> = []
    for slot in 0..<200 {
      queue.add(slot: slot, connection: slot)
      present.insert(slot)
    }
    var last: Int64 = 0
    for step in 0..<20_000 {
      let slot = Int.random(in: 0..<200, using: &random)
      if step % 10 == 0, present.remove(slot) != nil { queue.remove(slot: slot) }
      if step % 1_000 == 999 {
        // What comes back starts over, so the order begins anew.
        for slot in 0..<200 where !present.contains(slot) {
          queue.add(slot: slot, connection: slot)
          present.insert(slot)
        }
        last = 0
      }
      #expect(queue.count == present.count)
      guard let due = queue.next(dueBy: Int64.max) else { continue }
      #expect(present.contains(due.slot))
      #expect(due.intended >= last)
      last = due.intended
    }
  }

  @Test func removingWhatIsNotThere() throws {
    let schedule = try #require(
      SendSchedule(rate: 1, connections: 1, arrival: .constant, seed: 1))
    var queue = ScheduleQueue(schedule: schedule)
    queue.remove(slot: 3)
    queue.add(slot: 2, connection: 0, quota: 0)
    queue.remove(slot: 2)
    queue.add(slot: -1, connection: 0)
    #expect(queue.next(dueBy: Int64.max) == nil)
  }
}
