import NIOCore
import Synchronization
import WebSocketProtocol

/// All channels of a server.
///
/// A channel has one order of events, whichever loops its members live on: an event gets its place
/// under the lock, and is handed to the loops there.
final class Channels: Sendable {
  let settings: ChannelSettings
  private let registries: [NIOLoopBound<ClientRegistry>]
  private let table: Mutex<ChannelTable>

  init(
    _ settings: ChannelSettings, _ registries: [NIOLoopBound<ClientRegistry>],
    kept: KeptMessages = KeptMessages()
  ) {
    self.settings = settings
    table = Mutex(ChannelTable(kept: kept))
    self.registries = registries
  }

  /// An event on its way to the members on one loop.
  struct Delivery: Sendable {
    var event: MemberEvent
    /// The client that it is from, which does not get it unless it asked to.
    var author: Int?
  }

  /// Something that a member sends.
  enum Input: Sendable {
    case message(PublishedMessage)
    case rename(String)
    case who
    /// A command that is not valid; it is answered.
    case invalid(problem: String)
  }

  /// What one member sends, in its order.
  struct Inputs: Sendable {
    var author: Int
    var inputs: [Input]
  }

  /// Adds a client whose connection is open, and sends it the messages that are kept. Called on its
  /// loop.
  func join(_ key: ChannelKey, _ client: ServedClient, _ options: MemberOptions) {
    let joining = table.withLock { table in
      let joining = table.join(
        key, client: client.number, name: options.name, after: options.lastNumber)
      if let event = joining.event { _ = hand([Delivery(event: event)], to: key) }
      return joining
    }
    let registry = client.registry
    let channel =
      registry.channels[key]
      ?? Channel(settings, on: registry.loop, report: registry.report)
    registry.channels[key] = channel
    channel.join(client, options, after: joining.serial, kept: joining.kept)
  }

  /// Removes a client. Called on its loop.
  func leave(_ key: ChannelKey, _ client: ServedClient) {
    let registry = client.registry
    registry.channels[key]?.leave(client)
    if registry.channels[key]?.isEmpty == true { registry.channels[key] = nil }
    table.withLock { table in
      guard let event = table.leave(key, client: client.number) else { return }
      _ = hand([Delivery(event: event)], to: key)
    }
  }

  /// Publishes messages that are not from a member.
  ///
  /// - Parameters:
  ///   - messages: In their order.
  ///   - key: The channel.
  ///   - name: The author, for members of a room.
  /// - Returns: For each loop the number of messages that were sent there, known when the members have
  ///   caught up, or have been waited for long enough.
  func publish(
    _ messages: [PublishedMessage], to key: ChannelKey, name: String? = nil
  ) -> [EventLoopFuture<Int>] {
    table.withLock { table in
      let deliveries = messages.map { message in
        Delivery(
          event: table.add(
            message, to: key, from: nil, name: name, keeping: settings.kept(key)))
      }
      return hand(deliveries, to: key)
    }
  }

  /// Publishes a message that is not from a member, without waiting for the members.
  ///
  /// - Returns: Its number in the channel.
  func add(_ message: PublishedMessage, to key: ChannelKey) -> UInt64 {
    table.withLock { table in
      let event = table.add(message, to: key, from: nil, name: nil, keeping: settings.kept(key))
      _ = hand([Delivery(event: event)], to: key)
      return event.number ?? 0
    }
  }

  /// The messages of a channel after a number; without a number none, only that of the newest.
  func news(of key: ChannelKey, after number: UInt64?) -> Updates.News {
    table.withLock { $0.news(of: key, after: number) }
  }

  /// Does what members send.
  ///
  /// - Returns: Answers to each member alone, and futures as of `publish`.
  func perform(
    _ parts: [Inputs], in key: ChannelKey
  ) -> (replies: [[ChatReply]], sent: [EventLoopFuture<Int>]) {
    table.withLock { table in
      var deliveries: [Delivery] = []
      let replies = parts.map { part in
        part.inputs.compactMap { input -> ChatReply? in
          switch input {
          case .message(let message):
            let event = table.add(
              message, to: key, from: part.author, name: nil, keeping: settings.kept(key))
            deliveries.append(Delivery(event: event, author: part.author))
          case .rename(let name):
            guard let event = table.rename(part.author, to: name, in: key) else {
              return .problem("the name \(name) is taken")
            }
            deliveries.append(Delivery(event: event))
          case .who: return .names(table.names(in: key))
          case .invalid(let problem): return .problem(problem)
          }
          return nil
        }
      }
      return (replies, hand(deliveries, to: key))
    }
  }

  /// Hands events to the loops. Called under the lock, so that all loops get them in one order.
  private func hand(_ deliveries: [Delivery], to key: ChannelKey) -> [EventLoopFuture<Int>] {
    guard !deliveries.isEmpty else { return [] }
    return registries.map { registry in
      registry.eventLoop.flatSubmit {
        let registry = registry.value
        return registry.channels[key]?.deliver(deliveries)
          ?? registry.loop.makeSucceededFuture(0)
      }
    }
  }
}
