/// When a lost connection is opened again: later and later, and never all clients at once. A value that
/// is told what happened; the clock and the dice are the caller's. Times are ns.
package struct ReconnectPolicy: Sendable, Hashable {
  /// The pause before the first attempt, without jitter.
  package static let firstPause: Int64 = 500_000_000
  /// No pause is longer.
  package static let longestPause: Int64 = 30_000_000_000
  /// A connection that lasted this long was a good one: counting begins anew.
  package static let goodLifetime: Int64 = 10_000_000_000

  /// How many attempts in a row are made; nil for as many as it takes.
  package let limit: Int?
  package private(set) var attempts = 0

  package init(limit: Int?) { self.limit = limit }

  /// The pause before the next attempt: half a second, doubled each time up to half a minute, and of
  /// that a random share between one half and all of it.
  ///
  /// - Parameter dice: from 0 to 1.
  /// - Returns: nil when there were attempts enough.
  package mutating func nextPause(dice: Double) -> Int64? {
    if let limit, attempts >= limit { return nil }
    let pause = min(Self.firstPause << min(attempts, 10), Self.longestPause)
    attempts += 1
    return Int64(Double(pause) * (0.5 + min(max(dice, 0), 1) / 2))
  }

  /// A connection has ended that lasted this long.
  package mutating func ended(lifetime: Int64) {
    if lifetime >= Self.goodLifetime { attempts = 0 }
  }
}
