/// What happened second by second.
package struct IntervalSeries: Sendable, Equatable {
  /// One interval of the run.
  package struct Interval: Sendable, Equatable {
    /// When it began, in nanoseconds since the start of the window; below 0 in the warm-up.
    package var start: Int64
    /// How long it was, in nanoseconds.
    package var duration: Int64
    /// Messages sent in it.
    package var sent: Int
    /// Answers received in it.
    package var received: Int
    /// Connections open at its end.
    package var open: Int
    /// Round trips that ended in it.
    package var rtt: LatencySummary
    /// Failures in it.
    package var errors: Int
    /// CPU share of the busiest loop thread, 1 for a whole core; nil where it was not measured.
    package var cpu: Double?
    /// Delay of the event loops, p99, in nanoseconds; nil where it was not measured.
    package var loopDelay: Int64?

    /// An interval from what was counted in it.
    package init(
      start: Int64, duration: Int64, sent: Int, received: Int, open: Int, rtt: LatencySummary,
      errors: Int, cpu: Double? = nil, loopDelay: Int64? = nil
    ) {
      self.start = start
      self.duration = duration
      self.sent = sent
      self.received = received
      self.open = open
      self.rtt = rtt
      self.errors = errors
      self.cpu = cpu
      self.loopDelay = loopDelay
    }

    /// Answers per second.
    package var receivedRate: Double { rate(received) }

    /// Messages sent per second.
    package var sentRate: Double { rate(sent) }

    private func rate(_ count: Int) -> Double {
      duration > 0 ? Double(count) / Double(duration) * 1e9 : 0
    }
  }

  /// In the order of time.
  package private(set) var intervals: [Interval] = []

  package init() {}

  /// Adds the next interval.
  ///
  /// - Parameter interval: One that begins where the last ended.
  package mutating func append(_ interval: Interval) { intervals.append(interval) }

  /// Whether the median round trip kept its level. Intervals without enough samples are left out.
  package var latencySteadiness: Steadiness {
    Steadiness.judge(
      intervals.compactMap { interval in
        guard case .value(let ns)? = interval.rtt[.p50] else { return nil }
        return Double(ns)
      })
  }

  /// Whether answers per second kept their level.
  package var throughputSteadiness: Steadiness {
    Steadiness.judge(intervals.map(\.receivedRate))
  }
}
