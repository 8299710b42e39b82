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

  /// CPU share of the busiest loop thread over the window, 1 for a whole core.
  package var busiestLoop: Double?
  /// CPU share of the whole host over the window, 1 for all cores.
  package var host: Double?
  /// Delay of the event loops, p99, in nanoseconds.
  package var loopDelayP99: Int64?
  /// Open files at their most.
  package var files: Files?
  /// How the median round trip went through the window.
  package var latency: Steadiness
  /// How throughput went through the window.
  package var throughput: Steadiness

  package init(
    busiestLoop: Double? = nil, host: Double? = nil, loopDelayP99: Int64? = nil,
    files: Files? = nil, latency: Steadiness = .unknown, throughput: Steadiness = .unknown
  ) {
    self.busiestLoop = busiestLoop
    self.host = host
    self.loopDelayP99 = loopDelayP99
    self.files = files
    self.latency = latency
    self.throughput = throughput
  }
}
