import NIOCore
import Synchronization
import WebSocketProtocol

/// The updates of the paths under `/t/`: channels whose messages are numbered, kept, and read in four ways.
///
/// WebSocket clients and event streams are members of a channel; polls read what the channel keeps.
final class Updates: Sendable {
  private let channels: Channels
  /// Long polls that wait for the next update of a channel, by its name.
  private let waiting = Mutex(Waiting())

  /// In bytes; also that of an echo.
  static let maxUpdate = 64 << 10
  /// Of all channels together.
  static let maxKept = 10_000
  static let maxKeptBytes = 64 << 20

  private struct Waiting {
    var polls: [String: [UInt64: EventLoopPromise<Void>]] = [:]
    var last: UInt64 = 0
  }

  /// What a poll reads.
  enum News: Sendable {
    /// The updates after the number of the client, perhaps none, and the number of the newest.
    case updates([ByteBuffer], newest: UInt64)
    /// Updates after the number of the client are no longer kept.
    case discarded
    /// The channel has not had that number yet.
    case ahead(newest: UInt64)
  }

  init(queueLimit: Int, _ registries: [NIOLoopBound<ClientRegistry>]) {
    channels = Channels(
      ChannelSettings(queueLimit: queueLimit), registries,
      kept: KeptMessages(maxBytes: Self.maxKeptBytes, maxMessages: Self.maxKept))
  }

  /// Makes what answers a client that receives the updates of a channel.
  func maker(of name: String) -> any ChannelMaker {
    ChannelMember.Maker(channels: channels, key: .updates(name), role: .listener)
  }

  /// Publishes an update.
  ///
  /// - Returns: Its number in the channel.
  func publish(_ update: ByteBuffer, to name: String) -> UInt64 {
    let number = channels.add(PublishedMessage(.text, update), to: .updates(name))
    // After the update is kept: a poll that has not seen it is among these.
    let woken = waiting.withLock { $0.polls.removeValue(forKey: name) }
    for poll in (woken ?? [:]).values { poll.succeed() }
    return number
  }

  /// The updates of a channel after a number; without a number none, only the number of the newest.
  func news(of name: String, after number: UInt64?) -> News {
    channels.news(of: .updates(name), after: number)
  }

  /// The same, but waits for an update if there is none.
  ///
  /// - Parameters:
  ///   - name: The channel.
  ///   - number: The last update that the client has; nil waits for the next one.
  ///   - limit: How long to wait.
  ///   - loop: The loop of the request.
  /// - Returns: A future of that loop.
  func news(
    of name: String, after number: UInt64?, within limit: TimeAmount, on loop: any EventLoop
  ) -> EventLoopFuture<News> {
    let wakes = loop.makePromise(of: Void.self)
    let (first, poll) = waiting.withLock { waiting -> (News, UInt64?) in
      let news = self.news(of: name, after: number)
      guard case .updates(let updates, _) = news, updates.isEmpty else { return (news, nil) }
      waiting.last += 1
      waiting.polls[name, default: [:]][waiting.last] = wakes
      return (news, waiting.last)
    }
    guard let poll else {
      wakes.succeed()
      return loop.makeSucceededFuture(first)
    }
    let timer = loop.scheduleTask(in: limit) { self.stopWaiting(poll, for: name) }
    // A client without a number gets what comes after its request.
    var start = number
    if case .updates(_, let newest) = first { start = number ?? newest }
    return wakes.futureResult.map { [start] in
      timer.cancel()
      return self.news(of: name, after: start)
    }
  }

  private func stopWaiting(_ poll: UInt64, for name: String) {
    let wakes = waiting.withLock { waiting in
      let wakes = waiting.polls[name]?.removeValue(forKey: poll)
      if waiting.polls[name]?.isEmpty == true { waiting.polls[name] = nil }
      return wakes
    }
    wakes?.succeed()
  }
}
