/// Measurements of the generator itself; nil if not measured.
package struct SelfCheck: Sendable, Equatable {
  /// Open files.
  package struct Files: Sendable, Equatable {
    /// Open when the window ended.
    package var used: Int
    /// The limit of this process.
    package var limit: Int

    package init(used: Int, limit: Int) {
      self.used = used
      self.limit = limit
    }
  }

  /// How often the CPU limit of the control group stopped the process.
  package struct Throttling: Sendable, Equatable {
    /// Scheduler periods in the window.
    package var periods: Int
    /// Periods in which the process was stopped.
    package var throttled: Int

    package init(periods: Int, throttled: Int) {
      self.periods = periods
      self.throttled = throttled
    }
  }

  /// CPU share of the busiest loop thread over the window, 1 for a whole core; polling until a
  /// message is due does not count.
  package var busiestLoop: Double?
  /// CPU share that the same thread spent polling until a message is due.
  package var awake: Double
  /// CPU share of the whole host over the window, 1 for all cores; polling of this process does not
  /// count.
  package var host: Double?
  /// p99 delay of the slowest event loop in nanoseconds.
  package var loopDelayP99: Int64?
  /// Open files when the window ended.
  package var files: Files?
  /// How often a CPU limit stopped the process; nil without a limit.
  package var throttling: Throttling?
  /// Whether the median round trip stayed steady in the window.
  package var latency: Steadiness
  /// Whether throughput stayed steady in the window.
  package var throughput: Steadiness
  /// The share of messages answered in the window if the backlog kept growing; else nil.
  package var backlog: Double?

  package init(
    busiestLoop: Double? = nil, awake: Double = 0, host: Double? = nil, loopDelayP99: Int64? = nil,
    files: Files? = nil, throttling: Throttling? = nil, latency: Steadiness = .unknown,
    throughput: Steadiness = .unknown, backlog: Double? = nil
  ) {
    self.busiestLoop = busiestLoop
    self.awake = awake
    self.host = host
    self.loopDelayP99 = loopDelayP99
    self.files = files
    self.throttling = throttling
    self.latency = latency
    self.throughput = throughput
    self.backlog = backlog
  }
}
