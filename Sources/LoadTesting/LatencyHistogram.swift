import Histogram

/// Durations from 0 ns to 1 h with three significant digits, counted in fixed memory.
///
/// The only file that knows the histogram package: recording and adding there are fast, but its own
/// read-out is slow and traps out of range. Counts are 64 bits wide: at a million messages a second
/// a 32-bit count of one bucket would wrap within 72 minutes. That costs 268 KiB a histogram.
///
/// It is a value: hold it in a stored property and record in place, and nothing is copied. What
/// belongs here and is still missing is `hdrPayload()`, the V2 encoding, which needs zlib.
package struct LatencyHistogram: Sendable {
  /// The longest duration told apart, in nanoseconds; longer ones count as this.
  package static let longest: Int64 = 3_600_000_000_000

  private var values: Histogram<UInt64>

  /// Samples of which only a lower bound is known; they rank above all others.
  package private(set) var censored = 0

  /// The smallest lower bound of a censored sample in nanoseconds; nil without any.
  package private(set) var censoredFloor: Int64?

  /// An empty histogram.
  package init() {
    values = Histogram(highestTrackableValue: UInt64(Self.longest))
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
  }

  /// Adds all that the other histogram has counted; exact.
  ///
  /// - Parameter other: Left unchanged.
  package mutating func merge(_ other: LatencyHistogram) {
    values.add(other.values)
    if let floor = other.censoredFloor { recordCensored(other.censored, atLeast: floor) }
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

  /// The percentiles of all samples, censored ones ranked last, by one pass over the counts.
  ///
  /// - Parameter levels: In any order.
  /// - Returns: One answer for each level, in the same order.
  package func percentiles(_ levels: [PercentileLevel]) -> [Percentile] {
    percentiles(levels, evenIfFew: false)
  }

  private func percentiles(_ levels: [PercentileLevel], evenIfFew: Bool) -> [Percentile] {
    let total = count &+ censored
    var answers = levels.map { Percentile.tooFewSamples(needed: $0.neededSamples) }
    let open = levels.indices
      .filter { evenIfFew || total >= levels[$0].neededSamples }
      .sorted { levels[$0] < levels[$1] }
    var remaining = open[...]
    let highest = values.maxRecorded
    var seen = 0
    var value: UInt64 = 0
    // Not recordedValues(): its running sum of value times count traps once all durations together
    // pass 2^64 ns, which an overloaded run of some days does.
    while let next = remaining.first, seen < count, value <= highest {
      let bucket = Int(clamping: values.countForValue(value))
      if bucket > 0 {
        seen &+= bucket
        let end = Int64(clamping: Swift.min(values.highestEquivalentForValue(value), highest))
        var candidate: Int? = next
        while let index = candidate, levels[index].rank(among: total) <= seen {
          answers[index] = answer(end)
          remaining.removeFirst()
          candidate = remaining.first
        }
      }
      value = values.nextNonEquivalentForValue(value)
    }
    for index in remaining { answers[index] = .atLeast(censoredFloor ?? 0) }
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

  /// Everything a report says about these samples.
  ///
  /// - Parameter levels: The percentiles to print, in this order.
  /// - Returns: A summary without the `hdr` payload.
  package func summary(_ levels: [PercentileLevel] = PercentileLevel.standard) -> LatencySummary {
    LatencySummary(
      count: count, censored: censored, min: min, max: max, censoredFloor: censoredFloor,
      percentiles: zip(levels, percentiles(levels)).map { LatencySummary.Row($0, $1) })
  }

  /// Beyond the smallest bound of a censored sample nobody knows the order any more.
  private func answer(_ ns: Int64) -> Percentile {
    guard let floor = censoredFloor, ns > floor else { return .value(ns) }
    return .atLeast(floor)
  }
}
