import NIOCore
import WebSocketNIO
package import WebSocketProtocol

/// What happens to a client that reads too slowly.
package enum SlowPolicy: String, Sendable, CaseIterable {
  /// The client is closed.
  case close
  /// Messages to it are dropped until half of its queue is empty.
  case drop
  /// The publisher waits for it.
  case wait
}

/// How a channel treats its clients.
struct ChannelSettings: Sendable {
  /// Maximum number of bytes queued for one client.
  var queueLimit: Int
  var slow = SlowPolicy.close
  /// The number of past messages that a new client receives first.
  var kept = 0
}

/// The clients of one event loop that receive published messages, and the last messages. Used only
/// on its loop.
final class Channel {
  private let settings: ChannelSettings
  private let loop: any EventLoop
  private let report: @Sendable (ServerEvent) -> Void
  private var members: [Int: ServedClient] = [:]
  /// The number of messages dropped so far for each client that is too slow.
  private var dropped: [Int: Int] = [:]
  private var kept = CircularBuffer<PublishedMessage>()
  private var keptBytes = 0

  /// Maximum total size of the kept messages in bytes.
  private static let maxKeptBytes = 1 << 20
  /// The publisher is paused while more than this many bytes are queued for a client.
  private static let behind = 512 * 1024
  /// Long enough for a client that reads to catch up.
  private static let longestPause = TimeAmount.milliseconds(10)
  private static let pollInterval = TimeAmount.milliseconds(2)

  init(
    _ settings: ChannelSettings, on loop: any EventLoop,
    report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.settings = settings
    self.loop = loop
    self.report = report
  }

  /// Adds a client with an open connection and sends it the kept messages.
  func join(_ client: ServedClient) {
    for message in kept { send(message, to: client) }
    client.handler?.flush()
    members[client.number] = client
  }

  func leave(_ client: ServedClient) {
    members[client.number] = nil
    reportDropped(client.number)
  }

  /// Sends messages to every client.
  ///
  /// - Returns: A future that succeeds when the clients have caught up, or after `longestPause`
  ///   unless the policy is to wait.
  func publish(_ messages: [PublishedMessage]) -> EventLoopFuture<Void> {
    for message in messages {
      keep(message)
      for client in members.values where takes(client) { send(message, to: client) }
    }
    for client in members.values { client.handler?.flush() }
    let promise = loop.makePromise(of: Void.self)
    let limit: NIODeadline? = settings.slow == .wait ? nil : .now() + Self.longestPause
    settle(promise, until: limit)
    return promise.futureResult
  }

  private func settle(_ promise: EventLoopPromise<Void>, until limit: NIODeadline?) {
    let isBehind = members.values.contains { Self.waiting(for: $0) > Self.behind }
    guard isBehind, limit.map({ $0 > .now() }) ?? true else { return promise.succeed() }
    // Poll instead of waiting for writability, because messages may also wait in a delay fault.
    loop.assumeIsolated().scheduleTask(in: Self.pollInterval) { [self] in
      settle(promise, until: limit)
    }
  }

  private static func waiting(for client: ServedClient) -> Int {
    (client.handler?.bufferedBytes ?? 0) + (client.outlet?.waitingBytes ?? 0)
  }

  private func send(_ message: PublishedMessage, to client: ServedClient) {
    // This fails only if the client is closing.
    try? client.handler?.prepare { machine throws(SendError) in
      message.payload.withUnsafeReadableBytes { client.send(message.kind, $0, &machine) }
    }
  }

  /// Whether a client receives the next message; applies the policy if it is too slow.
  private func takes(_ client: ServedClient) -> Bool {
    guard let handler = client.handler, handler.isOpen else { return false }
    if Self.waiting(for: client) <= settings.queueLimit {
      guard dropped[client.number] != nil else { return true }
      if Self.waiting(for: client) <= settings.queueLimit / 2 {
        reportDropped(client.number)
        return true
      }
    }
    switch settings.slow {
    case .wait: return true
    case .drop: dropped[client.number, default: 0] += 1
    case .close: client.registry.closeSlow(handler)
    }
    return false
  }

  private func reportDropped(_ client: Int) {
    guard let count = dropped.removeValue(forKey: client) else { return }
    report(.dropped(client: client, messages: count))
  }

  private func keep(_ message: PublishedMessage) {
    guard settings.kept > 0 else { return }
    kept.append(message)
    keptBytes += message.payload.readableBytes
    while kept.count > settings.kept || keptBytes > Self.maxKeptBytes {
      keptBytes -= kept.removeFirst().payload.readableBytes
    }
  }
}

/// A message for every client of a channel.
package struct PublishedMessage: Sendable {
  var kind: MessageKind
  var payload: ByteBuffer

  package init(_ kind: MessageKind, _ payload: [UInt8]) {
    self.kind = kind
    self.payload = ByteBuffer(bytes: payload)
  }
}
