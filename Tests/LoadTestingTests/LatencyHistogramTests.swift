import Conversation
import TestPeers
import Testing

@testable import LoadTesting

@Suite(.blocking) struct LatencyHistogramTests {
  /// Latencies as they come: a bulk and a long tail, from some microseconds to seconds.
  private static func latencies(_ count: Int, seed: UInt64) -> [Int64] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      let tail = 1 / random.unit()
      return Int64(min(50_000 + 40_000 * tail * random.unit(), 3.5e12))
    }
  }

  private static func reference(_ sorted: [Int64], _ level: PercentileLevel) -> Int64 {
    let rank = (Double(sorted.count) * Double(level.thousandths) / 100_000).rounded(.up)
    return sorted[max(1, Int(rank)) - 1]
  }

  @Test(arguments: [1, 2, 3, 4, 5])
  func percentilesAgreeWithSortedSamples(seed: UInt64) throws {
    let samples = Self.latencies(50_000, seed: seed)
    var histogram = LatencyHistogram()
    for sample in samples { histogram.record(sample) }
    let sorted = samples.sorted()
    #expect(histogram.count == samples.count)
    #expect(histogram.min == sorted.first)
    #expect(histogram.max == sorted.last)
    // Any order, and twice the same.
    let levels = try ["99.9", "1", "50", "90", "50", "99", "25"].map {
      try #require(PercentileLevel($0))
    }
    for (level, answer) in zip(levels, histogram.percentiles(levels)) {
      guard case .value(let ns) = answer else {
        Issue.record("p\(level.text) is \(answer)")
        continue
      }
      let truth = Self.reference(sorted, level)
      #expect(abs(ns - truth) * 1000 <= truth, "p\(level.text) \(ns), in truth \(truth)")
      #expect(histogram.percentile(level) == answer)
    }
  }

  @Test(arguments: [("50", 501), ("90", 901), ("99", 991), ("25", 251), ("1", 11)])
  func ranksAreRoundedUp(text: String, value: Int64) throws {
    let level = try #require(PercentileLevel(text))
    var histogram = LatencyHistogram()
    // Below 2048 ns every value has a bucket of its own.
    for ns in Int64(1)...1001 { histogram.record(ns) }
    #expect(histogram.percentile(level) == .value(value))
  }

  @Test func whatIsOutOfRangeIsClamped() {
    var histogram = LatencyHistogram()
    for ns in [Int64.min, -1, 0, Int64.max, LatencyHistogram.longest + 1] { histogram.record(ns) }
    #expect(histogram.count == 5)
    #expect(histogram.min == 0)
    #expect(histogram.max == LatencyHistogram.longest)
    // Twenty-five in all: enough for the median.
    for _ in 0..<20 { histogram.record(Int64.max) }
    #expect(histogram.percentile(.p50) == .value(LatencyHistogram.longest))
  }

  @Test func durationsWhoseSumHasNoRoomIn64BitsAreRead() {
    var histogram = LatencyHistogram()
    for _ in 0..<1_000 { histogram.record(Int64.max) }
    for _ in 0..<20 {
      let copy = histogram
      histogram.merge(copy)
    }
    // 10^9 hours are far beyond 2^64 ns.
    #expect(histogram.count == 1_048_576_000)
    #expect(histogram.percentile(.p999) == .value(LatencyHistogram.longest))
  }

  @Test func theUnansweredRankLast() {
    var histogram = LatencyHistogram()
    for _ in 0..<950 { histogram.record(1_000) }
    histogram.recordCensored(50, atLeast: 5_000_000_000)
    #expect(histogram.percentile(.p50) == .value(1_000))
    #expect(histogram.percentile(.p90) == .value(1_000))
    #expect(histogram.percentile(.p99) == .atLeast(5_000_000_000))
    #expect(histogram.count == 950)
    #expect(histogram.censored == 50)
    let summary = histogram.summary()
    #expect(summary.largest == .atLeast(5_000_000_000))
    #expect(summary[.p999] == .tooFewSamples(needed: 10_000))
  }

  @Test func nobodyAnswered() {
    var histogram = LatencyHistogram()
    histogram.recordCensored(20, atLeast: 5_000_000_000)
    #expect(histogram.percentile(.p50) == .atLeast(5_000_000_000))
    #expect(histogram.min == nil)
    #expect(histogram.max == nil)
  }

  @Test func beyondTheSmallestBoundTheOrderIsUnknown() {
    var histogram = LatencyHistogram()
    for ns in [Int64](repeating: 1_000, count: 50) + [Int64](repeating: 9_000, count: 40) {
      histogram.record(ns)
    }
    histogram.recordCensored(10, atLeast: 1_500)
    #expect(histogram.percentile(.p50) == .value(1_000))
    // Ninety samples are known to be 1000 or less, or 9000, or at least 1500: the ninetieth is 9000 or more.
    guard case .atLeast(let bound) = histogram.percentile(.p90) else {
      Issue.record("the order is not known")
      return
    }
    #expect(abs(bound - 9_000) <= 9)
  }

  @Test("row 2: each censored sample has a bound of its own")
  func row02_censoredSamplesRankByTheirBounds() {
    var histogram = LatencyHistogram()
    for _ in 0..<600 { histogram.record(1_000_000) }
    for age in Int64(1)...400 {
      histogram.recordCensored(1, atLeast: 1_000_000_000 + age * 5_000_000)
    }
    #expect(histogram.censored == 400)
    #expect(histogram.censoredFloor == 1_005_000_000)
    guard case .value(let median) = histogram.percentile(.p50),
      case .atLeast(let bound) = histogram.percentile(.p90)
    else {
      Issue.record("p50 is known, p90 is not")
      return
    }
    #expect(abs(median - 1_000_000) <= 1_000)
    #expect(abs(bound - 2_500_000_000) <= 2_500_000)
    guard case .atLeast(let largest)? = histogram.summary().largest else {
      Issue.record("the largest is not known")
      return
    }
    #expect(abs(largest - 3_000_000_000) <= 3_000_000)
    var other = LatencyHistogram()
    other.merge(histogram)
    #expect(other.summary() == histogram.summary())
  }

  @Test func theErrorOfTheMedian() throws {
    var histogram = LatencyHistogram()
    for _ in 0..<19 { histogram.record(5) }
    #expect(histogram.summaryAndMedianError().1 == nil)
    histogram = LatencyHistogram()
    // Of 10 000 evenly spread ranks the binomial deviation is 50.
    for ns in Int64(1)...10_000 { histogram.record(ns * 100) }
    let (summary, found) = histogram.summaryAndMedianError()
    let error = try #require(found)
    #expect(summary == histogram.summary())
    #expect(abs(error - 5_000) < 1_000)
  }

  @Test(arguments: [
    ("50", 20), ("90", 100), ("99", 1_000), ("99.9", 10_000), ("99.999", 1_000_000), ("0.001", 11),
  ])
  func aPercentileNeedsTenSamplesBeyondIt(text: String, needed: Int) throws {
    let level = try #require(PercentileLevel(text))
    #expect(level.neededSamples == needed)
    #expect(level.text == text)
    guard needed < 100_000 else { return }
    var histogram = LatencyHistogram()
    for _ in 1..<needed { histogram.record(7) }
    #expect(histogram.percentile(level) == .tooFewSamples(needed: needed))
    histogram.record(7)
    #expect(histogram.percentile(level) == .value(7))
  }

  @Test(arguments: ["", "0", "100", "-1", "+5", "1e1", "99.", ".5", "99.9999", "a", "9٣", "1.2.3"])
  func noLevel(text: String) { #expect(PercentileLevel(text) == nil) }

  @Test func mergingIsExact() {
    let samples = Self.latencies(30_000, seed: 9)
    var whole = LatencyHistogram()
    var parts = [LatencyHistogram](repeating: LatencyHistogram(), count: 3)
    for (index, sample) in samples.enumerated() {
      whole.record(sample)
      parts[index % 3].record(sample)
    }
    parts[1].recordCensored(7, atLeast: 50)
    parts[2].recordCensored(5, atLeast: 40)
    whole.recordCensored(7, atLeast: 50)
    whole.recordCensored(5, atLeast: 40)
    var merged = LatencyHistogram()
    for part in parts { merged.merge(part) }
    #expect(merged.summary() == whole.summary())
    #expect(merged.censoredFloor == 40)
  }

  @Test func takingLeavesItEmpty() {
    var histogram = LatencyHistogram()
    for _ in 0..<30 { histogram.record(5) }
    let taken = histogram.take()
    #expect(taken.count == 30)
    #expect(histogram.count == 0)
    #expect(histogram.percentile(.p50) == .tooFewSamples(needed: 20))
    #expect(histogram.min == nil)
  }
}
