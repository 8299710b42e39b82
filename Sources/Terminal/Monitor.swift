import Glibc

/// State that several threads share, with a way to sleep until it changes.
///
/// `Synchronization.Mutex` has no condition variable, and the threads of this target wait for each
/// other (a full queue, an empty one), so this pairs the two POSIX primitives.
///
/// Unchecked, because the compiler cannot see that every access to `state` holds `mutex`.
final class Monitor<State: Sendable>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var state: State

  init(_ state: State) {
    self.state = state
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` alone and lets every waiter look again.
  func withLock<Answer, Failure: Error>(
    _ body: (inout State) throws(Failure) -> Answer
  ) throws(Failure) -> Answer {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }
    return try body(&state)
  }

  /// Blocks the calling thread until `isReady`, then runs `body` before anybody else gets in.
  func withLock<Answer>(
    when isReady: (State) -> Bool, _ body: (inout State) -> Answer
  ) -> Answer {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }
    while !isReady(state) { pthread_cond_wait(condition, mutex) }
    return body(&state)
  }
}
