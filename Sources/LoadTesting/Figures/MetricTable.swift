/// A histogram for each metric, created with its first sample because it takes 268 KiB.
struct MetricTable: Sendable {
  /// Indexed by the raw value of the metric.
  private var histograms: [LatencyHistogram?] = Array(
    repeating: nil, count: Metric.allCases.count)

  /// The samples of a metric; nil if there are none.
  subscript(metric: Metric) -> LatencyHistogram? {
    get { histograms[metric.rawValue] }
    set { histograms[metric.rawValue] = newValue }
  }

  /// Counts one duration in nanoseconds.
  @inline(__always)
  mutating func record(_ ns: Int64, _ metric: Metric) {
    if histograms[metric.rawValue] == nil { histograms[metric.rawValue] = LatencyHistogram() }
    histograms[metric.rawValue]?.record(ns)
  }

  /// Counts samples that took at least `ns` nanoseconds; see `LatencyHistogram.recordCensored`.
  mutating func recordCensored(_ count: Int, atLeast ns: Int64, _ metric: Metric) {
    guard count > 0 else { return }
    if histograms[metric.rawValue] == nil { histograms[metric.rawValue] = LatencyHistogram() }
    histograms[metric.rawValue]?.recordCensored(count, atLeast: ns)
  }

  /// Adds the samples of a metric.
  mutating func merge(_ other: LatencyHistogram, _ metric: Metric) {
    guard histograms[metric.rawValue] != nil else {
      histograms[metric.rawValue] = other
      return
    }
    histograms[metric.rawValue]?.merge(other)
  }

  /// Returns the samples so far and starts again empty.
  mutating func take() -> MetricTable {
    var taken = MetricTable()
    swap(&taken, &self)
    return taken
  }

  /// Adds the samples of another table.
  mutating func merge(_ other: MetricTable) {
    for metric in Metric.allCases {
      if let histogram = other[metric] { merge(histogram, metric) }
    }
  }
}
