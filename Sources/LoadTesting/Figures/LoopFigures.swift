/// The counts and times of one event loop. Loops share nothing; their figures are merged after the
/// run.
struct LoopFigures: Sendable {
  /// Figures of the warm-up, for progress and for its intervals.
  struct WarmUp: Sendable {
    var counts = LoadReport.WarmUp()
    /// Round trips since they were last taken.
    var roundTrips = LatencyHistogram()
  }

  /// Counts of the window messages.
  var counts = MessageCounts()
  /// Round trips of window messages that ended in the window, since they were last taken.
  var roundTrips = LatencyHistogram()
  var warmUp = WarmUp()
  /// Messages waiting for an answer, including warm-up messages.
  var outstanding = 0
  /// Payload bytes of the answers to window messages.
  var payloadReceived = 0
  /// Replies which show that the server does not answer in order.
  var unmatched = 0
  /// All metrics. Its round trips are only those of window messages that ended after the window,
  /// and the lower bounds of those that never ended. The others are in `roundTrips`, from which
  /// each interval takes its own.
  var metrics = MetricTable()
  var errors = ErrorTally()
  /// The errors when sending started, when the window began and when it ended.
  var errorMarks: (start: ErrorTally?, begin: ErrorTally?, end: ErrorTally?)
  var closes = CloseTally()
  /// When the window begins and ends, in nanoseconds of `MonotonicClock`.
  var measuredFrom = Int64.max
  var measuredUntil = Int64.max
  /// Window time in which planned connections were not open, in nanoseconds, summed over all of
  /// them.
  var timeWithoutConnection: Int64 = 0

  private let runStart: Int64
  private let timeout: Int64
  private let isOpenModel: Bool
  private let isInOrder: Bool

  init(_ setting: LoadLoop.Setting) {
    runStart = setting.runStart
    timeout = setting.plan.timeout
    isOpenModel = setting.plan.pacing.isOpen
    isInOrder = setting.plan.matching == .fifo
  }

  // MARK: What happens to each message

  /// Counts a message that was sent.
  @inline(__always)
  mutating func sent(_ stamp: InFlight.Stamp) {
    outstanding &+= 1
    guard stamp.intended >= measuredFrom else {
      warmUp.counts.sent &+= 1
      return
    }
    counts.sent &+= 1
    if isOpenModel { metrics.record(stamp.sent &- stamp.intended, .late) }
  }

  /// Counts a message that was answered correctly with `size` payload bytes.
  @inline(__always)
  mutating func answered(_ stamp: InFlight.Stamp, at now: Int64, size: Int) {
    outstanding &-= 1
    guard stamp.intended >= measuredFrom else {
      warmUp.counts.answered &+= 1
      warmUp.roundTrips.record(now &- stamp.intended)
      return
    }
    counts.answered &+= 1
    payloadReceived &+= size
    if now < measuredUntil {
      counts.answeredInWindow &+= 1
      roundTrips.record(now &- stamp.intended)
    } else {
      metrics.record(now &- stamp.intended, .roundTrip)
    }
    // In the closed model intended and actual send time are the same, and so are both metrics.
    if isOpenModel { metrics.record(now &- stamp.sent, .service) }
  }

  // MARK: What goes wrong

  /// Counts a message that got a wrong answer.
  mutating func mismatched(
    _ stamp: InFlight.Stamp, at now: Int64, outOfOrder: Bool, sample: String
  ) {
    outstanding &-= 1
    if outOfOrder { unmatched &+= 1 }
    guard stamp.intended >= measuredFrom else {
      warmUp.counts.failed &+= 1
      return
    }
    errors.record(.open, .mismatch, at: now &- runStart, sample: sample)
    counts.failed &+= 1
    neverAnswered(1)
  }

  /// Counts a reply for which no message is waiting.
  mutating func unasked(_ match: InFlight.Match, at now: Int64) {
    // With matching in order, an extra reply shifts every later reply to the wrong message.
    if isInOrder { unmatched &+= 1 }
    guard now >= measuredFrom else { return }
    switch match {
    case .late: counts.late &+= 1
    case .duplicate: counts.duplicate &+= 1
    case .unknown, .answered: counts.unknown &+= 1
    }
  }

  /// Counts a reply without a message ID, which cannot be matched.
  mutating func strange(at now: Int64, size: Int) {
    unasked(.unknown, at: now)
    guard now >= measuredFrom else { return }
    errors.record(
      .open, .mismatch, at: now &- runStart, sample: "\(size) bytes without a message id")
  }

  /// Counts messages that were given up after the timeout.
  mutating func expired(_ messages: InFlight.Dropped, at now: Int64) {
    outstanding &-= messages.all
    warmUp.counts.failed &+= messages.all &- messages.measured
    // With matching in order, an answer received after the message was sent may have been meant for
    // it, not for the message that it was matched to.
    if isInOrder { unmatched &+= messages.overtaken }
    guard messages.measured > 0 else { return }
    counts.unanswered &+= messages.measured
    errors.record(.open, .unanswered, count: messages.measured, at: now &- runStart)
    neverAnswered(messages.measured)
  }

  /// Counts messages whose connection was lost.
  mutating func failed(_ messages: InFlight.Dropped) {
    outstanding &-= messages.all
    warmUp.counts.failed &+= messages.all &- messages.measured
    counts.failed &+= messages.measured
    neverAnswered(messages.measured)
  }

  /// Counts window messages that were not sent because too many were outstanding.
  mutating func unsent(_ count: Int, at now: Int64) {
    counts.unsent &+= count
    errors.record(.open, .unsent, count: count, at: now &- runStart)
    metrics.recordCensored(count, atLeast: timeout, .roundTrip)
  }

  /// Counts window messages that were not sent because their connection was not open.
  mutating func missing(_ count: Int) {
    guard count > 0 else { return }
    counts.missing &+= count
    metrics.recordCensored(count, atLeast: timeout, .roundTrip)
  }

  /// Counts a message that is still waiting when the run ends: its round trip is at least its age.
  mutating func leftOver(_ stamp: InFlight.Stamp, at now: Int64) {
    counts.inFlightAtEnd &+= 1
    metrics.recordCensored(1, atLeast: now &- stamp.intended, .roundTrip)
    if isOpenModel { metrics.recordCensored(1, atLeast: now &- stamp.sent, .service) }
  }

  private mutating func neverAnswered(_ count: Int) {
    // Without an answer, the round trip is at least the timeout.
    metrics.recordCensored(count, atLeast: timeout, .roundTrip)
    if isOpenModel { metrics.recordCensored(count, atLeast: timeout, .service) }
  }

  mutating func record(_ failure: ConnectionFailure, at now: Int64) {
    errors.record(
      failure.phase, failure.class, code: failure.code, at: now &- runStart,
      sample: failure.sample)
  }
}
