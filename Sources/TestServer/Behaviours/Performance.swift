import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Sends a sequence of messages or pings: at once, at an interval, or as fast as the client reads.
final class Performance: Behaviour {
  enum Item {
    case message(MessageKind, [UInt8])
    case ping
  }

  /// What happens to messages from the client.
  enum Answer {
    case echo, discard
  }

  struct Maker: BehaviourMaker {
    /// The number of items; nil for no end.
    var count: Int?
    /// Nanoseconds between two items.
    var interval: Int64 = 0
    /// Nanoseconds before the first.
    var delay: Int64 = 0
    var answer = Answer.discard
    /// Whether a Close frame with code 1000 follows the last item.
    var closes = false
    /// Returns the item with this number, counted from 1.
    var item: @Sendable (_ number: Int) -> Item

    func makeBehaviour(for client: ServedClient) -> any Behaviour { Performance(client, self) }

    /// One message when the connection opens, then an echo.
    static func first(_ kind: MessageKind, _ payload: [UInt8]) -> Maker {
      Maker(count: 1, answer: .echo) { _ in .message(kind, payload) }
    }
  }

  let client: ServedClient
  private let settings: Maker
  private var next = 1
  private var due = NIODeadline.now()
  /// Sending waits until the connection is writable again.
  private var isBlocked = false
  private var timer: Scheduled<Void>?

  /// Bytes sent before other connections get their turn.
  private static let turn = 64 * 1024
  /// Maximum number of bytes waiting in a delay fault.
  private static let maxDelayed = 1 << 20

  init(_ client: ServedClient, _ settings: Maker) {
    self.client = client
    self.settings = settings
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler)
    due = .now() + .nanoseconds(settings.delay)
    if settings.delay == 0 { sendDue() } else { schedule(due) }
  }

  private func schedule(_ time: NIODeadline) {
    timer = client.registry.loop.assumeIsolated().scheduleTask(deadline: time) { [weak self] in
      self?.sendDue()
    }
  }

  private func sendDue() {
    timer = nil
    guard let handler = client.handler, handler.isOpen else { return }
    var bytes = 0
    while next <= settings.count ?? .max {
      let now = NIODeadline.now()
      guard due <= now else { return schedule(due) }
      guard handler.isWritable else {
        isBlocked = true
        return
      }
      guard client.outlet?.waitingBytes ?? 0 <= Self.maxDelayed else {
        return schedule(now + .milliseconds(10))
      }
      guard bytes < Self.turn else { return schedule(now) }
      bytes += send(handler)
      // A client that stopped reading does not receive missed items in a burst.
      due = max(due + .nanoseconds(settings.interval), now)
      next += 1
    }
    finish(handler)
  }

  /// - Returns: The approximate size of the frame in bytes.
  private func send(_ handler: ConnectionHandler) -> Int {
    switch settings.item(next) {
    case .ping:
      try? handler.perform { machine throws(SendError) in client.sendPing([], &machine) }
      return 2
    case .message(let kind, let payload):
      try? handler.perform { machine throws(SendError) in
        payload.withUnsafeBytes { client.send(kind, $0, &machine) }
      }
      return payload.count + 16
    }
  }

  private func finish(_ handler: ConnectionHandler) {
    guard settings.closes else { return }
    // The Close frame must not overtake messages in a delay fault.
    guard client.outlet?.waitingBytes ?? 0 == 0 else { return schedule(.now() + .milliseconds(10)) }
    try? handler.perform { machine throws(SendError) in try machine.sendClose(CloseFrame(.normal)) }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    if settings.answer == .echo { client.send(kind, payload, &machine) }
  }

  func writabilityChanged(_ isWritable: Bool) {
    if settings.answer == .echo { client.handler?.setReading(isWritable) }
    guard isWritable, isBlocked else { return }
    isBlocked = false
    // Not right now, because this may be called in the middle of a write.
    schedule(.now())
  }

  func closed(_ outcome: CloseOutcome) {
    timer?.cancel()
    timer = nil
    client.closed(outcome)
  }
}
