/// How late a thread wakes from its sleeps, as far as it has seen: on a virtual machine some 50 µs, on bare
/// metal a few.
struct WakingLateness: Equatable {
  /// What 19 of 20 wakings stay below, in nanoseconds.
  private(set) var expected: Int64 = 50_000

  private static let bounds: ClosedRange<Int64> = 1_000...100_000
  /// The estimate rests where steps up, for one waking in 20, and steps down, for the others, are equal.
  private static let (up, down): (Int64, Int64) = (1_900, 100)

  /// Takes one waking into account.
  ///
  /// - Parameter lateness: In nanoseconds after the moment that was asked for.
  mutating func add(_ lateness: Int64) {
    let moved = lateness > expected ? expected &+ Self.up : expected &- Self.down
    expected = min(max(moved, Self.bounds.lowerBound), Self.bounds.upperBound)
  }
}
