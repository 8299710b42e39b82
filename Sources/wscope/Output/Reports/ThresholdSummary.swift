import LoadTesting

/// How all thresholds of a result went, in a few words.
struct ThresholdSummary {
  /// The worst of them.
  let state: ThresholdOutcome.State
  /// `✗ 1 of 2 thresholds failed`.
  let text: String

  /// nil without thresholds.
  init?(_ report: LoadReport) {
    let states = report.outcomes.map(\.state)
    guard !states.isEmpty else { return nil }
    let failed = states.count { $0 == .fail }
    let undecided = states.count { $0 == .undecided }
    let all = "\(states.count) threshold\(states.count == 1 ? "" : "s")"
    if failed > 0 {
      (state, text) = (.fail, "✗ \(failed) of \(all) failed")
    } else if undecided > 0 {
      (state, text) = (.undecided, "? \(undecided) of \(all) undecided")
    } else {
      (state, text) = (.pass, "✓ \(all) passed")
    }
  }
}
