import NIOCore

/// Measures how late an event loop runs: a timer is due every 10 ms, and its lateness is recorded.
///
/// A loop blocked for 100 ms misses ten due times, and each of them counts: many short delays must
/// not hide a long one.
final class LoopDelay {
  /// Delays since the last `restart`.
  private(set) var total = LatencyHistogram()
  private var latest: [Int64] = []
  private var due: Int64 = 0
  private var timer: LoopTimer?

  private static let period: Int64 = 10_000_000

  /// Starts measuring, or clears `total` if measuring already.
  func restart(on eventLoop: any EventLoop) {
    _ = total.take()
    guard timer == nil else { return }
    latest.removeAll(keepingCapacity: true)
    // Weak: this object owns the timer, and the timer owns the closure.
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

  /// The p99 delay since the last call, in nanoseconds; nil if nothing was measured.
  func takeLatest() -> Int64? {
    guard !latest.isEmpty else { return nil }
    latest.sort()
    let rank = (latest.count &* 99 &+ 99) / 100
    let delay = latest[max(0, rank &- 1)]
    latest.removeAll(keepingCapacity: true)
    return delay
  }
}
