import NIOCore
import Synchronization
import TestServer

/// The events of a server on their way to its log. If nobody reads the log, it must neither block
/// the server nor grow without bound.
final class ServerEventQueue: Sendable {
  struct Entry: Sendable {
    /// When the server reported the event.
    var time: NIODeadline
    var event: ServerEvent
  }

  /// For one reader, which calls `took` for each.
  let entries: AsyncStream<Entry>

  private let continuation: AsyncStream<Entry>.Continuation
  private let state = Mutex(State())

  private struct State {
    /// Bytes of the events that wait.
    var bytes = 0
    /// Events dropped since the last `takeDropped`.
    var dropped = 0
  }

  /// Bytes of waiting events above which further ones are dropped.
  private static let limit = 16 << 20
  /// The memory of an event without its payload, roughly.
  private static let fixedSize = 1024

  init() {
    (entries, continuation) = AsyncStream.makeStream(of: Entry.self)
  }

  /// Adds an event, or counts it as dropped. Called on the event loops.
  func add(_ event: ServerEvent) {
    let entry = Entry(time: .now(), event: event)
    state.withLock { state in
      let size = Self.size(event)
      guard state.bytes + size <= Self.limit else {
        state.dropped += 1
        return
      }
      state.bytes += size
      // In here, so that the order is that of the lock.
      continuation.yield(entry)
    }
  }

  /// Frees the memory of an entry that has been read.
  func took(_ entry: Entry) {
    state.withLock { $0.bytes -= Self.size(entry.event) }
  }

  /// Returns the number of dropped events, once.
  func takeDropped() -> Int {
    state.withLock { state in
      defer { state.dropped = 0 }
      return state.dropped
    }
  }

  /// No more events follow.
  func finish() { continuation.finish() }

  private static func size(_ event: ServerEvent) -> Int {
    switch event {
    case .message(_, let message), .sent(_, let message), .published(_, let message, _):
      fixedSize + message.preview.count
    default: fixedSize
    }
  }
}
