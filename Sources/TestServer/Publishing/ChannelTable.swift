/// The members and the last messages of all channels: a value without effects. Each change returns
/// the events that the members are to receive.
struct ChannelTable {
  private var channels: [ChannelKey: State] = [:]
  private var kept: KeptMessages

  init(kept: KeptMessages = KeptMessages()) { self.kept = kept }

  private struct State {
    var lastSerial: UInt64 = 0
    var lastNumber: UInt64 = 0
    /// The names of the members in a room; empty names elsewhere.
    var members: [Int: String] = [:]
    var names: Set<String> = []

    mutating func event(_ content: MemberEvent.Content) -> MemberEvent {
      lastSerial += 1
      return MemberEvent(serial: lastSerial, here: members.count, content: content)
    }

    mutating func add(
      _ message: PublishedMessage, from author: Int?, name: String?
    ) -> MemberEvent {
      lastNumber += 1
      var event = event(.message(message, name: author.flatMap { members[$0] } ?? name))
      event.number = lastNumber
      return event
    }
  }

  /// The result of joining.
  struct Joining: Sendable {
    /// Events after this one are for the new member.
    var serial: UInt64
    /// The kept messages that it receives first.
    var kept: [MemberEvent]
    /// nil outside rooms.
    var event: MemberEvent?
  }

  /// Adds a member.
  ///
  /// - Parameters:
  ///   - key: The channel.
  ///   - client: The number of the client.
  ///   - name: The name that the client asks for, in a room; a number is appended if it is taken.
  ///   - number: The last message that the client received earlier.
  /// - Returns: What the new member and the others receive.
  mutating func join(
    _ key: ChannelKey, client: Int, name: String?, after number: UInt64?
  ) -> Joining {
    var state = channels[key] ?? State()
    let last = (serial: state.lastSerial, number: state.lastNumber)
    var joined: String?
    if case .room = key {
      let free = Self.free(name ?? "guest-\(client)", in: state.names)
      state.names.insert(free)
      joined = free
    }
    state.members[client] = joined ?? ""
    channels[key] = state
    // Updates are for those who are there, or resume.
    var start = number
    if case .updates = key { start = number ?? last.number }
    return Joining(
      serial: last.serial, kept: kept.messages(of: key, after: start, last: last.number),
      event: joined.flatMap { event(.joined($0), in: key) })
  }

  private static func free(_ name: String, in names: Set<String>) -> String {
    guard names.contains(name) else { return name }
    var number = 2
    while names.contains("\(name)-\(number)") { number += 1 }
    return "\(name)-\(number)"
  }

  /// Removes a member.
  mutating func leave(_ key: ChannelKey, client: Int) -> MemberEvent? {
    guard let name = channels[key]?.members.removeValue(forKey: client) else { return nil }
    channels[key]?.names.remove(name)
    defer { forgetIfEmpty(key) }
    guard case .room = key else { return nil }
    return event(.left(name), in: key)
  }

  /// Adds a message.
  ///
  /// - Parameters:
  ///   - message: The message.
  ///   - key: The channel.
  ///   - author: The client that it is from; nil if it was published.
  ///   - name: The name that it was published under.
  ///   - limit: How many messages the channel keeps.
  /// - Returns: The event for all members.
  mutating func add(
    _ message: PublishedMessage, to key: ChannelKey, from author: Int?, name: String?,
    keeping limit: Int
  ) -> MemberEvent {
    // The channel is looked up once: this is done for every message.
    let event = channels[key, default: State()].add(message, from: author, name: name)
    for other in kept.keep(event, of: key, limit: limit) { forgetIfEmpty(other) }
    if event.here == 0 { forgetIfEmpty(key) }
    return event
  }

  /// Changes the name of a member.
  ///
  /// - Returns: nil if another member has this name.
  mutating func rename(_ client: Int, to name: String, in key: ChannelKey) -> MemberEvent? {
    guard let old = channels[key]?.members[client], channels[key]?.names.contains(name) == false
    else { return nil }
    channels[key]?.names.remove(old)
    channels[key]?.names.insert(name)
    channels[key]?.members[client] = name
    return event(.renamed(old, to: name), in: key)
  }

  /// The messages of a channel after a number; without a number none, only that of the newest.
  func news(of key: ChannelKey, after number: UInt64?) -> Updates.News {
    let newest = channels[key]?.lastNumber ?? 0
    guard let number, number != newest else { return .updates([], newest: newest) }
    guard number < newest else { return .ahead(newest: newest) }
    guard let first = kept.firstNumber(of: key), first <= number + 1 else { return .discarded }
    let updates = kept.messages(of: key, after: number, last: newest).compactMap { event in
      event.rendered(as: .raw)?.payload
    }
    return .updates(updates, newest: newest)
  }

  /// The number of channels that have members or messages.
  var count: Int { channels.count }

  /// The names of the members of a room, sorted.
  func names(in key: ChannelKey) -> [String] { channels[key]?.names.sorted() ?? [] }

  private mutating func event(_ content: MemberEvent.Content, in key: ChannelKey) -> MemberEvent {
    channels[key, default: State()].event(content)
  }

  /// A room without members and messages is as one that never existed.
  private mutating func forgetIfEmpty(_ key: ChannelKey) {
    if channels[key]?.members.isEmpty == true, kept.isEmpty(key) { channels[key] = nil }
  }
}
