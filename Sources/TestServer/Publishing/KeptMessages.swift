import NIOCore

/// The last messages of every channel, for clients that join later.
///
/// All channels together keep at most `maxBytes` of payload and `maxMessages` messages: the oldest
/// message of all is discarded first.
struct KeptMessages: Sendable {
  let maxBytes: Int
  let maxMessages: Int
  private var channels: [ChannelKey: CircularBuffer<Entry>] = [:]
  /// The kept messages in the order in which they came. Some may have been discarded already.
  private var order = CircularBuffer<(key: ChannelKey, serial: UInt64)>()
  private var serial: UInt64 = 0
  private(set) var bytes = 0
  private(set) var count = 0

  init(maxBytes: Int = 1 << 20, maxMessages: Int = 16_384) {
    self.maxBytes = maxBytes
    self.maxMessages = maxMessages
  }

  private struct Entry {
    var serial: UInt64
    var event: MemberEvent
    var bytes: Int
  }

  /// Keeps a message.
  ///
  /// - Parameters:
  ///   - event: A message.
  ///   - key: Its channel.
  ///   - limit: How many messages the channel keeps.
  /// - Returns: The channels that have lost their last message.
  mutating func keep(_ event: MemberEvent, of key: ChannelKey, limit: Int) -> [ChannelKey] {
    guard limit > 0, case .message(let message, _) = event.content else { return [] }
    let size = message.payload.readableBytes
    // Without a message in their middle the others are not the last ones.
    guard size <= maxBytes else {
      while channels[key] != nil { discardFirst(of: key) }
      return [key]
    }
    serial += 1
    channels[key, default: []].append(Entry(serial: serial, event: event, bytes: size))
    order.append((key, serial))
    bytes += size
    count += 1
    while channels[key]?.count ?? 0 > limit { discardFirst(of: key) }
    var emptied: [ChannelKey] = []
    while bytes > maxBytes || count > maxMessages {
      guard let key = discardOldest() else { break }
      if channels[key] == nil { emptied.append(key) }
    }
    // Each kept message is in `order` once; the others are few.
    if order.count > 2 * count + 64 {
      order = CircularBuffer(order.filter { isKept($0.key, $0.serial) })
    }
    return emptied
  }

  /// The messages of a channel after the one with this number; all if the channel has not had that
  /// number yet, as after a restart of the server.
  func messages(of key: ChannelKey, after number: UInt64?, last: UInt64) -> [MemberEvent] {
    guard let entries = channels[key] else { return [] }
    // What is kept of a channel are its last messages: their numbers have no gap.
    guard let number, number <= last, let first = entries.first?.event.number, number >= first
    else { return entries.map(\.event) }
    return entries.dropFirst(Int(clamping: number - first + 1)).map(\.event)
  }

  /// The number of the first message that a channel keeps; nil if it keeps none.
  func firstNumber(of key: ChannelKey) -> UInt64? { channels[key]?.first?.event.number }

  func isEmpty(_ key: ChannelKey) -> Bool { channels[key]?.isEmpty ?? true }

  private func isKept(_ key: ChannelKey, _ serial: UInt64) -> Bool {
    channels[key]?.first.map { $0.serial <= serial } ?? false
  }

  /// Discards the oldest message of all.
  ///
  /// - Returns: Its channel; nil if there is none.
  private mutating func discardOldest() -> ChannelKey? {
    while let (key, serial) = order.popFirst() {
      guard isKept(key, serial) else { continue }
      discardFirst(of: key)
      return key
    }
    return nil
  }

  private mutating func discardFirst(of key: ChannelKey) {
    guard let entry = channels[key]?.popFirst() else { return }
    bytes -= entry.bytes
    count -= 1
    if channels[key]?.isEmpty == true { channels[key] = nil }
  }
}
