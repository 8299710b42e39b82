import LoadTesting

/// How a threshold of a result went, in words.
struct ThresholdText {
  private let outcome: ThresholdOutcome

  init(_ outcome: ThresholdOutcome) {
    self.outcome = outcome
  }

  /// `✓ rtt.p99 < 50ms   2.31 ms, 5 % of the limit`.
  var line: String { "\(mark) \(outcome.threshold.text)   \(result)" }

  /// A sign for the state.
  var mark: String {
    switch outcome.state {
    case .pass: "✓"
    case .fail: "✗"
    case .undecided: "?"
    }
  }

  /// The value and its distance from the limit, or why there is no answer.
  var result: String {
    switch outcome.state {
    case .pass: ([value, share].compactMap(\.self)).joined(separator: ", ")
    case .fail:
      ([
        value, distance,
        outcome.firstBroken.map { "first broken at " + Figures.shortDuration($0) },
      ].compactMap(\.self)).joined(separator: ", ")
    case .undecided: undecided
    }
  }

  /// The value alone, a lower bound where no more is known.
  var measured: String {
    value.map { (outcome.isBound ? "≥ " : "") + $0 } ?? Figures.none
  }

  /// As it was typed, if not in the same unit.
  var limit: String {
    switch outcome.threshold.unit {
    case .duration: Figures.shortDuration(Int64(clamping: outcome.threshold.limit))
    case .share: Figures.rate(outcome.threshold.limit * 100) + " %"
    case .perSecond, .count: text(outcome.threshold.limit)
    }
  }

  /// The distance from the limit and when it was first exceeded, or why there is no answer.
  var comment: String {
    switch outcome.state {
    case .pass: share ?? ""
    case .fail:
      [
        outcome.margin == nil ? nil : distance,
        outcome.firstBroken.map { "first broken at " + Figures.shortDuration($0) },
      ].compactMap(\.self).joined(separator: ", ")
    case .undecided:
      outcome.reason == .invalidVerdict ? "the measurement is invalid" : undecided
    }
  }

  private var undecided: String {
    switch outcome.reason {
    case .tooFewSamples(let count, let needed)?:
      "\(Figures.count(count)) of \(Figures.count(needed)) samples"
    case .notObserved?, nil: "not measured"
    case .nothingDue?: "no message was due"
    case .censored?: "at least \(value ?? Figures.none), which does not decide it; raise --timeout"
    case .missingShards?: "not all shards are in this result"
    case .invalidVerdict?: "\(value ?? Figures.none), but the measurement is invalid"
    }
  }

  private var value: String? { outcome.value.map { text($0) } }

  private func text(_ value: Double) -> String {
    switch outcome.threshold.unit {
    case .duration: Figures.duration(Int64(clamping: value))
    // A share that is not 0 must not be printed as 0.
    case .share: Figures.percent(value, decimals: value > 0 && value < 0.0001 ? 6 : 2)
    case .perSecond: Figures.rate(value) + "/s"
    case .count: Figures.count(Int(clamping: value))
    }
  }

  /// How much of the limit is used, for limits from above.
  private var share: String? {
    guard [.below, .atMost].contains(outcome.threshold.comparison), let margin = outcome.margin
    else { return nil }
    return Figures.percent(margin + 1, decimals: 0) + " of the limit"
  }

  private var distance: String? {
    guard let margin = outcome.margin else { return "limit " + text(outcome.threshold.limit) }
    switch outcome.threshold.comparison {
    case .below, .atMost: return Figures.percent(margin, decimals: 0) + " over"
    case .above, .atLeast: return Figures.percent(-margin, decimals: 0) + " short"
    case .equal, .unequal: return "limit " + text(outcome.threshold.limit)
    }
  }
}

extension FixedWidthInteger {
  /// A number from 0 on without its fraction; the largest one if it is out of range.
  fileprivate init(clamping value: Double) {
    self = value < 9e18 ? Self(value) : Self.max
  }
}

extension ExitStatus {
  /// The status of a result by its numbers, its thresholds and its verdict.
  ///
  /// - Parameters:
  ///   - report: The result.
  ///   - selfCheck: What an invalid verdict means; nil for a failure if there are thresholds.
  init(thresholdsOf report: LoadReport, selfCheck: SelfCheckAction? = nil) {
    let states = report.outcomes.map(\.state)
    let action = selfCheck ?? (states.isEmpty ? .warn : .fail)
    self =
      if report.messages.attempted == 0 || !report.contradictions().isEmpty {
        .measurementInvalid
      } else if states.contains(.fail) {
        .thresholdBroken
      } else if states.contains(.undecided)
        || action == .fail && report.verdict.state == .invalid
      {
        .measurementInvalid
      } else {
        .ok
      }
  }
}
