/// Whether a measurement says something about the server, or only about the one who measured.
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
    /// Not one message was answered, given up or sent.
    case nothingMeasured
    /// The generator sent less than asked: share of the target, below 1.
    case belowTarget(share: Double)
    /// The generator sent late: p99 in nanoseconds, beside the median round trip.
    case late(p99: Int64, roundTrip: Int64?)
    /// Delay of the event loops, p99, in nanoseconds.
    case loopDelay(p99: Int64)
    /// CPU share of the busiest loop thread, 1 for a whole core.
    case busyLoop(share: Double)
    /// CPU share of the whole host, 1 for all cores.
    case busyHost(share: Double)
    /// Messages that could not be sent, for too many were outstanding.
    case overloaded(unsent: Int)
    /// The median round trip changed over the window by this share of its mean.
    case latencyDrift(change: Double)
    /// Answers per second changed over the window by this share of their mean.
    case throughputDrift(change: Double)
    /// Open files: used and allowed.
    case files(used: Int, limit: Int)
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
    /// Messages that the open schedule asked for in the window; nil in the closed model.
    package var target: Int?
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
    /// Open files: used and allowed.
    package var files: SelfCheck.Files?
    /// How the median round trip went through the window.
    package var latency: Steadiness
    /// How throughput went through the window.
    package var throughput: Steadiness

    package init(
      messages: MessageCounts, target: Int? = nil, lateP99: Percentile? = nil,
      roundTripP50: Percentile? = nil, loopDelayP99: Int64? = nil, busiestLoop: Double? = nil,
      host: Double? = nil, files: SelfCheck.Files? = nil, latency: Steadiness = .unknown,
      throughput: Steadiness = .unknown
    ) {
      self.messages = messages
      self.target = target
      self.lateP99 = lateP99
      self.roundTripP50 = roundTripP50
      self.loopDelayP99 = loopDelayP99
      self.busiestLoop = busiestLoop
      self.host = host
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

  /// Judges a measurement by its numbers: the rows of BENCH.md 3.4.
  ///
  /// - Parameter evidence: The numbers.
  /// - Returns: The verdict with all that was found wrong.
  package static func judge(_ evidence: Evidence) -> Verdict {
    var reasons: [Reason] = []
    func check(_ state: State, _ finding: Finding) {
      if state > .valid { reasons.append(Reason(state, finding)) }
    }

    let messages = evidence.messages
    let difference = messages.accounting()
    check(difference == 0 ? .valid : .invalid, .accounting(difference: difference))
    check(messages.attempted > 0 ? .valid : .invalid, .nothingMeasured)
    if let target = evidence.target, target > 0 {
      // Held back by the limit is the server's doing, and has a row of its own.
      let share = Double(messages.attempted) / Double(target)
      check(grade(1 - share, suspect: 0.005, invalid: 0.01), .belowTarget(share: share))
    }
    if let late = evidence.lateP99?.bound {
      let roundTrip = evidence.roundTripP50?.bound
      check(grade(late: late, roundTrip: roundTrip), .late(p99: late, roundTrip: roundTrip))
    }
    // A closed loop drives until somebody has no more to give: that it is busy here does not make
    // the throughput wrong, only perhaps ours.
    let worst: State = evidence.target == nil ? .suspect : .invalid
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
    check(messages.unsent > 0 ? .suspect : .valid, .overloaded(unsent: messages.unsent))
    if case .drifting(let change) = evidence.latency {
      check(.suspect, .latencyDrift(change: change))
    }
    if case .drifting(let change) = evidence.throughput {
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
