import Glibc

/// The one clock of all durations and latencies.
package enum MonotonicClock {
  /// Nanoseconds since some moment in the past; never goes back.
  @inline(__always)
  package static func now() -> Int64 { read(CLOCK_MONOTONIC) }

  @inline(__always)
  fileprivate static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}

/// The clock of time stamps, and of nothing else: it may be set.
package enum WallClock {
  /// Nanoseconds since 1970, UTC.
  package static func now() -> Int64 { MonotonicClock.read(CLOCK_REALTIME) }
}

/// How much CPU the calling thread has used.
package enum ThreadClock {
  /// Nanoseconds of CPU since the calling thread began.
  package static func now() -> Int64 { MonotonicClock.read(CLOCK_THREAD_CPUTIME_ID) }
}

/// The CPU share of one thread from one sample to the next; sample on that thread.
package struct ThreadLoad: Sendable {
  private var wall: Int64
  private var cpu: Int64

  /// Starts with the thread's present figures.
  ///
  /// - Parameters:
  ///   - wall: `MonotonicClock.now()`.
  ///   - cpu: `ThreadClock.now()` on that thread.
  package init(wall: Int64, cpu: Int64) {
    self.wall = wall
    self.cpu = cpu
  }

  /// The share since the last sample.
  ///
  /// - Parameters:
  ///   - now: `MonotonicClock.now()`.
  ///   - used: `ThreadClock.now()` on that thread.
  /// - Returns: From 0 to 1; nil when no time has passed.
  package mutating func sample(wall now: Int64, cpu used: Int64) -> Double? {
    let elapsed = now &- wall
    let spent = used &- cpu
    (wall, cpu) = (now, used)
    guard elapsed > 0 else { return nil }
    return min(1, max(0, Double(spent) / Double(elapsed)))
  }
}
