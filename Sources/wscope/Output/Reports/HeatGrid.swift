import Glibc
import LoadTesting

/// The intervals of a run in the buckets of a heat map, shaded for the eye.
struct HeatGrid {
  /// The strongest shade; 0 is an empty cell.
  static let shades = 9

  let columns: TimeColumns
  /// The buckets from the bottom to the top.
  let buckets: ClosedRange<Int>
  /// The shades of each column, by bucket.
  let levels: [[Int: Int]]

  /// nil without a single duration.
  init?(_ columns: TimeColumns) {
    let used = columns.columns.flatMap { [$0.cells.first, $0.cells.last] }
      .compactMap { $0?.bucket }
    guard let low = used.min(), let high = used.max() else { return nil }
    self.columns = columns
    // At least three powers of two, so that a row is never a beam.
    let missing = max(0, 24 - (high - low + 1))
    buckets = (low - (missing + 1) / 2)...(high + missing / 2 + 1)
    levels = columns.columns.map(Self.levels)
  }

  /// The place of a duration in buckets from the bottom, 0 to `buckets.count`; the upper edge of a bucket is its
  /// bound.
  func height(_ ns: Int64) -> Double {
    let height = 8 * log2(Double(max(1, ns)) / 1e9) - Double(buckets.lowerBound) + 1
    return min(max(height, 0), Double(buckets.count))
  }

  /// Round durations to label: powers of ten, with few of them also twice and five times of each.
  var labels: [Int64] {
    let all = RoundNumbers.between(
      1e9 * exp2(Double(buckets.lowerBound) / 8), 1e9 * exp2(Double(buckets.upperBound) / 8))
    return (all.count > 7 ? all.filter(RoundNumbers.isPowerOfTen) : all).map { Int64($0) }
  }

  /// By the logarithm of a count, so that one slow message in 5000 can be seen; against the column's own count, so
  /// that a stalled column is as strong as a healthy one.
  private static func levels(_ column: TimeColumns.Column) -> [Int: Int] {
    let total = column.cells.reduce(0) { $0 &+ $1.count }
    let full = log(Swift.max(2, 0.12 * Double(total)))
    return column.cells.reduce(into: [:]) { levels, cell in
      let level = (Double(shades) * log(Double(cell.count)) / full).rounded(.up)
      levels[cell.bucket] = Swift.min(shades, Swift.max(1, Int(level)))
    }
  }
}
