/// What a run has counted so far, or in all, for a monitoring system.
package struct LoadTotals: Sendable {
  /// The phase that is running; nil after the run.
  package var phase: LoadReport.Phase.Name?
  package var connections: LoadReport.Connections
  /// Connections open now; after the run, at the end of its last interval.
  package var open: Int
  /// The outcomes of the window messages.
  package var messages = MessageCounts()
  /// Payload bytes of the window messages, and of the answers to them.
  package var payload = LoadReport.Traffic()
  /// Bytes of frames in the window.
  package var wire = LoadReport.Traffic()
  /// Failures by kind.
  package var errors: [ErrorTally.Entry] = []
  /// Ends of connections by code and side.
  package var closes: [CloseTally.Entry] = []
  /// The samples of the metrics that have any; those of messages are of the window.
  package var samples: [Metric: LatencyHistogram] = [:]
  /// Messages per second that the schedule asks for; nil in the closed model.
  package var targetRate: Double?
  /// The share of the messages due so far that was sent; nil in the closed model and before the
  /// window.
  package var sentShare: Double?
  /// CPU share of the busiest loop thread, 1 for a whole core; nil if not measured.
  package var cpu: Double?
  /// p99 delay of the slowest event loop in nanoseconds; nil if not measured.
  package var loopDelay: Int64?
  /// Whether the result may be trusted; nil during the run.
  package var verdict: Verdict.State?
  /// The outcomes of the thresholds; empty during the run.
  package var outcomes: [ThresholdOutcome] = []

  /// Creates the totals of a run that has not begun.
  ///
  /// - Parameter plan: The plan of the run.
  package init(before plan: LoadPlan) {
    phase = .connect
    connections = .init(asked: plan.ownConnections, opened: 0, failed: 0, lost: 0)
    open = 0
    targetRate = plan.ownRate
  }

  /// Creates the totals of a run that is over.
  package init(_ report: LoadReport) {
    connections = report.connections
    open = report.intervals.last?.open ?? 0
    messages = report.messages
    payload = report.payload
    wire = report.wire
    errors = report.errors
    closes = report.closes
    samples = report.metrics.compactMapValues(\.histogram)
    targetRate = report.ownRate
    if report.configuration.pacing.isOpen, report.planned > 0 {
      sentShare = Double(report.messages.sent) / Double(report.planned)
    }
    cpu = report.selfCheck.busiestLoop
    loopDelay = report.selfCheck.loopDelayP99
    verdict = report.isChecked ? report.verdict.state : nil
    outcomes = report.outcomes
  }

  /// Connections that are being opened, or will be.
  package var connecting: Int {
    guard phase == .connect else { return 0 }
    return max(0, connections.asked &- connections.opened &- connections.failed)
  }
}

/// What one event loop has counted so far.
struct LoopTotals: Sendable {
  var messages = MessageCounts()
  var payloadReceived = 0
  var wire = LoadReport.Traffic()
  var errors = ErrorTally()
  var closes = CloseTally()

  mutating func merge(_ other: LoopTotals) {
    messages.merge(other.messages)
    payloadReceived &+= other.payloadReceived
    wire.sent &+= other.wire.sent
    wire.received &+= other.wire.received
    errors.merge(other.errors)
    closes.merge(other.closes)
  }
}

extension LoadLoop {
  /// Counts so far. It visits every connection, so call it once a second at most.
  var totals: LoopTotals {
    var totals = LoopTotals()
    totals.messages = figures.counts
    totals.payloadReceived = figures.payloadReceived
    totals.errors = figures.errors
    totals.closes = figures.closes
    if let begin = marks.begin?.traffic.wire {
      let now = (marks.end?.traffic ?? traffic).wire
      totals.wire.sent = now.sent &- begin.sent
      totals.wire.received = now.received &- begin.received
    }
    return totals
  }
}
