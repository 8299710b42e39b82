import Conversation
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// A behaviour around another one: does to the client's messages, and to its transport, what the faults of
/// this connection say.
final class FaultyBehaviour: Behaviour, MessageOutlet {
  let client: ServedClient
  private let inner: any Behaviour
  private var faults: [ActiveFault]
  private var random: SeededGenerator
  private let queueLimit: Int
  private var transport: FaultyTransport?
  private var openedAt = NIODeadline.now()
  /// Messages that the client was sent, late ones too.
  private var sent = 0
  private var waiting = DelayQueue()
  private var timer: Scheduled<Void>?
  private var isReadingStopped = false
  /// A fault of the transport has ended the connection.
  private var isOver = false

  private struct ActiveFault {
    var rule: FaultRule
    var began: NIODeadline?
    var hasActed = false
  }

  /// - Parameters:
  ///   - inner: What answers the connection.
  ///   - draw: Its faults.
  ///   - queueLimit: Bytes that may wait for their time before reading stops.
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
      case .transport, .lasting: true
      case .handshake, .refuse, .message, .close: false
      }
    }
    guard isNeeded else { return inner.carried(by: transport) }
    let faulty = FaultyTransport(inner.carried(by: transport))
    faulty.written = { [weak self] in self?.beginTransportFaults() }
    faulty.willReset = { [weak self] in self?.isOver = true }
    self.transport = faulty
    return faulty
  }

  func opened(_ handler: ConnectionHandler) {
    openedAt = .now()
    // Not before: a client whose connection never opens would never be let go of, nor its slot.
    client.outlet = self
    inner.opened(handler)
    for fault in faults {
      switch fault.rule.action {
      case .transport, .lasting, .close: break
      case .handshake, .refuse, .message: continue
      }
      let delay: Int64
      switch fault.rule.start {
      case .time(let time): delay = time
      case .messages(0): delay = 0
      // Comes with the message after which it begins.
      case .messages: continue
      }
      // Later even if it is at once: first the opening is over.
      client.registry.loop.assumeIsolated().scheduleTask(in: .nanoseconds(delay)) { [weak self] in
        self?.beginTransportFaults()
        self?.beginClose()
      }
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    inner.received(kind, payload, &machine)
  }

  func received(control step: Step, _ machine: inout ConnectionMachine) {
    inner.received(control: step, &machine)
  }

  func burstEnded(_ machine: inout ConnectionMachine) { inner.burstEnded(&machine) }

  func writabilityChanged(_ isWritable: Bool) {
    inner.writabilityChanged(isWritable)
    if isReadingStopped { client.handler?.setReading(false) }
  }

  func closed(_ outcome: CloseOutcome) {
    timer?.cancel()
    timer = nil
    waiting.removeAll()
    transport = nil
    // It was us: that the stream of bytes is over says nothing about the peer.
    if isOver, case .lost = outcome { return inner.closed(.lost(.abandoned)) }
    inner.closed(outcome)
  }

  // MARK: Messages to the client

  var waitingBytes: Int { waiting.bytes }

  func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    // A transport that is about to end takes nothing after its last message.
    guard !isOver, !endsNow, machine.isOpen else { return }
    var message = OutgoingMessage()
    for index in faults.indices {
      guard case .message(let change) = faults[index].rule.action, isActive(index) else { continue }
      change(&message, &random)
    }
    sent += 1
    let now = NIODeadline.now()
    for index in faults.indices where faults[index].began == nil { begin(index, now) }
    if !message.isDropped {
      if let corruption = message.corruption {
        OutgoingMessage.corrupted(payload, corruption).withUnsafeBytes {
          deliver(kind, $0, message, &machine)
        }
      } else {
        deliver(kind, payload, message, &machine)
      }
    }
    // Later: the machine is lent out.
    if hasClose, endsNow { client.registry.loop.assumeIsolated().execute { self.beginClose() } }
  }

  private func deliver(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ message: OutgoingMessage,
    _ machine: inout ConnectionMachine
  ) {
    for _ in 0..<(message.isDoubled ? 2 : 1) {
      if message.delay == 0, waiting.isEmpty {
        try? machine.send(kind, payload)
      } else {
        keep(kind, payload, for: message.delay)
      }
    }
  }

  private func keep(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer, for delay: Int64) {
    waiting.add(kind, payload, due: .now() + .nanoseconds(delay))
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
    // After a Close nothing is sent: then the machine refuses, and what waits is dropped.
    while let message = waiting.takeDue(at: now) {
      try? handler.prepare { machine throws(SendError) in
        try message.payload.withUnsafeReadableBytes { bytes throws(SendError) in
          try machine.send(message.kind, bytes)
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

  // MARK: When faults act

  /// Whether a fault acts now; the first time it is logged.
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

  /// Begins a fault whose time has come. One that begins at a time has begun then, whether a message came or
  /// not.
  private func begin(_ index: Int, _ now: NIODeadline) {
    switch faults[index].rule.start {
    case .time(let delay):
      let start = openedAt + .nanoseconds(delay)
      if start <= now { faults[index].began = start }
    case .messages(let count):
      if sent >= count { faults[index].began = now }
    }
  }

  /// Whether the last message before a fault of the transport has been sent.
  private var endsNow: Bool {
    faults.contains { fault in
      guard case .messages(let count) = fault.rule.start else { return false }
      switch fault.rule.action {
      case .transport, .close: return sent >= count
      case .handshake, .refuse, .message, .lasting: return false
      }
    }
  }

  private var hasClose: Bool {
    faults.contains { if case .close = $0.rule.action { true } else { false } }
  }

  /// The Close whose time has come, once the messages before it are written. Not while the machine is lent out.
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

  /// The faults of the transport whose time has come, once the messages before them are written.
  private func beginTransportFaults() {
    guard let transport, waiting.isEmpty || !endsNow else { return }
    for index in faults.indices where !faults[index].hasActed {
      switch faults[index].rule.action {
      case .transport(let act):
        guard isActive(index) else { continue }
        isOver = true
        act(transport)
      case .lasting(let act): if isActive(index) { act(transport) }
      case .handshake, .refuse, .message, .close: continue
      }
    }
  }
}
