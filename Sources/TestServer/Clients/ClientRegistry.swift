import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// The clients of one event loop, their shared log budget, and, for broadcasts, the connections
/// whose output is still to be written. Used only on its loop.
final class ClientRegistry {
  let loop: any EventLoop
  let report: @Sendable (ServerEvent) -> Void
  let budget: LogBudget
  /// The clients that receive what the server publishes.
  let channel: Channel
  /// Clients without an outlet: messages go directly to their machines.
  private var members: [ObjectIdentifier: ConnectionHandler] = [:]
  /// Clients with an outlet, which all messages must pass through.
  private var filtered: [ObjectIdentifier: ServedClient] = [:]
  /// Clients with a script, by client number.
  var scripted: [Int: Scripted] = [:]
  private var unwritten: [ConnectionHandler] = []
  /// Senders whose reading is paused until other clients have caught up.
  private var paused: [ConnectionHandler] = []
  private var whenEmpty: [EventLoopPromise<Void>] = []
  private var isStopping = false

  init(
    on loop: any EventLoop, loggedMessagesPerSecond: Int, channel: ChannelSettings,
    report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.loop = loop
    self.report = report
    budget = LogBudget(perSecond: loggedMessagesPerSecond, on: loop, report: report)
    self.channel = Channel(channel, on: loop, report: report)
  }

  private var isEmpty: Bool { members.isEmpty && filtered.isEmpty }

  func add(_ client: ServedClient, _ handler: ConnectionHandler) {
    if client.outlet == nil {
      members[ObjectIdentifier(handler)] = handler
    } else {
      filtered[ObjectIdentifier(handler)] = client
    }
    // The client was accepted while the server was already stopping.
    if isStopping { closeGoingAway(handler) }
  }

  func remove(_ handler: ConnectionHandler) {
    members[ObjectIdentifier(handler)] = nil
    filtered[ObjectIdentifier(handler)] = nil
    if isEmpty { succeedWaiting() }
  }

  // MARK: Broadcast

  /// Adds a message to the output of every member except `sender`; `flush()` writes it.
  ///
  /// A member that does not read is closed when more than `queueLimit` bytes are queued for it.
  /// This bounds memory, and no sender is paused for longer than `longestPause` at a time.
  func deliver(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, except sender: ConnectionHandler?,
    queueLimit: Int
  ) {
    for member in members.values where member !== sender && member.isOpen {
      if !member.isWritable, member.bufferedBytes > queueLimit {
        closeSlow(member)
        continue
      }
      // The member is open, so this fails only if the message cannot be sent to it, for which the
      // sender is not responsible.
      try? member.prepare { machine throws(SendError) in try machine.send(kind, payload) }
      unwritten.append(member)
    }
    if !filtered.isEmpty { deliverFiltered(kind, payload, except: sender, queueLimit: queueLimit) }
  }

  private func deliverFiltered(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, except sender: ConnectionHandler?,
    queueLimit: Int
  ) {
    for client in filtered.values {
      guard let member = client.handler, member !== sender, member.isOpen else { continue }
      if member.bufferedBytes + (client.outlet?.waitingBytes ?? 0) > queueLimit {
        closeSlow(member)
        continue
      }
      try? member.prepare { machine throws(SendError) in client.send(kind, payload, &machine) }
      unwritten.append(member)
    }
  }

  /// Writes the messages that `deliver` has prepared, with one write per member.
  ///
  /// - Returns: Whether a member is behind, with more than 512 KiB of its output still queued.
  func flush() -> Bool {
    guard !unwritten.isEmpty else { return false }
    let waiting = unwritten
    unwritten.removeAll(keepingCapacity: true)
    var isBehind = false
    for member in waiting {
      member.flush()
      if member.bufferedBytes > Self.behind { isBehind = true }
    }
    return isBehind
  }

  /// Senders are paused while more than this many bytes are queued for a member.
  private static let behind = 512 * 1024
  /// Long enough for a member that reads to catch up; senders do not wait longer for others.
  private static let longestPause = TimeAmount.milliseconds(10)

  /// Stops reading from a sender until a member has caught up or `longestPause` is over. So a
  /// sender that is slightly faster than the readers does not fill their queues.
  func pauseSender(_ sender: ConnectionHandler) {
    sender.setReading(false)
    paused.append(sender)
    guard paused.count == 1 else { return }
    loop.assumeIsolated().scheduleTask(in: Self.longestPause) { [weak self] in self?.resumeSenders()
    }
  }

  /// Reads from all senders again.
  func resumeSenders() {
    let senders = paused
    paused = []
    for sender in senders { sender.setReading(true) }
  }

  // MARK: The end

  /// Sends a Close frame with code 1001 to every client; the future succeeds when all have left.
  func stop() -> EventLoopFuture<Void> {
    isStopping = true
    let promise = loop.makePromise(of: Void.self)
    whenEmpty.append(promise)
    if isEmpty { succeedWaiting() }
    for member in members.values { closeGoingAway(member) }
    for member in filtered.values.compactMap(\.handler) { closeGoingAway(member) }
    return promise.futureResult
  }

  private func closeGoingAway(_ member: ConnectionHandler) {
    close(member, CloseFrame(.goingAway, reason: "server is shutting down"))
  }

  /// Closes a client that reads too slowly, with code 1008.
  func closeSlow(_ member: ConnectionHandler) {
    close(member, CloseFrame(.policyViolation, reason: "slow consumer"))
  }

  private func close(_ member: ConnectionHandler, _ frame: CloseFrame) {
    // This fails only if the connection is closing already.
    try? member.perform { machine throws(SendError) in try machine.sendClose(frame) }
  }

  private func succeedWaiting() {
    let promises = whenEmpty
    whenEmpty = []
    for promise in promises { promise.succeed() }
  }
}
