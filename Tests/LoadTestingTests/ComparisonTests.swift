import Conversation
import Glibc
import TestPeers
import Testing

@testable import LoadTesting

/// Rank tests against values of scipy: `mannwhitneyu(method="exact")`, `wilcoxon(method="exact")`, and with
/// ties against all permutations.
@Suite(.blocking) struct RankTestsTests {
  static let groups: [(a: [Double], b: [Double], p: Double)] = [
    (
      [12.041, 7.444, 10.418, 9.432, 9.547, 9.784], [8.98, 10.768, 10.135, 14.323, 11.226, 10.647],
      0.24025974025974026
    ),
    (
      [9.719, 9.332, 8.945, 9.609, 10.482, 9.761, 10.958, 9.8],
      [11.024, 12.546, 11.545, 10.495, 10.817, 11.541, 12.935], 0.0012432012432012432
    ),
    (
      [9.73, 9.756, 11.002, 9.114, 9.708, 10.883, 10.58, 10.092, 10.67, 7.172],
      [12.021, 10.04, 9.331, 11.276, 11.701, 10.555, 9.924, 11.026, 10.947, 12.406],
      0.04325705254497823
    ),
    ([1, 2, 2, 3, 5, 5], [2, 4, 5, 6, 6, 7], 0.08008658008658008),
  ]

  @Test(arguments: groups)
  func theMannWhitneyTestIsExact(_ a: [Double], _ b: [Double], _ p: Double) throws {
    #expect(abs(try #require(RankTests.unpaired(a, b)).p - p) < 1e-12)
    // The same question asked the other way round.
    #expect(abs(try #require(RankTests.unpaired(b, a)).p - p) < 1e-12)
  }

  static let pairs: [(differences: [Double], p: Double)] = [
    ([1.247, 0.694, 1.612, 0.294, -0.426, 1.084], 0.09375),
    ([1.083, 0.285, -0.283, 0.729, -1.994, 1.19, 0.991, -1.139], 0.7421875),
    (
      [
        0.561, -0.464, 1.257, -1.534, -0.414, 1.21, 1.656, -1.658, 0.002, 0.828, -0.109, 2.091,
      ], 0.4697265625
    ),
    ([1, 1, -1, 2, 3, 3, 4], 0.0625), ([0, 0, 0], 1),
  ]

  @Test(arguments: pairs)
  func theSignedRankTestIsExact(_ differences: [Double], _ p: Double) throws {
    #expect(abs(try #require(RankTests.paired(differences)).p - p) < 1e-12)
  }

  @Test func theEstimateIsTheMedianOfTheDifferences() throws {
    let shifted = try #require(RankTests.unpaired([1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16]))
    #expect(shifted.shift == 10)
    // k = 5: twice P(U <= 5) is 0.041, twice P(U <= 6) is 0.065.
    #expect(shifted.interval == 7...13)
    let paired = try #require(RankTests.paired([10, 11, 12, 13, 14, 15]))
    #expect(paired.shift == 12.5)
    #expect(paired.interval == 10...15)
  }

  @Test func fewValuesHaveNoInterval() throws {
    #expect(try #require(RankTests.unpaired([1, 2, 3], [4, 5, 6])).interval == nil)
    #expect(try #require(RankTests.paired([1, 2, 3, 4, 5])).interval == nil)
    #expect(RankTests.unpaired([], [1]) == nil)
    #expect(RankTests.paired([]) == nil)
  }

  @Test func theSmallestPIsThatOfCompleteSeparation() {
    #expect(RankTests.smallestP(pairs: 6) == 0.03125)
    #expect(abs(RankTests.smallestP(6, 6) - 2.0 / 924) < 1e-15)
  }

  @Test func holmMultipliesTheSmallestMost() {
    let adjusted = RankTests.holm([0.04, 0.01, 0.03])
    for (value, expected) in zip(adjusted, [0.06, 0.03, 0.06]) {
      #expect(abs(value - expected) < 1e-12)
    }
    #expect(RankTests.holm([0.9, 0.8]) == [1, 1])
    #expect(RankTests.holm([]) == [])
  }

  /// The interval holds the true shift in 95 of 100 cases, whatever the noise looks like.
  @Test(arguments: 0..<4) func theIntervalCoversTheTruth(_ shape: Int) throws {
    var random = SeededGenerator(seed: 11, stream: UInt64(shape))
    func uniform() -> Double { Double.random(in: 1e-9..<1, using: &random) }
    func normal() -> Double { sqrt(-2 * log(uniform())) * cos(2 * .pi * uniform()) }
    func noise() -> Double {
      switch shape {
      case 0: return normal()
      case 1: return exp(normal())
      case 2: return normal() / sqrt((0..<3).reduce(0.0) { sum, _ in sum + pow(normal(), 2) } / 3)
      default: return normal() / 4 + (uniform() < 0.3 ? 5 : 0)
      }
    }
    var covered = (unpaired: 0, paired: 0)
    let repeats = 500
    for _ in 0..<repeats {
      let a = (0..<8).map { _ in noise() }
      let b = (0..<8).map { _ in noise() + 2 }
      let groups = try #require(RankTests.unpaired(a, b)?.interval)
      if groups.contains(2) { covered.unpaired += 1 }
      let pairs = try #require(
        RankTests.paired((0..<8).map { _ in noise() - noise() + 2 })?.interval)
      if pairs.contains(2) { covered.paired += 1 }
    }
    // The exact level is 95.0 % (groups) and 96.1 % (pairs); three standard deviations are 3 %.
    #expect((460...498).contains(covered.unpaired), "\(covered)")
    #expect((460...498).contains(covered.paired), "\(covered)")
  }
}

@Suite(.blocking) struct ComparisonTests {
  /// A run whose round trips are all near one value.
  private static func run(
    _ median: Double, rate: Double = 1000, pair: LoadReport.Pair? = nil, censored: Int = 0
  ) -> LoadReport {
    var report = ShardedRun(1, seed: 1, samples: 1).whole
    var histogram = LatencyHistogram()
    for index in 0..<1000 { histogram.record(Int64(median * (1 + Double(index) / 1e6))) }
    histogram.recordCensored(censored, atLeast: 5_000_000_000)
    report.metrics = [.roundTrip: histogram.summary()]
    report.rates.answered = rate
    report.run.pair = pair
    return report
  }

  /// Runs around a median, by some per mille.
  private static func runs(_ median: Double, _ count: Int, pairs: LoadReport.Pair.Side? = nil)
    -> [LoadReport]
  {
    (0..<count).map { index in
      run(
        median * (1 + Double((index * 37) % 11) / 1000),
        rate: 1e9 / median * (1 + Double(index) / 1e4),
        pair: pairs.map { .init(index + 1, $0, position: 1) })
    }
  }

  private static func words(_ comparison: Comparison) -> [String: Comparison.Word] {
    Dictionary(comparison.rows.map { ($0.name, $0.word) }) { one, _ in one }
  }

  @Test func aSlowerServerIsSlower() throws {
    let comparison = try Comparison(Self.runs(1e6, 6), Self.runs(1.2e6, 6))
    #expect(!comparison.isPaired)
    let words = Self.words(comparison)
    #expect(words["rtt.p50"] == .worse)
    #expect(words["rtt.p99"] == .worse)
    #expect(words["rate.answered"] == .worse, "fewer answers a second are worse")
    let row = try #require(comparison.rows.first)
    #expect(abs(try #require(row.ratio) - 1.2) < 0.01)
    #expect(abs(try #require(row.p) - 3 * 2 / 924) < 1e-12)
    let other = try Comparison(Self.runs(1.2e6, 6), Self.runs(1e6, 6))
    #expect(Self.words(other)["rtt.p50"] == .better)
  }

  @Test func theSameIsEqualAndASmallChangeIsNone() throws {
    #expect(
      Self.words(try Comparison(Self.runs(1e6, 8), Self.runs(1e6, 8)))["rtt.p50"] == .equal)
    #expect(
      Self.words(try Comparison(Self.runs(1e6, 8), Self.runs(1.03e6, 8)))["rtt.p50"] == .equal)
    var settings = Comparison.Settings()
    settings.noise = 0.01
    #expect(
      Self.words(try Comparison(Self.runs(1e6, 8), Self.runs(1.03e6, 8), settings))["rtt.p50"]
        == .worse)
  }

  @Test func fiveRunsASideDecideNothing() throws {
    let comparison = try Comparison(Self.runs(1e6, 5), Self.runs(2e6, 9))
    #expect(comparison.rows.allSatisfy { $0.word == .tooFew })
  }

  @Test func noisyRunsShowTheirResolution() throws {
    let a = [1.0, 1.5, 2, 1.2, 1.8, 1.1].map { Self.run($0 * 1e6) }
    let b = [1.4, 1.9, 1.0, 1.3, 1.6, 2.1].map { Self.run($0 * 1e6) }
    guard case .unknown(let resolution?, let runs?)? = Self.words(try Comparison(a, b))["rtt.p50"]
    else {
      Issue.record("it cannot be decided")
      return
    }
    #expect(resolution > 0.3 && runs > 30)
  }

  @Test func pairsAreFoundByTheirNumbers() throws {
    let comparison = try Comparison(
      Self.runs(1e6, 8, pairs: .a).reversed(), Self.runs(1.2e6, 8, pairs: .b))
    #expect(comparison.isPaired)
    #expect(Self.words(comparison)["rtt.p50"] == .worse)
    // The differences of the pairs are the same to the nanosecond.
    let interval = try #require(comparison.rows.first?.interval)
    #expect(interval.upperBound / interval.lowerBound < 1.003)
  }

  @Test func fewPairsCarryFewMetrics() throws {
    let (a, b) = (Self.runs(1e6, 6, pairs: .a), Self.runs(1.2e6, 6, pairs: .b))
    let words = Self.words(try Comparison(a, b))
    #expect(words["rtt.p50"] == .worse)
    #expect(words["rtt.p99"] == .untested)
    var settings = Comparison.Settings()
    settings.metrics = ["rtt.p99", "rate.answered"]
    #expect(throws: Comparison.Failure.tooManyMetrics(runs: 6, isPaired: true, limit: 1)) {
      try Comparison(a, b, settings)
    }
  }

  @Test(arguments: [
    ("rtt.p98x", "unknown statistic"), ("rt.p99", "did you mean"),
    ("tls.p50x", "unknown statistic"),
    ("errors.rate", "no ratio"), ("messages.sent", "no ratio"), ("dns", "unknown metric"),
  ])
  func aMetricThatCannotBeComparedIsNamed(_ name: String, _ message: String) {
    var settings = Comparison.Settings()
    settings.metrics = [name]
    do throws(Comparison.Failure) {
      _ = try Comparison(Self.runs(1e6, 6), Self.runs(1e6, 6), settings)
      Issue.record("it is compared")
    } catch {
      guard case .metric(let text) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(text.contains(message), "\(text)")
    }
  }

  @Test func valuesThatAreOnlyBoundedHaveNoRatio() throws {
    let b = (0..<6).map { _ in Self.run(1e6, censored: 600) }
    let row = try #require(Comparison(Self.runs(1e6, 6), b).rows.first { $0.name == "rtt.p99" })
    #expect(row.isCensored)
    #expect(row.ratio == nil && row.interval == nil)
    #expect(row.word == .unknown(resolution: nil, runs: nil))
  }
}
