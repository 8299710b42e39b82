import Synchronization

/// Counts the bytes of all request bodies that a server holds, so that many clients at once need no more memory than
/// the limit.
package final class RequestBodies: Sendable {
  private let limit: Int
  private let held = Atomic<Int>(0)

  /// - Parameter limit: In bytes.
  package init(limit: Int) { self.limit = limit }

  /// The bytes of one body; they are free again when it is released. Used on one event loop.
  final class Share {
    private let bodies: RequestBodies
    private var bytes = 0

    init(of bodies: RequestBodies) { self.bodies = bodies }

    /// - Returns: Whether there was room for more bytes.
    func take(_ count: Int) -> Bool {
      let sum = bodies.held.add(count, ordering: .relaxed).newValue
      guard sum <= bodies.limit else {
        bodies.held.subtract(count, ordering: .relaxed)
        return false
      }
      bytes += count
      return true
    }

    deinit { bodies.held.subtract(bytes, ordering: .relaxed) }
  }
}
