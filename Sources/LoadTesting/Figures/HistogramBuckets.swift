/// The counts of a histogram without its empty buckets, for storage and for heat maps.
///
/// The buckets are those of HdrHistogram for 1 ns to 1 h and three significant digits: one for each
/// nanosecond up to 2047, then 1024 for each power of two.
struct HistogramBuckets: Sendable, Equatable {
  /// One bucket that is not empty.
  struct Entry: Sendable, Equatable {
    /// From 0 to `HistogramBuckets.count - 1`.
    var index: Int
    /// At least 1.
    var count: Int
  }

  /// The number of buckets of a histogram.
  static let count = 33_792
  private static let halfBits = 10

  /// The buckets that are not empty, in ascending order of their index.
  private(set) var entries: [Entry] = []
  /// The number of samples in all buckets.
  private(set) var total = 0

  /// - Parameter capacity: The number of buckets to reserve memory for.
  init(capacity: Int = 0) { entries.reserveCapacity(capacity) }

  /// Adds a bucket after all others.
  ///
  /// - Parameters:
  ///   - index: An index above that of the last bucket.
  ///   - count: The number of samples; values below 1 are ignored.
  mutating func append(index: Int, count: Int) {
    guard count > 0 else { return }
    entries.append(Entry(index: index, count: count))
    total &+= count
  }

  /// The bucket that counts a duration.
  ///
  /// - Parameter ns: From 0 to an hour, in nanoseconds.
  /// - Returns: Its index.
  static func index(of ns: Int64) -> Int {
    let value = Int(ns)
    let shift = max(0, Int.bitWidth - halfBits - 1 - value.leadingZeroBitCount)
    return value >> shift &+ shift << halfBits
  }

  /// The smallest duration that a bucket counts, in nanoseconds.
  static func lowest(of index: Int) -> Int64 {
    let shift = max(0, index >> halfBits &- 1)
    return Int64(index &- shift << halfBits) << Int64(shift)
  }

  /// The largest duration that a bucket counts, in nanoseconds.
  static func highest(of index: Int) -> Int64 {
    let shift = max(0, index >> halfBits &- 1)
    return lowest(of: index) &+ 1 << Int64(shift) &- 1
  }
}
