import LoadTesting
import Synchronization
import Terminal

/// The signals of `bench`, for as many runs as it makes: the first one ends the measurement, the second one
/// the process.
final class BenchSignals: Sendable {
  private struct State {
    var first: TerminalSignal?
    var test: LoadTest?
    var waiting: Task<Void, Never>?
  }

  private let state = Mutex(State())

  /// The first signal that came; nil before it.
  var stopped: TerminalSignal? { state.withLock { $0.first } }

  /// Watches the signals until it is cancelled.
  func watch(_ context: CommandContext) async {
    for await signal in context.signals.events {
      guard [.interrupt, .terminate, .hangup].contains(signal) else { continue }
      let (isSecond, test, waiting) = state.withLock { state in
        defer { state.first = state.first ?? signal }
        return (state.first != nil, state.test, state.waiting)
      }
      if isSecond {
        TerminalState.restore()
        Process.exit(signal == .interrupt ? .interrupted : .terminated)
      }
      waiting?.cancel()
      test?.interrupt()
    }
  }

  /// Sets what a signal cancels after the run.
  func begin(_ waiting: Task<Void, Never>) {
    let isStopped = state.withLock { state in
      (state.test, state.waiting) = (nil, waiting)
      return state.first != nil
    }
    if isStopped { waiting.cancel() }
  }

  /// Sets what a signal ends.
  func begin(_ test: LoadTest, _ waiting: Task<Void, Never>) {
    let isStopped = state.withLock { state in
      (state.test, state.waiting) = (test, waiting)
      return state.first != nil
    }
    if isStopped {
      waiting.cancel()
      test.interrupt()
    }
  }
}
