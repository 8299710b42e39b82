import NIOCore
import Synchronization
import TestServer

/// The events of a server on their way to its output. If nobody reads the output, it must neither
/// block an event loop nor let the memory grow without bound.
final class ServerEventQueue: Sendable {
  struct Entry: Sendable {
    /// When the server reported the event.
    var time: NIODeadline
    var event: ServerEvent
  }

  /// What happens while too many bytes wait.
  enum Overflow: Sendable {
    /// Further events are dropped and counted.
    case drop
    /// The server does not read from its clients, so that no events are lost. Those of messages
    /// that it sends on its own account go on, and are dropped at `maxBytes`.
    case pauseReading
  }

  /// For one reader, which calls `took` for each.
  let entries: AsyncStream<Entry>

  private let overflow: Overflow
  private let continuation: AsyncStream<Entry>.Continuation
  private let state = Mutex(State())

  private struct State {
    /// Bytes of the events that wait.
    var bytes = 0
    /// Events dropped since the last `takeDropped`.
    var dropped = 0
    /// The server that is paused; nil before it has started and once it ends.
    var server: TestServer?
    var isPaused = false
  }

  /// Bytes of waiting events above which the overflow begins.
  private static let limit = 16 << 20
  /// Bytes of waiting events above which any are dropped.
  private static let maxBytes = 64 << 20
  /// The memory of an event without its payload, roughly.
  private static let fixedSize = 1024

  init(_ overflow: Overflow) {
    self.overflow = overflow
    (entries, continuation) = AsyncStream.makeStream(of: Entry.self)
  }

  /// Sets the server that is paused.
  func attach(_ server: TestServer) {
    state.withLock { state in
      state.server = server
      if state.isPaused { server.pauseReading(true) }
    }
  }

  /// Ends a pause for good, before the server stops.
  func detach() {
    state.withLock { state in
      if state.isPaused { state.server?.pauseReading(false) }
      state.server = nil
    }
  }

  /// Adds an event, or counts it as dropped. Called on the event loops.
  func add(_ event: ServerEvent) {
    let entry = Entry(time: .now(), event: event)
    state.withLock { state in
      let bytes = state.bytes + Self.size(event)
      guard bytes <= (overflow == .drop ? Self.limit : Self.maxBytes) else {
        state.dropped += 1
        return
      }
      state.bytes = bytes
      // In here, so that the order is that of the lock.
      continuation.yield(entry)
      if overflow == .pauseReading, bytes > Self.limit { Self.pause(true, &state) }
    }
  }

  /// Frees the memory of an entry that has been read.
  func took(_ entry: Entry) {
    state.withLock { state in
      state.bytes -= Self.size(entry.event)
      if state.bytes <= Self.limit / 2 { Self.pause(false, &state) }
    }
  }

  private static func pause(_ isPaused: Bool, _ state: inout State) {
    guard state.isPaused != isPaused else { return }
    state.isPaused = isPaused
    state.server?.pauseReading(isPaused)
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

  private static func size(_ event: ServerEvent) -> Int { fixedSize + event.payloadSize }
}
