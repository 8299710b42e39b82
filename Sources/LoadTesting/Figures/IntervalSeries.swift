/// The course of a run in intervals of one second. In a long run neighbours are joined to intervals
/// of 2 s, 4 s and so on, which bounds the size of memory and reports.
package struct IntervalSeries: Sendable, Equatable {
  /// One interval of the run.
  package struct Interval: Sendable, Equatable {
    /// When it began, in nanoseconds since the start of the window; below 0 in the warm-up.
    package var start: Int64
    /// Its duration in nanoseconds.
    package var duration: Int64
    /// Messages sent in it.
    package var sent: Int
    /// Answers received in it, to messages of the same stretch (warm-up or window).
    package var received: Int
    /// Connections open at its end.
    package var open: Int
    /// Messages waiting for an answer at its end.
    package var waiting: Int
    /// Messages given up in it after the timeout.
    package var unanswered: Int
    /// Round trips that ended in it.
    package var rtt: LatencySummary
    /// Standard error of the median round trip in nanoseconds; nil for too few samples.
    package var medianError: Double?
    /// Failures in it.
    package var errors: Int
    /// CPU share of the busiest loop thread, 1 for a whole core; nil if not measured.
    package var cpu: Double?
    /// p99 delay of the slowest event loop in nanoseconds; nil if not measured.
    package var loopDelay: Int64?

    /// Creates an interval from the figures counted in it.
    package init(
      start: Int64, duration: Int64, sent: Int, received: Int, open: Int, waiting: Int = 0,
      unanswered: Int = 0, rtt: LatencySummary,
      medianError: Double? = nil, errors: Int, cpu: Double? = nil, loopDelay: Int64? = nil
    ) {
      self.start = start
      self.duration = duration
      self.sent = sent
      self.received = received
      self.open = open
      self.waiting = waiting
      self.unanswered = unanswered
      self.rtt = rtt
      self.medianError = medianError
      self.errors = errors
      self.cpu = cpu
      self.loopDelay = loopDelay
    }

    /// Whether the interval is long enough to compare its rates with those of others.
    package var isWhole: Bool { duration >= Self.shortest }

    /// Duration in nanoseconds below which rates are too noisy to compare, as in the rest at the
    /// end of a window.
    static let shortest: Int64 = 250_000_000

    /// Answers per second.
    package var receivedRate: Double { rate(received) }

    /// Messages sent per second.
    package var sentRate: Double { rate(sent) }

    private func rate(_ count: Int) -> Double {
      duration > 0 ? Double(count) / Double(duration) * 1e9 : 0
    }
  }

  /// The intervals in chronological order.
  package private(set) var intervals: [Interval] = []
  /// The round trips of each interval.
  private var samples: [PackedHistogram] = []
  /// How many appended intervals make one interval of the series, and how many are in the last one.
  private var stride = 1
  private var parts = 1
  private let limit: Int

  /// - Parameter limit: The maximum number of intervals, at least 2; beyond it neighbours are
  ///   joined in pairs.
  package init(limit: Int = 600) { self.limit = max(2, limit) }

  /// Adds the next interval.
  ///
  /// - Parameters:
  ///   - interval: An interval that begins where the last one ended.
  ///   - buckets: The samples that its `rtt` summarizes.
  mutating func append(_ interval: Interval, _ buckets: HistogramBuckets = HistogramBuckets()) {
    let roundTrips = PackedHistogram(buckets, min: interval.rtt.min, max: interval.rtt.max)
    if parts < stride, let last = intervals.indices.last {
      join(last, interval, roundTrips)
      parts &+= 1
      return
    }
    if intervals.count >= limit { joinPairs() }
    intervals.append(interval)
    samples.append(roundTrips)
    parts = 1
  }

  /// The round trips of one interval in the buckets of a heat map.
  ///
  /// - Parameter index: An index of `intervals`.
  /// - Returns: Buckets with as many samples as the `rtt` of the interval.
  package func heat(_ index: Int) -> HeatBuckets { HeatBuckets(samples[index].buckets) }

  /// Joins the intervals in pairs; the last one stays alone if their number is odd.
  private mutating func joinPairs() {
    let old = (intervals, samples)
    intervals.removeAll(keepingCapacity: true)
    samples.removeAll(keepingCapacity: true)
    for (index, interval) in old.0.enumerated() {
      if index.isMultiple(of: 2) {
        intervals.append(interval)
        samples.append(old.1[index])
      } else {
        join(intervals.count - 1, interval, old.1[index])
      }
    }
    stride &*= 2
  }

  /// Adds an interval to the one before it: counts and samples are added up, `open` and `waiting`
  /// are those of the later interval, and CPU share and delay are the larger ones.
  private mutating func join(
    _ index: Int, _ next: Interval, _ roundTrips: PackedHistogram
  ) {
    var histogram = samples[index].histogram
    histogram.merge(roundTrips.histogram)
    let buckets = histogram.buckets
    samples[index] = PackedHistogram(buckets, min: histogram.min, max: histogram.max)
    var joined = intervals[index]
    joined.duration &+= next.duration
    joined.sent &+= next.sent
    joined.received &+= next.received
    joined.open = next.open
    joined.waiting = next.waiting
    joined.unanswered &+= next.unanswered
    (joined.rtt, joined.medianError) = histogram.summaryAndMedianError(buckets)
    joined.errors &+= next.errors
    joined.cpu = [joined.cpu, next.cpu].compactMap { $0 }.max()
    joined.loopDelay = [joined.loopDelay, next.loopDelay].compactMap { $0 }.max()
    intervals[index] = joined
  }

  /// Whether the median round trip stayed steady. Intervals with too few samples are left out.
  package var latencySteadiness: Steadiness {
    Steadiness.judge(
      intervals.compactMap { interval in
        guard interval.isWhole, case .value(let ns)? = interval.rtt[.p50] else { return nil }
        return Steadiness.Figure(Double(ns), error: interval.medianError ?? 0)
      })
  }

  /// Whether the number of answers per second stayed steady.
  package var throughputSteadiness: Steadiness {
    Steadiness.judge(
      intervals.filter(\.isWhole).map { interval in
        // The standard deviation of independent arrivals; a schedule with even gaps scatters less.
        let scatter = Double(max(1, interval.received)).squareRoot()
        return Steadiness.Figure(
          interval.receivedRate, error: scatter / Double(interval.duration) * 1e9)
      })
  }

  /// The share of sent messages that were answered in the window, if the backlog of the server grew
  /// from the middle of the window to its end.
  ///
  /// Only meaningful in the open model. nil if the server kept up, or with fewer than two whole
  /// intervals.
  package var backlog: Double? {
    let sent = intervals.reduce(0) { $0 &+ $1.sent }
    let received = intervals.reduce(0) { $0 &+ $1.received }
    guard intervals.count(where: \.isWhole) >= 2, let last = intervals.last?.waiting, sent > 0
    else {
      return nil
    }
    let middle = intervals[(intervals.count - 1) / 2].waiting
    // The growth must exceed counting noise, and the backlog a tenth of all messages.
    let grew = Double(last &- middle) > max(0.25 * Double(last), 3 * Double(sent).squareRoot())
    guard grew, Double(last) > 0.1 * Double(sent) else { return nil }
    return Double(received) / Double(sent)
  }
}

/// A histogram of values, packed into a few kilobytes while a run keeps it.
private struct PackedHistogram: Sendable, Equatable {
  private let counts: [UInt8]
  private let min: Int64?
  private let max: Int64?

  init(_ buckets: HistogramBuckets, min: Int64?, max: Int64?) {
    counts = HistogramCodec.pack(buckets)
    self.min = min
    self.max = max
  }

  var buckets: HistogramBuckets {
    // This cannot fail: `init` packed the counts.
    (try? HistogramCodec.unpack(counts[...])) ?? HistogramBuckets()
  }

  var histogram: LatencyHistogram { LatencyHistogram(buckets, min: min, max: max) }
}
