/// The counts of a histogram without its empty buckets: what is stored, sent and made into a heat map.
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

  /// Buckets that a histogram has.
  static let count = 33_792
  private static let halfBits = 10

  /// In ascending order of their index.
  private(set) var entries: [Entry] = []
  /// Samples in all buckets.
  private(set) var total = 0

  /// - Parameter capacity: Buckets to reserve memory for.
  init(capacity: Int = 0) { entries.reserveCapacity(capacity) }

  /// Adds a bucket after all others.
  ///
  /// - Parameters:
  ///   - index: Larger than that of the last bucket.
  ///   - count: Samples in it; nothing happens below 1.
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
