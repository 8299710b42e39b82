/// Exact rank tests for small samples, with an estimate of the shift and its 95 % interval.
///
/// They assume no distribution: a few runs show no more than their order. Ties get mid-ranks, which are
/// doubled to stay whole numbers.
package enum RankTests {
  /// A shift between two groups.
  package struct Estimate: Sendable, Equatable {
    /// The Hodges-Lehmann estimate; infinite where it depends on values of which only a lower bound is known.
    package var shift: Double
    /// The 95 % interval; nil with too few values.
    package var interval: ClosedRange<Double>?
    /// Two-sided.
    package var p: Double
  }

  private static let level = 0.05

  // MARK: Two independent groups

  /// The Mann-Whitney test of two groups, and the median of all differences between them.
  ///
  /// - Parameters:
  ///   - a: At least one value; infinity is larger than any other.
  ///   - b: The same; the shift is from `a` to `b`.
  /// - Returns: nil when a group is empty.
  package static func unpaired(_ a: [Double], _ b: [Double]) -> Estimate? {
    guard !a.isEmpty, !b.isEmpty else { return nil }
    let ranks = doubledRanks(a + b)
    let sum = ranks[..<a.count].reduce(0, +)
    let p = twoSided(sums(of: ranks, choosing: a.count), at: sum)
    // Without ties the distribution depends on the sizes alone.
    let untied = sums(of: (1...ranks.count).map { 2 * $0 }, choosing: a.count)
    let lowest = a.count * (a.count + 1)
    let depth = depth { untied[lowest + 2 * $0] }
    let differences = b.flatMap { b in a.map { Self.difference($0, b) } }
    return estimate(differences.sorted(), depth, p)
  }

  // MARK: Pairs

  /// The Wilcoxon signed-rank test of the differences of pairs, and the median of their Walsh averages.
  ///
  /// - Parameter differences: One for each pair; those of 0 do not count in the test.
  /// - Returns: nil without differences.
  package static func paired(_ differences: [Double]) -> Estimate? {
    guard !differences.isEmpty else { return nil }
    let nonzero = differences.filter { $0 != 0 }
    let ranks = doubledRanks(nonzero.map(\.magnitude))
    let sum = zip(ranks, nonzero).reduce(0) { $1.1 > 0 ? $0 + $1.0 : $0 }
    let p = nonzero.isEmpty ? 1 : twoSided(sums(of: ranks), at: sum)
    let untied = sums(of: (1...differences.count).map { 2 * $0 })
    let depth = depth { untied[2 * $0] }
    var averages: [Double] = []
    for (index, one) in differences.enumerated() {
      for other in differences[index...] {
        let average = (one + other) / 2
        // Of two that are only bounded, in opposite directions, nothing is known.
        averages.append(average.isNaN ? .infinity : average)
      }
    }
    return estimate(averages.sorted(), depth, p)
  }

  /// The smallest p that so many pairs can show.
  package static func smallestP(pairs: Int) -> Double {
    (0..<pairs).reduce(2.0) { p, _ in p / 2 }
  }

  /// The smallest p that groups of these sizes can show.
  package static func smallestP(_ a: Int, _ b: Int) -> Double {
    guard a > 0, b > 0 else { return 1 }
    // 2 / C(a + b, a)
    return (1...a).reduce(2.0) { $0 * Double($1) / Double(b + $1) }
  }

  /// The p values of several tests after Holm, in the same order.
  package static func holm(_ p: [Double]) -> [Double] {
    var adjusted = p
    var largest = 0.0
    for (position, index) in p.indices.sorted(by: { p[$0] < p[$1] }).enumerated() {
      largest = max(largest, min(1, p[index] * Double(p.count - position)))
      adjusted[index] = largest
    }
    return adjusted
  }

  // MARK: Distributions

  /// Two values of which only a lower bound is known have no difference that is known.
  private static func difference(_ a: Double, _ b: Double) -> Double {
    a == b ? 0 : b - a
  }

  /// Twice the rank of each value from 1, of equal ones the mean of their ranks.
  static func doubledRanks(_ values: [Double]) -> [Int] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = values.map { _ in 0 }
    var start = 0
    while start < order.count {
      var end = start
      while end + 1 < order.count, values[order[end + 1]] == values[order[start]] { end += 1 }
      // Ranks start + 1 to end + 1: twice their mean.
      for position in start...end { ranks[order[position]] = start + end + 2 }
      start = end + 1
    }
    return ranks
  }

  /// The probability of each sum of `count` of the ranks, all choices being equally likely.
  private static func sums(of ranks: [Int], choosing count: Int) -> [Double] {
    let total = ranks.reduce(0, +)
    var ways = [[Double]](repeating: [Double](repeating: 0, count: total + 1), count: count + 1)
    ways[0][0] = 1
    for (seen, rank) in ranks.enumerated() {
      for chosen in stride(from: min(count, seen + 1), to: 0, by: -1) {
        for sum in rank...total where ways[chosen - 1][sum - rank] > 0 {
          ways[chosen][sum] += ways[chosen - 1][sum - rank]
        }
      }
    }
    let all = ways[count].reduce(0, +)
    return ways[count].map { $0 / all }
  }

  /// The probability of each sum of the ranks that have a plus, both signs being equally likely.
  private static func sums(of ranks: [Int]) -> [Double] {
    let total = ranks.reduce(0, +)
    var ways = [Double](repeating: 0, count: total + 1)
    ways[0] = 1
    for rank in ranks {
      for sum in stride(from: total, through: rank, by: -1) { ways[sum] += ways[sum - rank] }
    }
    let all = ways.reduce(0, +)
    return ways.map { $0 / all }
  }

  private static func twoSided(_ probabilities: [Double], at sum: Int) -> Double {
    let below = probabilities[...sum].reduce(0, +)
    let above = probabilities[sum...].reduce(0, +)
    return min(1, 2 * min(below, above))
  }

  /// The largest k for which twice the probability of a statistic up to k is within the level; nil if there
  /// is none.
  private static func depth(_ probability: (Int) -> Double) -> Int? {
    var (sum, k) = (0.0, 0)
    while true {
      sum += probability(k)
      // Sums of binary fractions may be off by the last digit.
      guard 2 * sum <= level + 1e-12 else { return k > 0 ? k - 1 : nil }
      k += 1
    }
  }

  private static func estimate(_ sorted: [Double], _ depth: Int?, _ p: Double) -> Estimate {
    let interval = depth.flatMap { depth in
      depth <= sorted.count - 1 - depth ? sorted[depth]...sorted[sorted.count - 1 - depth] : nil
    }
    return Estimate(shift: sorted.median ?? 0, interval: interval, p: p)
  }
}
