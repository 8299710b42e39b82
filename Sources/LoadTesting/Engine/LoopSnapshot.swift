import WebSocketNIO
import WebSocketProtocol

/// The state of one event loop at the end of an interval.
struct LoopSnapshot: Sendable {
  /// Messages sent, and messages answered, since the beginning of the stretch.
  var sent: Int
  var answered: Int
  /// Round trips since the last snapshot.
  var roundTrips: LatencyHistogram
  /// Errors since the beginning of the stretch, and since the beginning of the run.
  var errors: Int
  var allErrors: Int
  var outstanding: Int
  /// The window messages among the outstanding ones.
  var waiting: Int
  /// Window messages given up after the timeout since the beginning of the window.
  var unanswered: Int
  var open: Int
  /// CPU time that the thread has used so far, without polling to stay awake, in nanoseconds; and
  /// the time at which it was read, in nanoseconds of `MonotonicClock`.
  var cpu: Int64
  var wall: Int64
  /// p99 of the loop's delay since the last snapshot, in nanoseconds; nil if not measured.
  var delay: Int64?
  /// All other samples since they were last taken; empty unless asked for.
  var samples: MetricTable
}

/// The state of one event loop at the beginning or the end of the window.
struct LoopMark: Sendable {
  var traffic: LoopTraffic
  /// As in `LoopSnapshot`.
  var cpu: Int64
  var wall: Int64
  /// CPU time that the thread has spent so far polling to stay awake, in nanoseconds.
  var awake: Int64
  /// p99 of the loop's delay since the last mark, in nanoseconds; nil if not measured.
  var delay: Int64?
}

extension LoadLoop {
  /// The parts of a run that have separate intervals.
  enum Stretch: Sendable {
    case warmUp
    case window
  }

  /// Takes the figures of the interval that ends now.
  ///
  /// - Parameters:
  ///   - stretch: The stretch that is running.
  ///   - takesSamples: Whether to take the samples of all metrics, and not only the round trips.
  /// - Returns: The figures; counts since the stretch began, samples since the last snapshot.
  func snapshot(of stretch: Stretch, takesSamples: Bool) -> LoopSnapshot {
    let counts: (sent: Int, answered: Int)
    let roundTrips: LatencyHistogram
    let errors: ErrorTally
    let marks = figures.errorMarks
    switch stretch {
    case .warmUp:
      counts = (figures.warmUp.counts.sent, figures.warmUp.counts.answered)
      roundTrips = figures.warmUp.roundTrips.take()
      errors = marks.begin ?? figures.errors
    case .window:
      counts = (figures.counts.sent, figures.counts.answeredInWindow)
      roundTrips = figures.roundTrips.take()
      errors = marks.end ?? figures.errors
    }
    // Errors from before the stretch do not belong to any of its intervals.
    let before = stretch == .warmUp ? marks.start : marks.begin
    return LoopSnapshot(
      sent: counts.sent, answered: counts.answered, roundTrips: roundTrips,
      errors: errors.total &- (before?.total ?? 0), allErrors: figures.errors.total,
      outstanding: figures.outstanding, waiting: figures.counts.waiting,
      unanswered: figures.counts.unanswered, open: open,
      cpu: ThreadClock.now() &- timeAwake,
      wall: MonotonicClock.now(), delay: delay.takeLatest(),
      samples: takesSamples ? figures.metrics.take() : MetricTable())
  }

  func mark() -> LoopMark {
    let lateness = delay.total.estimate(.p99)
    delay.restart(on: eventLoop)
    return LoopMark(
      traffic: traffic, cpu: ThreadClock.now() &- timeAwake, wall: MonotonicClock.now(),
      awake: timeAwake, delay: lateness)
  }
}

/// Bytes transferred by the connections of one loop.
struct LoopTraffic: Sendable {
  var wire = LoadReport.Traffic()
  /// Bytes of compressed messages, before and after compression.
  var compression = CompressionTraffic()

  mutating func add(_ handler: ConnectionHandler) {
    let traffic = handler.traffic
    wire.sent &+= Int(truncatingIfNeeded: traffic.wireOut)
    wire.received &+= Int(truncatingIfNeeded: traffic.wireIn &+ traffic.discarded)
    guard let compressed = handler.compressionTraffic else { return }
    compression.deflatedFrom &+= compressed.deflatedFrom
    compression.deflatedTo &+= compressed.deflatedTo
    compression.inflatedFrom &+= compressed.inflatedFrom
    compression.inflatedTo &+= compressed.inflatedTo
  }
}
