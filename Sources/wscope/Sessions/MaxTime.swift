import NIOCore
import Synchronization
import WebSocketNIO

/// `--max-time`: the time limit of a whole run, and the phase in which it was exceeded.
final class MaxTime: Sendable {
  /// The limit in nanoseconds.
  private let limit: Int64
  private let client: ClientConfiguration
  /// The phase of the connection; nil while it is open.
  private let phase = Mutex<ConnectError.Phase?>(.resolve)

  init(_ limit: Int64, _ client: ClientConfiguration) {
    self.limit = limit
    self.client = client
  }

  func entered(_ phase: ConnectError.Phase?) {
    self.phase.withLock { $0 = phase }
  }

  /// Waits until the limit is reached.
  ///
  /// - Throws: `CancellationError`.
  func pass(since start: NIODeadline) async throws {
    let left = start + .nanoseconds(limit) - .now()
    try await Task.sleep(for: .nanoseconds(max(0, left.nanoseconds)))
  }

  var message: String {
    let waited = phase.withLock { $0 }?.message(client) ?? "with the connection open"
    return "timed out after \(Figures.shortDuration(limit)) (--max-time) \(waited)"
  }
}
