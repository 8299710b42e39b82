extension LoadReport {
  /// Adds the intervals of other parts by their number, and takes the phases of the part that has most of
  /// them.
  ///
  /// Clocks of machines differ, and an interval ends when a thread wakes: the boundaries of the parts are some
  /// milliseconds apart. The sum has those of one part. Which one depends on their content alone, so the order
  /// of merging does not show.
  mutating func addWindow(of other: LoadReport) {
    let own = (phases: phases, window: intervals.filter { $0.start >= 0 })
    let theirs = (phases: other.phases, window: other.intervals.filter { $0.start >= 0 })
    let isOwn = Self.isBefore(
      Self.key(theirs.window) + Self.key(theirs.phases),
      Self.key(own.window) + Self.key(own.phases))
    let (grid, rest) = isOwn ? (own, theirs) : (theirs, own)
    phases = grid.phases

    var warmUps = [intervals, other.intervals].map { $0.filter { $0.start < 0 } }
    if Self.isBefore(Self.key(warmUps[0]), Self.key(warmUps[1])) { warmUps.swapAt(0, 1) }
    intervals = Self.sum(warmUps[0], warmUps[1]) + Self.sum(grid.window, rest.window)
  }

  /// Adds intervals by their number; `grid` has at least as many as `rest`.
  private static func sum(_ grid: [Interval], _ rest: [Interval]) -> [Interval] {
    grid.enumerated().map { index, interval in
      index < rest.count ? interval.adding(rest[index]) : interval
    }
  }

  private static func key(_ intervals: [Interval]) -> [Int64] {
    [Int64(intervals.count)] + intervals.flatMap { [$0.start, $0.duration] }
  }

  private static func key(_ phases: [Phase]) -> [Int64] {
    [Int64(phases.count)] + phases.flatMap { [$0.start, $0.duration] }
  }

  private static func isBefore(_ one: [Int64], _ other: [Int64]) -> Bool {
    one.lexicographicallyPrecedes(other)
  }
}

extension LoadReport.Interval {
  /// The sum of two parts of a run in one interval, at this one's time. Percentiles are read from the heat
  /// map, and are up to 9 % too high; where only one side has answers they stay exact.
  fileprivate func adding(_ other: Self) -> Self {
    var sum = self
    sum.sent &+= other.sent
    sum.received &+= other.received
    sum.open &+= other.open
    sum.waiting &+= other.waiting
    sum.unanswered &+= other.unanswered
    sum.errors &+= other.errors
    sum.cpu = [cpu, other.cpu].compactMap(\.self).max()
    sum.loopDelay = [loopDelay, other.loopDelay].compactMap(\.self).max()
    sum.heat = heat.adding(other.heat)
    if max == nil {
      (sum.p50, sum.p90, sum.p99, sum.max) = (other.p50, other.p90, other.p99, other.max)
    } else if other.max != nil {
      sum.max = Percentile.larger(max, other.max)
      sum.p50 = sum.percentile(.p50)
      sum.p90 = sum.percentile(.p90)
      sum.p99 = sum.percentile(.p99)
    }
    return sum
  }

  /// A percentile from the heat map: the upper end of a bucket, at most the largest round trip.
  private func percentile(_ level: PercentileLevel) -> Percentile? {
    // Messages without an answer took longer than those that have one.
    let total = heat.total &+ unanswered
    guard let largest = max?.bound, total >= level.neededSamples else { return max }
    var remaining = level.rank(among: total)
    for cell in heat.cells {
      remaining &-= cell.count
      guard remaining <= 0 else { continue }
      let bound = HeatBuckets.bounds[cell.bucket - HeatBuckets.range.lowerBound]
      return .value(Swift.min(bound, largest))
    }
    return max
  }
}

extension Percentile {
  /// The larger of two; of equals the one that is only a lower bound.
  fileprivate static func larger(_ one: Percentile?, _ other: Percentile?) -> Percentile? {
    guard let one, let other, let left = one.bound, let right = other.bound else {
      return one ?? other
    }
    if left == right, case .atLeast = one { return one }
    return left > right ? one : other
  }
}

extension HeatBuckets {
  /// The counts of both, bucket by bucket.
  fileprivate func adding(_ other: HeatBuckets) -> HeatBuckets {
    var counts: [Int: Int] = [:]
    for cell in cells + other.cells { counts[cell.bucket, default: 0] &+= cell.count }
    return HeatBuckets(
      counts.sorted { $0.key < $1.key }.map { Cell(bucket: $0.key, count: $0.value) })
  }
}
