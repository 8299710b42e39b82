import Conversation
import NIOCore
import NIOPosix
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// A connection of a script or a replay: received events are queued until they are requested, or
/// passed to a sink.
actor PlayedConnection {
  /// An event for a step.
  enum Arrival: Sendable {
    case message(MessageKind, [UInt8])
    case pong([UInt8])
    case ended(CloseOutcome)
    /// No further event before the deadline.
    case nothing
  }

  let number: Int
  nonisolated let connection: Connection
  private(set) var outcome: CloseOutcome?
  private(set) var circumstances: CloseCircumstances
  /// Whether the end of the connection was expected, or has been reported already.
  private(set) var isSettled = false

  /// Whether we started to close it.
  private(set) var isClosedByUs = false

  private var arrivals: [Arrival] = []
  private var next = 0
  private var waiter: CheckedContinuation<Void, Never>?
  private var feeder: CheckedContinuation<Void, Never>?
  private var isInterrupted = false

  /// Reading from the connection stops while more events than this are queued.
  private static let maxWaiting = 1024
  /// Receives the events instead of the queue; nothing more is read until it returns.
  typealias Sink = @Sendable (Arrival) async -> Void
  private let sink: Sink?

  init(_ connection: Connection, _ number: Int, sink: Sink? = nil) {
    self.connection = connection
    self.sink = sink
    self.number = number
    circumstances = CloseCircumstances(connection.info)
  }

  /// Handles the events of the connection until it has ended.
  nonisolated func feed(_ environment: RunEnvironment, failed: (OutputError) async -> Void) async {
    let (output, recorder) = (environment.output, environment.recorder)
    for await burst in connection.events {
      for event in burst {
        recorder.write(event, connection: number)
        do throws(OutputError) {
          try output.show(event, number)
          if case .ended(let outcome, _, let compression) = event {
            try output.ended(outcome, compression, number)
          }
        } catch {
          await failed(error)
        }
        await take(event)
      }
    }
  }

  private func take(_ event: ConnectionEvent) async {
    circumstances.heard(event)
    let arrival: Arrival
    switch event {
    case .message(let kind, let payload, _, _):
      arrival = .message(kind, Array(payload.readableBytesView))
    case .pong(let payload, _): arrival = .pong(Array(payload.readableBytesView))
    case .ended(let outcome, _, _):
      self.outcome = outcome
      arrival = .ended(outcome)
    case .ping, .pinged, .close, .violation, .frame, .linted: return
    }
    if let sink {
      await sink(arrival)
      wake()
      return
    }
    if outcome == nil { arrivals.append(arrival) }
    wake()
    while arrivals.count - next > Self.maxWaiting, !isInterrupted {
      await withCheckedContinuation { feeder = $0 }
    }
  }

  /// The next event; waits for it until the deadline.
  func arrival(until deadline: NIODeadline) async -> Arrival {
    while true {
      if next < arrivals.count {
        defer { consumeOne() }
        return arrivals[next]
      }
      if let outcome { return .ended(outcome) }
      if isInterrupted || deadline <= .now() { return .nothing }
      let timer = Task {
        try await Task.sleep(for: .nanoseconds((deadline - .now()).nanoseconds))
        wake()
      }
      await withCheckedContinuation { waiter = $0 }
      timer.cancel()
    }
  }

  private func consumeOne() {
    next += 1
    if next > Self.maxWaiting / 2 {
      arrivals.removeFirst(next)
      next = 0
    }
    feeder?.resume()
    feeder = nil
  }

  /// Puts back events that were taken but not used.
  func putBack(_ passed: [Arrival]) {
    arrivals.replaceSubrange(..<next, with: passed)
    next = 0
  }

  private func wake() {
    waiter?.resume()
    waiter = nil
  }

  /// Stops waiting, for the step and for room in the queue.
  func interrupt() {
    isInterrupted = true
    wake()
    feeder?.resume()
    feeder = nil
  }

  func settle() { isSettled = true }

  /// Starts closing, if the connection is still open.
  func beginClose(_ frame: CloseFrame) async {
    if outcome == nil { isClosedByUs = true }
    await connection.close(frame)
  }

  /// Closes the connection if it is still open, and waits for its end.
  func close(_ frame: CloseFrame) async -> CloseOutcome {
    await beginClose(frame)
    while true {
      // The close timeout of the connection ends it.
      if case .ended(let outcome) = await arrival(until: .now() + .hours(1)) { return outcome }
      if isInterrupted, let outcome { return outcome }
      if isInterrupted { await withCheckedContinuation { waiter = $0 } }
    }
  }
}
