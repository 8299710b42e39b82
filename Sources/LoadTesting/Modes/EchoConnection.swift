import WebSocketNIO
import WebSocketProtocol

/// One connection of the mode `echo`, used only on its event loop.
final class EchoConnection: LoadConnection {
  /// Its number in the run, and its number on the loop.
  let number: Int
  let slot: Int
  private(set) var inFlight: InFlight
  /// Window messages that it may still send in the closed model.
  private(set) var quota: Int
  /// When our close frame was sent, in nanoseconds of `MonotonicClock`; 0 before.
  private(set) var closeSent: Int64 = 0
  private(set) var handler: ConnectionHandler?

  private let loop: LoadLoop
  /// Owns the memory of `payload`.
  private let echo: EchoLoad
  // Copies of its members, because they are read for each message.
  private let kind: MessageKind
  private let payload: MessagePayload
  private let replies: EchoLoad.Replies
  private var isWritable = true
  /// When the last answer matched in order was received.
  private var lastAnswer = Int64.min

  init(number: Int, slot: Int, echo: EchoLoad, on loop: LoadLoop) {
    self.number = number
    self.slot = slot
    self.loop = loop
    self.echo = echo
    kind = echo.kind
    payload = echo.payload
    replies = echo.replies
    inFlight = InFlight(limit: loop.maxInFlight, matching: loop.plan.matching)
    quota = loop.setting.quota(ofConnection: number)
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    loop.opened(self)
  }

  // MARK: Receiving

  func received(
    _ kind: MessageKind, _ reply: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    let now = loop.stamp()
    // All messages were counted when our close frame was sent.
    guard closeSent == 0 else { return }
    let match: InFlight.Match
    let isEqual: Bool
    switch replies {
    case .any:
      match = inFlight.answer()
      isEqual = true
      lastAnswer = now
    case .inOrder:
      isEqual =
        kind == self.kind
        && payload.equals(reply, connection: number, sequence: inFlight.oldest)
      match = inFlight.answer()
      lastAnswer = now
    case .identified:
      guard let id = MessageID(reply) else {
        return loop.figures.strange(at: now, size: reply.count)
      }
      // A server that broadcasts sends the messages of other connections too, which are not
      // answers.
      match =
        id.connection == UInt64(truncatingIfNeeded: number) & 0xFF_FFFF
        ? inFlight.answer(sequence: id.sequence) : .unknown
      isEqual =
        kind == self.kind
        && payload.hasContent(reply, connection: number, sequence: id.sequence)
    }
    guard case .answered(let stamp) = match else { return loop.figures.unasked(match, at: now) }
    if isEqual {
      loop.figures.answered(stamp, at: now, size: reply.count)
    } else {
      mismatched(stamp, kind, reply, at: now)
    }
  }

  @inline(never)
  private func mismatched(
    _ stamp: InFlight.Stamp, _ kind: MessageKind, _ reply: UnsafeRawBufferPointer, at now: Int64
  ) {
    var outOfOrder = false
    if case .inOrder = replies, payload.carriesID, let id = MessageID(reply) {
      // The reply carries the ID of another message.
      outOfOrder = id != MessageID(connection: number, sequence: inFlight.oldest &- 1)
    }
    loop.figures.mismatched(
      stamp, at: now, outOfOrder: outOfOrder,
      sample: outOfOrder
        ? "the answer to another message"
        : payload.difference(from: reply, kind, sent: self.kind))
  }

  /// In the closed model, sends the next messages in the same burst as the answers.
  func burstEnded(_ machine: inout ConnectionMachine) {
    let now = loop.endBurst()
    if now != 0, loop.wanted > 0 { refill(at: now, &machine) }
    loop.reportIfIdle()
  }

  // MARK: Sending

  /// Sends messages until the closed model has as many outstanding as it wants.
  private func refill(at now: Int64, _ machine: inout ConnectionMachine) {
    while inFlight.waiting < loop.wanted, loop.maySend(at: now), machine.isOpen {
      let isMeasured = now >= loop.figures.measuredFrom
      if isMeasured, quota <= 0 { return }
      guard send(intended: now, at: now, &machine) else { return }
      if isMeasured, quota != Int.max {
        quota &-= 1
        loop.used(1)
      }
    }
  }

  /// Refills outside a burst: at the start, and after messages were given up.
  func refill(at now: Int64) {
    guard inFlight.waiting < loop.wanted else { return }
    transmit { machine in refill(at: now, &machine) }
  }

  /// Sends the messages of the schedule that are due on this connection.
  func send(_ due: ArraySlice<ScheduleQueue.Due>, origin: Int64) {
    let now = MonotonicClock.now()
    var unsent = 0
    var left = due.count
    transmit { machine in
      for message in due {
        if !machine.isOpen { return }
        left &-= 1
        let intended = origin &+ message.intended
        if !send(intended: intended, at: now, &machine), intended >= loop.figures.measuredFrom {
          unsent &+= 1
        }
      }
    }
    if unsent > 0 { loop.figures.unsent(unsent, at: now) }
    // The connection is closing, so the remaining messages are missing.
    if left > 0, origin >= loop.figures.measuredFrom { loop.figures.missing(left) }
  }

  private func transmit(_ body: (inout ConnectionMachine) -> Void) {
    guard let handler else { return }
    if isWritable {
      try? handler.perform { machine throws(SendError) in body(&machine) }
    } else {
      // The transport is not writable: the messages wait in one buffer, which the handler writes as
      // soon as it is. One write per message would keep one buffer per message.
      try? handler.prepare { machine throws(SendError) in body(&machine) }
    }
  }

  /// Returns false if too many messages are outstanding.
  @inline(__always)
  private func send(
    intended: Int64, at now: Int64, _ machine: inout ConnectionMachine
  ) -> Bool {
    guard case .admitted(let sequence) = inFlight.push(intended: intended, sent: now) else {
      return false
    }
    // This cannot fail: all callers check that the machine is open.
    try? machine.send(
      kind, payload.message(connection: number, sequence: sequence))
    loop.figures.sent(InFlight.Stamp(intended: intended, sent: now))
    return true
  }

  func writabilityChanged(_ isWritable: Bool) {
    self.isWritable = isWritable
  }

  // MARK: Ending

  /// Gives up messages sent before `cutoff`.
  func expire(sentBefore cutoff: Int64, at now: Int64) {
    guard inFlight.waiting > 0 else { return }
    let expired = inFlight.expire(
      sentBefore: cutoff, measuredFrom: loop.figures.measuredFrom, lastAnswer: lastAnswer)
    if expired.all > 0 { loop.figures.expired(expired, at: now) }
  }

  /// Gives up the waiting messages at the end of the run and starts the closing handshake.
  func close(at now: Int64) {
    let left = inFlight.abandon(measuredFrom: loop.figures.measuredFrom) { stamp in
      loop.figures.leftOver(stamp, at: now)
    }
    loop.figures.outstanding &-= left.all
    guard let handler, handler.isOpen else { return }
    closeSent = now
    try? handler.perform { machine throws(SendError) in
      try machine.sendClose(CloseFrame(.normal))
    }
  }

  func abandon() { handler?.abandon() }

  func closed(_ outcome: CloseOutcome) {
    _ = loop.endBurst()
    loop.figures.failed(inFlight.abandon(measuredFrom: loop.figures.measuredFrom))
    loop.closed(self, outcome)
    handler = nil
  }
}
