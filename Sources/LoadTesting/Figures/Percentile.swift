import Glibc

/// A percentile to ask for, such as 99.9, held exactly.
///
/// A binary fraction cannot hold 99.9, and the rule of how many samples a percentile needs must not
/// depend on how it rounds; so the level is a whole number of thousandths of a percent.
package struct PercentileLevel: Hashable, Comparable, Sendable {
  /// Thousandths of a percent: 99 900 for p99.9. Above 0, below 100 000.
  package let thousandths: Int

  /// A level from thousandths of a percent.
  ///
  /// - Parameter thousandths: 99 900 for p99.9; nil unless above 0 and below 100 000.
  package init?(thousandths: Int) {
    guard thousandths > 0, thousandths < 100_000 else { return nil }
    self.thousandths = thousandths
  }

  /// A level as it is typed: `50`, `99.9`, `99.999`; at most three decimals.
  ///
  /// - Parameter text: The level without sign, exponent or percent sign.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard let whole = parts.first, (1...2).contains(parts.count) else { return nil }
    let fraction = parts.count == 2 ? parts[1] : "0"
    let digits = ("0" as Character)...("9" as Character)
    guard (1...2).contains(whole.count), (1...3).contains(fraction.count),
      whole.allSatisfy(digits.contains), fraction.allSatisfy(digits.contains),
      let percent = Int(whole), var thousandths = Int(fraction)
    else { return nil }
    for _ in fraction.count..<3 { thousandths *= 10 }
    self.init(thousandths: percent * 1000 + thousandths)
  }

  private init(known thousandths: Int) { self.thousandths = thousandths }

  package static let p50 = PercentileLevel(known: 50_000)
  package static let p90 = PercentileLevel(known: 90_000)
  package static let p99 = PercentileLevel(known: 99_000)
  package static let p999 = PercentileLevel(known: 99_900)

  /// What a report shows when nothing else is asked for.
  package static let standard: [PercentileLevel] = [.p50, .p90, .p99, .p999]

  /// The level in its shortest decimal form: `50`, `99.9`.
  package var text: String {
    let whole = String(thousandths / 1000)
    var fraction = String(1000 + thousandths % 1000).dropFirst()
    while fraction.last == "0" { fraction.removeLast() }
    return fraction.isEmpty ? whole : whole + "." + fraction
  }

  /// The fewest samples that leave ten beyond this level; with fewer, the figure is an accident.
  package var neededSamples: Int {
    let beyond = 100_000 - thousandths
    return (10 * 100_000 + beyond - 1) / beyond
  }

  /// log10(1/(1-q)): 1 for p90, 2 for p99.
  package var nines: Double { log10(100_000 / Double(100_000 - thousandths)) }

  /// The rank, from 1, of the sample at this level among `count` sorted ones.
  func rank(among count: Int) -> Int {
    guard count > 0 else { return 0 }
    // count * thousandths / 100_000, rounded up, without overflow for any count.
    let whole = count / 100_000 * thousandths
    let rest = (count % 100_000 * thousandths + 99_999) / 100_000
    return max(1, whole + rest)
  }

  package static func < (left: PercentileLevel, right: PercentileLevel) -> Bool {
    left.thousandths < right.thousandths
  }
}

/// What can honestly be said about one percentile.
package enum Percentile: Hashable, Sendable {
  /// The value in nanoseconds, within 0.1 %.
  case value(Int64)
  /// The rank falls among the unanswered: only a lower bound in nanoseconds is known.
  case atLeast(Int64)
  /// Fewer than ten samples lie beyond the level; `needed` samples in all would do.
  case tooFewSamples(needed: Int)

  /// The figure in nanoseconds, whether exact or a lower bound; nil without enough samples.
  package var bound: Int64? {
    switch self {
    case .value(let ns), .atLeast(let ns): ns
    case .tooFewSamples: nil
    }
  }
}

/// What a report says about one distribution of durations.
package struct LatencySummary: Sendable, Equatable {
  /// One percentile that was asked for.
  package struct Row: Sendable, Equatable {
    package var level: PercentileLevel
    package var percentile: Percentile

    package init(_ level: PercentileLevel, _ percentile: Percentile) {
      self.level = level
      self.percentile = percentile
    }
  }

  /// Samples with a value.
  package var count: Int
  /// Samples of which only a lower bound is known; not part of `count`.
  package var censored: Int
  /// The smallest sample in nanoseconds; nil without samples.
  package var min: Int64?
  /// The largest sample in nanoseconds, censored ones left out; nil without samples.
  package var max: Int64?
  /// The smallest lower bound among the censored, in nanoseconds; nil without any.
  package var censoredFloor: Int64?
  /// The largest lower bound among the censored, in nanoseconds; nil without any.
  package var censoredCeiling: Int64?
  /// The percentiles asked for, in the order asked.
  package var percentiles: [Row]
  /// HdrHistogram V2 compressed, base64 (`HISTFAAA...`), for an exact merge; nil where not made.
  package var hdr: String?

  /// A summary put together by hand; `LatencyHistogram.summary` is the usual way.
  package init(
    count: Int, censored: Int, min: Int64?, max: Int64?, censoredFloor: Int64? = nil,
    censoredCeiling: Int64? = nil, percentiles: [Row], hdr: String? = nil
  ) {
    self.count = count
    self.censored = censored
    self.min = min
    self.max = max
    self.censoredFloor = censoredFloor
    self.censoredCeiling = censoredCeiling
    self.percentiles = percentiles
    self.hdr = hdr
  }

  /// The percentile of that level, if it was asked for.
  ///
  /// - Parameter level: One of the levels in `percentiles`.
  /// - Returns: nil when the level is not among them.
  package subscript(level: PercentileLevel) -> Percentile? {
    percentiles.first { $0.level == level }?.percentile
  }

  /// The largest duration, a lower bound as soon as one sample is censored; nil without samples.
  package var largest: Percentile? {
    if censored > 0 { return .atLeast(Swift.max(censoredCeiling ?? 0, max ?? 0)) }
    return max.map(Percentile.value)
  }
}
