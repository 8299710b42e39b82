import NIOCore
import Synchronization

/// The last events of a server, for requests that ask what has happened. It observes what is reported, and nothing
/// else in the server knows of it.
final class Journal: Sendable {
  struct Entry: Sendable {
    /// From 1, in the order of the journal.
    var id: UInt64
    var time: NIODeadline
    var event: ServerEvent
  }

  static let maxEvents = 10_000
  /// Of the payloads and of what else an event holds.
  static let maxBytes = 16 << 20
  /// The memory of an event without its payload, roughly.
  private static let fixedSize = 256

  private struct State {
    /// Their numbers are consecutive: only the oldest are discarded.
    var entries = CircularBuffer<Entry>()
    var bytes = 0
    var last: UInt64 = 0
    /// Those that wait for more events.
    var waiting: [UInt64: AsyncStream<Void>.Continuation] = [:]
    var lastWaiting: UInt64 = 0
  }

  private let state = Mutex(State())

  /// Adds an event. Called on the event loops. An event that is larger than the whole journal has a number, but is not
  /// kept.
  func add(_ event: ServerEvent) {
    let time = NIODeadline.now()
    state.withLock { state in
      state.last += 1
      state.entries.append(Entry(id: state.last, time: time, event: event))
      state.bytes += Self.size(event)
      while state.entries.count > Self.maxEvents || state.bytes > Self.maxBytes {
        guard let oldest = state.entries.popFirst() else { break }
        state.bytes -= Self.size(oldest.event)
      }
      for waiting in state.waiting.values { waiting.yield() }
    }
  }

  private static func size(_ event: ServerEvent) -> Int { fixedSize + event.payloadSize }

  /// The events after a number, oldest first, at most `limit`.
  func entries(after id: UInt64, limit: Int) -> [Entry] {
    state.withLock { state in
      guard let first = state.entries.first?.id else { return [] }
      let skipped = id < first ? 0 : id - first + 1
      guard skipped < UInt64(state.entries.count) else { return [] }
      return Array(state.entries.dropFirst(Int(skipped)).prefix(limit))
    }
  }

  /// The number of the oldest event that is kept, or else of the next one.
  var firstID: UInt64 { state.withLock { $0.entries.first?.id ?? $0.last + 1 } }

  /// Says when there may be more events.
  ///
  /// - Returns: The changes: one at once, and one after some events; and what ends them.
  func changes() -> (changes: AsyncStream<Void>, end: @Sendable () -> Void) {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    continuation.yield()
    let number = state.withLock { state in
      state.lastWaiting += 1
      state.waiting[state.lastWaiting] = continuation
      return state.lastWaiting
    }
    return (
      stream,
      {
        let continuation = self.state.withLock { $0.waiting.removeValue(forKey: number) }
        continuation?.finish()
      }
    )
  }
}

extension ServerEvent {
  /// Bytes of what a client can make large: payloads and request targets.
  package var payloadSize: Int {
    switch self {
    case .message(_, let message), .sent(_, let message): message.preview.count
    case .published(let publication, let message, _):
      message.preview.count + publication.target.utf8.count
    case .ping(_, let payload), .pong(_, let payload): payload.count
    case .opened(_, _, let info): info.target.utf8.count
    case .refused(_, _, let explanation): explanation.utf8.count
    case .program(_, .errorLine(let text)): text.utf8.count
    default: 0
    }
  }
}
