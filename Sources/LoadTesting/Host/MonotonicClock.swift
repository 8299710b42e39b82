import Glibc

/// The clock of all durations and latencies (CLOCK_MONOTONIC).
package enum MonotonicClock {
  /// Nanoseconds since an unspecified time in the past; never decreases.
  @inline(__always)
  package static func now() -> Int64 { read(CLOCK_MONOTONIC) }

  @inline(__always)
  fileprivate static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}

/// The clock for dates in reports only, because it may be set while a run goes on.
package enum WallClock {
  /// Nanoseconds since 1970-01-01, UTC.
  package static func now() -> Int64 { MonotonicClock.read(CLOCK_REALTIME) }
}

/// The CPU time of the calling thread.
package enum ThreadClock {
  /// CPU time in nanoseconds since the calling thread started.
  package static func now() -> Int64 { MonotonicClock.read(CLOCK_THREAD_CPUTIME_ID) }
}

/// The CPU share of one thread between two samples.
package struct ThreadLoad: Sendable {
  private var wall: Int64
  private var cpu: Int64

  /// Starts with the current figures of the thread.
  ///
  /// - Parameters:
  ///   - wall: `MonotonicClock.now()`.
  ///   - cpu: `ThreadClock.now()`, read on that thread.
  package init(wall: Int64, cpu: Int64) {
    self.wall = wall
    self.cpu = cpu
  }

  /// The share since the last sample.
  ///
  /// - Parameters:
  ///   - now: `MonotonicClock.now()`.
  ///   - used: `ThreadClock.now()`, read on that thread.
  /// - Returns: From 0 to 1; nil if no time has passed.
  package mutating func sample(wall now: Int64, cpu used: Int64) -> Double? {
    let elapsed = now &- wall
    let spent = used &- cpu
    (wall, cpu) = (now, used)
    guard elapsed > 0 else { return nil }
    return min(1, max(0, Double(spent) / Double(elapsed)))
  }
}

/// The processor time of one thread, read from any other.
package struct ThreadTimer: Sendable {
  private let clock: clockid_t

  /// The clock of the calling thread.
  ///
  /// - Returns: nil if the system has none.
  package init?() {
    var clock = clockid_t()
    guard pthread_getcpuclockid(pthread_self(), &clock) == 0 else { return nil }
    self.clock = clock
  }

  /// The processor time so far in nanoseconds. The thread must exist.
  package func now() -> Int64 { MonotonicClock.read(clock) }
}
