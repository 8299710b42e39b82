import Glibc

/// Positions of values on an axis, from 0 to 1, and where to mark it.
enum ChartScale {
  /// A mark of an axis.
  struct Tick: Equatable {
    /// From 0 to 1.
    var position: Double
    var label: String
  }

  /// Durations on a logarithmic axis.
  struct Logarithmic {
    /// In nanoseconds, above 0.
    let low: Double
    let high: Double

    /// An axis from the next round number below the smallest value to the next one above the largest.
    ///
    /// - Parameter values: In nanoseconds; values below 1 ns count as 1 ns.
    init(_ values: [Int64]) {
      let smallest = Double(max(1, values.min() ?? 1_000_000))
      let largest = Double(max(1, values.max() ?? 1_000_000))
      low = RoundNumbers.atMost(smallest)
      let above = RoundNumbers.atLeast(largest)
      high = above > low ? above : low * 10
    }

    /// From the bottom to the top.
    func position(_ ns: Int64) -> Double {
      (log2(max(Double(max(1, ns)), low)) - log2(low))
        / (log2(high) - log2(low))
    }

    /// Powers of ten; with few of them also twice and five times of each.
    var ticks: [Tick] {
      let all = RoundNumbers.between(low, high)
      let powers = all.filter(RoundNumbers.isPowerOfTen)
      return (all.count > 7 ? powers : all).map {
        Tick(position: position(Int64($0)), label: Figures.shortDuration(Int64($0)))
      }
    }
  }

  /// Seconds of a run, with at most six marks.
  static func times(from start: Int64, to end: Int64) -> [Tick] {
    let length = Double(max(1, end - start))
    let steps: [Int64] = [
      1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000, 200_000_000,
      500_000_000,
    ]
    let seconds: [Int64] = [
      1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400,
      172_800, 604_800, 2_592_000,
    ]
    let all = steps + seconds.map { $0 * 1_000_000_000 }
    let step = all.first { length / Double($0) <= 6 } ?? Int64(length)
    let first = (start >= 0 ? start + step - 1 : start) / step * step
    return stride(from: first, through: end, by: Int(step)).map { time in
      Tick(position: Double(time - start) / length, label: label(time, step))
    }
  }

  private static func label(_ time: Int64, _ step: Int64) -> String {
    if time == 0 { return "0" }
    if step >= 3_600_000_000_000 { return "\(time / 3_600_000_000_000) h" }
    if step >= 60_000_000_000 { return "\(time / 60_000_000_000) min" }
    return step >= 1_000_000_000 ? "\(time / 1_000_000_000) s" : "\(time / 1_000_000) ms"
  }
}

/// The numbers 1, 2 and 5 times a power of ten.
enum RoundNumbers {
  private static let all: [Double] = {
    var numbers: [Double] = []
    var power = 1.0
    while power < 1e18 {
      numbers += [power, 2 * power, 5 * power]
      power *= 10
    }
    return numbers
  }()

  static func atLeast(_ number: Double) -> Double { all.first { $0 >= number } ?? number }
  static func atMost(_ number: Double) -> Double { all.last { $0 <= number } ?? 1 }

  static func between(_ low: Double, _ high: Double) -> [Double] {
    all.filter { low <= $0 && $0 <= high }
  }

  static func isPowerOfTen(_ number: Double) -> Bool {
    var rest = number
    while rest >= 10 { rest /= 10 }
    return rest == 1
  }
}
