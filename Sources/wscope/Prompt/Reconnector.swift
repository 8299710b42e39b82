import Conversation
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// The connection of a session, and the next one: after a loss, if that is wanted, and wherever the
/// person wants to go.
actor Reconnector {
  /// What the person is to hear.
  enum Notice: Sendable {
    /// Also whether the person wanted it.
    case ended(CloseOutcome, CloseCircumstances, isWanted: Bool)
    case failed(ConnectError, ClientConfiguration)
    /// ns until the next attempt, and which one it is.
    case waiting(pause: Int64, attempt: Int, limit: Int?)
    case opening(WebSocketURL)
    /// A URL of the person's could not be opened: the prompt stays.
    case stranded
  }

  /// The open connection, or the last one.
  private(set) var connection: Connection
  private(set) var client: ClientConfiguration
  /// The number of the connection, from 1 on.
  private(set) var number = 1
  private(set) var isConnected = true
  /// The person wants to go.
  private(set) var isLeaving = false

  private var policy: ReconnectPolicy?
  private let open: @Sendable (ClientConfiguration) async throws -> Connection
  private let tell: @Sendable (Notice) -> Void
  /// Where the person wants to be once this connection is closed.
  private var wanted: ClientConfiguration?
  private var waiting: CheckedContinuation<Step, Never>?
  /// Tells the attempts apart, for one that nobody waits for any more.
  private var attempt = 0

  private enum Step: Sendable {
    case opened(Connection)
    case failed(ConnectError)
    case retry
    case open(ClientConfiguration)
    case leave
  }

  /// - Parameters:
  ///   - first: open already.
  ///   - client: what it was opened with.
  ///   - policy: nil ends with the first connection.
  ///   - open: opens another one.
  ///   - tell: called on the way.
  init(
    _ first: Connection, to client: ClientConfiguration, policy: ReconnectPolicy?,
    open: @escaping @Sendable (ClientConfiguration) async throws -> Connection,
    tell: @escaping @Sendable (Notice) -> Void
  ) {
    connection = first
    self.client = client
    self.policy = policy
    self.open = open
    self.tell = tell
  }

  /// Talks over one connection after the other until there is none to come.
  ///
  /// - Parameter talk: goes on until its connection has ended, and returns how, and what is known of it.
  /// - Returns: the exit code of the last one; 0 if the person wanted to go.
  func run(
    _ talk: @Sendable (Connection, Int) async -> (CloseOutcome, CloseCircumstances)
  ) async -> ExitStatus {
    while true {
      let began = NIODeadline.now()
      let (outcome, circumstances) = await talk(connection, number)
      isConnected = false
      policy?.ended(lifetime: (NIODeadline.now() - began).nanoseconds)
      tell(.ended(outcome, circumstances, isWanted: isLeaving || wanted != nil))
      switch await successor(of: outcome) {
      case .success(let next):
        connection = next
        number += 1
        isConnected = true
      case .failure(let status):
        // Who wanted to leave has left, whatever the peer made of it.
        return isLeaving ? .ok : status
      }
    }
  }

  /// Goes to another place, or opens the same one anew.
  func go(to place: ClientConfiguration?) async {
    let place = place ?? client
    if isConnected {
      wanted = place
      await connection.close(CloseFrame(.normal))
    } else {
      step(.open(place))
    }
  }

  func leave(_ frame: CloseFrame) async {
    isLeaving = true
    if isConnected { await connection.close(frame) }
    step(.leave)
  }

  // MARK: What comes behind a connection

  private func successor(of outcome: CloseOutcome) async -> Result<Connection, ExitStatus> {
    var status = ExitStatus(outcome)
    var next: Step
    if isLeaving { return .failure(.ok) }
    /// Whether a person, and not the policy, has asked for it.
    var isAsked = false
    if let wanted {
      next = .open(wanted)
    } else if let pause = Self.deservesAnother(outcome) ? nextPause() : nil {
      next = await wait(pause)
    } else {
      return .failure(status)
    }
    wanted = nil
    while true {
      switch next {
      case .leave:
        return .failure(.ok)
      case .opened(let connection):
        return .success(connection)
      case .open(let place):
        isAsked = true
        client = place
        next = await attemptToOpen()
      case .retry:
        next = await attemptToOpen()
      case .failed(let error):
        tell(.failed(error, client))
        status = ExitStatus(error)
        if !isAsked, let pause = nextPause() {
          next = await wait(pause)
        } else if isAsked {
          // A slip in a URL must not end the session.
          tell(.stranded)
          next = await nextStep()
        } else {
          return .failure(status)
        }
      }
    }
  }

  /// A peer that says 1000 has said all it wanted to; one that breaks the protocol will do so again.
  private static func deservesAnother(_ outcome: CloseOutcome) -> Bool {
    switch outcome {
    case .closed(let frame, by: .peer): frame.reportedCode != .normal
    case .closed(_, by: .us), .failed, .lost(.abandoned): false
    case .lost: true
    }
  }

  private func nextPause() -> Int64? {
    policy?.nextPause(dice: Double.random(in: 0...1))
  }

  private func wait(_ pause: Int64) async -> Step {
    tell(.waiting(pause: pause, attempt: policy?.attempts ?? 0, limit: policy?.limit))
    let timer = Task {
      try await Task.sleep(for: .nanoseconds(pause))
      step(.retry)
    }
    defer { timer.cancel() }
    return await nextStep()
  }

  private func attemptToOpen() async -> Step {
    tell(.opening(client.url))
    attempt += 1
    let (attempt, client) = (attempt, client)
    Task {
      do {
        finished(attempt, .opened(try await open(client)))
      } catch {
        let cause = error as? ConnectError
        finished(attempt, .failed(cause ?? .unresolved(host: "", message: "\(error)")))
      }
    }
    return await nextStep()
  }

  private func finished(_ attempt: Int, _ step: Step) {
    guard attempt == self.attempt, waiting != nil, !isLeaving else {
      // Nobody waits for it any more.
      if case .opened(let connection) = step { connection.abandon() }
      return
    }
    self.step(step)
  }

  private func nextStep() async -> Step {
    if isLeaving { return .leave }
    return await withCheckedContinuation { waiting = $0 }
  }

  private func step(_ step: Step) {
    waiting?.resume(returning: step)
    waiting = nil
  }
}
