/// The figures of a stretch of a run: of one interval, or of a phase without intervals.
package struct LoadStretch: Sendable, Equatable {
  /// When it began, in nanoseconds since the run started.
  package var start: Int64
  /// Its duration in nanoseconds.
  package var duration: Int64
  /// The counts; nil unless it is an interval of warm-up or window.
  package var interval: LoadReport.Interval?
  /// The samples of the metrics that have any, each with `hdr`. Warm-up messages are not included.
  package var samples: [Metric: LatencySummary]

  /// Creates a stretch from its figures.
  package init(
    start: Int64, duration: Int64, interval: LoadReport.Interval? = nil,
    samples: [Metric: LatencySummary]
  ) {
    self.start = start
    self.duration = duration
    self.interval = interval
    self.samples = samples
  }
}

/// Follows a run while it goes on. No function may block.
package struct LoadObserver: Sendable {
  /// Called when the run starts, with that time in nanoseconds since 1970, UTC.
  package var began: (@Sendable (Int64) -> Void)?
  /// Called with each stretch when it has ended, in chronological order. The samples of all stretches
  /// add up to those of the report.
  package var ended: (@Sendable (LoadStretch) -> Void)?
  /// Called about once a second with what the run has counted so far; nil spares the loops the work.
  package var counted: (@Sendable (LoadTotals) -> Void)?

  /// Creates an observer from its functions; nil for those that are not needed.
  package init(
    began: (@Sendable (Int64) -> Void)? = nil, ended: (@Sendable (LoadStretch) -> Void)? = nil,
    counted: (@Sendable (LoadTotals) -> Void)? = nil
  ) {
    self.began = began
    self.ended = ended
    self.counted = counted
  }
}

extension LoadReport {
  /// The stretches of a stored result, which has the counts of each interval, but the samples of the
  /// whole run only.
  package var stretches: [LoadStretch] {
    let window = phase(.measure)
    let origin = window?.start ?? 0
    return intervals.map {
      LoadStretch(
        start: origin &+ $0.start, duration: $0.duration, interval: $0, samples: [:])
    } + [
      LoadStretch(
        start: origin, duration: window?.duration ?? 0, samples: metrics.filter { $1.count > 0 })
    ]
  }
}
