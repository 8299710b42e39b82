import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// What happens to a client that reads too slowly.
package enum SlowPolicy: String, Sendable, CaseIterable {
  /// The client is closed.
  case close
  /// Messages to it are dropped until half of its queue is empty.
  case drop
  /// The publisher waits for it.
  case wait
}

/// How channels treat their members.
struct ChannelSettings: Sendable {
  /// Maximum number of bytes queued for one client.
  var queueLimit: Int
  var slow = SlowPolicy.close
  /// Messages that a new member of a room receives first.
  var keptInRooms = 0
  /// Messages that a new member of the channel `broadcast` receives first.
  var keptInBroadcast = 0

  func kept(_ key: ChannelKey) -> Int {
    switch key {
    case .broadcast: keptInBroadcast
    case .room: keptInRooms
    case .updates: Updates.maxKept
    }
  }
}

/// How a client takes part in a channel.
struct MemberOptions: Sendable, Hashable {
  /// The name that it asks for in a room; nil leaves it to the room.
  var name: String?
  var format = ChannelFormat.raw
  /// Whether it receives its own messages too.
  var includesSelf = false
  /// The last message that it received on an earlier connection.
  var lastNumber: UInt64?
}

/// The members of a channel on one event loop. Used on its loop only.
final class Channel {
  private let settings: ChannelSettings
  private let loop: any EventLoop
  private let report: @Sendable (ServerEvent) -> Void
  private var members: [Int: Member] = [:]
  /// Messages dropped so far, by client, while a client is too slow.
  private var dropped: [Int: Int] = [:]

  private struct Member {
    var client: ServedClient
    var options: MemberOptions
    /// Events up to this one were before it joined.
    var joinedAfter: UInt64
  }

  /// Bytes waiting for one client, above which the publisher is paused.
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

  var isEmpty: Bool { members.isEmpty }

  /// Adds a client whose connection is open.
  ///
  /// - Parameters:
  ///   - client: The client.
  ///   - options: How it takes part.
  ///   - serial: Only events after this one are for it.
  ///   - kept: Messages that it receives first.
  func join(
    _ client: ServedClient, _ options: MemberOptions, after serial: UInt64, kept: [MemberEvent]
  ) {
    for event in kept {
      if let message = event.rendered(as: options.format) {
        send(message, event.number, to: client)
      }
    }
    client.handler?.flush()
    members[client.number] = Member(client: client, options: options, joinedAfter: serial)
  }

  func leave(_ client: ServedClient) {
    members[client.number] = nil
    reportDropped(client.number)
  }

  /// Sends events to the members.
  ///
  /// - Returns: The number of messages sent, each counted for each member, once the members have caught
  ///   up or have been waited for long enough.
  func deliver(_ deliveries: [Channels.Delivery]) -> EventLoopFuture<Int> {
    var sent = 0
    for delivery in deliveries {
      let event = delivery.event
      // Rendered once for each format that has members.
      var rendered: [ChannelFormat: PublishedMessage?] = [:]
      for member in members.values where event.serial > member.joinedAfter {
        if delivery.author == member.client.number, !member.options.includesSelf { continue }
        let format = member.options.format
        let message = rendered[format] ?? event.rendered(as: format)
        rendered[format] = .some(message)
        guard let message, takes(member.client) else { continue }
        send(message, event.number, to: member.client)
        if event.number != nil { sent += 1 }
      }
    }
    for member in members.values { member.client.handler?.flush() }
    let promise = loop.makePromise(of: Void.self)
    let limit: NIODeadline? = settings.slow == .wait ? nil : .now() + Self.longestPause
    settle(promise, until: limit)
    return promise.futureResult.map { [sent] in sent }
  }

  private func settle(_ promise: EventLoopPromise<Void>, until limit: NIODeadline?) {
    let isBehind = members.values.contains { Self.waiting(for: $0.client) > Self.behind }
    guard isBehind, limit.map({ $0 > .now() }) ?? true else { return promise.succeed() }
    // Poll instead of waiting for writability, because messages may also wait in a delay fault.
    loop.assumeIsolated().scheduleTask(in: Self.pollInterval) { [self] in
      settle(promise, until: limit)
    }
  }

  private static func waiting(for client: ServedClient) -> Int {
    (client.handler?.bufferedBytes ?? 0) + (client.outlet?.waitingBytes ?? 0)
  }

  private func send(_ message: PublishedMessage, _ number: UInt64?, to client: ServedClient) {
    // A client that is closing takes no more.
    try? client.handler?.prepare { machine throws(SendError) in
      message.payload.withUnsafeReadableBytes {
        client.deliver(message.kind, $0, number: number, &machine)
      }
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
    case .drop:
      if dropped[client.number] == nil { client.registry.counters.slowConsumers += 1 }
      dropped[client.number, default: 0] += 1
    case .close:
      client.registry.counters.slowConsumers += 1
      handler.closeSlow()
    }
    return false
  }

  private func reportDropped(_ client: Int) {
    guard let count = dropped.removeValue(forKey: client) else { return }
    report(.dropped(client: client, messages: count))
  }
}
