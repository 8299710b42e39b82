/// Decides when to reopen a lost connection: with growing pauses, and not for all clients at once.
/// A value without side effects: the caller supplies the clock and the random numbers. Times are
/// ns.
package struct ReconnectPolicy: Sendable, Hashable {
  /// The pause before the first attempt, without jitter.
  package static let firstPause: Int64 = 500_000_000
  /// The maximum pause.
  package static let longestPause: Int64 = 30_000_000_000
  /// After a connection of at least this length, the attempts are counted from 0 again.
  package static let goodLifetime: Int64 = 10_000_000_000

  /// The maximum number of attempts in a row; nil for no limit.
  package let limit: Int?
  package private(set) var attempts = 0

  package init(limit: Int?) { self.limit = limit }

  /// The pause before the next attempt: half a second, doubled each time up to half a minute,
  /// multiplied by a random factor between one half and one.
  ///
  /// - Parameter dice: a random number from 0 to 1.
  /// - Returns: nil when the limit is reached.
  package mutating func nextPause(dice: Double) -> Int64? {
    if let limit, attempts >= limit { return nil }
    let pause = min(Self.firstPause << min(attempts, 10), Self.longestPause)
    attempts += 1
    return Int64(Double(pause) * (0.5 + min(max(dice, 0), 1) / 2))
  }

  /// A connection that lasted `lifetime` has ended.
  package mutating func ended(lifetime: Int64) {
    if lifetime >= Self.goodLifetime { attempts = 0 }
  }
}
