import Conversation
import NIOCore
import NIOPosix
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// A script or a replay: a run whose steps wait for events of its connections.
protocol PlayedOneShot: OneShot {
  var played: PlayedRun { get }
}

extension PlayedOneShot {
  func end(for signal: TerminalSignal) -> Bool {
    guard played.hasOpened else { return false }
    Task { await played.end(.signal(signal)) }
    return true
  }

  func reportInterruption(_ words: String) { played.reportInterruption(words) }
}

/// The connections of one script or replay, by name, with its reports and its end.
final class PlayedRun: Sendable {
  private let environment: RunEnvironment
  private let command: String
  private let waitUp: Int64?
  private let acceptedCloses: CloseCodes?
  private let onEnd: @Sendable () async -> Void
  private let state: Mutex<State>

  private struct State: Sendable {
    var current: [String: PlayedConnection] = [:]
    var all: [PlayedConnection] = []
    var readers: [Task<Void, Never>] = []
    var nextNumber: Int
    var ending: Ending?
    var cases: [TestReport.Case] = []
  }

  private let start = NIODeadline.now()

  /// The reason why the run ends early.
  enum Ending: Sendable {
    case signal(TerminalSignal)
    case outputClosed
    case outputFailed
  }

  /// `number` is that of the first connection; `onEnd` is called when the run ends early.
  init(
    number: Int, command: String, waitUp: Int64?, acceptedCloses: CloseCodes?,
    _ environment: RunEnvironment, onEnd: @escaping @Sendable () async -> Void = {}
  ) {
    self.onEnd = onEnd
    self.environment = environment
    self.command = command
    self.waitUp = waitUp
    self.acceptedCloses = acceptedCloses
    state = Mutex(State(nextNumber: number))
  }

  var ending: Ending? { state.withLock { $0.ending } }
  var hasOpened: Bool { state.withLock { !$0.all.isEmpty } }

  subscript(_ name: String) -> PlayedConnection? { state.withLock { $0.current[name] } }

  /// Opens a connection; reports a failure.
  ///
  /// - Throws: the exit code and the cause.
  func open(
    _ name: String, _ client: ClientConfiguration, sink: PlayedConnection.Sink? = nil
  ) async throws(OpeningFailure) {
    let opening = OpeningConnection(
      client, reaction: .none, command: command,
      patience: waitUp.map { WaitUp($0, isEnough: { _ in false }) },
      isVerbose: environment.output.isVerbose, environment.context)
    let connection: Connection
    switch await opening.result {
    case .success(let opened): connection = opened
    case .failure(let error):
      let number = state.withLock { $0.nextNumber }
      do throws(OutputError) {
        try environment.output.notOpened(error, opening.transcript.heads, number)
      } catch { await failed(error) }
      throw OpeningFailure(
        status: opening.explain(error), cause: opening.diagnosis(of: error).cause)
    }
    let played = state.withLock { state in
      let played = PlayedConnection(connection, state.nextNumber, sink: sink)
      state.nextNumber += 1
      state.current[name] = played
      state.all.append(played)
      return played
    }
    environment.recorder.write(connection: played.number) { $0.opened(connection.info) }
    environment.context.warnAboutIgnoredFields(connection.info)
    do throws(OutputError) {
      try environment.output.opened(connection.info, played.number)
    } catch { await failed(error) }
    let reader = Task { await played.feed(environment) { await self.failed($0) } }
    state.withLock { $0.readers.append(reader) }
    if ending != nil { await played.interrupt() }
  }

  struct OpeningFailure: Error {
    var status: ExitStatus
    var cause: String
  }

  private func failed(_ error: OutputError) async {
    switch error {
    // The reader has closed the stream, as with `| head`: exit quietly.
    case .closed: await end(.outputClosed)
    case .failed(let code, let stream):
      let words = "cannot write \(stream): \(SystemError(code: code).reason)"
      if await end(.outputFailed) { environment.context.explain(Diagnosis(cause: words)) }
    }
  }

  /// Ends the run early; returns false if it is already ending.
  @discardableResult
  func end(_ ending: Ending) async -> Bool {
    let (isFirst, all) = state.withLock { state in
      defer { state.ending = state.ending ?? ending }
      return (state.ending == nil, state.all)
    }
    for connection in all { await connection.interrupt() }
    await onEnd()
    return isFirst
  }

  /// Pauses for a number of nanoseconds, or until the run ends early.
  func pause(_ duration: Int64) async {
    let deadline = NIODeadline.now() + .nanoseconds(duration)
    while deadline > .now(), ending == nil {
      let left = min((deadline - .now()).nanoseconds, 50_000_000)
      try? await Task.sleep(for: .nanoseconds(max(left, 0)))
    }
  }

  // MARK: Reporting and ending

  /// Adds a test to the reports, with the current time.
  func add(_ name: String, failure: String?) {
    let seconds = ExpectationReporter.seconds(.now() - start)
    state.withLock {
      $0.cases.append(TestReport.Case(name: name, seconds: seconds, failure: failure))
    }
  }

  func reportInterruption(_ words: String) {
    add("it runs to the end", failure: words)
    environment.reporter.add(state.withLock { $0.cases })
  }

  /// Closes open connections with 1000, waits until all have ended, and reports.
  ///
  /// - Parameter status: the exit code of the steps.
  /// - Returns: the overall exit code.
  func concluded(_ status: ExitStatus) async -> ExitStatus {
    var worst: (status: ExitStatus, failure: String?) = (.ok, nil)
    for connection in state.withLock({ $0.all }) {
      let outcome = await connection.close(CloseFrame(.normal))
      let bad = await judge(outcome, of: connection)
      if worst.status == .ok { worst = bad }
    }
    for reader in state.withLock({ $0.readers }) { await reader.value }
    if case .signal(let signal) = ending {
      reportInterruption(signal.message)
      return ExitStatus(signal)
    }
    if status == .ok, let failure = worst.failure {
      add("the connection ends normally", failure: failure)
    }
    environment.reporter.add(state.withLock { $0.cases })
    switch ending {
    case .outputFailed: return .outputFailed
    case .outputClosed: return .ok
    case .signal, nil: return status == .ok ? worst.status : status
    }
  }

  private func judge(
    _ outcome: CloseOutcome, of connection: PlayedConnection
  ) async -> (status: ExitStatus, failure: String?) {
    guard await !connection.isSettled else { return (.ok, nil) }
    var status = ExitStatus(outcome)
    let code: CloseCode? =
      switch outcome {
      case .closed(let frame, _): frame.reportedCode
      case .lost: .abnormal
      case .failed: nil
      }
    let unanswered = await connection.isClosedByUs ? CloseText.unanswered(outcome) : nil
    if let code, unanswered != nil || acceptedCloses?.contains(code) ?? false { status = .ok }
    let circumstances = await connection.circumstances
    let context = environment.context
    let line = CloseText.line(outcome, circumstances)
    guard status != .ok else {
      if let unanswered {
        context.inform(unanswered)
      } else if environment.output.isVerbose {
        context.inform(line)
      }
      return (.ok, nil)
    }
    context.warn(line)
    return (status, line)
  }
}
