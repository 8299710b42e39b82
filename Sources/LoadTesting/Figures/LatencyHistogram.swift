import Histogram

/// Durations from 0 ns to 1 h with three significant digits, counted in fixed memory.
///
/// The only file that knows the histogram package: recording and adding there are fast, but its own
/// read-out is slow and traps out of range. Counts are 64 bits wide: at a million messages a second
/// a 32-bit count of one bucket would wrap within 72 minutes. That costs 268 KiB a histogram.
///
/// It is a value: hold it in a stored property and record in place, and nothing is copied.
package struct LatencyHistogram: Sendable {
  /// The longest duration told apart, in nanoseconds; longer ones count as this.
  package static let longest: Int64 = 3_600_000_000_000

  private var values: Histogram<UInt64>
  /// The lower bounds of the censored samples; nil without any, which saves its memory.
  private var bounds: Histogram<UInt64>?

  /// Samples of which only a lower bound is known.
  package private(set) var censored = 0

  /// The smallest lower bound of a censored sample in nanoseconds; nil without any.
  package private(set) var censoredFloor: Int64?

  /// An empty histogram.
  package init() {
    values = Histogram(highestTrackableValue: UInt64(Self.longest))
  }

  /// A histogram from its counts.
  ///
  /// - Parameters:
  ///   - buckets: The counts of the values.
  ///   - min: The smallest value in nanoseconds, within the first bucket; its lower end if it is not known.
  ///   - max: The largest value in nanoseconds, within the last bucket; its upper end if it is not known.
  init(_ buckets: HistogramBuckets, min: Int64? = nil, max: Int64? = nil) {
    self.init()
    guard let first = buckets.entries.first, let last = buckets.entries.last else { return }
    let smallest = min ?? HistogramBuckets.lowest(of: first.index)
    let largest = max ?? Swift.min(HistogramBuckets.highest(of: last.index), Self.longest)
    values.record(UInt64(clamping: smallest))
    for (position, entry) in buckets.entries.enumerated() {
      let count = UInt64(position == 0 ? entry.count &- 1 : entry.count)
      guard count > 0 else { continue }
      let isLast = position == buckets.entries.count - 1
      let lowest = Swift.max(smallest, HistogramBuckets.lowest(of: entry.index))
      let value = isLast ? largest : lowest
      values.record(UInt64(clamping: value), count: count)
    }
  }

  /// The counts of the values, without empty buckets; censored samples are not among them.
  var buckets: HistogramBuckets { Self.buckets(of: values) }

  /// One pass over the counts from the smallest value to the largest.
  ///
  /// Not recordedValues(): its running sum of value times count traps once all durations together pass
  /// 2^64 ns, which an overloaded run of some days does.
  private static func buckets(of values: Histogram<UInt64>) -> HistogramBuckets {
    guard values.totalCount > 0 else { return HistogramBuckets() }
    let first = HistogramBuckets.index(of: Int64(clamping: values.min))
    let last = HistogramBuckets.index(of: Int64(clamping: values.maxRecorded))
    var buckets = HistogramBuckets(capacity: Swift.min(last &- first &+ 1, 2048))
    for index in first...last {
      let count = values.countForValue(UInt64(clamping: HistogramBuckets.lowest(of: index)))
      buckets.append(index: index, count: Int(clamping: count))
    }
    return buckets
  }

  /// Counts one duration; never traps and never allocates.
  ///
  /// - Parameter ns: Nanoseconds; below 0 counts as 0, above an hour as an hour.
  @inline(__always)
  package mutating func record(_ ns: Int64) {
    values.record(UInt64(truncatingIfNeeded: Swift.min(Swift.max(ns, 0), Self.longest)))
  }

  /// Counts samples that never got a value, such as messages without an answer.
  ///
  /// Leaving them out would make the figures best exactly when the server is ill.
  ///
  /// - Parameters:
  ///   - count: How many; nothing happens below 1.
  ///   - ns: What is known of each: it took at least this long, in nanoseconds.
  package mutating func recordCensored(_ count: Int, atLeast ns: Int64) {
    guard count > 0 else { return }
    let bound = Swift.min(Swift.max(ns, 0), Self.longest)
    censored &+= count
    censoredFloor = Swift.min(censoredFloor ?? bound, bound)
    if bounds == nil { bounds = Histogram(highestTrackableValue: UInt64(Self.longest)) }
    bounds?.record(UInt64(bound), count: UInt64(count))
  }

  /// Adds all that the other histogram has counted; exact.
  ///
  /// - Parameter other: Left unchanged.
  package mutating func merge(_ other: LatencyHistogram) {
    values.add(other.values)
    guard let floor = other.censoredFloor, let theirs = other.bounds else { return }
    censored &+= other.censored
    censoredFloor = Swift.min(censoredFloor ?? floor, floor)
    if bounds == nil { bounds = theirs } else { bounds?.add(theirs) }
  }

  /// Hands over what was counted so far and starts again empty.
  ///
  /// Cheaper on an event loop than clearing in place, which takes the package half a millisecond.
  ///
  /// - Returns: The histogram as it was.
  package mutating func take() -> LatencyHistogram {
    var taken = LatencyHistogram()
    swap(&taken, &self)
    return taken
  }

  /// Samples with a value.
  package var count: Int { Int(clamping: values.totalCount) }

  /// The smallest value in nanoseconds; nil without values.
  package var min: Int64? {
    values.totalCount > 0 ? Int64(clamping: values.min) : nil
  }

  /// The largest value in nanoseconds; nil without values. Censored samples have none.
  package var max: Int64? {
    values.totalCount > 0 ? Int64(clamping: values.maxRecorded) : nil
  }

  /// One percentile; several at once are cheaper by `percentiles`.
  ///
  /// - Parameter level: The level to read.
  /// - Returns: A value, a lower bound, or the number of samples that are missing.
  package func percentile(_ level: PercentileLevel) -> Percentile {
    percentiles([level]).first ?? .tooFewSamples(needed: level.neededSamples)
  }

  /// The largest lower bound of a censored sample in nanoseconds; nil without any.
  package var censoredCeiling: Int64? { bounds.map { Int64(clamping: $0.maxRecorded) } }

  /// The percentiles of all samples, by one pass over the counts.
  ///
  /// A censored sample takes the rank of its lower bound, which gives a lower bound of the percentile. Up
  /// to the smallest of the bounds it is the percentile itself: censored samples are above it either way.
  ///
  /// - Parameter levels: In any order.
  /// - Returns: One answer for each level, in the same order.
  package func percentiles(_ levels: [PercentileLevel]) -> [Percentile] {
    percentiles(levels, evenIfFew: false)
  }

  /// As above; `known` is `buckets`, where a caller has them already, and `evenIfFew` answers with few samples too.
  private func percentiles(
    _ levels: [PercentileLevel], evenIfFew: Bool, known: HistogramBuckets? = nil
  ) -> [Percentile] {
    let total = count &+ censored
    var answers = levels.map { Percentile.tooFewSamples(needed: $0.neededSamples) }
    let open = levels.indices
      .filter { evenIfFew || total >= levels[$0].neededSamples }
      .sorted { levels[$0] < levels[$1] }
    let found = percentiles(atRanks: open.map { levels[$0].rank(among: total) }, known: known)
    for (index, answer) in zip(open, found) { answers[index] = answer }
    return answers
  }

  /// The durations of some samples, by one pass over the counts.
  ///
  /// - Parameters:
  ///   - ranks: From 1, in ascending order.
  ///   - known: `buckets`, where a caller has them already.
  /// - Returns: One answer for each rank.
  func percentiles(atRanks ranks: [Int], known: HistogramBuckets? = nil) -> [Percentile] {
    guard !ranks.isEmpty else { return [] }
    var answers: [Percentile] = []
    let all = samples
    let highest = Int64(clamping: all.maxRecorded)
    var seen = 0
    for entry in (bounds == nil ? known : nil)?.entries ?? Self.buckets(of: all).entries {
      guard answers.count < ranks.count else { break }
      seen &+= entry.count
      let start = HistogramBuckets.lowest(of: entry.index)
      let end = Swift.min(HistogramBuckets.highest(of: entry.index), highest)
      while answers.count < ranks.count, ranks[answers.count] <= seen {
        answers.append(answer(start...end))
      }
    }
    while answers.count < ranks.count { answers.append(.atLeast(censoredFloor ?? 0)) }
    return answers
  }

  /// A percentile however few the samples are: for checks on the generator itself, where a figure
  /// that may be an accident is better than none.
  ///
  /// - Parameter level: The level to read.
  /// - Returns: Nanoseconds; nil without values.
  package func estimate(_ level: PercentileLevel) -> Int64? {
    count &+ censored > 0 ? percentiles([level], evenIfFew: true).first?.bound : nil
  }

  /// The summary with the standard percentiles, and the standard error of the median, by one pass.
  ///
  /// The error is half the distance of the ranks that are one standard deviation of the binomial distribution
  /// from the median on either side; nil with too few samples for a median.
  ///
  /// - Parameter known: `buckets`, where the caller has them already: they are a pass over all counts.
  /// - Returns: The summary, and the error in nanoseconds.
  func summaryAndMedianError(_ known: HistogramBuckets? = nil) -> (LatencySummary, Double?) {
    let total = count &+ censored
    let levels = PercentileLevel.standard
    guard total >= PercentileLevel.p50.neededSamples else { return (summary(), nil) }
    let offset = Int((50_000 / Double(total).squareRoot()).rounded())
    let ends = [50_000 - offset, 50_000 + offset].compactMap { PercentileLevel(thousandths: $0) }
    let answers = percentiles(levels + ends, evenIfFew: true, known: known)
    let rows = zip(levels, answers).map { level, answer in
      LatencySummary.Row(
        level, total >= level.neededSamples ? answer : .tooFewSamples(needed: level.neededSamples))
    }
    let bounds = answers.dropFirst(levels.count).compactMap(\.bound)
    let error = bounds.count == 2 ? Double(bounds[1] &- bounds[0]) / 2 : nil
    return (summary(rows), error)
  }

  /// Everything a report says about these samples.
  ///
  /// - Parameter levels: The percentiles to print, in this order.
  /// - Returns: A summary without `hdr`; see `HistogramCodec`.
  package func summary(_ levels: [PercentileLevel] = PercentileLevel.standard) -> LatencySummary {
    summary(levels, known: nil)
  }

  /// As `summary`; `known` is `buckets`, where a caller has them already.
  func summary(_ levels: [PercentileLevel], known: HistogramBuckets?) -> LatencySummary {
    let answers = percentiles(levels, evenIfFew: false, known: known)
    return summary(zip(levels, answers).map { LatencySummary.Row($0, $1) })
  }

  private func summary(_ rows: [LatencySummary.Row]) -> LatencySummary {
    LatencySummary(
      count: count, censored: censored, min: min, max: max, censoredFloor: censoredFloor,
      censoredCeiling: censoredCeiling, percentiles: rows)
  }

  /// All samples, the censored ones by their lower bounds.
  private var samples: Histogram<UInt64> {
    guard let bounds else { return values }
    var all = values
    all.add(bounds)
    return all
  }

  /// A percentile that falls into this bucket. Above the smallest lower bound the order is unknown.
  private func answer(_ bucket: ClosedRange<Int64>) -> Percentile {
    guard let floor = censoredFloor, bucket.upperBound >= floor else {
      return .value(bucket.upperBound)
    }
    // Within the floor's own bucket nothing is known but that it is at least the floor.
    return .atLeast(bucket.lowerBound <= floor ? floor : bucket.lowerBound)
  }
}
