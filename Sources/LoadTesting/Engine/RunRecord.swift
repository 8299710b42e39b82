import NIOCore

/// What is gathered from the loops while a run goes on: the seconds, and the ends of the window.
struct RunRecord {
  /// Round trips of the window that were taken from the loops so far.
  private(set) var roundTrips = LatencyHistogram()
  /// The seconds of the warm-up and of the window.
  private(set) var warmUp = IntervalSeries(limit: 60)
  private(set) var window = IntervalSeries(limit: 540)
  /// The last second, for progress.
  private(set) var latest: IntervalSeries.Interval?
  private(set) var outstanding = 0
  private(set) var errors = 0
  /// At the beginning and the end of the window.
  private(set) var marks: [(begin: LoopMark, end: LoopMark)] = []
  private(set) var host: (begin: HostLoad?, end: HostLoad?)
  private(set) var throttling: (begin: CPUQuota.Throttling?, end: CPUQuota.Throttling?)
  private(set) var openFiles: Int?

  private var loads: [ThreadLoad?]
  private var sent = 0
  private var answered = 0
  private var failures = 0
  /// Messages of the stretch that were given up so far.
  private(set) var unanswered = 0
  /// Where the last interval ended.
  private var tickedUntil: Int64 = 0
  private var stretch: LoadLoop.Stretch?

  init(loops: Int) { loads = Array(repeating: nil, count: loops) }

  /// Takes what happened since the last tick.
  ///
  /// - Parameters:
  ///   - stretch: What is running.
  ///   - loops: All loops of the run.
  ///   - start: When the stretch began, in nanoseconds of `MonotonicClock`.
  ///   - windowFrom: When the window begins.
  ///   - end: Where the interval ends.
  mutating func tick(
    _ stretch: LoadLoop.Stretch, _ loops: [NIOLoopBound<LoadLoop>], from start: Int64,
    windowFrom: Int64, until end: Int64
  ) async {
    if self.stretch != stretch {
      self.stretch = stretch
      (sent, answered, failures, unanswered, tickedUntil) = (0, 0, 0, 0, start)
    }
    var roundTrips = LatencyHistogram()
    var sum = (
      sent: 0, answered: 0, errors: 0, allErrors: 0, outstanding: 0, waiting: 0, unanswered: 0,
      open: 0
    )
    var cpu: Double?
    var delay: Int64?
    for (index, loop) in loops.enumerated() {
      guard
        let taken = try? await loop.eventLoop.submit({ loop.value.snapshot(of: stretch) }).get()
      else { continue }
      roundTrips.merge(taken.roundTrips)
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
  }

  /// The window begins.
  mutating func begin() {
    host.begin = HostLoad.current()
    throttling.begin = CPUQuota.throttling()
  }

  /// The window is over.
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
