/// What one event loop has counted and timed. Loops share nothing; at the end their figures are
/// merged.
struct LoopFigures: Sendable {
  /// What is shown of the warm-up and then forgotten.
  struct WarmUp: Sendable {
    var sent = 0
    var answered = 0
    /// Since they were last taken.
    var roundTrips = LatencyHistogram()
  }

  /// The messages of the window.
  var counts = MessageCounts()
  /// Messages of the window that the schedule asked for and that were dropped, for it was over by
  /// the time the generator came to them.
  var dropped = 0
  /// Round trips of the messages of the window, wherever their answers fall, since they were last
  /// taken.
  var roundTrips = LatencyHistogram()
  var warmUp = WarmUp()
  /// All messages that wait for an answer, those of the warm-up too.
  var outstanding = 0
  var service = LatencyHistogram()
  var late = LatencyHistogram()
  var connect = LatencyHistogram()
  var tcp = LatencyHistogram()
  var tls = LatencyHistogram()
  var upgrade = LatencyHistogram()
  var close = LatencyHistogram()
  var errors = ErrorTally()
  var closes = CloseTally()
  /// When the window begins and ends, in nanoseconds of `MonotonicClock`.
  var measuredFrom = Int64.max
  var measuredUntil = Int64.max
  /// When the last answer to a message of the window came.
  var lastAnswer: Int64 = 0

  private let runStart: Int64
  private let timeout: Int64
  private let isOpenModel: Bool

  init(_ setting: LoadLoop.Setting) {
    runStart = setting.runStart
    timeout = setting.plan.timeout
    if case .open = setting.plan.model { isOpenModel = true } else { isOpenModel = false }
  }

  /// A message goes out.
  @inline(__always)
  mutating func sent(_ stamp: InFlight.Stamp) {
    outstanding &+= 1
    guard stamp.intended >= measuredFrom else {
      warmUp.sent &+= 1
      return
    }
    counts.sent &+= 1
    if isOpenModel { late.record(stamp.sent &- stamp.intended) }
  }

  /// A message was answered as it should be.
  @inline(__always)
  mutating func answered(_ stamp: InFlight.Stamp, at now: Int64) {
    outstanding &-= 1
    guard stamp.intended >= measuredFrom else {
      warmUp.answered &+= 1
      warmUp.roundTrips.record(now &- stamp.intended)
      return
    }
    counts.answered &+= 1
    if now < measuredUntil { counts.answeredInWindow &+= 1 }
    roundTrips.record(now &- stamp.intended)
    // In the closed model a message is intended when it is sent: it would be the same figure.
    if isOpenModel { service.record(now &- stamp.sent) }
    lastAnswer = now
  }

  /// A message was answered by something else than it should.
  mutating func mismatched(_ stamp: InFlight.Stamp, at now: Int64, sample: String) {
    outstanding &-= 1
    errors.record(.open, .mismatch, at: now &- runStart, sample: sample)
    guard stamp.intended >= measuredFrom else { return }
    counts.failed &+= 1
    neverAnswered(1)
  }

  /// A reply that no message waits for.
  mutating func unasked(_ match: InFlight.Match, at now: Int64) {
    guard now >= measuredFrom else { return }
    if match == .stale { counts.stale &+= 1 } else { counts.unknown &+= 1 }
  }

  /// A reply that nobody can have asked for: it is none of our messages.
  mutating func strange(at now: Int64, size: Int) {
    unasked(.unknown, at: now)
    errors.record(
      .open, .mismatch, at: now &- runStart, sample: "\(size) bytes that are no message of ours")
  }

  /// Messages waited too long.
  mutating func expired(_ messages: InFlight.Dropped, at now: Int64) {
    outstanding &-= messages.all
    guard messages.measured > 0 else { return }
    counts.unanswered &+= messages.measured
    errors.record(.open, .unanswered, count: messages.measured, at: now &- runStart)
    neverAnswered(messages.measured)
  }

  /// Messages whose connection was lost.
  mutating func failed(_ messages: InFlight.Dropped) {
    outstanding &-= messages.all
    counts.failed &+= messages.measured
    neverAnswered(messages.measured)
  }

  /// Messages of the window that could not be sent, for too many were outstanding.
  mutating func unsent(_ count: Int, at now: Int64) {
    counts.unsent &+= count
    errors.record(.open, .unsent, count: count, at: now &- runStart)
    roundTrips.recordCensored(count, atLeast: timeout)
  }

  /// Messages that are given up because the run ends.
  mutating func leftOver(_ messages: InFlight.Dropped) {
    outstanding &-= messages.all
    counts.inFlightAtEnd &+= messages.measured
  }

  private mutating func neverAnswered(_ count: Int) {
    // No answer came, so none came within the timeout either.
    roundTrips.recordCensored(count, atLeast: timeout)
    if isOpenModel { service.recordCensored(count, atLeast: timeout) }
  }

  mutating func record(_ failure: ConnectionFailure, at now: Int64) {
    errors.record(
      failure.phase, failure.class, code: failure.code, at: now &- runStart,
      sample: failure.sample)
  }
}
