import Conversation
import Glibc

/// The schedule of the open load model: when each connection must send, regardless of answers.
///
/// Times are nanoseconds since the start of the schedule. With constant arrival, message `j` of
/// connection `k` of `n` is due at `(j*n + k) / rate`: together the connections form one even
/// stream, and errors do not accumulate because each time is computed from its index. With Poisson
/// arrival each connection draws its own exponential gaps, and together they form a Poisson stream
/// with the total rate.
package struct SendSchedule: Sendable {
  /// How messages are distributed over time.
  package let arrival: Pacing.Arrival
  /// The number of connections that share the rate.
  package let connections: Int
  /// The seed of the random gaps of Poisson arrival.
  package let seed: UInt64
  private let ratePerMillionSeconds: UInt64
  /// The mean time between two messages of one connection, in nanoseconds.
  let meanGap: Double

  /// Creates a schedule for all connections of a run; nil if a number is out of range.
  ///
  /// - Parameters:
  ///   - rate: Messages per second on all connections together, from 0.000 001 to 10^12.
  ///   - connections: The number of connections that share the rate, at least 1.
  ///   - arrival: How messages are distributed over time.
  ///   - seed: The seed of the gaps of Poisson arrival.
  package init?(rate: Double, connections: Int, arrival: Pacing.Arrival, seed: UInt64) {
    guard rate >= 0.000_001, rate <= 1e12, connections > 0 else { return nil }
    self.arrival = arrival
    self.connections = connections
    self.seed = seed
    ratePerMillionSeconds = UInt64((rate * 1e6).rounded())
    meanGap = Double(connections) / rate * 1e9
  }

  /// The position of one connection in the schedule before its first message.
  ///
  /// - Parameters:
  ///   - connection: Its number in the whole run, from 0, including the connections of all shards.
  ///   - quota: How many messages it may send; nil for no limit.
  /// - Returns: A cursor whose `due` is the time of the first message.
  package func cursor(connection: Int, quota: Int? = nil) -> Cursor {
    let number = UInt64(clamping: connection)
    var cursor = Cursor(
      due: 0, index: number, generator: SeededGenerator(seed: seed, stream: number),
      quota: quota ?? Int.max)
    switch arrival {
    case .constant: cursor.due = due(index: number)
    case .poisson: cursor.due = gap(&cursor.generator)
    }
    return cursor
  }

  /// Moves a cursor to the next message of its connection.
  ///
  /// - Parameter cursor: A cursor of this schedule.
  /// - Returns: Whether there is a next message within the quota and the range of `Int64`.
  package func advance(_ cursor: inout Cursor) -> Bool {
    cursor.quota &-= 1
    switch arrival {
    case .constant:
      cursor.index &+= UInt64(connections)
      cursor.due = due(index: cursor.index)
    case .poisson:
      let (sum, overflow) = cursor.due.addingReportingOverflow(gap(&cursor.generator))
      cursor.due = overflow ? Int64.max : sum
    }
    return cursor.quota > 0 && cursor.due < Int64.max
  }

  /// The position of one connection in the schedule.
  package struct Cursor: Sendable {
    /// When the next message is due, in nanoseconds since the start of the schedule.
    package fileprivate(set) var due: Int64
    fileprivate var index: UInt64
    fileprivate var generator: SeededGenerator
    /// Messages left to send, including the next one.
    package fileprivate(set) var quota: Int
  }

  /// Counts the messages of a connection that are due before a time, from its next one on: exact
  /// for constant arrival, the mean for Poisson arrival.
  ///
  /// - Parameters:
  ///   - cursor: The position of the connection.
  ///   - end: Nanoseconds since the start of the schedule.
  /// - Returns: The count, limited by the quota.
  package func count(from cursor: Cursor, dueBefore end: Int64) -> Int {
    guard cursor.due < end else { return 0 }
    switch arrival {
    case .constant:
      // The last index due before `end`: index * 10^15 < end * messages per million seconds.
      let product = UInt64(end).multipliedFullWidth(by: ratePerMillionSeconds)
      let (low, borrow) = product.low.subtractingReportingOverflow(1)
      let high = product.high &- (borrow ? 1 : 0)
      guard high < 1_000_000_000_000_000 else { return cursor.quota }
      let last = (1_000_000_000_000_000 as UInt64).dividingFullWidth((high, low)).quotient
      let more = last > cursor.index ? (last &- cursor.index) / UInt64(connections) : 0
      return min(cursor.quota, Int(clamping: more) &+ 1)
    case .poisson:
      let more = (Double(end &- 1 &- cursor.due) / meanGap).rounded(.down)
      return min(cursor.quota, 1 &+ (Int(exactly: more) ?? Int.max / 2))
    }
  }

  /// Divides the first messages of the merged stream among the connections.
  ///
  /// - Parameter total: The number of messages.
  /// - Returns: The number of messages of each connection.
  package func quotas(ofFirst total: Int) -> [Int] {
    switch arrival {
    case .constant:
      return (0..<connections).map { total / connections + ($0 < total % connections ? 1 : 0) }
    case .poisson:
      // Before a time by which fewer than `total` messages are due, each connection is counted on
      // its own; only the rest is merged, which is slower. If the guess is too late, try an earlier
      // time.
      var certain = Double(total)
      while true {
        certain -= 5 * Double(total).squareRoot() + 10
        let moment = Int64(exactly: (certain * meanGap / Double(connections)).rounded()) ?? 0
        if let quotas = poissonQuotas(ofFirst: total, certainBefore: moment) { return quotas }
      }
    }
  }

  /// - Returns: nil if more than `total` messages are due before `moment`.
  private func poissonQuotas(ofFirst total: Int, certainBefore moment: Int64) -> [Int]? {
    var quotas = [Int](repeating: 0, count: connections)
    var left = total
    var rest = ScheduleQueue(schedule: self)
    for connection in 0..<connections {
      var cursor = cursor(connection: connection)
      while cursor.due < moment {
        quotas[connection] += 1
        left -= 1
        guard left >= 0 else { return nil }
        _ = advance(&cursor)
      }
      rest.add(slot: connection, cursor)
    }
    while left > 0, let due = rest.next(dueBy: .max) {
      quotas[due.slot] += 1
      left -= 1
    }
    return quotas
  }

  /// `index / rate` in nanoseconds, exact to the nanosecond for any index.
  private func due(index: UInt64) -> Int64 {
    // index [messages] * 10^15 [ns per million seconds] / messages per million seconds
    let product = index.multipliedFullWidth(by: 1_000_000_000_000_000)
    guard product.high < ratePerMillionSeconds else { return Int64.max }
    return Int64(clamping: ratePerMillionSeconds.dividingFullWidth(product).quotient)
  }

  private func gap(_ generator: inout SeededGenerator) -> Int64 {
    Int64(exactly: (-log(generator.unit()) * meanGap).rounded()) ?? Int64.max
  }
}
