import Dispatch
import Synchronization
package import Testing

/// Tests that wait for a program or a socket do so on threads of their own: the threads of Swift's
/// concurrency are as many as the cores, and one that waits for a peer could not do another test's work.
package struct BlockingTests: SuiteTrait, TestTrait, TestScoping {
  package var isRecursive: Bool { true }

  package func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(BlockingExecutor.shared) { try await function() }
  }
}

extension Trait where Self == BlockingTests {
  /// The tests block the thread they run on.
  package static var blocking: Self { BlockingTests() }
}

/// A few threads that take jobs in their order.
private final class BlockingExecutor: TaskExecutor {
  static let shared = BlockingExecutor(threads: 8)

  private let jobs = Mutex<[UnownedJob]>([])
  private let waiting = DispatchSemaphore(value: 0)

  private init(threads: Int) {
    for _ in 0..<threads { TestThread.start { [self] in run() } }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
    waiting.signal()
  }

  private func run() {
    while true {
      waiting.wait()
      jobs.withLock { $0.removeFirst() }.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
