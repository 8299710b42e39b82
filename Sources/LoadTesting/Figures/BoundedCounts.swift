/// The samples of a histogram, counted up to given bounds.
package struct BoundedCounts: Sendable, Equatable {
  /// For each bound, the number of samples that are not above it.
  package var cumulative: [Int]
  /// The number of all samples, including the censored ones, which are above every bound.
  package var total: Int
  /// The sum of the values in nanoseconds, within 0.05 %; without the censored samples.
  package var sum: Double

  /// Counts samples. A sample whose value is known to a bucket only counts above a bound that crosses
  /// the bucket.
  ///
  /// - Parameters:
  ///   - histogram: The samples; nil for none.
  ///   - bounds: The bounds in nanoseconds, in ascending order.
  package init(_ histogram: LatencyHistogram?, bounds: [Int64]) {
    cumulative = Array(repeating: 0, count: bounds.count)
    total = (histogram?.count ?? 0) &+ (histogram?.censored ?? 0)
    sum = 0
    guard let histogram else { return }
    let largest = histogram.max ?? LatencyHistogram.longest
    var position = 0
    var seen = 0
    for entry in histogram.buckets.entries {
      let lowest = HistogramBuckets.lowest(of: entry.index)
      let highest = min(HistogramBuckets.highest(of: entry.index), largest)
      while position < bounds.count, bounds[position] < highest {
        cumulative[position] = seen
        position += 1
      }
      seen &+= entry.count
      sum += (Double(lowest) + Double(highest)) / 2 * Double(entry.count)
    }
    for rest in position..<bounds.count { cumulative[rest] = seen }
  }
}
