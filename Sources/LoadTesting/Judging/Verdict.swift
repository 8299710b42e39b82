/// Whether the numbers of a measurement describe the server, or only the machine that measured.
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

  /// What was found wrong, with the number that shows it. Words are made where it is printed.
  package enum Finding: Sendable, Equatable {
    /// Counters do not add up: this many messages are unaccounted for.
    case accounting(difference: Int)
    /// Other sums of the report do not agree: so many of them.
    case contradiction(sums: Int)
    /// Not one message was answered, given up or sent.
    case nothingMeasured
    /// Fewer messages were sent than planned: share of the plan, below 1, and how many were not sent because
    /// their connection was not there, and because the generator was late.
    case belowTarget(share: Double, missing: Int, dropped: Int)
    /// The closed model had fewer connections than planned: share of the planned time on them, below 1.
    case fewerConnections(share: Double)
    /// The window ended before its time.
    case cutShort
    /// Messages are matched in order, and so many replies show that this does not hold.
    case matching(replies: Int)
    /// Nothing was answered.
    case noAnswers
    /// So many of the messages sent were not answered.
    case unanswered(Int, of: Int)
    /// Messages piled up, for the server answers fewer than are sent: the share answered in the window.
    case backlog(answered: Double)
    /// The generator sent late: p99 in nanoseconds, beside the median round trip.
    case late(p99: Int64, roundTrip: Int64?)
    /// Delay of the event loops, p99, in nanoseconds.
    case loopDelay(p99: Int64)
    /// CPU share of the busiest loop thread, 1 for a whole core.
    case busyLoop(share: Double)
    /// CPU share of the whole host, 1 for all cores.
    case busyHost(share: Double)
    /// A CPU limit stopped the generator in so many of the periods.
    case throttled(Int, of: Int)
    /// Messages that could not be sent, for too many were outstanding.
    case overloaded(unsent: Int)
    /// The median round trip changed over the window by this share of its mean.
    case latencyDrift(change: Double)
    /// Answers per second changed over the window by this share of their mean.
    case throughputDrift(change: Double)
    /// Open files: used and allowed.
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

  /// One finding and how bad it is.
  package struct Reason: Sendable, Equatable {
    package var state: State
    package var finding: Finding

    package init(_ state: State, _ finding: Finding) {
      self.state = state
      self.finding = finding
    }
  }

  /// The numbers to judge by. What was not measured is nil and is not judged.
  package struct Evidence: Sendable, Equatable {
    /// What became of the messages.
    package var messages: MessageCounts
    /// Messages sent whose outcome is unknown; anything but 0 is a fault of this program. nil takes that of
    /// `messages`.
    package var difference: Int?
    /// Sums of the report that do not agree.
    package var contradictions: Int
    /// Messages that the plan had for the window; nil where nothing is known of it.
    package var target: Int?
    package var isOpenModel = false
    /// Share of the planned time that connections were open.
    package var connectedShare = 1.0
    /// Replies that show that matching in order does not hold.
    package var unmatched = 0
    package var isCutShort = false
    /// The share answered in the window, where ever more messages waited.
    package var backlog: Double?
    /// p99 of intended to actual send; nil in the closed model, where nothing is intended.
    package var lateP99: Percentile?
    /// Median round trip.
    package var roundTripP50: Percentile?
    /// Delay of the event loops, p99, in nanoseconds.
    package var loopDelayP99: Int64?
    /// CPU share of the busiest loop thread, 1 for a whole core.
    package var busiestLoop: Double?
    /// CPU share of the whole host, 1 for all cores.
    package var host: Double?
    /// How often a CPU limit stopped the generator.
    package var throttling: SelfCheck.Throttling?
    /// Open files: used and allowed.
    package var files: SelfCheck.Files?
    /// How the median round trip went through the window.
    package var latency: Steadiness
    /// How throughput went through the window.
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

  /// The worst of the reasons' states; valid without reasons.
  package let state: State
  /// The worst first, otherwise in the order of the checks.
  package let reasons: [Reason]

  /// A verdict for given reasons.
  ///
  /// - Parameter reasons: In any order.
  package init(reasons: [Reason]) {
    state = reasons.map(\.state).max() ?? .valid
    self.reasons = State.allCases.reversed().flatMap { state in
      reasons.filter { $0.state == state }
    }
  }

  /// Judges a measurement by its numbers.
  ///
  /// - Parameter evidence: The numbers.
  /// - Returns: The verdict with all that was found wrong.
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
    // Where ever more messages wait, round trips must grow: measuring longer would not help.
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

  /// Whether the books agree, and what was planned was sent.
  private static func checkPlan(_ evidence: Evidence, _ check: (State, Finding) -> Void) {
    let messages = evidence.messages
    let difference = evidence.difference ?? messages.accounting()
    check(difference == 0 ? .valid : .invalid, .accounting(difference: difference))
    if difference == 0, evidence.contradictions > 0 {
      check(.invalid, .contradiction(sums: evidence.contradictions))
    }
    check(messages.attempted > 0 ? .valid : .invalid, .nothingMeasured)
    if let target = evidence.target, target > 0, messages.attempted > 0 {
      // Held back by the limit is the server's doing, and has a row of its own.
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

  /// Whether the server answered, and answered what was sent.
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

  /// Whether the numbers may show this client and its machine.
  private static func checkGenerator(_ evidence: Evidence, _ check: (State, Finding) -> Void) {
    if let late = evidence.lateP99?.bound {
      let roundTrip = evidence.roundTripP50?.bound
      check(grade(late: late, roundTrip: roundTrip), .late(p99: late, roundTrip: roundTrip))
    }
    // A closed loop drives until something is exhausted: that it is busy here does not make the
    // throughput wrong, only perhaps ours.
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

  /// Suspect above the larger of 1 ms and a tenth of the median round trip, invalid above half of
  /// it. Under a millisecond the scheduler alone is to blame, so there it is never invalid either.
  private static func grade(late: Int64, roundTrip: Int64?) -> State {
    let late = Double(late)
    let median = Double(roundTrip ?? 0)
    guard late > Swift.max(1_000_000, median * 0.1) else { return .valid }
    return roundTrip != nil && late > median * 0.5 ? .invalid : .suspect
  }
}
