import Conversation
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// The connection of a session and its successors: opened after a loss if a policy says so, or when
/// the user asks for one.
actor Reconnector {
  /// A notice for the user.
  enum Notice: Sendable {
    /// A connection has ended; `isWanted` if the user asked for it.
    case ended(CloseOutcome, CloseCircumstances, isWanted: Bool)
    case failed(ConnectError, ClientConfiguration)
    /// `pause` is the time in ns until the next attempt, `attempt` its number.
    case waiting(pause: Int64, attempt: Int, limit: Int?)
    case opening(WebSocketURL)
    /// A URL from the user could not be opened; the prompt remains.
    case stranded
  }

  /// The open connection, or the last one.
  private(set) var connection: Connection
  private(set) var client: ClientConfiguration
  /// The number of the connection, from 1.
  private(set) var number = 1
  private(set) var isConnected = true
  /// The user wants to leave.
  private(set) var isLeaving = false

  private var policy: ReconnectPolicy?
  private let open: @Sendable (ClientConfiguration) async throws -> Connection
  private let tell: @Sendable (Notice) -> Void
  /// The configuration to open once this connection is closed, at the user's request.
  private var wanted: ClientConfiguration?
  private var waiting: CheckedContinuation<Step, Never>?
  /// The number of the current attempt, to recognize the result of an abandoned one.
  private var attempt = 0

  private enum Step: Sendable {
    case opened(Connection)
    case failed(ConnectError)
    case retry
    case open(ClientConfiguration)
    case leave
  }

  /// - Parameters:
  ///   - first: the first connection, already open.
  ///   - client: the configuration of the first connection.
  ///   - policy: the reconnection policy; nil ends with the first connection.
  ///   - open: opens another connection.
  ///   - tell: called with each notice.
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

  /// Runs `talk` on one connection after the other until there is no further one.
  ///
  /// - Parameter talk: runs until its connection has ended; returns how it ended and in what
  ///   circumstances.
  /// - Returns: the exit code of the last connection; 0 if the user wanted to leave.
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
        // If the user wanted to leave, the peer's reaction does not matter.
        return isLeaving ? .ok : status
      }
    }
  }

  /// Connects to another URL, or to the same one again.
  func go(to endpoint: ClientConfiguration?) async {
    let endpoint = endpoint ?? client
    if isConnected {
      wanted = endpoint
      await connection.close(CloseFrame(.normal))
    } else {
      step(.open(endpoint))
    }
  }

  func leave(_ frame: CloseFrame) async {
    isLeaving = true
    if isConnected { await connection.close(frame) }
    step(.leave)
  }

  // MARK: The next connection

  private func successor(of outcome: CloseOutcome) async -> Result<Connection, ExitStatus> {
    var status = ExitStatus(outcome)
    var next: Step
    if isLeaving { return .failure(.ok) }
    /// Whether the user, not the policy, requested the connection.
    var isAsked = false
    if let wanted {
      next = .open(wanted)
    } else if let pause = Self.shouldReconnect(outcome) ? nextPause() : nil {
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
      case .open(let endpoint):
        isAsked = true
        client = endpoint
        next = await attemptToOpen()
      case .retry:
        next = await attemptToOpen()
      case .failed(let error):
        tell(.failed(error, client))
        status = ExitStatus(error)
        if !isAsked, let pause = nextPause() {
          next = await wait(pause)
        } else if isAsked {
          // A typing error in a URL must not end the session.
          tell(.stranded)
          next = await nextStep()
        } else {
          return .failure(status)
        }
      }
    }
  }

  /// A peer that closes with 1000 has finished; one that violates the protocol would do so again.
  private static func shouldReconnect(_ outcome: CloseOutcome) -> Bool {
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
      // The attempt has been abandoned.
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
