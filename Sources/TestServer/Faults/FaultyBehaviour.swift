import Conversation
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Wraps another behaviour and applies the faults of its connection to the messages to the client
/// and to the transport.
final class FaultyBehaviour: Behaviour, MessageOutlet {
  let client: ServedClient
  private let inner: any Behaviour
  private var faults: [ActiveFault]
  private var random: SeededGenerator
  private let queueLimit: Int
  private var transport: FaultyTransport?
  private var openedAt = NIODeadline.now()
  /// Messages sent to the client, including delayed and dropped ones.
  private var sent = 0
  private var waiting = DelayQueue()
  private var timer: Scheduled<Void>?
  private var isReadingStopped = false
  /// Whether a transport fault has ended the connection.
  private var isOver = false

  private struct ActiveFault {
    var rule: FaultRule
    var began: NIODeadline?
    var hasActed = false
  }

  /// - Parameters:
  ///   - inner: The behaviour to wrap.
  ///   - draw: The faults of the connection.
  ///   - queueLimit: Bytes of delayed messages above which reading from the client stops.
  init(_ inner: any Behaviour, _ draw: FaultPlan.Draw, queueLimit: Int) {
    client = inner.client
    self.inner = inner
    faults = draw.rules.map { ActiveFault(rule: $0) }
    random = draw.random
    self.queueLimit = queueLimit
  }

  // MARK: The connection

  func carried(by transport: any ConnectionTransport) -> any ConnectionTransport {
    let isNeeded = faults.contains {
      switch $0.rule.action {
      case .transport, .lasting, .condition: true
      case .handshake, .refuse, .message, .close: false
      }
    }
    guard isNeeded else { return inner.carried(by: transport) }
    let faulty = FaultyTransport(inner.carried(by: transport))
    faulty.written = { [weak self] in self?.beginTransportFaults() }
    faulty.willReset = { [weak self] in self?.isOver = true }
    faulty.writabilityChanged = { [weak self] in self?.writabilityChanged($0) }
    var sizes = SeededGenerator(seed: random.next())
    faulty.randomSize = { Int.random(in: $0, using: &sizes) }
    self.transport = faulty
    return faulty
  }

  func opened(_ handler: ConnectionHandler) {
    openedAt = .now()
    // Set it here and not in `init`: if the connection never opened, the reference cycle would
    // never be broken, and the slot of the client never be freed.
    client.outlet = self
    inner.opened(handler)
    for fault in faults {
      switch fault.rule.action {
      case .transport, .lasting, .condition, .close: break
      case .handshake, .refuse, .message: continue
      }
      let delay: Int64
      switch fault.rule.start {
      case .time(let time): delay = time
      case .messages(0): delay = 0
      // Begins with the message that completes the count.
      case .messages: continue
      }
      // Scheduled even without a delay, because the opening must be over first.
      client.registry.loop.assumeIsolated().scheduleTask(in: .nanoseconds(delay)) { [weak self] in
        self?.beginTransportFaults()
        self?.beginClose()
      }
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    guard stall == .none else { return }
    inner.received(kind, payload, &machine)
  }

  func received(control step: Step, _ machine: inout ConnectionMachine) {
    if case .close = step, let closeDelay { transport?.hold(for: .nanoseconds(closeDelay)) }
    inner.received(control: step, &machine)
  }

  func burstEnded(_ machine: inout ConnectionMachine) { inner.burstEnded(&machine) }

  func writabilityChanged(_ isWritable: Bool) {
    inner.writabilityChanged(isWritable)
    if isReadingStopped { client.handler?.setReading(false) }
    if isWritable { transport?.pump() }
  }

  func closed(_ outcome: CloseOutcome) {
    timer?.cancel()
    timer = nil
    waiting.removeAll()
    transport = nil
    // The fault ended the connection, so the end of the byte stream must not be blamed on the peer.
    if isOver, case .lost = outcome { return inner.closed(.lost(.abandoned)) }
    inner.closed(outcome)
  }

  // MARK: Messages to the client

  var waitingBytes: Int { waiting.bytes }

  func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    // Nothing is sent after the last message before the end of the connection.
    guard !isOver, !endsNow, machine.isOpen, stall == .none else { return }
    var message = OutgoingMessage()
    var note = MessageNote(rule: client.sendingRule)
    for index in faults.indices {
      guard case .message(let change) = faults[index].rule.action, isActive(index) else { continue }
      let before = message
      change(&message, &random)
      if message != before {
        note.fault = [note.fault, faults[index].rule.text].compactMap(\.self)
          .joined(separator: "; ")
      }
    }
    sent += 1
    let now = NIODeadline.now()
    for index in faults.indices where faults[index].began == nil { begin(index, now) }
    if !message.isDropped {
      if let corruption = message.corruption {
        OutgoingMessage.corrupted(payload, corruption).withUnsafeBytes {
          deliver(kind, $0, message, note, &machine)
        }
      } else {
        deliver(kind, payload, message, note, &machine)
      }
    }
    // Not right now, because `machine` is borrowed by the caller.
    if hasClose, endsNow { client.registry.loop.assumeIsolated().execute { self.beginClose() } }
  }

  private func deliver(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ message: OutgoingMessage,
    _ note: MessageNote, _ machine: inout ConnectionMachine
  ) {
    for _ in 0..<(message.isDoubled ? 2 : 1) {
      if message.delay == 0, waiting.isEmpty {
        try? OutgoingMessage.send(kind, payload, fragmentSize: message.fragmentSize, &machine)
        client.sent(kind, payload, note: note)
      } else {
        keep(kind, payload, message, note)
      }
    }
  }

  private func keep(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ message: OutgoingMessage,
    _ note: MessageNote
  ) {
    waiting.add(
      DelayQueue.Message(
        kind: kind, payload: ByteBuffer(bytes: payload), fragmentSize: message.fragmentSize,
        due: .now() + .nanoseconds(message.delay), note: note))
    if timer == nil { schedule() }
    guard waiting.bytes > queueLimit, !isReadingStopped else { return }
    isReadingStopped = true
    client.handler?.setReading(false)
  }

  private func schedule() {
    timer = nil
    guard let due = waiting.nextDue else { return }
    timer = client.registry.loop.assumeIsolated().scheduleTask(deadline: due) { [weak self] in
      self?.sendDue()
    }
  }

  private func sendDue() {
    timer = nil
    guard let handler = client.handler else { return }
    let now = NIODeadline.now()
    // After a Close frame the machine rejects messages, and the waiting ones are dropped.
    while let message = waiting.takeDue(at: now) {
      try? handler.prepare { machine throws(SendError) in
        try message.payload.withUnsafeReadableBytes { bytes throws(SendError) in
          try OutgoingMessage.send(
            message.kind, bytes, fragmentSize: message.fragmentSize, &machine)
          client.sent(message.kind, bytes, note: message.note)
        }
      }
    }
    handler.flush()
    schedule()
    beginClose()
    guard isReadingStopped, waiting.bytes <= queueLimit / 2 else { return }
    isReadingStopped = false
    handler.setReading(handler.isWritable)
  }

  // MARK: Conditions

  private enum StallState {
    case none
    /// Messages are discarded both ways, so that the connection can go on afterwards.
    case passing
    /// Bytes are discarded, so that a Close frame of the client has no effect either.
    case lasting
  }

  private var stall = StallState.none
  /// Nanoseconds by which the answer to a Close frame is late; nil for no delay.
  var closeDelay: Int64?

  func setStalled(_ isStalled: Bool, ends: Bool) {
    stall = isStalled ? (ends ? .passing : .lasting) : .none
    transport?.isStalled = isStalled
  }

  /// Discards the bytes of a stalled client before the machine, which would reply.
  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    guard stall != .lasting else { return }
    while step(&window, &machine) {}
  }

  func setReading(_ reads: Bool) { transport?.isReadingBlocked = !reads }

  func setAnsweringPings(_ answers: Bool) {
    try? client.handler?.prepare { machine throws(SendError) in machine.answersPings = answers }
  }

  func setPace(_ change: (inout WritePace) -> Void) {
    guard let transport else { return }
    change(&transport.pace)
  }

  // MARK: When faults act

  /// Whether a fault is active now; logs it the first time.
  private func isActive(_ index: Int) -> Bool {
    let now = NIODeadline.now()
    if faults[index].began == nil { begin(index, now) }
    guard let began = faults[index].began,
      faults[index].rule.duration.map({ now < began + .nanoseconds($0) }) ?? true
    else { return false }
    if !faults[index].hasActed, let text = faults[index].rule.text {
      client.registry.report(.fault(client: client.number, text))
    }
    faults[index].hasActed = true
    return true
  }

  /// Begins a fault if it is due. A fault with a start time has begun at that time, even if no
  /// message was sent then.
  private func begin(_ index: Int, _ now: NIODeadline) {
    switch faults[index].rule.start {
    case .time(let delay):
      let start = openedAt + .nanoseconds(delay)
      if start <= now { faults[index].began = start }
    case .messages(let count):
      if sent >= count { faults[index].began = now }
    }
  }

  /// Whether the last message before a fault that ends the connection has been sent.
  private var endsNow: Bool {
    faults.contains { fault in
      guard case .messages(let count) = fault.rule.start else { return false }
      switch fault.rule.action {
      case .transport, .close: return sent >= count
      case .handshake, .refuse, .message, .lasting, .condition: return false
      }
    }
  }

  private func begin(_ condition: FaultCondition, _ index: Int) {
    guard isActive(index) else { return }
    let rule = faults[index].rule
    condition.begin(self, rule)
    guard let duration = rule.duration, let began = faults[index].began else { return }
    let end = began + .nanoseconds(duration)
    client.registry.loop.assumeIsolated().scheduleTask(deadline: end) { [weak self] in
      guard let self, self.client.handler != nil else { return }
      condition.end(self)
    }
  }

  private var hasClose: Bool {
    faults.contains { if case .close = $0.rule.action { true } else { false } }
  }

  /// Sends the Close frame of a fault that is due, after the messages before it. Must not be called
  /// while the machine is borrowed.
  private func beginClose() {
    guard waiting.isEmpty || !endsNow, !isOver else { return }
    for index in faults.indices where !faults[index].hasActed {
      guard case .close(let frame) = faults[index].rule.action, let handler = client.handler,
        handler.isOpen, isActive(index)
      else { continue }
      try? handler.perform { machine throws(SendError) in
        try machine.sendClose(frame, allowsAnyCode: true)
      }
    }
  }

  /// Applies transport faults that are due, after the messages before them.
  private func beginTransportFaults() {
    guard let transport, waiting.isEmpty || !endsNow else { return }
    for index in faults.indices where !faults[index].hasActed {
      switch faults[index].rule.action {
      case .transport(let act):
        guard isActive(index) else { continue }
        isOver = true
        act(transport)
      case .lasting(let act): if isActive(index) { act(transport) }
      case .condition(let condition): begin(condition, index)
      case .handshake, .refuse, .message, .close: continue
      }
    }
  }
}
