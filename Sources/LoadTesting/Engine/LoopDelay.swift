import NIOCore

/// How late an event loop is: a timer every 10 ms, and by how much each missed its moment.
///
/// A loop that is held up for 100 ms has missed ten moments, and each of them counts: one long
/// delay must not be hidden by the many short ones around it.
final class LoopDelay {
  /// Since the last `restart`.
  private(set) var total = LatencyHistogram()
  private var latest: [Int64] = []
  private var due: Int64 = 0
  private var timer: LoopTimer?

  private static let period: Int64 = 10_000_000

  /// Begins to measure, or begins anew.
  func restart(on eventLoop: any EventLoop) {
    _ = total.take()
    guard timer == nil else { return }
    latest.removeAll(keepingCapacity: true)
    // Weak: the timer is set as long as the loop lives.
    let timer = LoopTimer(on: eventLoop) { [weak self] in self?.measure() }
    self.timer = timer
    due = MonotonicClock.now() &+ Self.period
    timer.set(due)
  }

  func stop() {
    timer?.cancel()
    timer = nil
  }

  private func measure() {
    let now = MonotonicClock.now()
    while due <= now {
      total.record(now &- due)
      latest.append(now &- due)
      due = due &+ Self.period
    }
    timer?.set(due)
  }

  /// The p99 since the last call, in nanoseconds; nil when nothing was measured.
  func takeLatest() -> Int64? {
    guard !latest.isEmpty else { return nil }
    latest.sort()
    let rank = (latest.count &* 99 &+ 99) / 100
    let delay = latest[max(0, rank &- 1)]
    latest.removeAll(keepingCapacity: true)
    return delay
  }
}
