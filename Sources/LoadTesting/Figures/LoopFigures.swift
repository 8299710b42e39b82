/// What one event loop has counted and timed. Loops share nothing; at the end their figures are
/// merged.
struct LoopFigures: Sendable {
  /// What is shown of the warm-up and then forgotten.
  struct WarmUp: Sendable {
    var counts = LoadReport.WarmUp()
    /// Since they were last taken.
    var roundTrips = LatencyHistogram()
  }

  /// The window messages.
  var counts = MessageCounts()
  /// Round trips of window messages that ended in the window, since they were last taken.
  var roundTrips = LatencyHistogram()
  var warmUp = WarmUp()
  /// All messages that wait for an answer, warm-up messages included.
  var outstanding = 0
  /// Payload bytes of the answers to window messages.
  var payloadReceived = 0
  /// Replies that show that matching in order does not hold.
  var unmatched = 0
  /// All metrics. Of the round trips, those of window messages that ended after the window, and the lower
  /// bounds of those that never did: the others are in `roundTrips`, from which each interval takes its own.
  var metrics = MetricTable()
  var errors = ErrorTally()
  /// The errors before anything was sent, before the window and before its end.
  var errorMarks: (start: ErrorTally?, begin: ErrorTally?, end: ErrorTally?)
  var closes = CloseTally()
  /// When the window begins and ends, in nanoseconds of `MonotonicClock`.
  var measuredFrom = Int64.max
  var measuredUntil = Int64.max
  /// Window time in which planned connections were not open, in nanoseconds of all of them together.
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

  /// A message goes out.
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

  /// A message was answered as it should be.
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
    // In the closed model a message is intended when it is sent: it would be the same figure.
    if isOpenModel { metrics.record(now &- stamp.sent, .service) }
  }

  // MARK: What goes wrong

  /// A message was answered by something else than it should.
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

  /// A reply that no message waits for.
  mutating func unasked(_ match: InFlight.Match, at now: Int64) {
    // In order, a reply too many gives every later one to the wrong message.
    if isInOrder { unmatched &+= 1 }
    guard now >= measuredFrom else { return }
    switch match {
    case .late: counts.late &+= 1
    case .duplicate: counts.duplicate &+= 1
    case .unknown, .answered: counts.unknown &+= 1
    }
  }

  /// A reply that cannot be the answer to any message: it carries no id.
  mutating func strange(at now: Int64, size: Int) {
    unasked(.unknown, at: now)
    guard now >= measuredFrom else { return }
    errors.record(
      .open, .mismatch, at: now &- runStart, sample: "\(size) bytes without a message id")
  }

  /// Messages waited too long.
  mutating func expired(_ messages: InFlight.Dropped, at now: Int64) {
    outstanding &-= messages.all
    warmUp.counts.failed &+= messages.all &- messages.measured
    // In order, an answer after a message was sent may have been the one to it.
    if isInOrder { unmatched &+= messages.overtaken }
    guard messages.measured > 0 else { return }
    counts.unanswered &+= messages.measured
    errors.record(.open, .unanswered, count: messages.measured, at: now &- runStart)
    neverAnswered(messages.measured)
  }

  /// Messages whose connection was lost.
  mutating func failed(_ messages: InFlight.Dropped) {
    outstanding &-= messages.all
    warmUp.counts.failed &+= messages.all &- messages.measured
    counts.failed &+= messages.measured
    neverAnswered(messages.measured)
  }

  /// Window messages that could not be sent, for too many were outstanding.
  mutating func unsent(_ count: Int, at now: Int64) {
    counts.unsent &+= count
    errors.record(.open, .unsent, count: count, at: now &- runStart)
    metrics.recordCensored(count, atLeast: timeout, .roundTrip)
  }

  /// Window messages that could not be sent, for their connection is not there.
  mutating func missing(_ count: Int) {
    guard count > 0 else { return }
    counts.missing &+= count
    metrics.recordCensored(count, atLeast: timeout, .roundTrip)
  }

  /// A message that still waits when the run ends: its round trip is longer than its age.
  mutating func leftOver(_ stamp: InFlight.Stamp, at now: Int64) {
    counts.inFlightAtEnd &+= 1
    metrics.recordCensored(1, atLeast: now &- stamp.intended, .roundTrip)
    if isOpenModel { metrics.recordCensored(1, atLeast: now &- stamp.sent, .service) }
  }

  private mutating func neverAnswered(_ count: Int) {
    // No answer came, so none came within the timeout either.
    metrics.recordCensored(count, atLeast: timeout, .roundTrip)
    if isOpenModel { metrics.recordCensored(count, atLeast: timeout, .service) }
  }

  mutating func record(_ failure: ConnectionFailure, at now: Int64) {
    errors.record(
      failure.phase, failure.class, code: failure.code, at: now &- runStart,
      sample: failure.sample)
  }
}
