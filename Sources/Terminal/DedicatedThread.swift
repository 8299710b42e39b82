import Glibc

/// A separate POSIX thread for blocking work: Swift's pool has one thread per core, which must
/// never wait for a user or a pipe.
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
    // If there is no memory for another stack, there is no alternative left.
    precondition(code == 0, "cannot start a thread: \(SystemError(code: code).reason)")
    self.handle = handle
  }

  /// Whether the caller runs on this thread.
  var isCurrent: Bool { pthread_equal(pthread_self(), handle) != 0 }

  /// Waits for the thread to end. Call at most once, and not after `detach()`.
  func join() { pthread_join(handle, nil) }

  /// Makes the system release the thread when it ends; it is not joined.
  func detach() { pthread_detach(handle) }
}
