import WebSocketNIO
import WebSocketProtocol

/// How one event loop stands, for the second that is over.
struct LoopSnapshot: Sendable {
  /// Messages sent and answered since the beginning of the stretch.
  var sent: Int
  var answered: Int
  /// Round trips since the last snapshot.
  var roundTrips: LatencyHistogram
  /// Since the beginning of the run.
  var errors: Int
  var outstanding: Int
  var open: Int
  /// CPU that the thread has used so far for anything but staying awake, in nanoseconds, and when this was.
  var cpu: Int64
  var wall: Int64
  /// p99 of the loop's delay since the last snapshot, in nanoseconds.
  var delay: Int64?
}

/// How one event loop stands at an end of the window.
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
    let sent: Int
    let answered: Int
    let roundTrips: LatencyHistogram
    switch stretch {
    case .warmUp:
      (sent, answered) = (figures.warmUp.sent, figures.warmUp.answered)
      roundTrips = figures.warmUp.roundTrips.take()
    case .window:
      (sent, answered) = (figures.counts.sent, figures.counts.answered)
      roundTrips = figures.roundTrips.take()
    }
    return LoopSnapshot(
      sent: sent, answered: answered, roundTrips: roundTrips, errors: figures.errors.total,
      outstanding: figures.outstanding, open: open, cpu: ThreadClock.now() &- timeAwake,
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
  var payload = LoadReport.Traffic()
  var wire = LoadReport.Traffic()

  mutating func add(_ handler: ConnectionHandler) {
    let traffic = handler.traffic
    payload.sent &+= Int(truncatingIfNeeded: traffic.payloadOut)
    payload.received &+= Int(truncatingIfNeeded: traffic.payloadIn)
    wire.sent &+= Int(truncatingIfNeeded: traffic.wireOut)
    wire.received &+= Int(truncatingIfNeeded: traffic.wireIn &+ traffic.discarded)
  }
}
