import Conversation
import NIOCore
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The configuration of `send --replay`.
struct ReplayConfiguration: Sendable {
  enum Timing: String, CaseIterable, Sendable {
    /// Each message is sent when the replies recorded before it have arrived.
    case fast
    /// Each message is sent at its recorded time after the opening.
    case recorded
  }

  var recording: Recording
  /// The name of its file.
  var name: String
  var timing: Timing
  var client: ClientConfiguration
  /// The time to wait for a reply, in nanoseconds.
  var wait: Int64
  /// The time after the last reply in which no further message may arrive, in nanoseconds.
  var linger: Int64
  var acceptedCloses: CloseCodes?
  var waitUp: Int64?
}

/// Resends the messages recorded as sent, and compares received messages with the recorded ones.
final class ReplaySession: PlayedOneShot {
  private let configuration: ReplayConfiguration
  private let environment: RunEnvironment
  let played: PlayedRun
  private let state = Mutex(State())

  private struct State: Sendable {
    var replies = 0
    var differences = 0
  }

  /// Recorded replies of one connection that have not been compared yet.
  private typealias Owed = [Recording.Event]

  init(_ configuration: ReplayConfiguration, number: Int, _ environment: RunEnvironment) {
    self.configuration = configuration
    self.environment = environment
    let count = Set(configuration.recording.events.map(\.connection)).count
    played = PlayedRun(
      number: 1 + (number - 1) * count, command: "send", waitUp: configuration.waitUp,
      acceptedCloses: configuration.acceptedCloses, environment)
  }

  private var context: CommandContext { environment.context }

  func run() async -> ExitStatus {
    var status = ExitStatus.ok
    let events = configuration.recording.events
    var numbers: [Int] = []
    for event in events where !numbers.contains(event.connection) {
      numbers.append(event.connection)
    }
    for number in numbers where status == .ok && played.ending == nil {
      status = await play(events.filter { $0.connection == number }, "\(number)")
    }
    return await played.concluded(summed(status))
  }

  /// Reports how many replies matched the recording.
  private func summed(_ status: ExitStatus) -> ExitStatus {
    guard status == .ok, played.ending == nil else { return status }
    let (replies, differences) = state.withLock { ($0.replies, $0.differences) }
    guard differences == 0 else {
      context.warn(
        "\(differences) \(differences == 1 ? "difference" : "differences") to \(replies) recorded "
          + (replies == 1 ? "reply" : "replies"))
      return .expectationFailed
    }
    context.inform(replies == 1 ? "1 reply as recorded" : "\(replies) replies as recorded")
    return .ok
  }

  // MARK: Playing

  /// Replays one connection of the recording.
  private func play(_ events: [Recording.Event], _ name: String) async -> ExitStatus {
    do throws(PlayedRun.OpeningFailure) {
      try await played.open(name, configuration.client)
    } catch {
      played.add("connection \(name) opens", failure: error.cause)
      return error.status
    }
    guard let connection = played[name] else { return .ok }
    let opened = NIODeadline.now()
    let origin = events.first?.time ?? 0
    var owed: Owed = []
    var isEnded = false
    for event in events where played.ending == nil {
      switch event.what {
      case .open: continue
      case .received, .closedByPeer:
        owed.append(event)
        continue
      case .sent, .pinged, .closed: break
      }
      switch configuration.timing {
      case .fast: isEnded = await !compare(&owed, connection)
      case .recorded:
        let due = opened + .nanoseconds(event.time - origin)
        await played.pause((due - .now()).nanoseconds)
      }
      guard !isEnded else { break }
      isEnded = await !perform(event, connection)
    }
    if await compare(&owed, connection), !isEnded { await nothingMore(connection) }
    return .ok
  }

  /// Sends a message; returns false if nothing more can be sent.
  private func perform(_ event: Recording.Event, _ connection: PlayedConnection) async -> Bool {
    do {
      switch event.what {
      case .sent(let kind, let payload):
        let message = OutgoingMessage(kind, payload)
        environment.recorder.write(connection: connection.number) { $0.sent(message) }
        try await connection.connection.send([message])
      case .pinged(let payload):
        environment.recorder.write(connection: connection.number) { $0.ping(.outgoing, payload) }
        try await connection.connection.ping(payload)
      case .closed(let frame): await connection.connection.close(frame)
      case .open, .received, .closedByPeer: break
      }
      return true
    } catch {
      differ(event, recorded: "sent: \(message(event.what))", got: "a connection that is closing")
      return false
    }
  }

  // MARK: Comparing

  /// Compares received messages with the recorded ones; returns false if nothing more will arrive.
  private func compare(_ owed: inout Owed, _ connection: PlayedConnection) async -> Bool {
    defer { owed = [] }
    for event in owed where played.ending == nil {
      state.withLock { $0.replies += 1 }
      switch await next(connection, .now() + .nanoseconds(configuration.wait)) {
      case .message(let kind, let payload):
        let isSame = event.what == .received(kind, payload)
        if isSame {
          played.add("line \(event.line): \(message(event.what))", failure: nil)
        } else {
          var difference = ""
          if case .received(_, let recorded) = event.what {
            difference = ExpectationText.difference(recorded, payload)
          }
          differ(
            event, recorded: message(event.what),
            got: ExpectationText.message(kind, payload) + difference)
        }
      case .ended(let outcome):
        await ended(outcome, event, connection)
        return false
      case .nothing, .pong:
        differ(
          event, recorded: message(event.what),
          got: "nothing within \(Figures.shortDuration(configuration.wait))")
        return false
      }
    }
    return true
  }

  private func next(
    _ connection: PlayedConnection, _ deadline: NIODeadline
  ) async -> PlayedConnection.Arrival {
    while true {
      let arrival = await connection.arrival(until: deadline)
      guard case .pong = arrival else { return arrival }
    }
  }

  private func ended(
    _ outcome: CloseOutcome, _ event: Recording.Event, _ connection: PlayedConnection
  ) async {
    await connection.settle()
    let code: CloseCode =
      if case .closed(let frame, _) = outcome { frame.reportedCode } else { .abnormal }
    let circumstances = await connection.circumstances
    let recorded = message(event.what, subprotocol: circumstances.subprotocol)
    guard event.what != .closedByPeer(code) else {
      played.add("line \(event.line): \(recorded)", failure: nil)
      return
    }
    differ(
      event, recorded: recorded, got: CloseText.line(outcome, circumstances))
  }

  /// After this many unrecorded messages, the comparison stops.
  private static let maxUnrecorded = 10

  /// After the last reply, no unrecorded message may arrive.
  private func nothingMore(_ connection: PlayedConnection) async {
    var count = 0
    while played.ending == nil, count < Self.maxUnrecorded {
      let arrival = await next(connection, .now() + .nanoseconds(configuration.linger))
      guard case .message(let kind, let payload) = arrival else { return }
      count += 1
      let got = ExpectationText.message(kind, payload)
      state.withLock { $0.differences += 1 }
      played.add("no more messages", failure: got)
      context.explain(
        Diagnosis(
          cause: "\(configuration.name): a message that was not recorded",
          details: ["got: \(got)"]))
    }
  }

  private func differ(_ event: Recording.Event, recorded: String, got: String) {
    state.withLock { $0.differences += 1 }
    played.add("line \(event.line): \(recorded)", failure: got)
    context.explain(
      Diagnosis(
        cause: "\(configuration.name):\(event.line): the reply differs",
        details: ["recorded: \(recorded)", "got: \(got)"]))
  }

  private func message(_ what: Recording.What, subprotocol: String? = nil) -> String {
    switch what {
    case .open: "open"
    case .sent(let kind, let payload), .received(let kind, let payload):
      ExpectationText.message(kind, payload)
    case .pinged: "ping"
    case .closed(let frame):
      "close \(CloseText.code(frame, subprotocol: subprotocol))"
    case .closedByPeer(let code):
      "closed \(code.rawValue) \(CloseText.name(code, subprotocol: subprotocol))"
    }
  }
}
