import Conversation
import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The configuration of `send --script`.
struct ScriptConfiguration: Sendable {
  var script: Script
  /// The name of its file, for messages.
  var name: String
  /// The directory of the files that `>@` sends.
  var directory: String
  var kind: MessageKind
  /// How long a step waits before it fails, in nanoseconds.
  var wait: Int64
  var environment: [String: String]
  var acceptedCloses: CloseCodes?
  var waitUp: Int64?
  /// Returns the client configuration for a URL, according to the options; nil stands for the URL
  /// of the command.
  var endpoint: @Sendable (String?) throws -> ClientConfiguration
}

/// Drives a `ScriptMachine`: performs its effects one after the other, and passes it events.
final class ScriptSession: PlayedOneShot {
  private let configuration: ScriptConfiguration
  private let environment: RunEnvironment
  private let inbox = ScriptInbox()
  let played: PlayedRun

  init(_ configuration: ScriptConfiguration, number: Int, _ environment: RunEnvironment) {
    self.configuration = configuration
    self.environment = environment
    played = PlayedRun(
      number: 1 + (number - 1) * configuration.script.connectionCount, command: "send",
      waitUp: configuration.waitUp, acceptedCloses: configuration.acceptedCloses, environment,
      onEnd: { [inbox] in await inbox.close() })
  }

  private var context: CommandContext { environment.context }

  func run() async -> ExitStatus {
    var machine = ScriptMachine(
      configuration.script, kind: configuration.kind,
      variables: ScriptVariables(environment: configuration.environment),
      limits: ScriptMachine.Limits(wait: configuration.wait))
    var course = Course()
    var next: ScriptMachine.Event? = .start
    var effects: [ScriptMachine.Effect] = []
    while machine.result == nil, let event = next {
      var moment = ScriptMachine.Moment(monotonic: Self.now)
      machine.handle(event, at: &moment, into: &effects)
      for effect in effects { await perform(effect, &course) }
      effects.removeAll(keepingCapacity: true)
      next = course.answer
      course.answer = nil
      guard next == nil, machine.result == nil else { continue }
      next = await inbox.event(
        until: machine.nextDeadline.map { .uptimeNanoseconds(UInt64(max($0, 0))) })
      if next == nil { break }
    }
    await inbox.close()
    _ = await course.opening?.value
    // Steps after a failure or an early end are reported as not reached.
    for step in configuration.script.steps.dropFirst(machine.position + 1)
    where Script.isTest(step.action) {
      played.add(name(step), failure: "not reached")
    }
    return await played.concluded(course.status)
  }

  private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

  /// The state that effects change.
  private struct Course {
    var status = ExitStatus.ok
    /// The answer to the effect of a step.
    var answer: ScriptMachine.Event?
    /// The connection being opened; returns why it did not open.
    var opening: Task<Failure?, Never>?
  }

  /// The reason why a step failed, for the reports.
  private struct Failure: Sendable {
    /// The exit status; nil if the expected message did not arrive.
    var status: ExitStatus?
    var instead: String
    /// Whether the connection that did not open has reported it already.
    var isReported = false
  }

  // MARK: Effects

  private func perform(_ effect: ScriptMachine.Effect, _ course: inout Course) async {
    switch effect.work {
    case .connect(let id, _, let url):
      course.opening = Task { await self.open(id, url) }
    case .report(let report): await self.report(report, &course)
    case .settle(let id): await connection(id)?.settle()
    case .pauseReading(let id, let isPaused): await inbox.setPaused(id, isPaused)
    case .tooManySteps(let line, let bytes):
      context.warn(
        "\(shown(configuration.name)):\(line): the regular expression needs too many steps on a "
          + "message of \(Figures.bytes(bytes)); rule skipped")
    case .send, .sendFile, .ping, .close, .status, .reset, .stall:
      let obstacle = await transmit(effect.work)
      switch effect.origin {
      case .step: course.answer = obstacle.map { .notPerformed($0) } ?? .performed
      case .rule(let line): if let obstacle { report(obstacle, ofRuleIn: line, &course) }
      case .machine: break
      }
    }
  }

  private func connection(_ id: ScriptMachine.ConnectionID) -> PlayedConnection? {
    played["\(id)"]
  }

  /// - Returns: the reason why it could not be done; nil if it was done.
  private func transmit(_ work: ScriptMachine.Work) async -> ScriptMachine.Obstacle? {
    switch work {
    case .send(.connection(let id), let kind, let payload): return await send(kind, payload, id)
    case .sendFile(.connection(let id), let path):
      switch contents(path) {
      case .success(let payload): return await send(configuration.kind, payload, id)
      case .failure(let failure): return .other(failure.message)
      }
    case .ping(.connection(let id), let payload):
      guard let connection = connection(id) else { return .closing(id) }
      // Recorded before it is sent, like messages.
      environment.recorder.write(connection: connection.number) { $0.ping(.outgoing, payload) }
      do {
        try await connection.connection.ping(payload)
      } catch {
        return .closing(id)
      }
      return nil
    case .close(.connection(let id), let frame):
      await connection(id)?.beginClose(frame)
      return nil
    case .connect, .report, .settle, .pauseReading, .tooManySteps, .send, .sendFile, .ping, .close,
      .status, .reset, .stall:
      preconditionFailure("send scripts do not have this effect")
    }
  }

  private func send(
    _ kind: MessageKind, _ payload: [UInt8], _ id: ScriptMachine.ConnectionID
  ) async -> ScriptMachine.Obstacle? {
    guard let connection = connection(id) else { return .closing(id) }
    let message = OutgoingMessage(kind, payload)
    environment.recorder.write(connection: connection.number) { $0.sent(message) }
    do {
      try await connection.connection.send([message])
    } catch {
      return .closing(id)
    }
    return nil
  }

  private func contents(_ path: String) -> Result<[UInt8], CommandFailure> {
    let whole = path.hasPrefix("/") ? path : configuration.directory + path
    do {
      let bytes = try FileContents.readFile(whole)
      if configuration.kind == .text, let problem = InvalidText(bytes) {
        throw CommandFailure(.usage, "\(whole) is \(problem.message); --binary sends it unchanged")
      }
      return .success(bytes)
    } catch {
      return .failure(error as? CommandFailure ?? CommandFailure(.usage, "\(error)"))
    }
  }

  /// Opens a connection, concurrently with events of the others.
  private func open(_ id: ScriptMachine.ConnectionID, _ url: String?) async -> Failure? {
    do {
      let client = try configuration.endpoint(url)
      try await played.open("\(id)", client) { [inbox] arrival in
        switch arrival {
        case .message(let kind, let payload):
          await inbox.take(.message(id, kind, payload), from: id)
        case .pong(let payload): await inbox.take(.pong(id, payload), from: id)
        case .ended(let outcome): await inbox.take(.ended(id, outcome), from: id)
        case .nothing: break
        }
      }
    } catch {
      await inbox.post(.notPerformed(.notOpened))
      switch error {
      case let error as PlayedRun.OpeningFailure:
        return Failure(status: error.status, instead: error.cause, isReported: true)
      case let error as CommandFailure: return Failure(status: error.status, instead: error.message)
      default: return Failure(status: .usage, instead: "\(error)")
      }
    }
    await inbox.post(.opened(id))
    await inbox.post(.performed)
    return nil
  }

  // MARK: Reports

  private func endpoint(_ step: Script.Step) -> String {
    "\(shown(configuration.name)):\(step.line)"
  }
  private func name(_ step: Script.Step) -> String { "line \(step.line): \(shown(step.text))" }

  private func shown(_ text: String) -> String {
    ControlCharacters.escaped(
      Array(text.utf8), keepingNewlines: false, highlight: false, keepingBlanks: false)
  }

  private func report(_ report: ScriptMachine.StepReport, _ course: inout Course) async {
    let step = configuration.script.steps[report.index]
    guard let failure = report.failure else {
      played.add(name(step), failure: nil)
      if case .connect = step.action { return }
      context.inform("met: \(endpoint(step)): \(shown(step.text))")
      return
    }
    let said: Failure
    if case .notOpened = failure {
      said = await course.opening?.value ?? Failure(status: nil, instead: "")
    } else {
      said = await explanation(of: failure)
    }
    course.status = said.status ?? .expectationFailed
    played.add(name(step), failure: said.instead)
    explain(step, said)
  }

  /// Reports a rule that failed because of the user's input; a closing connection does not need a
  /// message of its own.
  private func report(
    _ obstacle: ScriptMachine.Obstacle, ofRuleIn line: Int, _ course: inout Course
  ) {
    guard case .other(let problem) = obstacle else { return }
    if course.status == .ok { course.status = .usage }
    context.explain(
      Diagnosis(
        cause: "\(shown(configuration.name)):\(line): the rule failed",
        details: ["got: \(problem)"]))
  }

  private func explain(_ step: Script.Step, _ failure: Failure) {
    let cause =
      switch step.action {
      case .expect: "the expected message did not arrive"
      case .expectNone: "a message arrived where none was expected"
      case .expectClose: "the peer did not close as expected"
      case .ping: "no pong arrived"
      case .connect: "the connection did not open"
      case .send, .sendBytes, .sendFile, .wait, .close, .status, .reset, .stall, .nothing:
        "the step failed"
      }
    let details = ["step: \(shown(step.text))"]
    context.explain(
      Diagnosis(
        cause: "\(endpoint(step)): \(cause)",
        details: failure.isReported ? details : details + ["got: \(failure.instead)"]))
  }

  private func explanation(of failure: ScriptMachine.Failure) async -> Failure {
    var closeLine = ""
    var status: ExitStatus?
    switch failure {
    case .invalid, .other: status = .usage
    case .unexpectedClose(let id, let outcome): closeLine = await line(outcome, id)
    case .ended(let id, let outcome, _):
      closeLine = await line(outcome, id)
      // If we closed the connection, the script wanted its end.
      if case .closed(_, by: .us) = outcome {} else { status = ExitStatus(outcome) }
    case .nothing, .unexpected, .stillOpen, .closing, .notOpened: break
    }
    return Failure(
      status: status == .ok ? nil : status,
      instead: ScriptFailureText.got(failure) { _ in closeLine })
  }

  private func line(_ outcome: CloseOutcome, _ id: ScriptMachine.ConnectionID) async -> String {
    guard let connection = connection(id) else { return "" }
    return CloseText.line(outcome, await connection.circumstances)
  }
}
