import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// The clients of one event loop that receive plain broadcasts: no message is kept, and a client that
/// is too slow is closed. Used on its loop only.
final class BroadcastAudience {
  private let loop: any EventLoop
  /// Messages go straight into the machines of these.
  private var members: [ObjectIdentifier: ConnectionHandler] = [:]
  /// Messages to these go through their outlets, or are events.
  private var filtered: [ObjectIdentifier: ServedClient] = [:]
  /// Members that were closed for being slow.
  private(set) var slowConsumers: UInt64 = 0
  private var unwritten: [ConnectionHandler] = []
  /// Senders that are not read from, until the others have caught up.
  private var paused: [ConnectionHandler] = []

  init(on loop: any EventLoop) { self.loop = loop }

  /// The clients that take messages.
  var openCount: Int {
    members.values.count(where: \.isOpen)
      + filtered.values.count { $0.handler?.isOpen ?? false }
  }

  /// Adds a client whose connection is open.
  func add(_ client: ServedClient) {
    guard let handler = client.handler else { return }
    if client.outlet == nil, client.events == nil {
      members[ObjectIdentifier(handler)] = handler
    } else {
      filtered[ObjectIdentifier(handler)] = client
    }
  }

  func remove(_ client: ServedClient) {
    guard let handler = client.handler else { return }
    members[ObjectIdentifier(handler)] = nil
    filtered[ObjectIdentifier(handler)] = nil
  }

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
      try? member.prepare { machine throws(SendError) in
        client.deliver(kind, payload, number: client.events?.nextNumber(), &machine)
      }
      unwritten.append(member)
    }
  }

  private func closeSlow(_ member: ConnectionHandler) {
    slowConsumers += 1
    member.closeSlow()
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
}
