import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// What the clients of one event loop have in common: the list of them, the log's budget, and, for
/// broadcasts, whose output waits to be written. Used on its loop only.
final class Station {
  let loop: any EventLoop
  let report: @Sendable (ServerEvent) -> Void
  let budget: MessageBudget
  private var members: [ObjectIdentifier: ConnectionHandler] = [:]
  private var unwritten: [ConnectionHandler] = []
  /// Senders that are not read from, until the others have caught up.
  private var heldBack: [ConnectionHandler] = []
  private var whenEmpty: [EventLoopPromise<Void>] = []
  private var isStopping = false

  init(
    on loop: any EventLoop, messagesToldPerSecond: Int,
    report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.loop = loop
    self.report = report
    budget = MessageBudget(perSecond: messagesToldPerSecond, on: loop, report: report)
  }

  var count: Int { members.count }

  func enter(_ handler: ConnectionHandler) {
    members[ObjectIdentifier(handler)] = handler
    // It came through the door while the server was closing it.
    if isStopping { sayGoodbye(handler) }
  }

  func leave(_ handler: ConnectionHandler) {
    members[ObjectIdentifier(handler)] = nil
    if members.isEmpty { succeedWaiting() }
  }

  // MARK: Broadcast

  /// Puts a message into the output of every member except `sender`; `flush()` writes.
  ///
  /// A member that does not read is closed once more than `queueLimit` bytes wait for it: the memory is
  /// bounded, and nobody else is slowed down for longer than `longestHold` at a time.
  func deliver(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, except sender: ConnectionHandler?,
    queueLimit: Int
  ) {
    for member in members.values where member !== sender && member.isOpen {
      if !member.isWritable, member.bufferedBytes > queueLimit {
        close(member, CloseFrame(.policyViolation, reason: "slow consumer"))
        continue
      }
      // It is open, as has been asked; a message that cannot be sent is none of the sender's fault.
      try? member.prepare { machine throws(SendError) in try machine.send(kind, payload) }
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

  /// Bytes waiting for one member from which on those that send to it are held back.
  private static let behind = 512 * 1024
  /// A member that reads needs no more to catch up; for one that does not, nobody waits longer.
  private static let longestHold = TimeAmount.milliseconds(10)

  /// Stops reading from a sender until a member has caught up, or for a moment: a sender that is faster
  /// than those that read fills no queues with what they would take a little later.
  func holdBack(_ sender: ConnectionHandler) {
    sender.setReading(false)
    heldBack.append(sender)
    guard heldBack.count == 1 else { return }
    loop.assumeIsolated().scheduleTask(in: Self.longestHold) { [weak self] in self?.letGo() }
  }

  /// Reads from all senders again.
  func letGo() {
    let senders = heldBack
    heldBack = []
    for sender in senders { sender.setReading(true) }
  }

  // MARK: The end

  /// Sends Close 1001 to every member; the future succeeds when all are gone.
  func stop() -> EventLoopFuture<Void> {
    isStopping = true
    let promise = loop.makePromise(of: Void.self)
    whenEmpty.append(promise)
    if members.isEmpty { succeedWaiting() }
    for member in members.values { sayGoodbye(member) }
    return promise.futureResult
  }

  private func sayGoodbye(_ member: ConnectionHandler) {
    close(member, CloseFrame(.goingAway, reason: "server is shutting down"))
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
