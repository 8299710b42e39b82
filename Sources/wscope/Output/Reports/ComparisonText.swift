import LoadTesting

/// A comparison of two groups of runs for a person, at most 100 columns wide unless a URL is longer.
struct ComparisonText {
  private let comparison: Comparison
  private let groups: ComparedGroups

  private static let nameWidth = 16
  private static let valueWidth = 19
  private static let tenMinutes: Int64 = 600_000_000_000

  init(_ comparison: Comparison, _ groups: ComparedGroups) {
    self.comparison = comparison
    self.groups = groups
  }

  /// Every line ended by LF.
  var text: String { (head + table + notes).map { $0 + "\n" }.joined() }

  static func failure(_ failure: Comparison.Failure) -> CommandFailure {
    switch failure {
    case .metric(let message): CommandFailure(.usage, "--metric: \(message)")
    case .tooManyMetrics(let runs, let isPaired, let limit):
      CommandFailure(
        .usage,
        "\(Figures.count(runs)) \(isPaired ? "pairs" : "runs a side") can decide at most "
          + "\(limit) metric\(limit == 1 ? "" : "s")")
    case .tooManyRuns:
      CommandFailure(.usage, "too many runs: their numbers multiplied may be at most 2500")
    }
  }

  private var head: [String] {
    var lines = ["A  \(name(groups.a))", "B  \(name(groups.b))"]
    lines += groups.differences.map { "differs  \($0)" }
    return lines + [""]
  }

  private func name(_ runs: [LoadReport]) -> String {
    let urls = Set(runs.map(\.target.url)).sorted()
    let invalid = runs.count { $0.verdict.state == .invalid }
    let suspect = runs.count { $0.verdict.state == .suspect }
    let marks = [(invalid, "invalid"), (suspect, "suspect")].filter { $0.0 > 0 }
      .map { ", \($0.0) \($0.1)" }
    return urls.joined(separator: " ") + "  \(runs.count) run\(runs.count == 1 ? "" : "s")"
      + marks.joined()
  }

  private var table: [String] {
    let columns = ["B/A", "95 % interval", "p (Holm)"]
    let heading =
      Figures.left("", Self.nameWidth)
      + Figures.left("A (n=\(comparison.countA))", Self.valueWidth)
      + Figures.left("B (n=\(comparison.countB))", Self.valueWidth)
      + Figures.left(columns[0], 10) + Figures.left(columns[1], 18) + columns[2]
    return [heading] + comparison.rows.map(line)
  }

  private func line(_ row: Comparison.Row) -> String {
    let ratio = row.ratio.map(change) ?? (row.isCensored ? "≥" : Figures.none)
    let interval =
      row.interval.map { "\(change($0.lowerBound)) … \(change($0.upperBound))" } ?? Figures.none
    let p = row.p.map { Figures.decimal($0, decimals: $0 < 0.1 ? 3 : 2) } ?? ""
    let cells =
      Figures.left(row.name, Self.nameWidth) + Figures.left(value(row.a, row), Self.valueWidth)
      + Figures.left(value(row.b, row), Self.valueWidth) + Figures.left(ratio, 10)
      + Figures.left(interval, 18) + Figures.left(p, 10)
    return cells + word(row)
  }

  private func change(_ ratio: Double) -> String {
    let share = (ratio - 1) * 100
    let text = Figures.decimal(share.magnitude, decimals: share.magnitude < 9.95 ? 1 : 0)
    return (share < 0 ? "−" : "+") + text + " %"
  }

  /// The median, and half the range of the middle 80 % as a share of it.
  private func value(_ values: [Double?], _ row: Comparison.Row) -> String {
    let known = values.compactMap(\.self).sorted()
    guard known.count == values.count, let median = known.median else { return Figures.none }
    guard median.isFinite else { return "over the timeout" }
    let text =
      switch row.unit {
      case .duration: Figures.duration(Int64(median))
      case .perSecond: Figures.rate(median) + "/s"
      case .share: Figures.percent(median, decimals: 1)
      case .count: Figures.count(Int(median))
      }
    let cut = known.count / 10
    let (low, high) = (known[cut], known[known.count - 1 - cut])
    guard known.count > 1, median > 0, high.isFinite else { return text }
    return text + " ±" + Figures.percent((high - low) / 2 / median, decimals: 0)
  }

  private func word(_ row: Comparison.Row) -> String {
    let isRate = row.unit == .perSecond || row.unit == .duration
    switch row.word {
    case .worse: return isRate ? "SLOWER" : "WORSE"
    case .better: return isRate ? "faster" : "better"
    case .equal: return "~ equal within \(Figures.percent(comparison.noise, decimals: 0))"
    case .untested: return "(not tested)"
    case .tooFew: return "? needs \(Comparison.fewestRuns) runs a side"
    case .unknown(let resolution, let runs):
      guard let resolution else {
        return row.isCensored ? "? beyond the timeout" : "? not measured in every run"
      }
      let hint =
        runs.map { "; about \(Figures.count($0)) runs a side would show 10 %" } ?? ""
      return "? resolution ±\(Figures.percent(resolution, decimals: 0))" + hint
    }
  }

  private var notes: [String] {
    let noise = "noise band \(Figures.percent(comparison.noise, decimals: 0))"
    var lines = [""]
    lines.append(
      comparison.isPaired
        ? "paired, \(comparison.countA) pairs in the order A B B A; \(noise)"
        : "not paired; \(noise)")
    if comparison.countA == 1, comparison.countB == 1 {
      lines.append("one run a side: no verdict; bench --repeat 8 --vs gives one")
    }
    if let apart = groups.apart, apart > Self.tenMinutes {
      lines.append(
        "A and B were measured \(Figures.shortDuration(apart)) apart: machine drift is part of this "
          + "difference")
    }
    return lines
  }
}
