import Conversation
import Glibc

/// When each connection ought to send, whatever has been answered so far: the open load model.
///
/// Times are nanoseconds since the start of sending. With constant arrival, message `j` of
/// connection `k` of `n` is due at `(j*n + k) / rate`: together the connections make one even
/// stream, and since each time is computed from its index, nothing drifts. With Poisson arrival each
/// connection draws exponential gaps of its own, and together they are a Poisson stream of the
/// total rate.
package struct SendSchedule: Sendable {
  /// How arrivals are spread.
  package let arrival: Pacing.Arrival
  /// Connections that share the rate.
  package let connections: Int
  /// Where the random gaps of Poisson arrival come from.
  package let seed: UInt64
  private let ratePerMillionSeconds: UInt64
  /// Between two messages of one connection, in nanoseconds.
  let meanGap: Double

  /// A schedule for all connections of a run; nil when a number is out of range.
  ///
  /// - Parameters:
  ///   - rate: Messages per second of all connections together, from 0.000 001 to 10^12.
  ///   - connections: How many share the rate, at least 1.
  ///   - arrival: How arrivals are spread.
  ///   - seed: For Poisson arrival.
  package init?(rate: Double, connections: Int, arrival: Pacing.Arrival, seed: UInt64) {
    guard rate >= 0.000_001, rate <= 1e12, connections > 0 else { return nil }
    self.arrival = arrival
    self.connections = connections
    self.seed = seed
    ratePerMillionSeconds = UInt64((rate * 1e6).rounded())
    meanGap = Double(connections) / rate * 1e9
  }

  /// The place of one connection in the schedule, before its first message.
  ///
  /// - Parameters:
  ///   - connection: Its number among all connections, from 0. With shards, its number in the whole.
  ///   - quota: How many messages it may send; nil for no end.
  /// - Returns: A cursor whose `due` is the first message's time.
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

  /// Moves a cursor to the connection's next message.
  ///
  /// - Parameter cursor: One that this schedule has made.
  /// - Returns: Whether there is a next message, within the quota and before the end of time.
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
    /// When its next message is due: nanoseconds since the start of sending.
    package fileprivate(set) var due: Int64
    fileprivate var index: UInt64
    fileprivate var generator: SeededGenerator
    /// Messages left, the next one included.
    package fileprivate(set) var quota: Int
  }

  /// How many messages of a connection are due before a moment, its next one included: exact for constant
  /// arrival, the mean for Poisson arrival.
  ///
  /// - Parameters:
  ///   - cursor: Its place in the schedule.
  ///   - end: Nanoseconds since the start of sending.
  /// - Returns: No more than the quota allows.
  package func count(from cursor: Cursor, dueBefore end: Int64) -> Int {
    guard cursor.due < end else { return 0 }
    switch arrival {
    case .constant:
      // The last index that is due before: index * 10^15 < end * messages per million seconds.
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

  /// How the first messages of the merged stream of all connections are spread over them.
  ///
  /// - Parameter total: How many messages of the stream.
  /// - Returns: By connection, how many of these are its own.
  package func quotas(ofFirst total: Int) -> [Int] {
    switch arrival {
    case .constant:
      return (0..<connections).map { total / connections + ($0 < total % connections ? 1 : 0) }
    case .poisson:
      // Up to a moment before which there are surely fewer, each connection is counted for itself; from
      // there on the streams are merged.
      var certain = Double(total)
      while true {
        certain -= 5 * Double(total).squareRoot() + 10
        let moment = Int64(exactly: (certain * meanGap / Double(connections)).rounded()) ?? 0
        if let quotas = poissonQuotas(ofFirst: total, certainBefore: moment) { return quotas }
      }
    }
  }

  /// - Returns: nil when more than these are due before the moment.
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
