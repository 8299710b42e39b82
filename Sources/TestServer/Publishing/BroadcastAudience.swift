import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// The clients of one event loop that receive plain broadcasts: no message is kept, and a client that
/// is too slow is closed. Used on its loop only.
///
/// The messages of one turn of the loop, whichever clients they are from, are encoded once and written
/// to each member at the end of the turn: one write a member and turn.
final class BroadcastAudience {
  private let loop: any EventLoop
  private var members: [Member] = []
  /// Members that were closed for being slow.
  private(set) var slowConsumers: UInt64 = 0
  /// The messages of this turn.
  private var pending = SharedFrames()
  /// The clients that they are from.
  private var senders: [ConnectionHandler] = []
  private var isTurnEndScheduled = false
  /// Bytes passed to other loops and not yet written there.
  private var bytesOnOtherLoops = 0
  /// Senders that are not read from, until the others have caught up.
  private var paused: [ConnectionHandler] = []
  /// The same for all members.
  private var context: BehaviourContext?

  /// A client of the audience.
  final class Member {
    fileprivate let client: ServedClient
    fileprivate let handler: ConnectionHandler
    /// Whether the frames are written as they are. Otherwise each message goes through the outlet of the
    /// client, is an event, or is compressed.
    fileprivate let takesFrames: Bool
    fileprivate var index: Int
    /// Messages of this turn that it does not receive, because it has sent them.
    fileprivate var own: [SharedFrames.Part] = []
    /// Whether more than the limit waited for it after the last write.
    fileprivate var mayBeFull = false

    /// Bytes that wait for it, in its outlet too.
    fileprivate var waitingBytes: Int {
      handler.bufferedBytes + (client.outlet?.waitingBytes ?? 0)
    }

    fileprivate init(_ client: ServedClient, _ handler: ConnectionHandler, index: Int) {
      self.client = client
      self.handler = handler
      self.index = index
      takesFrames = client.outlet == nil && client.events == nil && handler.takesSharedFrames
    }
  }

  /// Bytes of messages after which a turn is written in parts.
  private static let maxPending = 64 * 1024
  /// Storage in bytes that is kept from turn to turn.
  private static let keptCapacity = 256 * 1024
  /// Bytes waiting for one member, above which its senders are paused.
  private static let behind = 512 * 1024
  private static let maxOnOtherLoops = 1024 * 1024
  /// A member that reads needs no more to catch up; no sender waits longer for one that does not.
  private static let longestPause = TimeAmount.milliseconds(10)

  init(on loop: any EventLoop) { self.loop = loop }

  /// The clients that take messages.
  var openCount: Int { members.count(where: \.handler.isOpen) }

  /// Adds a client whose connection is open. Messages of this turn that came before are not for it.
  ///
  /// - Parameters:
  ///   - client: The client.
  ///   - context: The same for all clients of the server.
  /// - Returns: nil if the client has ended.
  func add(_ client: ServedClient, _ context: BehaviourContext) -> Member? {
    self.context = context
    flush()
    guard let handler = client.handler else { return nil }
    let member = Member(client, handler, index: members.count)
    members.append(member)
    return member
  }

  func remove(_ member: Member) {
    let last = members.removeLast()
    guard last !== member else { return }
    last.index = member.index
    members[member.index] = last
  }

  /// Takes a message for the members; `burstEnded` follows.
  ///
  /// - Parameters:
  ///   - kind: Of the message.
  ///   - payload: The message.
  ///   - author: A member that does not receive it.
  func add(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer, except author: Member?) {
    let part = pending.append(kind, payload)
    author?.own.append(part)
  }

  /// The messages of one read of `sender` are complete: they are written when the turn ends, or now if
  /// they are many. `machine` is that of the sender.
  func burstEnded(of sender: Member, _ machine: inout ConnectionMachine) {
    guard !pending.isEmpty else { return }
    if senders.last !== sender.handler { senders.append(sender.handler) }
    if pending.bytes.readableBytes > Self.maxPending {
      writePending(to: sender, &machine)
      flush(except: sender)
    } else if !isTurnEndScheduled {
      isTurnEndScheduled = true
      loop.assumeIsolated().execute {
        self.isTurnEndScheduled = false
        self.flush()
      }
    }
  }

  /// Sends messages that are not from a member.
  ///
  /// - Returns: The number of messages sent, each counted for each member.
  func publish(_ messages: [PublishedMessage]) -> Int {
    flush()
    var frames = SharedFrames()
    for message in messages {
      message.payload.withUnsafeReadableBytes { _ = frames.append(message.kind, $0) }
    }
    write(frames)
    return messages.count * openCount
  }

  /// Writes the messages of this turn so far. Not to be called while a member borrows its machine.
  func flush() { flush(except: nil) }

  private func flush(except written: Member?) {
    guard !pending.isEmpty else { return }
    let isBehind = write(pending, except: written)
    passOn()
    if isBehind || bytesOnOtherLoops > Self.maxOnOtherLoops { pause(senders) }
    pending.removeAll(keepingUpTo: Self.keptCapacity)
    senders.removeAll(keepingCapacity: true)
  }

  /// Writes messages to all members: one write a member, however many messages it is.
  ///
  /// A member that does not read is closed once more than the limit waits for it: the memory is bounded,
  /// and no other client is slowed down for longer than `longestPause` at a time.
  ///
  /// - Returns: Whether a member is behind: it has not been able to take what it was sent.
  @discardableResult
  private func write(_ frames: SharedFrames, except written: Member? = nil) -> Bool {
    var isBehind = false
    let queueLimit = context?.queueLimit ?? .max
    for member in members where member !== written {
      // All of them may be its own.
      if member.own.isEmpty || member.own.count != frames.totals.messages {
        let waiting = write(frames, to: member, queueLimit)
        if waiting > Self.behind { isBehind = true }
        // Asked for once a write, because it is done for every member and turn.
        member.mayBeFull = waiting > queueLimit
      }
      if !member.own.isEmpty { member.own.removeAll(keepingCapacity: true) }
    }
    return isBehind
  }

  /// - Returns: Bytes that wait for the member; 0 if it is closing.
  private func write(_ frames: SharedFrames, to member: Member, _ queueLimit: Int) -> Int {
    let handler = member.handler
    if member.mayBeFull, member.waitingBytes > queueLimit {
      guard handler.isOpen else { return 0 }
      slowConsumers += 1
      handler.closeSlow()
      return handler.bufferedBytes
    }
    if member.takesFrames {
      return (try? handler.send(frames, except: member.own)) ?? 0
    }
    guard handler.isOpen else { return 0 }
    try? handler.perform { machine throws(SendError) in
      Self.write(frames, one: member, &machine)
    }
    return member.waitingBytes
  }

  /// Writes the messages of this turn to a member that borrows its machine and is about to close, or is
  /// left out when they are written to the others.
  func writePending(to member: Member, _ machine: inout ConnectionMachine) {
    if member.takesFrames {
      try? machine.send(pending, except: member.own)
    } else {
      Self.write(pending, one: member, &machine)
    }
    member.own.removeAll(keepingCapacity: true)
  }

  /// Writes message by message.
  private static func write(
    _ frames: SharedFrames, one member: Member, _ machine: inout ConnectionMachine
  ) {
    let client = member.client
    frames.forEachMessage(except: member.own) { kind, payload, _ in
      client.deliver(kind, payload, number: client.events?.nextNumber(), &machine)
    }
  }

  /// Passes the messages to the other loops, which report back when they have written them.
  private func passOn() {
    guard let registries = context?.registries, registries.count > 1 else { return }
    let size = pending.bytes.readableBytes
    let home = NIOLoopBound((audience: self, senders: senders), eventLoop: loop)
    for other in registries where other.eventLoop !== loop {
      bytesOnOtherLoops += size
      other.eventLoop.execute { [pending] in
        let isBehind = other.value.audience.receive(pending)
        home.eventLoop.execute {
          let (audience, senders) = home.value
          audience.bytesOnOtherLoops -= size
          if isBehind { audience.pause(senders) }
        }
      }
    }
  }

  /// Writes messages from another loop.
  private func receive(_ frames: SharedFrames) -> Bool {
    // What members leave out is a part of the messages of their own loop.
    flush()
    return write(frames)
  }

  // MARK: Backpressure

  /// Stops reading from senders until a member has caught up, or for a moment: a sender that is faster
  /// than those that read fills no queues with what they would take a little later.
  private func pause(_ senders: [ConnectionHandler]) {
    let isFirst = paused.isEmpty
    for sender in senders { sender.setReading(false) }
    paused += senders
    guard isFirst, !paused.isEmpty else { return }
    loop.assumeIsolated().scheduleTask(in: Self.longestPause) { [weak self] in self?.resumeSenders()
    }
  }

  /// Reads from all senders again.
  func resumeSenders() {
    let senders = paused
    paused = []
    for sender in senders { sender.setReading(true) }
  }
}
