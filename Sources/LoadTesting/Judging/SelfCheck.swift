/// What the generator knows of itself; nil where it was not measured.
package struct SelfCheck: Sendable, Equatable {
  /// Open files.
  package struct Files: Sendable, Equatable {
    /// In use.
    package var used: Int
    /// Allowed to this process.
    package var limit: Int

    package init(used: Int, limit: Int) {
      self.used = used
      self.limit = limit
    }
  }

  /// How often the CPU limit of the control group stopped the process.
  package struct Throttling: Sendable, Equatable {
    /// Periods of the limit in the window, and those in which the process was stopped.
    package var periods: Int
    package var throttled: Int

    package init(periods: Int, throttled: Int) {
      self.periods = periods
      self.throttled = throttled
    }
  }

  /// CPU share of the busiest loop thread over the window, 1 for a whole core; staying awake before a
  /// message is due does not count.
  package var busiestLoop: Double?
  /// CPU share that the same thread spent on staying awake.
  package var awake: Double
  /// CPU share of the whole host over the window, 1 for all cores; staying awake does not count.
  package var host: Double?
  /// Delay of the event loops, p99, in nanoseconds.
  package var loopDelayP99: Int64?
  /// Open files at their most.
  package var files: Files?
  /// How often a CPU limit stopped the process; nil without a limit.
  package var throttling: Throttling?
  /// How the median round trip went through the window.
  package var latency: Steadiness
  /// How throughput went through the window.
  package var throughput: Steadiness
  /// The share of the messages that was answered in the window, where ever more waited; nil otherwise.
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
