import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// The clients of one event loop, the log's budget that they share, and, for broadcasts, whose output waits
/// to be written. Used on its loop only.
final class ClientRegistry {
  let loop: any EventLoop
  let report: @Sendable (ServerEvent) -> Void
  let budget: LogBudget
  /// The clients that receive what the server publishes.
  let channel: Channel
  /// Messages go straight into the machines of these.
  private var members: [ObjectIdentifier: ConnectionHandler] = [:]
  /// Messages to these go through their outlets.
  private var filtered: [ObjectIdentifier: ServedClient] = [:]
  /// Those that a script acts on, by their numbers.
  var scripted: [Int: Scripted] = [:]
  private var unwritten: [ConnectionHandler] = []
  /// Senders that are not read from, until the others have caught up.
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
    // It was accepted while the server began to stop.
    if isStopping { closeGoingAway(handler) }
  }

  func remove(_ handler: ConnectionHandler) {
    members[ObjectIdentifier(handler)] = nil
    filtered[ObjectIdentifier(handler)] = nil
    if isEmpty { succeedWaiting() }
  }

  // MARK: Broadcast

  /// Puts a message into the output of every member except `sender`; `flush()` writes.
  ///
  /// A member that does not read is closed once more than `queueLimit` bytes wait for it: the memory is
  /// bounded, and no other client is slowed down for longer than `longestPause` at a time.
  func deliver(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, except sender: ConnectionHandler?,
    queueLimit: Int
  ) {
    for member in members.values where member !== sender && member.isOpen {
      if !member.isWritable, member.bufferedBytes > queueLimit {
        closeSlow(member)
        continue
      }
      // It is open, as has been asked; a message that cannot be sent is none of the sender's fault.
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

  /// Writes what `deliver` has prepared: one write a member, however many messages it is.
  ///
  /// - Returns: whether a member is behind: it has not been able to take what it was sent.
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

  /// Bytes waiting for one member, above which its senders are paused.
  private static let behind = 512 * 1024
  /// A member that reads needs no more to catch up; no sender waits longer for one that does not.
  private static let longestPause = TimeAmount.milliseconds(10)

  /// Stops reading from a sender until a member has caught up, or for a moment: a sender that is faster
  /// than those that read fills no queues with what they would take a little later.
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

  /// Sends Close 1001 to every member; the future succeeds when all are gone.
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

  /// Closes a client that does not read what it is sent.
  func closeSlow(_ member: ConnectionHandler) {
    close(member, CloseFrame(.policyViolation, reason: "slow consumer"))
  }

  private func close(_ member: ConnectionHandler, _ frame: CloseFrame) {
    // Only a connection that is closing already refuses, and that is what is wanted.
    try? member.perform { machine throws(SendError) in try machine.sendClose(frame) }
  }

  private func succeedWaiting() {
    let promises = whenEmpty
    whenEmpty = []
    for promise in promises { promise.succeed() }
  }
}
