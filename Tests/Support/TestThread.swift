import Glibc
import Synchronization

/// A thread for what blocks: the pool that runs the tests must not.
package enum TestThread {
  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  package static func start(_ body: @escaping @Sendable () -> Void) {
    var handle = pthread_t()
    let work = Unmanaged.passRetained(Work(body))
    let code = pthread_create(
      &handle, nil,
      { work in
        if let work { Unmanaged<Work>.fromOpaque(work).takeRetainedValue().body() }
        return nil
      }, work.toOpaque())
    precondition(code == 0, "cannot start a thread")
    pthread_detach(handle)
  }

  /// Does `run` for 0, 1, ... below `count` on `workers` threads, and returns what it complained of.
  package static func complaints(
    of count: Int, workers: Int, _ run: @escaping @Sendable (Int) -> String?
  ) async -> [String] {
    await withCheckedContinuation { done in
      let rounds = Rounds(done, workers: workers)
      for _ in 0..<workers {
        start {
          while let number = rounds.next(of: count) {
            if let complaint = run(number) { rounds.note(complaint) }
          }
          rounds.workerIsDone()
        }
      }
    }
  }

  /// What the threads of `complaints` share.
  private final class Rounds: Sendable {
    private struct State {
      var taken = 0
      var working: Int
      var complaints: [String] = []
    }

    private let state: Mutex<State>
    private let done: CheckedContinuation<[String], Never>

    init(_ done: CheckedContinuation<[String], Never>, workers: Int) {
      self.done = done
      state = Mutex(State(working: workers))
    }

    func next(of count: Int) -> Int? {
      state.withLock { state in
        guard state.taken < count else { return nil }
        state.taken += 1
        return state.taken - 1
      }
    }

    func note(_ complaint: String) {
      state.withLock { $0.complaints.append(complaint) }
    }

    func workerIsDone() {
      let complaints = state.withLock { state -> [String]? in
        state.working -= 1
        return state.working == 0 ? state.complaints : nil
      }
      if let complaints { done.resume(returning: complaints) }
    }
  }
}
