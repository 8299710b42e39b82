import Glibc

/// State shared by several threads, which can wait until it changes.
///
/// `Synchronization.Mutex` has no condition variable, and the threads of this target wait for each
/// other (for a full queue, for an empty one), so this combines the two POSIX primitives.
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

  /// Runs `body` exclusively, and makes all waiting threads check their condition again.
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

  /// Blocks the calling thread until `isReady`, then runs `body` before any other thread can enter.
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
