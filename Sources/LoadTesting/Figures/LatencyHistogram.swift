import Histogram

/// Durations from 0 ns to 1 h with three significant digits, counted in fixed memory.
///
/// Only this file uses the histogram package: recording and adding are fast there, but its queries
/// are slow and trap out of range. Counts are 64 bits wide, because a 32-bit count of one bucket
/// would overflow within 72 minutes at a million messages a second. A histogram takes 268 KiB.
///
/// This is a value type: keep it in a stored property and record in place to avoid copies.
package struct LatencyHistogram: Sendable {
  /// The longest duration that can be recorded, in nanoseconds; longer ones count as this.
  package static let longest: Int64 = 3_600_000_000_000

  private var values: Histogram<UInt64>
  /// The lower bounds of the censored samples; nil if there are none, to save memory.
  private var bounds: Histogram<UInt64>?

  /// The number of samples of which only a lower bound is known.
  package private(set) var censored = 0

  /// The smallest lower bound of a censored sample in nanoseconds; nil without any.
  package private(set) var censoredFloor: Int64?

  /// An empty histogram.
  package init() {
    values = Histogram(highestTrackableValue: UInt64(Self.longest))
  }

  /// Creates a histogram from its counts.
  ///
  /// - Parameters:
  ///   - buckets: The counts of the values.
  ///   - min: The smallest value in nanoseconds, within the first bucket; if nil, the lower end of
  ///     that bucket.
  ///   - max: The largest value in nanoseconds, within the last bucket; if nil, the upper end of
  ///     that bucket.
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

  /// The counts of the values, without empty buckets and censored samples.
  var buckets: HistogramBuckets { Self.buckets(of: values) }

  /// Reads the counts in one pass, from the smallest value to the largest.
  ///
  /// It does not use recordedValues(), whose running sum of value times count traps when all
  /// durations together exceed 2^64 ns, as they do in an overloaded run of some days.
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

  /// Counts one duration. Never traps or allocates.
  ///
  /// - Parameter ns: The duration in nanoseconds, clamped to 0 ns to 1 h.
  @inline(__always)
  package mutating func record(_ ns: Int64) {
    values.record(UInt64(truncatingIfNeeded: Swift.min(Swift.max(ns, 0), Self.longest)))
  }

  /// Counts samples that never got a value, such as messages without an answer.
  ///
  /// Without them the figures would look best exactly when the server fails.
  ///
  /// - Parameters:
  ///   - count: The number of samples; values below 1 are ignored.
  ///   - ns: The lower bound of each sample in nanoseconds.
  package mutating func recordCensored(_ count: Int, atLeast ns: Int64) {
    guard count > 0 else { return }
    let bound = Swift.min(Swift.max(ns, 0), Self.longest)
    censored &+= count
    censoredFloor = Swift.min(censoredFloor ?? bound, bound)
    if bounds == nil { bounds = Histogram(highestTrackableValue: UInt64(Self.longest)) }
    bounds?.record(UInt64(bound), count: UInt64(count))
  }

  /// Adds all samples of another histogram, without loss of precision.
  package mutating func merge(_ other: LatencyHistogram) {
    values.add(other.values)
    guard let floor = other.censoredFloor, let theirs = other.bounds else { return }
    censored &+= other.censored
    censoredFloor = Swift.min(censoredFloor ?? floor, floor)
    if bounds == nil { bounds = theirs } else { bounds?.add(theirs) }
  }

  /// Returns the samples so far and starts again empty.
  ///
  /// This is cheaper than clearing in place, which takes the package half a millisecond.
  ///
  /// - Returns: The histogram as it was.
  package mutating func take() -> LatencyHistogram {
    var taken = LatencyHistogram()
    swap(&taken, &self)
    return taken
  }

  /// The number of samples with a value.
  package var count: Int { Int(clamping: values.totalCount) }

  /// The smallest value in nanoseconds; nil without values. Censored samples are not included.
  package var min: Int64? {
    values.totalCount > 0 ? Int64(clamping: values.min) : nil
  }

  /// The largest value in nanoseconds; nil without values. Censored samples are not included.
  package var max: Int64? {
    values.totalCount > 0 ? Int64(clamping: values.maxRecorded) : nil
  }

  /// Returns one percentile; to read several, `percentiles` is cheaper.
  ///
  /// - Parameter level: The level to read.
  /// - Returns: A value, a lower bound, or the number of samples that are needed.
  package func percentile(_ level: PercentileLevel) -> Percentile {
    percentiles([level]).first ?? .tooFewSamples(needed: level.neededSamples)
  }

  /// The largest lower bound of a censored sample in nanoseconds; nil without any.
  package var censoredCeiling: Int64? { bounds.map { Int64(clamping: $0.maxRecorded) } }

  /// Returns percentiles of all samples, in one pass over the counts.
  ///
  /// A censored sample takes the rank of its lower bound, so the result is a lower bound of the
  /// percentile. Below the smallest of these bounds the result is exact, because all censored
  /// samples are above it.
  ///
  /// - Parameter levels: In any order.
  /// - Returns: One answer for each level, in the same order.
  package func percentiles(_ levels: [PercentileLevel]) -> [Percentile] {
    percentiles(levels, evenIfFew: false)
  }

  /// As above. `known` is `buckets` if the caller already has them; `evenIfFew` gives figures even
  /// for too few samples.
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

  /// Returns a percentile regardless of the number of samples, for checks on the generator itself,
  /// where an unreliable figure is better than none.
  ///
  /// - Parameter level: The level to read.
  /// - Returns: Nanoseconds, or a lower bound if samples are censored; nil without samples.
  package func estimate(_ level: PercentileLevel) -> Int64? {
    count &+ censored > 0 ? percentiles([level], evenIfFew: true).first?.bound : nil
  }

  /// Returns the summary with the standard percentiles and the standard error of the median, in one
  /// pass.
  ///
  /// The error is half the difference of the values whose ranks are one standard deviation of the
  /// binomial distribution below and above the median.
  ///
  /// - Parameter known: `buckets` if the caller already has them, which saves a pass over all
  ///   counts.
  /// - Returns: The summary, and the error in nanoseconds, nil if there are too few samples.
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

  /// Summarizes the samples for a report.
  ///
  /// - Parameter levels: The percentiles to include, in this order.
  /// - Returns: A summary without `hdr`; see `HistogramCodec`.
  package func summary(_ levels: [PercentileLevel] = PercentileLevel.standard) -> LatencySummary {
    summary(levels, known: nil)
  }

  /// As `summary`; `known` is `buckets` if the caller already has them.
  func summary(_ levels: [PercentileLevel], known: HistogramBuckets?) -> LatencySummary {
    let answers = percentiles(levels, evenIfFew: false, known: known)
    return summary(zip(levels, answers).map { LatencySummary.Row($0, $1) })
  }

  private func summary(_ rows: [LatencySummary.Row]) -> LatencySummary {
    LatencySummary(
      count: count, censored: censored, min: min, max: max, censoredFloor: censoredFloor,
      censoredCeiling: censoredCeiling, percentiles: rows)
  }

  /// All samples, with the lower bounds of the censored ones as their values.
  private var samples: Histogram<UInt64> {
    guard let bounds else { return values }
    var all = values
    all.add(bounds)
    return all
  }

  /// The percentile whose rank is in this bucket: exact below the smallest lower bound, else a
  /// lower bound.
  private func answer(_ bucket: ClosedRange<Int64>) -> Percentile {
    guard let floor = censoredFloor, bucket.upperBound >= floor else {
      return .value(bucket.upperBound)
    }
    // In the bucket of the floor, the floor is the best lower bound known.
    return .atLeast(bucket.lowerBound <= floor ? floor : bucket.lowerBound)
  }
}
