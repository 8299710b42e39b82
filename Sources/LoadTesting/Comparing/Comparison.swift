import Glibc

/// Two groups of runs, and what can be said about their difference.
///
/// The unit is the run: the samples within one are correlated, and runs usually differ by more than their
/// own figures would let one expect.
package struct Comparison: Sendable, Equatable {
  /// What is said of one quantity.
  package enum Word: Sendable, Equatable {
    /// B is worse than A, beyond noise.
    case worse
    case better
    /// The interval is within the noise band.
    case equal
    /// The runs do not show it: the half-width of the interval as a share, and how many runs a side would
    /// show a difference of 10 %.
    case unknown(resolution: Double?, runs: Int?)
    /// Fewer runs a side than a verdict needs.
    case tooFew
    /// Beside the tested ones.
    case untested
  }

  /// One quantity of all runs.
  package struct Row: Sendable, Equatable {
    package var name: String
    package var unit: Threshold.Unit
    /// Whether a larger value is worse.
    package var isCost: Bool
    /// By run; infinity where only a lower bound is known, nil where it was not measured.
    package var a: [Double?]
    package var b: [Double?]
    /// B over A; nil where it is not known.
    package var ratio: Double?
    /// 95 %.
    package var interval: ClosedRange<Double>?
    /// After Holm; nil for a quantity that is not tested.
    package var p: Double?
    package var word: Word
    /// Estimate or interval depend on values of which only a lower bound is known.
    package var isCensored = false
  }

  /// How the quantities are judged.
  package struct Settings: Sendable, Equatable {
    /// The quantities to test, as in `rtt.p99`; empty for the usual ones.
    package var metrics: [String] = []
    /// A change up to this share is none.
    package var noise = 0.05

    package init() {}
  }

  /// Why groups cannot be compared.
  package enum Failure: Error, Sendable, Equatable {
    case metric(String)
    /// More quantities than so few runs can decide.
    case tooManyMetrics(runs: Int, isPaired: Bool, limit: Int)
    case tooManyRuns
  }

  package static let fewestRuns = 6
  private static let maxMetrics = 6

  package let rows: [Row]
  /// Whether the runs were made in pairs, one of each group shortly after the other.
  package let isPaired: Bool
  /// Runs of group A.
  package let countA: Int
  /// Runs of group B.
  package let countB: Int
  /// A change up to this share is none.
  package let noise: Double

  /// Compares two groups.
  ///
  /// - Parameters:
  ///   - a: At least one run.
  ///   - b: At least one run of the same mode. Where all runs of both groups name their pair, they are
  ///     paired by it.
  ///   - settings: What to test, and how.
  /// - Throws: `Failure`.
  package init(_ a: [LoadReport], _ b: [LoadReport], _ settings: Settings = Settings())
    throws(Failure)
  {
    guard a.count * b.count <= 2500 else { throw .tooManyRuns }
    let pairs = Self.pairs(a, b)
    isPaired = pairs != nil
    let (a, b) = pairs ?? (a, b)
    (countA, countB) = (a.count, b.count)
    noise = settings.noise
    let isEnough = min(a.count, b.count) >= Self.fewestRuns
    let smallest =
      pairs == nil ? RankTests.smallestP(a.count, b.count) : RankTests.smallestP(pairs: a.count)
    let limit = isEnough ? min(Self.maxMetrics, Int(0.05 / smallest)) : Self.maxMetrics
    let mode = a.first?.configuration.mode ?? LoadModes.echo
    let usual = Self.usual(mode)
    var tested = Array(usual.prefix(limit))
    if !settings.metrics.isEmpty {
      guard settings.metrics.count <= limit else {
        throw .tooManyMetrics(
          runs: min(a.count, b.count), isPaired: pairs != nil, limit: limit)
      }
      tested = settings.metrics
    }
    var rows: [Row] = []
    for name in tested + (usual + [mode.headline.key + ".p99.9"]).filter({ !tested.contains($0) }) {
      let quantity = try Self.quantity(name, mode)
      let row = Row(
        name: name, unit: quantity.unit, isCost: quantity.isCost, a: a.map { $0.value(quantity) },
        b: b.map { $0.value(quantity) }, word: .untested)
      if tested.contains(name) || row.isMeasured { rows.append(row) }
    }
    let estimates = rows.map { $0.estimate(isPaired: pairs != nil) }
    let isTested = rows.map { tested.contains($0.name) }
    let known = rows.indices.filter { isTested[$0] && estimates[$0] != nil }
    let adjusted = RankTests.holm(known.compactMap { estimates[$0]?.p })
    for index in rows.indices {
      rows[index].take(estimates[index])
      guard isTested[index] else { continue }
      if let position = known.firstIndex(of: index) { rows[index].p = adjusted[position] }
      rows[index].word = isEnough ? rows[index].judged(noise, runs: min(a.count, b.count)) : .tooFew
    }
    self.rows = rows
  }

  /// What is tested unless something else is asked for.
  private static func usual(_ mode: LoadModeEntry) -> [String] {
    let headline = mode.headline.key
    return [headline + ".p50", headline + ".p99", "rate.answered"]
  }

  private static func quantity(
    _ name: String, _ mode: LoadModeEntry
  ) throws(Failure) -> Threshold.Quantity {
    let quantity: Threshold.Quantity
    do throws(Threshold.Failure) {
      quantity = try Threshold.quantity(name)
    } catch {
      throw .metric(error.message)
    }
    if case .metric(let metric, _) = quantity, !mode.metrics.contains(metric) {
      throw .metric("this mode does not measure \(metric.key)")
    }
    guard quantity.hasRatio else {
      throw .metric("\(name) has no ratio to compare, because it may be 0")
    }
    return quantity
  }

  /// The runs of both groups in the order of their pairs; nil unless each run has one.
  private static func pairs(
    _ a: [LoadReport], _ b: [LoadReport]
  ) -> ([LoadReport], [LoadReport])? {
    func numbered(_ runs: [LoadReport]) -> [Int: LoadReport]? {
      var numbered: [Int: LoadReport] = [:]
      for run in runs {
        guard let pair = run.run.pair, numbered.updateValue(run, forKey: pair.number) == nil else {
          return nil
        }
      }
      return numbered
    }
    guard let left = numbered(a), let right = numbered(b) else { return nil }
    let common = Set(left.keys).intersection(right.keys).sorted()
    guard !common.isEmpty else { return nil }
    return (common.compactMap { left[$0] }, common.compactMap { right[$0] })
  }
}

extension Threshold.Quantity {
  /// Whether the ratio of two values means something: a count of failures is usually 0.
  fileprivate var hasRatio: Bool {
    switch self {
    case .metric(_, .count), .metric(_, .censored), .errorRate, .errors, .closes, .messages,
      .connections:
      false
    case .metric, .rate, .generatorCPU: true
    }
  }

  /// Whether a larger value is worse.
  fileprivate var isCost: Bool {
    if case .rate = self { false } else { true }
  }
}

extension Comparison.Row {
  fileprivate var isMeasured: Bool { (a + b).allSatisfy { $0 != nil } }

  /// nil unless every run has a value above 0.
  fileprivate func estimate(isPaired: Bool) -> RankTests.Estimate? {
    let (left, right) = (a.compactMap(\.self), b.compactMap(\.self))
    guard left.count == a.count, right.count == b.count, (left + right).allSatisfy({ $0 > 0 })
    else { return nil }
    let (logA, logB) = (left.map { log($0) }, right.map { log($0) })
    guard isPaired else { return RankTests.unpaired(logA, logB) }
    return RankTests.paired(zip(logA, logB).map { $0 == $1 ? 0 : $1 - $0 })
  }

  fileprivate mutating func take(_ estimate: RankTests.Estimate?) {
    guard let estimate else { return }
    let bounds = [estimate.interval?.lowerBound, estimate.interval?.upperBound].compactMap(\.self)
    isCensored = !estimate.shift.isFinite || !bounds.allSatisfy(\.isFinite)
    guard !isCensored else { return }
    ratio = exp(estimate.shift)
    interval = estimate.interval.map { exp($0.lowerBound)...exp($0.upperBound) }
  }

  fileprivate func judged(_ noise: Double, runs: Int) -> Comparison.Word {
    guard let ratio, let interval else { return .unknown(resolution: nil, runs: nil) }
    let excludesOne = interval.lowerBound > 1 || interval.upperBound < 1
    if excludesOne, p ?? 1 < 0.05, abs(ratio - 1) > noise {
      return (ratio > 1) == isCost ? .worse : .better
    }
    if interval.lowerBound >= 1 - noise, interval.upperBound <= 1 + noise { return .equal }
    let resolution = (interval.upperBound / interval.lowerBound).squareRoot() - 1
    let needed = (Double(runs) * (resolution / 0.1) * (resolution / 0.1)).rounded(.up)
    return .unknown(resolution: resolution, runs: needed < 1e6 ? max(runs, Int(needed)) : nil)
  }
}

extension LoadReport {
  /// The value of a quantity: infinity where only a lower bound is known, nil where it was not measured.
  fileprivate func value(_ quantity: Threshold.Quantity) -> Double? {
    switch measured(quantity) {
    case .value(let value): value
    case .atLeast: .infinity
    case .nothing: nil
    }
  }
}
