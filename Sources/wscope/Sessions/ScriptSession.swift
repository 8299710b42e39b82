import Conversation
import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// What `send --script` is about.
struct ScriptConfiguration: Sendable {
  var script: Script
  /// The name of its file, for what is told of it.
  var name: String
  /// Where the files of `>@` are looked for.
  var directory: String
  var kind: MessageKind
  /// For how long a step waits, in ns.
  var wait: Int64
  var environment: [String: String]
  var acceptedCloses: CloseCodes?
  var waitUp: Int64?
  /// A client as the options say, for a URL; nil for the command's own.
  var place: @Sendable (String?) throws -> ClientConfiguration
}

/// Does the steps of a script, one after the other, until one fails.
final class ScriptSession: PlayedOneShot {
  private let configuration: ScriptConfiguration
  private let surroundings: RunSurroundings
  let played: PlayedRun

  private struct Failure: Error {
    /// nil: what was expected did not come.
    var status: ExitStatus?
    var instead: String
    /// Told already, by the connection that did not open.
    var isTold = false
  }

  init(_ configuration: ScriptConfiguration, number: Int, _ surroundings: RunSurroundings) {
    self.configuration = configuration
    self.surroundings = surroundings
    played = PlayedRun(
      number: 1 + (number - 1) * configuration.script.connectionCount, command: "send",
      waitUp: configuration.waitUp, acceptedCloses: configuration.acceptedCloses, surroundings)
  }

  private var context: CommandContext { surroundings.context }

  func run() async -> ExitStatus {
    var status = ExitStatus.ok
    var variables = ScriptVariables(environment: configuration.environment)
    for step in configuration.script.steps {
      let isTest = Script.isTest(step.action)
      // What comes behind a failure is reported as not reached.
      guard status == .ok, played.ending == nil else {
        if isTest { played.add(name(step), failure: "not reached") }
        continue
      }
      do throws(Failure) {
        try await perform(step, &variables)
        guard isTest, played.ending == nil else { continue }
        played.add(name(step), failure: nil)
        if case .connect = step.action { continue }
        context.inform("met: \(place(step)): \(shown(step.text))")
      } catch {
        guard played.ending == nil else { continue }
        status = error.status ?? .expectationFailed
        played.add(name(step), failure: error.instead)
        tell(step, error)
      }
    }
    return await played.concluded(status)
  }

  // MARK: Telling

  private func place(_ step: Script.Step) -> String {
    "\(shown(configuration.name)):\(step.line)"
  }
  private func name(_ step: Script.Step) -> String { "line \(step.line): \(shown(step.text))" }

  private func shown(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }

  private func tell(_ step: Script.Step, _ failure: Failure) {
    let cause =
      switch step.action {
      case .expect: "what was expected did not come"
      case .expectNone: "a message came where none was expected"
      case .expectClose: "the peer did not close as expected"
      case .ping: "no pong came"
      case .connect: "the connection did not open"
      case .send, .sendBytes, .sendFile, .wait, .close: "this could not be done"
      }
    let details = ["step: \(shown(step.text))"]
    context.explain(
      Diagnosis(
        cause: "\(place(step)): \(cause)",
        details: failure.isTold ? details : details + ["got: \(failure.instead)"]))
  }

  // MARK: Doing

  private func perform(
    _ step: Script.Step, _ variables: inout ScriptVariables
  ) async throws(Failure) {
    let name = step.connection ?? ""
    if case .connect(let url) = step.action {
      try await connect(name, url.map { variables.text($0) })
      return
    }
    guard let connection = played[name] else {
      // Only a wait can stand before the first connection.
      if case .wait(let duration) = step.action { await played.pause(duration) }
      return
    }
    switch step.action {
    case .connect: break
    case .sendBytes(let bytes): try await send(.binary, bytes, connection)
    case .send(let template):
      try await send(configuration.kind, Array(variables.text(template).utf8), connection)
    case .sendFile(let template):
      try await send(configuration.kind, try contents(variables.text(template)), connection)
    case .expect(let want, let capture):
      try await expect(want, capture, connection, &variables)
    case .expectNone(let duration): try await expectNone(duration, connection)
    case .expectClose(let codes): try await expectClose(codes, connection)
    case .wait(let duration): await played.pause(duration)
    case .ping(let template):
      try await ping(Array(variables.text(template).utf8), connection)
    case .close(let code, let reason):
      let frame = CloseFrame(code, reason: variables.text(reason))
      let outcome = await connection.close(frame)
      // A peer answers with our code, whichever that is.
      if case .closed(_, by: .us) = outcome { await connection.settle() }
    }
  }

  private func connect(_ name: String, _ url: String?) async throws(Failure) {
    let client: ClientConfiguration
    do {
      client = try configuration.place(url)
    } catch {
      let failure = error as? CommandFailure
      throw Failure(status: failure?.status ?? .usage, instead: failure?.words ?? "\(error)")
    }
    do throws(PlayedRun.OpeningFailure) {
      try await played.open(name, client)
    } catch {
      throw Failure(status: error.status, instead: error.cause, isTold: true)
    }
  }

  private func send(
    _ kind: MessageKind, _ payload: [UInt8], _ connection: PlayedConnection
  ) async throws(Failure) {
    let message = OutgoingMessage(kind, payload)
    surroundings.recorder.write(connection: connection.number) { $0.sent(message) }
    do {
      try await connection.connection.send([message])
    } catch {
      // Why it is closing is known in a moment.
      if case .ended(let outcome) = await end(of: connection) {
        throw await failure(outcome, connection)
      }
      throw Failure(instead: "a connection that is closing")
    }
  }

  private func contents(_ path: String) throws(Failure) -> [UInt8] {
    let whole = path.hasPrefix("/") ? path : configuration.directory + path
    do {
      let bytes = try FileContents.readFile(whole)
      guard configuration.kind == .binary || String(validating: bytes, as: UTF8.self) != nil else {
        throw CommandFailure(
          .usage, "\(whole) is not valid UTF-8; to send it as it is: --binary")
      }
      return bytes
    } catch {
      throw Failure(status: .usage, instead: (error as? CommandFailure)?.words ?? "\(error)")
    }
  }

  private var deadline: NIODeadline { .now() + .nanoseconds(configuration.wait) }

  private func expect(
    _ want: Script.Want, _ capture: String?, _ connection: PlayedConnection,
    _ variables: inout ScriptVariables
  ) async throws(Failure) {
    let expectation: ScriptExpectation
    do {
      expectation = try ScriptExpectation(want, variables)
    } catch {
      throw Failure(status: .usage, instead: "a variable that makes it wrong: \(error)")
    }
    let deadline = deadline
    var last: String?
    while true {
      switch await connection.arrival(until: deadline) {
      case .message(let kind, let payload):
        if let value = expectation.value(kind, payload) {
          if let capture { variables.set(capture, value) }
          return
        }
        last = ExpectationText.message(kind, payload)
      case .pong: break
      case .ended(let outcome): throw await failure(outcome, connection, last)
      case .nothing: throw Failure(instead: last ?? nothing(configuration.wait))
      }
    }
  }

  private func nothing(_ wait: Int64) -> String { "nothing within \(Figures.shortDuration(wait))" }

  /// What a step is told that has met the end of its connection.
  private func failure(
    _ outcome: CloseOutcome, _ connection: PlayedConnection, _ last: String? = nil
  ) async -> Failure {
    await connection.settle()
    let words = CloseWords.line(outcome, await connection.circumstances, escapes: true)
    let status = ExitStatus(outcome)
    return Failure(
      status: status == .ok ? nil : status, instead: last.map { "\($0), then: \(words)" } ?? words)
  }

  private func end(of connection: PlayedConnection) async -> PlayedConnection.Arrival {
    let deadline = deadline
    while true {
      let arrival = await connection.arrival(until: deadline)
      switch arrival {
      case .message, .pong: break
      case .ended, .nothing: return arrival
      }
    }
  }

  private func expectNone(_ duration: Int64, _ connection: PlayedConnection) async throws(Failure) {
    let deadline = NIODeadline.now() + .nanoseconds(duration)
    while true {
      switch await connection.arrival(until: deadline) {
      case .message(let kind, let payload):
        throw Failure(instead: ExpectationText.message(kind, payload))
      case .pong: break
      case .ended, .nothing: return
      }
    }
  }

  private func expectClose(_ codes: CloseCodes?, _ connection: PlayedConnection)
    async throws(Failure)
  {
    guard case .ended(let outcome) = await end(of: connection) else {
      throw Failure(
        instead: "no Close within \(Figures.shortDuration(configuration.wait)): it is still open")
    }
    let code: CloseCode
    switch outcome {
    case .closed(let frame, by: .peer): code = frame.reportedCode
    case .lost: code = .abnormal
    case .closed, .failed: throw await failure(outcome, connection)
    }
    let isExpected = codes?.contains(code) ?? (code != .abnormal)
    guard isExpected else {
      var failure = await failure(outcome, connection)
      failure.status = nil
      throw failure
    }
    await connection.settle()
  }

  private func ping(_ payload: [UInt8], _ connection: PlayedConnection) async throws(Failure) {
    // Before it goes, as with messages.
    surroundings.recorder.write(connection: connection.number) { $0.ping(.outgoing, payload) }
    do {
      try await connection.connection.ping(payload)
    } catch {
      throw Failure(instead: "a connection that is closing")
    }
    let deadline = deadline
    var passed: [PlayedConnection.Arrival] = []
    while true {
      let arrival = await connection.arrival(until: deadline)
      switch arrival {
      case .pong(payload):
        await connection.putBack(passed)
        return
      // Messages that come in between are for the steps behind.
      case .message: passed.append(arrival)
      case .pong: break
      case .ended(let outcome): throw await failure(outcome, connection)
      case .nothing: throw Failure(instead: nothing(configuration.wait))
      }
    }
  }
}
