import Glibc

/// A percentile level, such as 99.9, stored exactly.
///
/// A floating-point number cannot represent 99.9, and the number of samples that a percentile needs
/// must not depend on rounding. So the level is a whole number of thousandths of a percent.
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

  /// Parses a level such as `50`, `99.9` or `99.999`; nil if it is invalid.
  ///
  /// - Parameter text: The level, with at most three decimals and without sign, exponent or percent
  ///   sign.
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

  /// The levels that a report shows by default.
  package static let standard: [PercentileLevel] = [.p50, .p90, .p99, .p999]

  /// The level in its shortest decimal form: `50`, `99.9`.
  package var text: String {
    let whole = String(thousandths / 1000)
    var fraction = String(1000 + thousandths % 1000).dropFirst()
    while fraction.last == "0" { fraction.removeLast() }
    return fraction.isEmpty ? whole : whole + "." + fraction
  }

  /// The number of samples needed for at least ten beyond this level; with fewer, the percentile is
  /// unreliable.
  package var neededSamples: Int {
    let beyond = 100_000 - thousandths
    return (10 * 100_000 + beyond - 1) / beyond
  }

  /// log10(1/(1-q)): 1 for p90, 2 for p99.
  package var nines: Double { log10(100_000 / Double(100_000 - thousandths)) }

  /// The rank, counted from 1, of the sample at this level among `count` sorted samples; 0 if
  /// `count` is 0.
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

/// The result for one percentile: a value, a lower bound, or too few samples.
package enum Percentile: Hashable, Sendable {
  /// The value in nanoseconds, within 0.1 %.
  case value(Int64)
  /// The rank may belong to a censored sample: only a lower bound in nanoseconds is known.
  case atLeast(Int64)
  /// Fewer than ten samples lie beyond the level; `needed` samples in total would be enough.
  case tooFewSamples(needed: Int)

  /// The exact value or the lower bound in nanoseconds; nil for too few samples.
  package var bound: Int64? {
    switch self {
    case .value(let ns), .atLeast(let ns): ns
    case .tooFewSamples: nil
    }
  }
}

/// The summary of one distribution of durations, for reports.
package struct LatencySummary: Sendable, Equatable {
  /// One requested percentile.
  package struct Row: Sendable, Equatable {
    package var level: PercentileLevel
    package var percentile: Percentile

    package init(_ level: PercentileLevel, _ percentile: Percentile) {
      self.level = level
      self.percentile = percentile
    }
  }

  /// The number of samples with a value.
  package var count: Int
  /// The number of samples of which only a lower bound is known; not part of `count`.
  package var censored: Int
  /// The smallest value in nanoseconds; nil without values.
  package var min: Int64?
  /// The largest value in nanoseconds; nil without values.
  package var max: Int64?
  /// The smallest lower bound of a censored sample in nanoseconds; nil without any.
  package var censoredFloor: Int64?
  /// The largest lower bound of a censored sample in nanoseconds; nil without any.
  package var censoredCeiling: Int64?
  /// The requested percentiles, in the requested order.
  package var percentiles: [Row]
  /// The samples as compressed HdrHistogram V2 in base64 (`HISTFAAA...`), which allows an exact
  /// merge; nil if not created.
  package var hdr: String?

  /// Creates a summary from its parts; usually `LatencyHistogram.summary` makes it.
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

  /// The percentile at this level; nil if it was not requested.
  package subscript(level: PercentileLevel) -> Percentile? {
    percentiles.first { $0.level == level }?.percentile
  }

  /// The largest duration; a lower bound if any sample is censored; nil without samples.
  package var largest: Percentile? {
    if censored > 0 { return .atLeast(Swift.max(censoredCeiling ?? 0, max ?? 0)) }
    return max.map(Percentile.value)
  }
}
