/// Whether the numbers of a measurement describe the server, or rather the generator.
package struct Verdict: Sendable, Equatable {
  /// From best to worst.
  package enum State: String, Comparable, CaseIterable, Sendable {
    case valid
    case suspect
    case invalid

    package static func < (left: State, right: State) -> Bool {
      left.severity < right.severity
    }

    private var severity: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  }

  /// A problem with a measurement and the number that shows it. Reports turn it into text.
  package enum Finding: Sendable, Equatable {
    /// The counts do not add up: this many messages are unaccounted for.
    case accounting(difference: Int)
    /// This many other sums of the report do not agree.
    case contradiction(sums: Int)
    /// No message was due in the window, or none could be sent on an open connection.
    case nothingMeasured
    /// Fewer messages were sent than planned: the share of the plan, the messages not sent because
    /// their connection was not open, and those not sent because the generator was too late.
    case belowTarget(share: Double, missing: Int, dropped: Int)
    /// In the closed model, connections were open for only this share of the planned time.
    case fewerConnections(share: Double)
    /// The window ended early.
    case cutShort
    /// Messages are matched in order, but this many replies show that the order does not hold.
    case matching(replies: Int)
    /// No message was answered.
    case noAnswers
    /// This many of the sent messages were not answered.
    case unanswered(Int, of: Int)
    /// The backlog grew because the server answers more slowly than messages are sent: the share
    /// answered in the window.
    case backlog(answered: Double)
    /// The generator sent late: the p99 delay and the median round trip, in nanoseconds.
    case late(p99: Int64, roundTrip: Int64?)
    /// p99 delay of the slowest event loop in nanoseconds.
    case loopDelay(p99: Int64)
    /// CPU share of the busiest loop thread, 1 for a whole core.
    case busyLoop(share: Double)
    /// CPU share of the whole host, 1 for all cores.
    case busyHost(share: Double)
    /// A CPU limit stopped the generator in this many periods of the given total.
    case throttled(Int, of: Int)
    /// This many messages were not sent because too many were outstanding.
    case overloaded(unsent: Int)
    /// The median round trip changed over the window by this share of its initial value.
    case latencyDrift(change: Double)
    /// Answers per second changed over the window by this share of their initial value.
    case throughputDrift(change: Double)
    /// Open files of the process, and their limit.
    case files(used: Int, limit: Int)
    /// A merged result lacks so many of its shards.
    case missingShards(Int, of: Int)
    /// The shards did not measure at the same time: the share of the longest window that all windows cover.
    case windowsApart(overlap: Double)
    /// A shard measured for longer than planned, in nanoseconds: it did not keep up.
    case slowShard(measured: Int64, planned: Int64)
    /// Several shards opened the same number of connections, fewer than they should have.
    case sameCeiling(shards: Int, opened: Int)
    /// One shard has a p99 far above the median of the shards, in nanoseconds.
    case oneShard(index: Int, p99: Int64, median: Int64)
  }

  /// A finding and its severity.
  package struct Reason: Sendable, Equatable {
    package var state: State
    package var finding: Finding

    package init(_ state: State, _ finding: Finding) {
      self.state = state
      self.finding = finding
    }
  }

  /// The numbers to judge. A number that was not measured is nil and not judged.
  package struct Evidence: Sendable, Equatable {
    /// The outcomes of the messages.
    package var messages: MessageCounts
    /// Sent messages without an outcome; any value but 0 is a bug in this program. nil to use
    /// `messages.accounting()`.
    package var difference: Int?
    /// The number of sums of the report that do not agree.
    package var contradictions: Int
    /// Messages planned for the window; nil if unknown.
    package var target: Int?
    /// Whether the load model is open, which makes a busy generator invalidate the result.
    package var isOpenModel = false
    /// The share of the planned time in which connections were open, over all connections.
    package var connectedShare = 1.0
    /// Replies which show that matching in order does not hold.
    package var unmatched = 0
    /// Whether the window ended early.
    package var isCutShort = false
    /// The share answered in the window if the backlog kept growing; else nil.
    package var backlog: Double?
    /// p99 delay from intended to actual send; nil in the closed model, which has no schedule.
    package var lateP99: Percentile?
    /// The median round trip.
    package var roundTripP50: Percentile?
    /// p99 delay of the slowest event loop in nanoseconds.
    package var loopDelayP99: Int64?
    /// CPU share of the busiest loop thread, 1 for a whole core.
    package var busiestLoop: Double?
    /// CPU share of the whole host, 1 for all cores.
    package var host: Double?
    /// How often a CPU limit stopped the generator.
    package var throttling: SelfCheck.Throttling?
    /// Open files of the process, and their limit.
    package var files: SelfCheck.Files?
    /// Whether the median round trip stayed steady in the window.
    package var latency: Steadiness
    /// Whether throughput stayed steady in the window.
    package var throughput: Steadiness

    package init(
      messages: MessageCounts, contradictions: Int = 0, target: Int? = nil,
      lateP99: Percentile? = nil, roundTripP50: Percentile? = nil, loopDelayP99: Int64? = nil,
      busiestLoop: Double? = nil, host: Double? = nil,
      throttling: SelfCheck.Throttling? = nil, files: SelfCheck.Files? = nil,
      latency: Steadiness = .unknown,
      throughput: Steadiness = .unknown
    ) {
      self.messages = messages
      self.contradictions = contradictions
      self.target = target
      self.lateP99 = lateP99
      self.roundTripP50 = roundTripP50
      self.loopDelayP99 = loopDelayP99
      self.busiestLoop = busiestLoop
      self.host = host
      self.throttling = throttling
      self.files = files
      self.latency = latency
      self.throughput = throughput
    }
  }

  /// The worst state of all reasons; `.valid` without reasons.
  package let state: State
  /// All reasons, the worst first, otherwise in the order of the checks.
  package let reasons: [Reason]

  /// Creates a verdict from reasons in any order.
  package init(reasons: [Reason]) {
    state = reasons.map(\.state).max() ?? .valid
    self.reasons = State.allCases.reversed().flatMap { state in
      reasons.filter { $0.state == state }
    }
  }

  /// Judges a measurement by its numbers; the verdict contains all findings.
  package static func judge(_ evidence: Evidence) -> Verdict {
    var reasons: [Reason] = []
    func check(_ state: State, _ finding: Finding) {
      if state > .valid { reasons.append(Reason(state, finding)) }
    }

    checkPlan(evidence, check)
    checkAnswers(evidence, check)
    checkGenerator(evidence, check)
    check(
      evidence.messages.unsent > 0 ? .suspect : .valid,
      .overloaded(unsent: evidence.messages.unsent))
    // With a growing backlog, round trips must grow, and measuring longer would not help.
    if evidence.backlog == nil, case .drifting(let change) = evidence.latency {
      check(.suspect, .latencyDrift(change: change))
    }
    if evidence.backlog == nil, case .drifting(let change) = evidence.throughput {
      check(.suspect, .throughputDrift(change: change))
    }
    if let files = evidence.files, files.limit > 0 {
      let state: State =
        files.used >= files.limit
        ? .invalid : grade(Double(files.used) / Double(files.limit), suspect: 0.8, invalid: 1)
      check(state, .files(used: files.used, limit: files.limit))
    }
    return Verdict(reasons: reasons)
  }

  /// Checks that the counts add up and that the planned messages were sent.
  private static func checkPlan(_ evidence: Evidence, _ check: (State, Finding) -> Void) {
    let messages = evidence.messages
    let difference = evidence.difference ?? messages.accounting()
    check(difference == 0 ? .valid : .invalid, .accounting(difference: difference))
    if difference == 0, evidence.contradictions > 0 {
      check(.invalid, .contradiction(sums: evidence.contradictions))
    }
    check(messages.attempted > 0 ? .valid : .invalid, .nothingMeasured)
    if let target = evidence.target, target > 0, messages.attempted > 0 {
      // Messages held back by the limit are due to the server and have a finding of their own.
      let share = Double(messages.attempted) / Double(target)
      check(
        max(
          messages.missing &+ messages.dropped > 0 ? .suspect : .valid,
          grade(1 - share, suspect: 0.005, invalid: 0.01)),
        .belowTarget(share: share, missing: messages.missing, dropped: messages.dropped))
    }
    if !evidence.isOpenModel, messages.missing == 0, messages.attempted > 0 {
      let share = evidence.connectedShare
      check(
        grade(1 - share, suspect: 0.005, invalid: 0.01), .fewerConnections(share: share))
    }
    check(evidence.isCutShort ? .suspect : .valid, .cutShort)
  }

  /// Checks that the server answered, and in the expected order.
  private static func checkAnswers(_ evidence: Evidence, _ check: (State, Finding) -> Void) {
    let messages = evidence.messages
    check(evidence.unmatched > 0 ? .invalid : .valid, .matching(replies: evidence.unmatched))
    let left = messages.sent - messages.answered
    if messages.sent > 0, messages.answered == 0 {
      check(.suspect, .noAnswers)
    } else {
      check(left > 0 ? .suspect : .valid, .unanswered(left, of: messages.sent))
    }
    if let share = evidence.backlog, messages.answered > 0 {
      check(.suspect, .backlog(answered: share))
    }
  }

  /// Checks that the generator and its machine did not distort the numbers.
  private static func checkGenerator(_ evidence: Evidence, _ check: (State, Finding) -> Void) {
    if let late = evidence.lateP99?.bound {
      let roundTrip = evidence.roundTripP50?.bound
      check(grade(late: late, roundTrip: roundTrip), .late(p99: late, roundTrip: roundTrip))
    }
    // The closed model sends as fast as it can until something is exhausted. A busy generator does
    // not make the throughput wrong, but it may be the limit of the generator, not of the server.
    let worst: State = evidence.isOpenModel ? .invalid : .suspect
    if let delay = evidence.loopDelayP99 {
      let state = grade(Double(delay), suspect: 1_000_000, invalid: 10_000_000)
      check(min(state, worst), .loopDelay(p99: delay))
    }
    if let share = evidence.busiestLoop {
      check(min(grade(share, suspect: 0.7, invalid: 0.9), worst), .busyLoop(share: share))
    }
    if let share = evidence.host {
      check(min(grade(share, suspect: 0.85, invalid: 0.97), worst), .busyHost(share: share))
    }
    if let throttling = evidence.throttling, throttling.throttled > 0 {
      let share = Double(throttling.throttled) / Double(max(1, throttling.periods))
      check(
        grade(share, suspect: 0, invalid: 0.05),
        .throttled(throttling.throttled, of: throttling.periods))
    }
  }

  private static func grade(_ figure: Double, suspect: Double, invalid: Double) -> State {
    if figure > invalid { return .invalid }
    return figure > suspect ? .suspect : .valid
  }

  /// Suspect above both 1 ms and a tenth of the median round trip, invalid if also above half of
  /// it. Delays up to 1 ms are always valid: the scheduler of the kernel alone causes them.
  private static func grade(late: Int64, roundTrip: Int64?) -> State {
    let late = Double(late)
    let median = Double(roundTrip ?? 0)
    guard late > Swift.max(1_000_000, median * 0.1) else { return .valid }
    return roundTrip != nil && late > median * 0.5 ? .invalid : .suspect
  }
}
