/// Notices a flood of pings from one client.
struct PingRate {
  /// Pings in one second that are not a flood yet.
  static let limit = 1000

  /// The start of the second, in nanoseconds.
  private var start: Int64 = 0
  private var count: Int32 = 0
  private var hasWarned = false

  /// Counts a ping.
  ///
  /// - Parameter now: Nanoseconds on a monotonic clock.
  /// - Returns: Whether it makes a flood of them, for the first time.
  mutating func add(at now: Int64) -> Bool {
    guard !hasWarned else { return false }
    if now &- start >= 1_000_000_000 { (start, count) = (now, 0) }
    count &+= 1
    hasWarned = count > Self.limit
    return hasWarned
  }
}
