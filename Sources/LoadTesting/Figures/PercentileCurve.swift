/// The durations of a metric by the share of the samples that were faster.
package struct PercentileCurve: Sendable, Equatable {
  /// One point of the curve.
  package struct Point: Sendable, Equatable {
    /// log10(1/(1-q)): 0 is p0, 1 is p90, 2 is p99.
    package var nines: Double
    /// Nanoseconds.
    package var duration: Int64
    /// `duration` is only a lower bound: the rank falls among the unanswered.
    package var isBound: Bool

    package init(nines: Double, duration: Int64, isBound: Bool = false) {
      self.nines = nines
      self.duration = duration
      self.isBound = isBound
    }
  }

  /// From left to right, up to where fewer than ten samples are beyond.
  package private(set) var points: [Point] = []

  private static let pointsPerNine = 16

  /// A curve through all samples.
  init(_ histogram: LatencyHistogram) {
    let total = histogram.count &+ histogram.censored
    guard total >= 20 else { return }
    var shares: [Double] = []
    var beyond = 1.0
    let factor = Self.factor
    while beyond * Double(total) >= 10 {
      shares.append(beyond)
      beyond *= factor
    }
    let ranks = shares.map { share in
      Swift.min(total, Swift.max(1, Int((Double(total) * (1 - share)).rounded(.up))))
    }
    points = zip(ranks, histogram.percentiles(atRanks: ranks)).enumerated().compactMap {
      index, answer in
      answer.1.bound.map { bound in
        var isBound = false
        if case .atLeast = answer.1 { isBound = true }
        return Point(
          nines: Double(index) / Double(Self.pointsPerNine), duration: bound, isBound: isBound)
      }
    }
  }

  /// A curve through the percentiles of a summary.
  init(_ rows: [LatencySummary.Row]) {
    points = rows.sorted { $0.level < $1.level }.compactMap { row in
      guard let bound = row.percentile.bound else { return nil }
      var isBound = false
      if case .atLeast = row.percentile { isBound = true }
      return Point(nines: row.level.nines, duration: bound, isBound: isBound)
    }
  }

  /// 10^(-1/16).
  private static let factor = 0.865_964_323_360_065_3
}

extension LatencySummary {
  /// Its curve, from the histogram if it has one, and through its percentiles otherwise.
  package var curve: PercentileCurve {
    histogram.map { PercentileCurve($0) } ?? PercentileCurve(percentiles)
  }

  /// Percentiles of some levels, read by one pass.
  ///
  /// - Parameter levels: Any levels.
  /// - Returns: One for each; nil where neither the summary nor a histogram has it.
  package func percentiles(_ levels: [PercentileLevel]) -> [Percentile?] {
    let histogram = levels.allSatisfy { self[$0] != nil } ? nil : histogram
    let read = histogram?.percentiles(levels)
    return levels.enumerated().map { index, level in self[level] ?? read?[index] }
  }
}
