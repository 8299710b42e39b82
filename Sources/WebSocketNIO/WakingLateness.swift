/// An estimate of how late a thread wakes from its sleeps: some 50 µs on a virtual machine, a few
/// on bare metal.
struct WakingLateness: Equatable {
  /// The lateness in ns that 19 of 20 wake-ups stay below.
  private(set) var expected: Int64 = 50_000

  private static let bounds: ClosedRange<Int64> = 1_000...100_000
  /// The estimate settles where the steps up, for one wake-up in 20, equal the steps down, for the
  /// others.
  private static let (up, down): (Int64, Int64) = (1_900, 100)

  /// Adds one wake-up to the estimate.
  ///
  /// - Parameter lateness: in ns after the requested time.
  mutating func add(_ lateness: Int64) {
    let moved = lateness > expected ? expected &+ Self.up : expected &- Self.down
    expected = min(max(moved, Self.bounds.lowerBound), Self.bounds.upperBound)
  }
}
