package import WebSocketProtocol

/// Executes a script: events and times in, effects out (LISTEN.md 2.6). It has no I/O, no clock and
/// no random numbers of its own, so that `send`, `listen` and `bench` can drive it.
///
/// After each `handle` the driver performs the effects in order. It answers an effect of a step
/// with `performed` or `notPerformed`; until then the step is not done.
package struct ScriptMachine: Sendable {
  package let script: Script
  /// Set when the steps are done or one has failed; no further effects follow.
  package private(set) var result: Result?
  /// The outcome for the message of the last `handle`.
  package private(set) var fate = MessageFate.kept

  private let limits: Limits
  private let kind: MessageKind
  private let table: RuleTable
  /// Predefined variables whose values change with time, if the steps use them.
  private let momentary: [String]
  private var variables: ScriptVariables
  /// The index of the current step in `script.steps`; the number of steps when all are done.
  package private(set) var position = 0
  private var state = State.idle
  private var peers: [ConnectionID: Peer] = [:]
  /// The connection that each name currently refers to.
  private var named: [String: ConnectionID] = [:]
  private var lastID = 0
  private var effects: [Effect] = []

  fileprivate enum State: Sendable {
    case idle
    /// The driver is performing the effect of the step at `position`.
    case performing
    /// A closing connection rejected the effect; the end of the connection is still to come.
    case refused(ConnectionID, deadline: Int64)
    case expecting(ConnectionID, ScriptExpectation, capture: String?, Mismatch?, deadline: Int64)
    case quiet(ConnectionID, deadline: Int64)
    case closeExpected(ConnectionID, CloseCodes?, deadline: Int64)
    case pausing(deadline: Int64)
    case pong(ConnectionID, [UInt8], deadline: Int64)
    /// Waiting for the end of a connection that a step closes.
    case ending(ConnectionID)
    case finished
  }

  /// The state of a connection.
  private struct Peer: Sendable {
    var name: String?
    var isPaused = false
    /// Messages that no step has examined yet.
    var kept: [(kind: MessageKind, payload: [UInt8])] = []
    var next = 0
    var keptBytes = 0
    var outcome: CloseOutcome?
    var runs = RuleRuns()

    mutating func takeNext() -> (kind: MessageKind, payload: [UInt8])? {
      guard next < kept.count else { return nil }
      let message = kept[next]
      next += 1
      keptBytes -= message.payload.count
      if next == kept.count || next > 1024 {
        kept.removeFirst(next)
        next = 0
      }
      return message
    }
  }

  /// `kind` is the kind of the messages that `>` sends; `variables` contains the environment and
  /// the predefined values.
  package init(
    _ script: Script, kind: MessageKind = .text, variables: ScriptVariables, limits: Limits
  ) {
    self.init(PreparedScript(script, variables), kind: kind, variables: variables, limits: limits)
  }

  /// As above, for a script that several machines execute.
  package init(
    _ prepared: PreparedScript, kind: MessageKind, variables: ScriptVariables, limits: Limits
  ) {
    (script, table, momentary) = (prepared.script, prepared.table, prepared.momentary)
    (self.kind, self.variables, self.limits) = (kind, variables, limits)
  }

  /// Sets a predefined value, such as `$N`, from now on.
  package mutating func define(_ name: String, _ value: JSONValue) {
    variables.predefined[name] = value
  }

  /// Executes other rules from now on: rules that fire once can fire again, and timers restart.
  /// Captured values remain, and so do waiting actions. Only for a machine without steps.
  package func replacing(rules prepared: PreparedScript, at now: Int64) -> ScriptMachine {
    var machine = ScriptMachine(prepared, kind: kind, variables: variables, limits: limits)
    (machine.peers, machine.named, machine.lastID) = (peers, named, lastID)
    for id in peers.keys where peers[id]?.outcome == nil {
      let timers = machine.timers(for: peers[id]?.name)
      machine.peers[id]?.runs.start(timers, at: now)
      machine.peers[id]?.runs.fired = []
    }
    return machine
  }

  /// In ns, monotonic; nil if the machine waits for events only.
  package var nextDeadline: Int64? {
    guard result == nil else { return nil }
    let timers = peers.values.compactMap(\.runs.nextDeadline)
    return (timers + (state.deadline.map { [$0] } ?? [])).min()
  }

  package mutating func handle(
    _ event: Event, at moment: inout Moment, into effects: inout [Effect]
  ) {
    guard result == nil else { return }
    swap(&self.effects, &effects)
    defer { swap(&self.effects, &effects) }
    let now = moment.monotonic
    for name in momentary { variables.predefined[name] = moment.value(name) }
    switch event {
    case .start: if case .idle = state { begin(now) }
    case .performed: if case .performing = state { performed(now) }
    case .notPerformed(let obstacle): if case .performing = state { refused(obstacle, now) }
    case .opened(let id, let openings):
      if peers[id] == nil { adopt(id) }
      let timers = timers(for: peers[id]?.name)
      peers[id]?.runs.start(timers, at: now)
      for index in openings { enqueue(script.rules[index], variables, from: id, nil, &moment) }
    case .message(let id, let kind, let payload): receive(kind, payload, from: id, &moment)
    case .pong(let id, let payload):
      if case .pong(id, payload, _) = state { met(now) }
    case .ended(let id, let outcome):
      peers[id]?.outcome = outcome
      peers[id]?.runs = RuleRuns()
      for rule in script.rules where rule.event == .closed {
        enqueue(rule, variables, from: id, nil, &moment)
      }
      // A step or a rule has closed it; the peer answers with our code, whatever that is.
      if case .closed(_, by: .us) = outcome { add(.machine, .settle(id)) }
    case .due: break
    }
    runRules(&moment)
    proceed(now)
  }

  /// Adds a connection that no step has opened: the client of a server.
  private mutating func adopt(_ id: ConnectionID) {
    peers[id] = Peer()
    named[""] = id
    lastID = max(lastID, id)
  }

  // MARK: Steps

  private mutating func met(_ now: Int64) {
    if Script.isTest(script.steps[position].action) {
      add(.machine, .report(StepReport(index: position, failure: nil)))
    }
    position += 1
    begin(now)
  }

  private mutating func fail(_ failure: Failure) {
    switch failure {
    case .ended(let id, _, _), .unexpectedClose(let id, _): add(.machine, .settle(id))
    default: break
    }
    let report = StepReport(index: position, failure: failure)
    add(.machine, .report(report))
    (state, result) = (.finished, .failed(report))
  }

  private mutating func add(_ origin: Origin, _ work: Work) {
    effects.append(Effect(origin, work))
  }

  /// Begins the step at `position`.
  private mutating func begin(_ now: Int64) {
    guard position < script.steps.count else {
      // A script without steps keeps reacting for as long as there is a connection.
      guard !script.steps.isEmpty || script.rules.isEmpty else { return }
      (state, result) = (.finished, .done)
      return
    }
    let step = script.steps[position]
    let id = named[step.connection ?? ""]
    switch step.action {
    case .connect(let url):
      lastID += 1
      named[step.connection ?? ""] = lastID
      peers[lastID] = Peer(name: step.connection)
      perform(
        .connect(lastID, name: step.connection, url: url.map { variables.text($0) }))
    case .wait(let duration): state = .pausing(deadline: now + duration)
    case .nothing: met(now)
    case .send, .sendBytes, .sendFile, .ping, .close, .status, .reset, .stall, .expect,
      .expectNone, .expectClose:
      guard let id else { return fail(.closing) }
      begin(step.action, on: id, now)
    }
  }

  private mutating func begin(_ action: Script.Action, on id: ConnectionID, _ now: Int64) {
    let deadline = now + limits.wait
    switch action {
    case .expect(let want, let capture):
      do throws(ScriptExpectation.Failure) {
        let expectation = try ScriptExpectation(want, variables)
        state = .expecting(id, expectation, capture: capture, nil, deadline: deadline)
      } catch {
        fail(.invalid(error.description))
      }
    case .expectNone(let duration): state = .quiet(id, deadline: now + duration)
    case .expectClose(let codes): state = .closeExpected(id, codes, deadline: deadline)
    default:
      guard let work = work(action, to: .connection(id), variables) else { return met(now) }
      perform(work)
    }
  }

  private mutating func perform(_ work: Work) {
    add(.step, work)
    state = .performing
  }

  /// The work of an action that sends something; nil for the others.
  private func work(
    _ action: Script.Action, to destination: Destination, _ values: ScriptVariables
  ) -> Work? {
    switch action {
    case .send(let template): .send(destination, kind, Array(values.text(template).utf8))
    case .sendBytes(let bytes): .send(destination, .binary, bytes)
    case .sendFile(let template): .sendFile(destination, values.text(template))
    case .ping(let template):
      .ping(destination, Array(values.text(template).utf8.prefix(125)))
    case .close(let code, let reason):
      .close(destination, CloseFrame(code, reason: values.text(reason)))
    case .status(let status, let body): .status(destination, status, values.text(body))
    case .reset: .reset(destination)
    case .stall: .stall(destination)
    case .connect, .expect, .expectNone, .expectClose, .wait, .nothing: nil
    }
  }

  private mutating func performed(_ now: Int64) {
    let step = script.steps[position]
    guard let id = named[step.connection ?? ""] else { return met(now) }
    switch step.action {
    case .ping(let template):
      let payload = Array(variables.text(template).utf8.prefix(125))
      state = .pong(id, payload, deadline: now + limits.wait)
    case .close: state = .ending(id)
    default: met(now)
    }
  }

  private mutating func refused(_ obstacle: Obstacle, _ now: Int64) {
    switch obstacle {
    // The reason why it is closing will be known in a moment.
    case .closing(let id): state = .refused(id, deadline: now + limits.wait)
    case .notOpened: fail(.notOpened)
    case .other(let message): fail(.other(message))
    }
  }

  /// Continues the current step, as far as received events allow.
  private mutating func proceed(_ now: Int64) {
    while result == nil {
      let before = position
      switch state {
      case .idle, .performing, .finished: return
      case .refused(let id, let deadline):
        if let outcome = peers[id]?.outcome { return fail(.ended(id, outcome, last: nil)) }
        if deadline <= now { return fail(.closing) }
      case .expecting(let id, let expectation, let capture, let last, let deadline):
        expect(id, expectation, capture, last, deadline, now)
      case .quiet(let id, let deadline):
        if let message = take(from: id) {
          return fail(.unexpected(message.kind, message.payload))
        }
        if peers[id]?.outcome != nil || deadline <= now { met(now) }
      case .closeExpected(let id, let codes, let deadline):
        while take(from: id) != nil {}
        if let outcome = peers[id]?.outcome {
          closed(id, outcome, codes, now)
        } else if deadline <= now {
          return fail(.stillOpen(limits.wait))
        }
      case .pausing(let deadline): if deadline <= now { met(now) }
      case .pong(let id, _, let deadline):
        if let outcome = peers[id]?.outcome { return fail(.ended(id, outcome, last: nil)) }
        if deadline <= now { return fail(.nothing(limits.wait, last: nil)) }
      case .ending(let id):
        while take(from: id) != nil {}
        if peers[id]?.outcome != nil { met(now) }
      }
      if position == before { return }
    }
  }

  private mutating func expect(
    _ id: ConnectionID, _ expectation: ScriptExpectation, _ capture: String?, _ last: Mismatch?,
    _ deadline: Int64, _ now: Int64
  ) {
    var last = last
    while let message = take(from: id) {
      switch expectation.answer(to: message.kind, message.payload) {
      case .fits(let value):
        if let capture { variables.set(capture, value) }
        return met(now)
      case .differs(let reason):
        last = Mismatch(
          kind: message.kind, payload: message.payload, reason: reason,
          wanted: expectation.payload)
      }
    }
    if let outcome = peers[id]?.outcome { return fail(.ended(id, outcome, last: last)) }
    if deadline <= now { return fail(.nothing(limits.wait, last: last)) }
    state = .expecting(id, expectation, capture: capture, last, deadline: deadline)
  }

  private mutating func closed(
    _ id: ConnectionID, _ outcome: CloseOutcome, _ codes: CloseCodes?, _ now: Int64
  ) {
    let code: CloseCode
    switch outcome {
    case .closed(let frame, by: .peer): code = frame.reportedCode
    case .lost: code = .abnormal
    case .closed, .failed: return fail(.ended(id, outcome, last: nil))
    }
    guard codes?.contains(code) ?? (code != .abnormal) else {
      return fail(.unexpectedClose(id, outcome))
    }
    add(.machine, .settle(id))
    met(now)
  }

  // MARK: Messages

  private mutating func receive(
    _ kind: MessageKind, _ payload: [UInt8], from id: ConnectionID, _ moment: inout Moment
  ) {
    fate = .kept
    guard let peer = peers[id], peer.outcome == nil else { return }
    var message = IncomingMessage(kind, payload)
    if !table.isEmpty, fire(&message, from: id, peer.name, &moment) { return }
    guard !script.steps.isEmpty else {
      fate = .unmatched
      return
    }
    peers[id]?.kept.append((kind, payload))
    peers[id]?.keptBytes += payload.count
    pauseIfFull(id)
  }

  private mutating func take(
    from id: ConnectionID
  ) -> (kind: MessageKind, payload: [UInt8])? {
    guard let message = peers[id]?.takeNext() else { return nil }
    pauseIfFull(id)
    return message
  }

  private mutating func pauseIfFull(_ id: ConnectionID) {
    guard let peer = peers[id] else { return }
    let isFull = peer.keptBytes > limits.keptBytes || peer.runs.count > limits.waitingRuns
    let isLow = peer.keptBytes <= limits.keptBytes / 2 && peer.runs.count <= limits.waitingRuns / 2
    guard peer.isPaused ? isLow : isFull else { return }
    peers[id]?.isPaused.toggle()
    add(.machine, .pauseReading(id, !peer.isPaused))
  }

  // MARK: Rules

  private func timers(for name: String?) -> [(rule: Int, interval: Int64)] {
    script.rules.indices.compactMap { index in
      guard case .every(let interval) = script.rules[index].event,
        table.applies(index, to: name)
      else { return nil }
      return (index, interval)
    }
  }

  /// - Returns: whether a rule took the message.
  private mutating func fire(
    _ message: inout IncomingMessage, from id: ConnectionID, _ name: String?,
    _ moment: inout Moment
  ) -> Bool {
    guard let fired = peers[id]?.runs.fired else { return false }
    var skipped: [Int] = []
    let found = table.first(
      &message, name, variables, without: fired, limit: limits.examinedBytes, skipped: &skipped)
    for index in skipped {
      let line = script.rules[index].line
      add(.rule(line), .tooManySteps(rule: line, bytes: message.payload.count))
    }
    guard let found else { return false }
    let rule = script.rules[found.index]
    fate = .taken(rule: rule.line)
    if let capture = rule.event.capture { variables.set(capture, found.value) }
    if rule.isOnce { peers[id]?.runs.fired.insert(found.index) }
    var values = variables
    values.groups = found.groups
    // A message may be large: only the forms that the actions use are computed.
    if rule.usesRecord { values.record = message.record() }
    if rule.actions.contains(where: { $0.action.uses("MESSAGE") }) {
      values.predefined["MESSAGE"] = .string(ScriptExpectation.text(of: message))
    }
    enqueue(rule, values, from: id, message, &moment)
    return true
  }

  /// Fills in the actions of a rule that fires, and appends them to the connection's queue.
  private mutating func enqueue(
    _ rule: Script.Rule, _ values: ScriptVariables, from id: ConnectionID,
    _ message: IncomingMessage?, _ moment: inout Moment
  ) {
    var values = values
    for name in ["NOW", "MS", "UUID"] {
      guard rule.actions.contains(where: { $0.action.uses(name) }) else { continue }
      values.predefined[name] = moment.value(name)
    }
    let items: [RuleRuns.Item] = rule.actions.compactMap { action in
      if case .wait(let duration) = action.action { return .wait(duration) }
      guard let destination = destination(action.target, of: rule, from: id) else { return nil }
      // A message alone is repeated unchanged, binary as binary.
      if case .send(let template) = action.action, let message,
        template.parts == [.variable("MESSAGE")]
      {
        return .work(Effect(.rule(rule.line), .send(destination, message.kind, message.payload)))
      }
      return work(action.action, to: destination, values).map {
        .work(Effect(.rule(rule.line), $0))
      }
    }
    peers[id]?.runs.append(items)
    pauseIfFull(id)
  }

  private func destination(
    _ target: Script.Target?, of rule: Script.Rule, from id: ConnectionID
  ) -> Destination? {
    switch target {
    case nil: .connection(id)
    // A connection that is not open is skipped.
    case .connection(let name): named[name].map { .connection($0) }
    case .all?, .others?, .path?, .client?: target.map { .clients($0, scope: rule.scope, from: id) }
    }
  }

  /// Runs timers that are due, and the queued actions.
  private mutating func runRules(_ moment: inout Moment) {
    guard !table.isEmpty else { return }
    let now = moment.monotonic
    for id in peers.keys.sorted() {
      for index in peers[id]?.runs.ticks(at: now) ?? [] {
        enqueue(script.rules[index], variables, from: id, nil, &moment)
      }
      while let effect = peers[id]?.runs.next(at: now) { effects.append(effect) }
      pauseIfFull(id)
    }
  }
}

extension ScriptMachine.State {
  fileprivate var deadline: Int64? {
    switch self {
    case .idle, .performing, .ending, .finished: nil
    case .refused(_, let deadline), .expecting(_, _, _, _, let deadline),
      .quiet(_, let deadline), .closeExpected(_, _, let deadline), .pausing(let deadline),
      .pong(_, _, let deadline):
      deadline
    }
  }
}

extension Script.Rule {
  fileprivate var usesRecord: Bool {
    actions.flatMap(\.action.templates).flatMap(\.parts).contains {
      if case .member = $0 { true } else { false }
    }
  }
}

extension Script.Action {
  fileprivate func uses(_ name: String) -> Bool {
    templates.contains { $0.names.contains(name) }
  }
}
