import NIOCore

/// What is gathered from the loops while a run goes on: the seconds, and the ends of the window.
struct RunRecord {
  /// Round trips of the window that were taken from the loops so far.
  private(set) var roundTrips = LatencyHistogram()
  /// The seconds of the warm-up and of the window.
  private(set) var warmUp = IntervalSeries()
  private(set) var window = IntervalSeries()
  /// The last second, for progress.
  private(set) var latest: IntervalSeries.Interval?
  private(set) var outstanding = 0
  private(set) var errors = 0
  /// At the beginning and the end of the window.
  private(set) var marks: (begin: [LoopMark], end: [LoopMark]) = ([], [])
  private(set) var host: (begin: HostLoad?, end: HostLoad?)
  private(set) var openFiles: Int?

  private var loads: [ThreadLoad?]
  private var sent = 0
  private var answered = 0
  private var failures = 0
  /// Where the last interval ended.
  private var tickedUntil: Int64 = 0
  private var stretch: LoadLoop.Stretch?

  /// Shorter intervals are no second: their rates would jump about.
  static let shortest: Int64 = 250_000_000

  init(loops: Int) { loads = Array(repeating: nil, count: loops) }

  /// Takes what happened since the last tick.
  ///
  /// - Parameters:
  ///   - stretch: What is running.
  ///   - loops: All loops of the run.
  ///   - start: When the stretch began, in nanoseconds of `MonotonicClock`.
  ///   - windowFrom: When the window begins.
  mutating func tick(
    _ stretch: LoadLoop.Stretch, _ loops: [NIOLoopBound<LoadLoop>], from start: Int64,
    windowFrom: Int64
  ) async {
    if self.stretch != stretch {
      self.stretch = stretch
      (sent, answered, tickedUntil) = (0, 0, start)
    }
    var roundTrips = LatencyHistogram()
    var sum = (sent: 0, answered: 0, errors: 0, outstanding: 0, open: 0)
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
      sum.outstanding &+= taken.outstanding
      sum.open &+= taken.open
      if let share = loads[index]?.sample(wall: taken.wall, cpu: taken.cpu) {
        cpu = max(cpu ?? 0, share)
      }
      loads[index] = ThreadLoad(wall: taken.wall, cpu: taken.cpu)
      if let late = taken.delay { delay = max(delay ?? 0, late) }
    }
    if case .window = stretch { self.roundTrips.merge(roundTrips) }
    (outstanding, errors) = (sum.outstanding, sum.errors)
    // What a late tick finds of the warm-up happened before the window.
    let now = stretch == .warmUp ? min(MonotonicClock.now(), windowFrom) : MonotonicClock.now()
    let interval = IntervalSeries.Interval(
      start: tickedUntil &- windowFrom, duration: now &- tickedUntil, sent: sum.sent &- sent,
      received: sum.answered &- answered, open: sum.open, rtt: roundTrips.summary(),
      errors: sum.errors &- failures, cpu: cpu, loopDelay: delay)
    (sent, answered, failures, tickedUntil) = (sum.sent, sum.answered, sum.errors, now)
    guard interval.duration >= Self.shortest else { return }
    latest = interval
    switch stretch {
    case .warmUp: warmUp.append(interval)
    case .window: window.append(interval)
    }
  }

  /// The window begins.
  mutating func begin(_ loops: [NIOLoopBound<LoadLoop>]) async {
    marks.begin = await Self.marks(loops)
    host.begin = HostLoad.current()
  }

  /// The window is over.
  mutating func end(_ loops: [NIOLoopBound<LoadLoop>]) async {
    marks.end = await Self.marks(loops)
    host.end = HostLoad.current()
    openFiles = OpenFileCount.current()
  }

  private static func marks(_ loops: [NIOLoopBound<LoadLoop>]) async -> [LoopMark] {
    var marks: [LoopMark] = []
    for loop in loops {
      if let mark = try? await loop.eventLoop.submit({ loop.value.mark() }).get() {
        marks.append(mark)
      }
    }
    return marks
  }
}
