import NIOCore

/// Figures collected from the loops during a run: the intervals, and both ends of the window.
struct RunRecord {
  /// Window round trips taken from the loops so far.
  private(set) var roundTrips = LatencyHistogram()
  /// The intervals of the warm-up and of the window.
  private(set) var warmUp = IntervalSeries(limit: 60)
  private(set) var window = IntervalSeries(limit: 540)
  /// Samples taken from the loops so far besides those in `roundTrips`; empty unless `takesSamples`.
  private(set) var samples = MetricTable()
  /// The last interval of at least 250 ms, for progress.
  private(set) var latest: IntervalSeries.Interval?
  private(set) var outstanding = 0
  private(set) var errors = 0
  /// Marks of each loop at the beginning and at the end of the window.
  private(set) var marks: [(begin: LoopMark, end: LoopMark)] = []
  private(set) var host: (begin: HostLoad?, end: HostLoad?)
  private(set) var throttling: (begin: CPUQuota.Throttling?, end: CPUQuota.Throttling?)
  private(set) var openFiles: Int?

  private var loads: [ThreadLoad?]
  private var sent = 0
  private var answered = 0
  private var failures = 0
  /// Window messages given up so far after the timeout.
  private(set) var unanswered = 0
  /// When the last interval ended, in nanoseconds of `MonotonicClock`.
  private var tickedUntil: Int64 = 0
  private var stretch: LoadLoop.Stretch?

  /// Whether samples of all metrics are taken at the end of each interval.
  private let takesSamples: Bool

  init(loops: Int, takesSamples: Bool) {
    loads = Array(repeating: nil, count: loops)
    self.takesSamples = takesSamples
  }

  /// Collects what happened since the last tick as one interval.
  ///
  /// - Parameters:
  ///   - stretch: The stretch that is running.
  ///   - loops: All loops of the run.
  ///   - start: When the stretch began, in nanoseconds of `MonotonicClock`.
  ///   - windowFrom: When the window begins, on the same clock.
  ///   - end: When the interval ends, on the same clock.
  /// - Returns: The interval, and the samples taken in it.
  mutating func tick(
    _ stretch: LoadLoop.Stretch, _ loops: [NIOLoopBound<LoadLoop>], from start: Int64,
    windowFrom: Int64, until end: Int64
  ) async -> (interval: LoadReport.Interval, samples: MetricTable) {
    if self.stretch != stretch {
      self.stretch = stretch
      (sent, answered, failures, unanswered, tickedUntil) = (0, 0, 0, 0, start)
    }
    var roundTrips = LatencyHistogram()
    var samples = MetricTable()
    let takesSamples = takesSamples
    var sum = (
      sent: 0, answered: 0, errors: 0, allErrors: 0, outstanding: 0, waiting: 0, unanswered: 0,
      open: 0
    )
    var cpu: Double?
    var delay: Int64?
    for (index, loop) in loops.enumerated() {
      guard
        let taken = try? await loop.eventLoop.submit({
          loop.value.snapshot(of: stretch, takesSamples: takesSamples)
        }).get()
      else { continue }
      roundTrips.merge(taken.roundTrips)
      samples.merge(taken.samples)
      sum.sent &+= taken.sent
      sum.answered &+= taken.answered
      sum.errors &+= taken.errors
      sum.allErrors &+= taken.allErrors
      sum.outstanding &+= taken.outstanding
      sum.waiting &+= taken.waiting
      sum.unanswered &+= taken.unanswered
      sum.open &+= taken.open
      if let share = loads[index]?.sample(wall: taken.wall, cpu: taken.cpu) {
        cpu = max(cpu ?? 0, share)
      }
      loads[index] = ThreadLoad(wall: taken.wall, cpu: taken.cpu)
      if let late = taken.delay { delay = max(delay ?? 0, late) }
    }
    if case .window = stretch { self.roundTrips.merge(roundTrips) }
    (outstanding, errors) = (sum.outstanding, sum.allErrors)
    let now = max(tickedUntil, end)
    let buckets = roundTrips.buckets
    let (rtt, medianError) = roundTrips.summaryAndMedianError(buckets)
    let interval = IntervalSeries.Interval(
      start: tickedUntil &- windowFrom, duration: now &- tickedUntil, sent: sum.sent &- sent,
      received: sum.answered &- answered, open: sum.open, waiting: sum.waiting,
      unanswered: sum.unanswered &- unanswered, rtt: rtt,
      medianError: medianError, errors: sum.errors &- failures, cpu: cpu,
      loopDelay: delay)
    (sent, answered, failures, unanswered, tickedUntil) = (
      sum.sent, sum.answered, sum.errors, sum.unanswered, now
    )
    if interval.isWhole { latest = interval }
    switch stretch {
    case .warmUp: warmUp.append(interval, buckets)
    case .window: window.append(interval, buckets)
    }
    self.samples.merge(samples)
    if case .window = stretch { samples.merge(roundTrips, .roundTrip) }
    return (LoadReport.Interval(interval, heat: HeatBuckets(buckets)), samples)
  }

  /// Collects the samples since the last tick, or since this was last called.
  ///
  /// - Parameter loops: All loops of the run.
  /// - Returns: The samples; empty unless `takesSamples`.
  mutating func takeSamples(_ loops: [NIOLoopBound<LoadLoop>]) async -> MetricTable {
    var samples = MetricTable()
    guard takesSamples else { return samples }
    for loop in loops {
      guard
        let taken = try? await loop.eventLoop.submit({ loop.value.figures.metrics.take() }).get()
      else { continue }
      samples.merge(taken)
    }
    self.samples.merge(samples)
    return samples
  }

  /// Records the state of the host when the window begins.
  mutating func begin() {
    host.begin = HostLoad.current()
    throttling.begin = CPUQuota.throttling()
  }

  /// Records the state of the host and the marks of the loops when the window is over.
  mutating func end(_ loops: [NIOLoopBound<LoadLoop>]) async {
    host.end = HostLoad.current()
    throttling.end = CPUQuota.throttling()
    openFiles = OpenFileCount.current()
    for loop in loops {
      let taken = try? await loop.eventLoop.submit({ loop.value.marks }).get()
      if let begin = taken?.begin, let end = taken?.end { marks.append((begin, end)) }
    }
  }
}
