import WebSocketNIO
import WebSocketProtocol

/// The state of one event loop, for the second that is over.
struct LoopSnapshot: Sendable {
  /// Messages sent, and answered in time, since the beginning of the stretch.
  var sent: Int
  var answered: Int
  /// Round trips since the last snapshot.
  var roundTrips: LatencyHistogram
  /// Since the beginning of the stretch, and of the run.
  var errors: Int
  var allErrors: Int
  var outstanding: Int
  /// Of these, the window messages.
  var waiting: Int
  /// Window messages given up since the beginning of the window.
  var unanswered: Int
  var open: Int
  /// CPU that the thread has used so far for anything but staying awake, in nanoseconds, and when this was.
  var cpu: Int64
  var wall: Int64
  /// p99 of the loop's delay since the last snapshot, in nanoseconds.
  var delay: Int64?
}

/// The state of one event loop at the beginning or the end of the window.
struct LoopMark: Sendable {
  var traffic: LoopTraffic
  /// As in a snapshot.
  var cpu: Int64
  var wall: Int64
  /// CPU that the thread has spent on staying awake so far, in nanoseconds.
  var awake: Int64
  /// p99 of the loop's delay since the last mark, in nanoseconds.
  var delay: Int64?
}

extension LoadLoop {
  /// The stretches that are watched apart.
  enum Stretch: Sendable {
    case warmUp
    case window
  }

  func snapshot(of stretch: Stretch) -> LoopSnapshot {
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
    // Messages and errors from before the stretch belong to no interval of it.
    let before = stretch == .warmUp ? marks.start : marks.begin
    return LoopSnapshot(
      sent: counts.sent, answered: counts.answered, roundTrips: roundTrips,
      errors: errors.total &- (before?.total ?? 0), allErrors: figures.errors.total,
      outstanding: figures.outstanding, waiting: figures.counts.waiting,
      unanswered: figures.counts.unanswered, open: open,
      cpu: ThreadClock.now() &- timeAwake,
      wall: MonotonicClock.now(), delay: delay.takeLatest())
  }

  func mark() -> LoopMark {
    let lateness = delay.total.estimate(.p99)
    delay.restart(on: eventLoop)
    return LoopMark(
      traffic: traffic, cpu: ThreadClock.now() &- timeAwake, wall: MonotonicClock.now(),
      awake: timeAwake, delay: lateness)
  }
}

/// Bytes of the connections of one loop.
struct LoopTraffic: Sendable {
  var wire = LoadReport.Traffic()
  /// Of compressed messages, before and after.
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
