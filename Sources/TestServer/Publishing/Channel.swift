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
///
/// The events of one turn of the loop are rendered once for each format, and written to each member in
/// one write.
final class Channel {
  private let settings: ChannelSettings
  private let loop: any EventLoop
  private let report: @Sendable (ServerEvent) -> Void
  private var members: [Int: Member] = [:]
  /// The messages of this turn, by the index of the format.
  private var pending = ChannelFormat.allCases.map { RenderedMessages(format: $0) }
  /// Those who wait for them; nil if nothing is pending.
  private var whenWritten: EventLoopPromise<Int>?

  /// Messages in one format, and the number of their receivers.
  private struct RenderedMessages {
    let format: ChannelFormat
    /// The number of members with this format.
    var members = 0
    var frames = SharedFrames()
    /// The number of each in the channel; nil for an event that is not a message.
    var numbers: [UInt64?] = []
  }

  private final class Member {
    let client: ServedClient
    let options: MemberOptions
    /// Events up to this one were before it joined.
    let joinedAfter: UInt64
    /// Pending messages that it does not receive.
    var excluded: [SharedFrames.Part] = []
    /// How many of them have a number.
    var excludedNumbers = 0
    /// Messages dropped since it became too slow.
    var dropped = 0
    /// Whether the frames are written as they are. Otherwise each message goes through the outlet of the
    /// client, is an event, or is compressed.
    let takesFrames: Bool

    init(_ client: ServedClient, _ options: MemberOptions, after serial: UInt64) {
      self.client = client
      self.options = options
      joinedAfter = serial
      takesFrames =
        client.outlet == nil && client.events == nil && client.handler?.takesSharedFrames == true
    }

    var waitingBytes: Int {
      (client.handler?.bufferedBytes ?? 0) + (client.outlet?.waitingBytes ?? 0)
    }
  }

  /// Bytes of messages after which a turn is written in parts.
  private static let maxPending = 64 * 1024
  /// Storage in bytes that is kept from turn to turn.
  private static let keptCapacity = 4096
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
    // What is pending now is in `kept`, or was before it.
    write()
    for event in kept {
      guard let message = event.rendered(as: options.format) else { continue }
      // A client that is closing takes no more.
      try? client.handler?.prepare { machine throws(SendError) in
        message.payload.withUnsafeReadableBytes {
          client.deliver(message.kind, $0, number: event.number, &machine)
        }
      }
    }
    client.handler?.flush()
    members[client.number] = Member(client, options, after: serial)
    pending[options.format.index].members += 1
  }

  func leave(_ client: ServedClient) {
    guard let member = members.removeValue(forKey: client.number) else { return }
    pending[member.options.format.index].members -= 1
    reportDropped(member)
  }

  /// Sends events to the members: those of members when the turn of the loop ends, others at once.
  ///
  /// - Returns: The number of messages sent, each counted for each member, once the members have caught
  ///   up or have been waited for long enough. For events of members it is that of the turn.
  func deliver(_ deliveries: [Channels.Delivery]) -> EventLoopFuture<Int> {
    let isPublished = deliveries.contains { $0.author == nil && $0.event.number != nil }
    // It has a count of its own.
    if isPublished { write() }
    for delivery in deliveries { add(delivery) }
    let promise = whenWritten ?? loop.makePromise(of: Int.self)
    if whenWritten == nil {
      whenWritten = promise
      if !isPublished { loop.assumeIsolated().execute { self.write() } }
    }
    let isMuch = pending.contains { $0.frames.bytes.readableBytes > Self.maxPending }
    if isPublished || isMuch { write() }
    return promise.futureResult
  }

  private func add(_ delivery: Channels.Delivery) {
    let event = delivery.event
    for index in pending.indices where pending[index].members > 0 {
      let format = pending[index].format
      guard let message = event.rendered(as: format) else { continue }
      let part = message.payload.withUnsafeReadableBytes {
        pending[index].frames.append(message.kind, $0)
      }
      pending[index].numbers.append(event.number)
      for member in members.values where member.options.format == format {
        let isOwn = delivery.author == member.client.number && !member.options.includesSelf
        guard isOwn || event.serial <= member.joinedAfter else { continue }
        member.excluded.append(part)
        if event.number != nil { member.excludedNumbers += 1 }
      }
    }
  }

  /// Writes what is pending. Not to be called while a member borrows its machine.
  func write() {
    guard let promise = whenWritten else { return }
    whenWritten = nil
    var sent = 0
    for member in members.values {
      sent += write(pending[member.options.format.index], to: member)
      member.excluded.removeAll(keepingCapacity: true)
      member.excludedNumbers = 0
    }
    for index in pending.indices {
      pending[index].frames.removeAll(keepingUpTo: Self.keptCapacity)
      pending[index].numbers.removeAll(keepingCapacity: true)
    }
    let limit: NIODeadline? = settings.slow == .wait ? nil : .now() + Self.longestPause
    settle(promise, sent, until: limit)
  }

  /// - Returns: The number of messages sent, without other events.
  private func write(_ messages: RenderedMessages, to member: Member) -> Int {
    let count = messages.frames.totals.messages.asInt - member.excluded.count
    guard count > 0, let handler = member.client.handler, handler.isOpen else { return 0 }
    guard takes(member, handler, messages: count) else { return 0 }
    if member.takesFrames {
      _ = try? handler.send(messages.frames, except: member.excluded)
    } else {
      let client = member.client
      try? handler.perform { machine throws(SendError) in
        messages.frames.forEachMessage(except: member.excluded) { kind, payload, index in
          client.deliver(kind, payload, number: messages.numbers[index], &machine)
        }
      }
    }
    return messages.numbers.count { $0 != nil } - member.excludedNumbers
  }

  private func settle(_ promise: EventLoopPromise<Int>, _ sent: Int, until limit: NIODeadline?) {
    let isBehind = members.values.contains { $0.waitingBytes > Self.behind }
    guard isBehind, limit.map({ $0 > .now() }) ?? true else { return promise.succeed(sent) }
    // Poll instead of waiting for writability, because messages may also wait in a delay fault.
    loop.assumeIsolated().scheduleTask(in: Self.pollInterval) { [self] in
      settle(promise, sent, until: limit)
    }
  }

  /// Whether a client receives the next messages; applies the policy if it is too slow.
  private func takes(_ member: Member, _ handler: ConnectionHandler, messages: Int) -> Bool {
    let waiting = member.waitingBytes
    if waiting <= settings.queueLimit {
      guard member.dropped > 0 else { return true }
      if waiting <= settings.queueLimit / 2 {
        reportDropped(member)
        return true
      }
    }
    switch settings.slow {
    case .wait: return true
    case .drop:
      if member.dropped == 0 { member.client.registry.counters.slowConsumers += 1 }
      member.dropped += messages
    case .close:
      member.client.registry.counters.slowConsumers += 1
      handler.closeSlow()
    }
    return false
  }

  private func reportDropped(_ member: Member) {
    guard member.dropped > 0 else { return }
    report(.dropped(client: member.client.number, messages: member.dropped))
    member.dropped = 0
  }
}
