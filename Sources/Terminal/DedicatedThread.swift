import Glibc

/// A POSIX thread of our own, for work that blocks: Swift's pool has one thread per core and must
/// never be made to wait for a person or a pipe.
struct DedicatedThread: Sendable {
  private let handle: pthread_t

  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Starts a thread that runs `body` and ends with it.
  init(_ body: @escaping @Sendable () -> Void) {
    var handle = pthread_t()
    let work = Unmanaged.passRetained(Work(body))
    let code = pthread_create(
      &handle, nil,
      { work in
        if let work { Unmanaged<Work>.fromOpaque(work).takeRetainedValue().body() }
        return nil
      }, work.toOpaque())
    // Without memory for one more stack there is nothing left to fall back to.
    precondition(code == 0, "cannot start a thread: \(SystemError(code: code).reason)")
    self.handle = handle
  }

  /// Whether the caller runs on this thread.
  var isCurrent: Bool { pthread_equal(pthread_self(), handle) != 0 }

  /// Waits for the thread to end. Call at most once, and not after `detach()`.
  func join() { pthread_join(handle, nil) }

  /// Lets the system clean up behind the thread, which nobody will wait for.
  func detach() { pthread_detach(handle) }
}
