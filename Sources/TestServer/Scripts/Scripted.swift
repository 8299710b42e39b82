import Conversation
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// A connection that a `ScriptMachine` controls: either by rules, in front of a behaviour for
/// messages that no rule takes, or by steps.
final class Scripted: Behaviour {
  let client: ServedClient
  let context: ScriptedContext
  /// Receives the messages that no rule takes; nil if they are only logged.
  private let inner: (any Behaviour)?
  private let path: String
  private var machine: ScriptMachine
  private var version: Int
  private let openings: [Int]
  private let countsMessages: Bool
  private var messages = 0
  private var effects: [ScriptMachine.Effect] = []
  private var reports: [ScriptSummary.Report] = []
  private var openedAt = NIODeadline.now()
  private var timer: Scheduled<Void>?
  private var transport: (any ConnectionTransport)?
  private var isPaused = false
  /// Whether the connection sends nothing more and no longer handles received bytes.
  private var isStalled = false
  private var hasReset = false

  /// The number of the connection in its machine, which has only this one.
  private static let id = 1

  /// - Parameters:
  ///   - client: The client.
  ///   - inner: Receives the messages that no rule takes; nil if they are only logged.
  ///   - target: The target of the request.
  ///   - work: The steps or rules to execute.
  ///   - context: State shared by all connections.
  init(
    _ client: ServedClient, around inner: (any Behaviour)?, _ target: RequestTarget,
    _ work: RuleBook.Visit, _ context: ScriptedContext
  ) {
    (self.client, self.inner, self.context) = (client, inner, context)
    path = target.path
    let prepared =
      work.prepared ?? PreparedScript(Script(steps: []), ScriptVariables(environment: [:]))
    var variables = context.variables(target)
    variables.predefined["CONN"] = .number("\(client.number)")
    variables.predefined["N"] = .number("0")
    machine = ScriptMachine(
      prepared, kind: context.scripting.kind, variables: variables,
      limits: ScriptMachine.Limits(wait: context.scripting.stepTimeout))
    (version, openings) = (work.version, work.openings)
    countsMessages = prepared.uses("N")
  }

  // MARK: The connection

  func carried(by transport: any ConnectionTransport) -> any ConnectionTransport {
    self.transport = inner?.carried(by: transport) ?? transport
    return self.transport ?? transport
  }

  func opened(_ handler: ConnectionHandler) {
    openedAt = .now()
    client.registry.scripted[client.number] = self
    if let inner { inner.opened(handler) } else { client.opened(handler) }
    try? handler.perform { machine throws(SendError) in
      run(.opened(Self.id, openings: openings), &machine)
      run(.start, &machine)
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    refresh()
    messages += 1
    if countsMessages { self.machine.define("N", .number("\(messages)")) }
    handle(.message(Self.id, kind, Array(payload)))
    switch self.machine.fate {
    case .kept: client.received(kind, payload)
    case .taken(let line):
      client.registry.counters.ruleMatches[line, default: 0] += 1
      client.received(kind, payload, note: MessageNote(rule: Script.ruleName(line)))
    case .unmatched:
      if let inner {
        inner.received(kind, payload, &machine)
      } else {
        client.registry.counters.unmatched += 1
        client.received(kind, payload, note: .unmatched)
      }
    }
    perform(&machine)
  }

  func received(control step: Step, _ machine: inout ConnectionMachine) {
    if let inner { inner.received(control: step, &machine) } else { client.received(step) }
    if case .pong(let payload) = step { run(.pong(Self.id, Array(payload)), &machine) }
  }

  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    while !isStalled, step(&window, &machine) {}
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    if let inner { inner.burstEnded(&machine) } else { client.noteActivity() }
  }

  /// Backpressure: the server does not read from a client that does not read its replies.
  func writabilityChanged(_ isWritable: Bool) {
    inner?.writabilityChanged(isWritable)
    client.handler?.setReading(isWritable && !isPaused)
  }

  func closed(_ outcome: CloseOutcome) {
    let outcome = hasReset ? .lost(.abandoned) : outcome
    handle(.ended(Self.id, outcome))
    client.registry.scripted[client.number] = nil
    // Report first: the log may end when the last client has left.
    performAfterwards()
    // Nothing more can arrive, so the remaining steps run without their pauses.
    while !machine.script.steps.isEmpty, let deadline = machine.nextDeadline {
      handle(.due, at: deadline)
      performAfterwards()
    }
    if let inner { inner.closed(outcome) } else { client.closed(outcome) }
    transport = nil
    schedule()
  }

  // MARK: The machine

  /// Switches to the current rules if they have been replaced.
  private func refresh() {
    guard let book = context.book, machine.script.steps.isEmpty, book.currentVersion != version
    else { return }
    let (version, prepared) = book.rules(for: path)
    self.version = version
    let none = PreparedScript(Script(steps: []), ScriptVariables(environment: [:]))
    machine = machine.replacing(rules: prepared ?? none, at: Self.now)
  }

  private func handle(_ event: ScriptMachine.Event, at time: Int64 = Scripted.now) {
    var moment = ScriptMachine.Moment(monotonic: time, value: context.value)
    machine.handle(event, at: &moment, into: &effects)
  }

  private func run(_ event: ScriptMachine.Event, _ machine: inout ConnectionMachine) {
    handle(event)
    perform(&machine)
  }

  /// Performs effects until none are left, and sets the timer.
  private func perform(_ machine: inout ConnectionMachine) {
    while !effects.isEmpty {
      let batch = effects
      effects = []
      var answer: ScriptMachine.Event?
      for effect in batch {
        let obstacle = perform(effect, &machine)
        guard effect.origin == .step else { continue }
        answer = obstacle.map { .notPerformed($0) } ?? .performed
      }
      if let answer { handle(answer) }
    }
    finish(&machine)
    schedule()
  }

  /// Closes the connection if all steps are done or one has failed.
  private func finish(_ machine: inout ConnectionMachine) {
    guard let result = takeResult() else { return }
    switch result {
    case .done: try? machine.sendClose(CloseFrame(.normal))
    case .failed(let report):
      let line = self.machine.script.steps[report.index].line
      try? machine.sendClose(
        CloseFrame(.policyViolation, reason: "script failed at line \(line)"))
    }
  }

  private var hasReported = false

  /// Returns and reports the result of the script, once.
  private func takeResult() -> ScriptMachine.Result? {
    guard let result = machine.result, !machine.script.steps.isEmpty, !hasReported else {
      return nil
    }
    hasReported = true
    client.registry.report(
      .script(
        client: client.number,
        ScriptSummary(
          script: machine.script, result: result, reports: reports,
          duration: (.now() - openedAt).nanoseconds)))
    return result
  }

  private func schedule() {
    timer?.cancel()
    timer = nil
    guard let deadline = machine.nextDeadline else { return }
    // The actions of a `closed` rule outlive the connection, so the timer keeps a strong reference.
    timer = client.registry.loop.assumeIsolated().scheduleTask(
      deadline: .uptimeNanoseconds(UInt64(max(deadline, 0)))
    ) { [self] in due() }
  }

  private func due() {
    timer = nil
    guard let handler = client.handler else {
      handle(.due)
      performAfterwards()
      return schedule()
    }
    refresh()
    try? handler.perform { machine throws(SendError) in run(.due, &machine) }
  }

  fileprivate static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

  // MARK: Effects

  /// Performs one effect.
  ///
  /// - Returns: The reason why it could not be performed; nil on success.
  private func perform(
    _ effect: ScriptMachine.Effect, _ machine: inout ConnectionMachine
  ) -> ScriptMachine.Obstacle? {
    if case .clients(let target, let scope, _)? = effect.work.destination {
      deliver(effect, to: target, scope) { own in _ = perform(own, &machine) }
      return nil
    }
    switch effect.work {
    case .send(_, let kind, let payload):
      return send(kind, payload, effect.origin, &machine)
    case .sendFile(_, let name):
      return send(
        context.scripting.kind, context.file(name), effect.origin, &machine)
    case .ping(_, let payload):
      guard !isStalled, client.sendPing(payload, &machine) else { return .closing(Self.id) }
    case .close(_, let frame):
      // If the connection is closing already, no other Close frame is needed.
      if !isStalled { try? machine.sendClose(frame, allowsAnyCode: true) }
    case .reset: reset()
    case .stall: isStalled = true
    case .pauseReading(_, let isPaused):
      self.isPaused = isPaused
      client.handler?.setReading(!isPaused && client.handler?.isWritable ?? true)
    case .report(let report):
      reports.append(.init(report: report, time: (.now() - openedAt).nanoseconds))
    case .tooManySteps(let rule, let bytes):
      client.registry.report(
        .ruleSkipped(client: client.number, rule: Script.ruleName(rule), bytes: bytes))
    case .connect, .settle, .status: break
    }
    return nil
  }

  /// Performs the remaining effects after the connection has ended.
  private func performAfterwards() {
    while !effects.isEmpty {
      let batch = effects
      effects = []
      var answer: ScriptMachine.Event?
      for effect in batch {
        if case .report(let report) = effect.work {
          reports.append(.init(report: report, time: (.now() - openedAt).nanoseconds))
        } else if case .clients(let target, let scope, _)? = effect.work.destination {
          deliver(effect, to: target, scope) { _ in }
        } else if effect.origin == .step {
          let isClose = if case .close = effect.work { true } else { false }
          answer = isClose ? .performed : .notPerformed(.closing(Self.id))
        }
      }
      if let answer { handle(answer) }
    }
    _ = takeResult()
  }

  private func send(
    _ kind: MessageKind, _ payload: [UInt8], _ origin: ScriptMachine.Origin,
    _ machine: inout ConnectionMachine
  ) -> ScriptMachine.Obstacle? {
    guard !isStalled, machine.isOpen else { return .closing(Self.id) }
    if client.reportsSent, case .rule(let line) = origin {
      client.sendingRule = Script.ruleName(line)
    }
    payload.withUnsafeBytes { client.send(kind, $0, &machine) }
    client.sendingRule = nil
    return nil
  }

  /// Resets the connection after earlier output is written.
  private func reset() {
    guard !hasReset else { return }
    hasReset = true
    isStalled = true
    client.registry.loop.assumeIsolated().execute { [self] in transport?.reset() }
  }

  // MARK: Other clients

  /// Performs an effect on all clients that a rule addresses, on their own event loops. `own`
  /// performs it on this client.
  private func deliver(
    _ effect: ScriptMachine.Effect, to target: Script.Target, _ scope: Script.Scope?,
    own: (ScriptMachine.Effect) -> Void
  ) {
    let sender = client.number
    let local = Self.addressed(effect)
    for registry in context.registries {
      if registry.eventLoop === client.registry.loop {
        for other in registry.value.scripted.values where other.isMeant(target, scope, sender) {
          if other === self { own(local) } else { other.take(local) }
        }
      } else {
        registry.eventLoop.execute {
          for other in registry.value.scripted.values where other.isMeant(target, scope, sender) {
            other.take(local)
          }
        }
      }
    }
  }

  private func isMeant(
    _ target: Script.Target, _ scope: Script.Scope?, _ sender: Int
  ) -> Bool {
    switch target {
    case .all: RuleBook.fits(scope, path)
    case .others: client.number != sender && RuleBook.fits(scope, path)
    case .path(let glob): Glob.matches(glob, path)
    case .client(let number): client.number == number
    case .connection: false
    }
  }

  /// The same effect, addressed to the connection that performs it.
  private static func addressed(_ effect: ScriptMachine.Effect) -> ScriptMachine.Effect {
    let work: ScriptMachine.Work =
      switch effect.work {
      case .send(_, let kind, let payload): .send(.connection(id), kind, payload)
      case .sendFile(_, let name): .sendFile(.connection(id), name)
      case .ping(_, let payload): .ping(.connection(id), payload)
      case .close(_, let frame): .close(.connection(id), frame)
      case .reset: .reset(.connection(id))
      case .stall: .stall(.connection(id))
      default: effect.work
      }
    return ScriptMachine.Effect(effect.origin, work)
  }

  /// Performs an effect that a rule of another client has on this one.
  private func take(_ effect: ScriptMachine.Effect) {
    guard let handler = client.handler, handler.isOpen else { return }
    if !handler.isWritable, handler.bufferedBytes > context.queueLimit {
      client.registry.counters.slowConsumers += 1
      return handler.closeSlow()
    }
    try? handler.perform { machine throws(SendError) in _ = perform(effect, &machine) }
  }
}
