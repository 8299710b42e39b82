/// The durations of one interval, counted in the buckets of a heat map. Each bucket is 9 % wider
/// than the one before it (schema 3 of Prometheus native histograms).
///
/// Bucket `i` counts durations above 2^((i-1)/8) and up to 2^(i/8) seconds; bucket -240 counts
/// 0 ns. The bounds are whole nanoseconds, so every machine puts a duration into the same bucket.
package struct HeatBuckets: Sendable, Equatable {
  /// One bucket that is not empty.
  package struct Cell: Sendable, Equatable {
    /// The index of the bucket, from -240 (0 ns) to 95 (which contains one hour).
    package var bucket: Int
    /// The number of samples in it, at least 1.
    package var count: Int

    package init(bucket: Int, count: Int) {
      self.bucket = bucket
      self.count = count
    }
  }

  /// The valid bucket indexes.
  package static let range = -240...95

  /// The largest duration of each bucket in nanoseconds, in ascending order.
  ///
  /// The table holds 2^(r/8) seconds for r from 0 to 7, in nanoseconds times 2^16, rounded down. A
  /// shift gives all other bounds.
  package static let bounds: [Int64] = {
    let octave: [Int64] = [
      65_536_000_000_000, 71_467_514_767_950, 77_935_877_488_818, 84_989_677_053_608,
      92_681_900_023_683, 101_070_328_653_934, 110_217_974_940_134, 120_193_553_950_922,
    ]
    return range.map { bucket in octave[bucket & 7] >> Int64(16 - (bucket >> 3)) }
  }()

  /// The buckets that are not empty, in ascending order.
  package private(set) var cells: [Cell] = []

  package init() {}

  /// Creates buckets from cells, without checking them.
  ///
  /// - Parameter cells: Cells in ascending order, with buckets within `range` and counts above 0.
  package init(_ cells: [Cell]) { self.cells = cells }

  /// The same samples in wider buckets. A histogram bucket that crosses a bound counts above it.
  init(_ buckets: HistogramBuckets) {
    var position = 0
    for entry in buckets.entries {
      let highest = min(HistogramBuckets.highest(of: entry.index), LatencyHistogram.longest)
      while position < Self.bounds.count - 1, Self.bounds[position] < highest { position &+= 1 }
      let bucket = Self.range.lowerBound &+ position
      if cells.last?.bucket == bucket {
        cells[cells.count - 1].count &+= entry.count
      } else {
        cells.append(Cell(bucket: bucket, count: entry.count))
      }
    }
  }

  /// The number of samples in all buckets.
  package var total: Int { cells.reduce(0) { $0 &+ $1.count } }
}
