import Conversation

/// The outcome of a threshold.
package struct ThresholdOutcome: Sendable, Equatable {
  /// Whether the threshold holds.
  package enum State: String, CaseIterable, Sendable {
    case pass
    case fail
    /// The measurement does not allow a decision.
    case undecided
  }

  /// The reason why a threshold is undecided.
  package enum Reason: Sendable, Equatable {
    case tooFewSamples(Int, needed: Int)
    case notObserved
    /// A share of zero messages.
    case nothingDue
    /// Only a lower bound of the value is known, which does not decide the comparison.
    case censored
    /// The threshold is broken, but the measurement is invalid.
    case invalidVerdict
    /// A sum to which not all shards contributed.
    case missingShards

    /// The name of the reason in results.
    var word: String {
      switch self {
      case .tooFewSamples: "too_few_samples"
      case .notObserved: "not_observed"
      case .nothingDue: "nothing_due"
      case .censored: "censored"
      case .invalidVerdict: "invalid_verdict"
      case .missingShards: "missing_shards"
      }
    }
  }

  package var threshold: Threshold
  package var state: State
  /// The measured value in the unit of the limit; nil if nothing was measured.
  package var value: Double?
  /// Whether `value` is a lower bound.
  package var isBound = false
  /// The reason if the outcome is undecided; else nil.
  package var reason: Reason?
  /// The end of the interval in which the threshold was first broken, in nanoseconds since the
  /// start of the window; nil if unknown.
  package var firstBroken: Int64?

  /// How far the value is above the limit, as a share of the limit; negative below it. nil without
  /// a value or if the limit is 0.
  package var margin: Double? {
    guard let value, threshold.limit > 0 else { return nil }
    return value / threshold.limit - 1
  }

  func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("expr", threshold.text)
      json.member("state", state.rawValue)
      json.member("value", value)
      if isBound { json.member("censored", true) }
      json.member("limit", threshold.limit)
      json.member("margin", margin)
      json.member("first_broken_ns", firstBroken)
      json.member("why", reason?.word)
    }
  }
}

// MARK: Judging

extension LoadReport {
  /// The outcomes of the thresholds, always computed from the numbers of the report, even if it was
  /// read from a file.
  package var outcomes: [ThresholdOutcome] { thresholds.map(outcome) }

  private func outcome(_ threshold: Threshold) -> ThresholdOutcome {
    var outcome = ThresholdOutcome.judge(threshold, measured(threshold.quantity))
    guard outcome.state == .fail else { return outcome }
    if verdict.state == .invalid {
      outcome.state = .undecided
      outcome.reason = .invalidVerdict
    } else {
      outcome.firstBroken = firstBroken(threshold)
    }
    return outcome
  }

  private func measured(_ quantity: Threshold.Quantity) -> ThresholdOutcome.Measured {
    if quantity.isSum, !missingShards.isEmpty { return .nothing(.missingShards) }
    switch quantity {
    case .metric(let metric, let statistic):
      guard let summary = metrics[metric] else { return .nothing(.notObserved) }
      return .of(summary, statistic)
    case .errorRate:
      guard messages.attempted > 0 else { return .nothing(.nothingDue) }
      let wrong = messages.unanswered &+ messages.failed &+ messages.unsent
      return .value(Double(wrong) / Double(messages.attempted))
    case .errors(let kind, let phase):
      let entries = errors.filter {
        (kind == nil || $0.class == kind) && (phase == nil || $0.phase == phase)
      }
      return .value(Double(entries.reduce(0) { $0 &+ $1.count }))
    case .closes(let code, let side):
      let entries = closes.filter {
        (code == nil || $0.code == code) && (side == nil || $0.by == side)
      }
      return .value(Double(entries.reduce(0) { $0 &+ $1.count }))
    case .messages(let figure): return .value(Double(count(figure)))
    case .connections(let figure): return .value(Double(count(figure)))
    case .rate(.sent): return .value(rates.sent)
    case .rate(.answered): return .value(rates.answered)
    case .rate(.achieved):
      guard configuration.pacing.isOpen else { return .nothing(.notObserved) }
      guard planned > 0 else { return .nothing(.nothingDue) }
      return .value(Double(messages.sent) / Double(planned))
    case .generatorCPU:
      return selfCheck.busiestLoop.map { .value($0) } ?? .nothing(.notObserved)
    }
  }

  private func count(_ figure: Threshold.MessageFigure) -> Int {
    switch figure {
    case .planned: planned
    case .sent: messages.sent
    case .answered: messages.answered
    case .unanswered: messages.unanswered
    case .failed: messages.failed
    case .unsent: messages.unsent
    case .dropped: messages.dropped
    case .unknown: messages.unknown
    case .unmatched: unmatched
    case .answeredInWindow: messages.answeredInWindow
    case .inFlightAtEnd: messages.inFlightAtEnd
    case .noConnection: messages.missing
    case .lateReplies: messages.late
    case .doubleReplies: messages.duplicate
    }
  }

  private func count(_ figure: Threshold.ConnectionFigure) -> Int {
    switch figure {
    case .asked: connections.asked
    case .opened: connections.opened
    case .failed: connections.failed
    case .lost: connections.lost
    }
  }

  /// The end of the first window interval that breaks the threshold: by its own figure for the
  /// headline metric, by the running total for errors. nil for other quantities.
  private func firstBroken(_ threshold: Threshold) -> Int64? {
    let window = intervals.filter { $0.start >= 0 }
    func figure(_ interval: Interval) -> Percentile?? {
      guard case .metric(configuration.mode.headline, let statistic) = threshold.quantity else {
        return nil
      }
      switch statistic {
      case .max: return interval.max
      case .percentile(.p50): return interval.p50
      case .percentile(.p90): return interval.p90
      case .percentile(.p99): return interval.p99
      default: return nil
      }
    }
    var errors = 0
    for interval in window {
      errors &+= interval.errors
      let value: Double?
      if case .errors(class: nil, phase: nil) = threshold.quantity {
        value = Double(errors)
      } else {
        value = figure(interval).flatMap { $0?.bound }.map(Double.init)
      }
      if let value, !threshold.comparison.holds(value, threshold.limit) {
        return interval.start &+ interval.duration
      }
    }
    return nil
  }
}

extension Threshold.Quantity {
  /// Whether each shard of a run has a part of it.
  fileprivate var isSum: Bool {
    switch self {
    case .metric(_, .count), .metric(_, .censored), .errors, .closes, .messages, .connections,
      .rate(.sent), .rate(.answered):
      true
    case .metric, .errorRate, .rate(.achieved), .generatorCPU: false
    }
  }
}

extension ThresholdOutcome {
  /// The measured value of a quantity.
  enum Measured {
    case value(Double)
    case atLeast(Double)
    case nothing(Reason)

    static func of(_ summary: LatencySummary, _ statistic: Threshold.Statistic) -> Measured {
      let total = summary.count &+ summary.censored
      func percentile(_ percentile: Percentile?) -> Measured {
        switch percentile {
        case .value(let ns)?: .value(Double(ns))
        case .atLeast(let ns)?: .atLeast(Double(ns))
        case .tooFewSamples(let needed)?: .nothing(.tooFewSamples(total, needed: needed))
        case nil: .nothing(.notObserved)
        }
      }
      switch statistic {
      case .count: return .value(Double(summary.count))
      case .censored: return .value(Double(summary.censored))
      case .min: return summary.min.map { .value(Double($0)) } ?? .nothing(.notObserved)
      case .max: return percentile(summary.largest)
      case .percentile(let level):
        return total > 0 ? percentile(summary.percentile(level)) : .nothing(.notObserved)
      }
    }
  }

  static func judge(_ threshold: Threshold, _ measured: Measured) -> ThresholdOutcome {
    var outcome = ThresholdOutcome(threshold: threshold, state: .undecided)
    switch measured {
    case .nothing(let reason): outcome.reason = reason
    case .value(let value):
      outcome.value = value
      outcome.state = threshold.comparison.holds(value, threshold.limit) ? .pass : .fail
    case .atLeast(let bound):
      outcome.value = bound
      outcome.isBound = true
      switch threshold.comparison {
      case .below where bound >= threshold.limit, .atMost where bound > threshold.limit,
        .equal where bound > threshold.limit:
        outcome.state = .fail
      case .above where bound > threshold.limit, .atLeast where bound >= threshold.limit,
        .unequal where bound > threshold.limit:
        outcome.state = .pass
      default: outcome.reason = .censored
      }
    }
    return outcome
  }
}

/// Figures known during a run, for thresholds with `abort after`.
struct EarlyFigures {
  /// Round trips so far, including messages that were given up.
  var roundTrips: LatencyHistogram
  var errors: Int
  var failed: Int
  var lost: Int

  /// Whether the figures so far definitely break a threshold.
  func breaks(_ threshold: Threshold) -> Bool {
    let measured: ThresholdOutcome.Measured
    switch threshold.quantity {
    case .metric(.roundTrip, let statistic):
      var summary = roundTrips.summary()
      if case .percentile(let level) = statistic {
        summary.percentiles = [.init(level, roundTrips.percentile(level))]
      }
      measured = .of(summary, statistic)
    case .errors(class: nil, phase: nil): measured = .value(Double(errors))
    case .connections(.failed): measured = .value(Double(failed))
    case .connections(.lost): measured = .value(Double(lost))
    default: return false
    }
    return ThresholdOutcome.judge(threshold, measured).state == .fail
  }
}
