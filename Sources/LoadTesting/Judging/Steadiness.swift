/// Whether a figure stayed steady through the window, or rose or fell.
package enum Steadiness: Sendable, Equatable {
  /// Too few intervals to judge.
  case unknown
  case steady
  /// The figure changed over the window by this share of its initial value: 0.25 if it rose by a
  /// quarter. At least -1.
  case drifting(Double)

  /// The figure of one interval.
  package struct Figure: Sendable, Equatable {
    package var value: Double
    /// Its standard error, from the number of its samples.
    package var error: Double

    package init(_ value: Double, error: Double = 0) {
      self.value = value
      self.error = error
    }
  }

  /// Judges a figure by the slope of a straight line fitted to it.
  ///
  /// A figure drifts if the 95 % confidence interval of the slope excludes 0 and the line changes
  /// by more than a tenth of the mean from end to end. The first condition alone would report
  /// trends too small to matter, the second alone could be met by chance. The variance is the
  /// observed one around the line, but at least that of the standard errors, because a few figures
  /// may lie on a line by chance.
  ///
  /// - Parameter figures: One per interval, in chronological order, evenly spaced.
  /// - Returns: `.unknown` for fewer than five figures or a mean of 0.
  package static func judge(_ figures: [Figure]) -> Steadiness {
    let count = Double(figures.count)
    let mean = figures.reduce(0) { $0 + $1.value } / Swift.max(count, 1)
    guard figures.count >= 5, mean != 0, mean.isFinite else { return .unknown }
    let middle = (count - 1) / 2
    var spread = 0.0
    var together = 0.0
    for (index, figure) in figures.enumerated() {
      let x = Double(index) - middle
      spread += x * x
      together += x * (figure.value - mean)
    }
    let slope = together / spread
    var residual = 0.0
    var expected = 0.0
    for (index, figure) in figures.enumerated() {
      let miss = figure.value - mean - slope * (Double(index) - middle)
      residual += miss * miss
      expected += figure.error * figure.error
    }
    let variance = Swift.max(residual / (count - 2), expected / count)
    let error = (variance / spread).squareRoot()
    let certain = slope.magnitude > studentT(degrees: count - 2) * error
    guard certain, (slope * (count - 1) / mean).magnitude > 0.1 else { return .steady }
    let first = mean - slope * middle
    // A line through few figures may begin or end below 0, although the figures are positive: then
    // the change is relative to the mean, or limited to -1.
    guard first > 0 else { return .drifting(slope * (count - 1) / mean) }
    return .drifting(Swift.max(-1, slope * (count - 1) / first))
  }

  /// The 97.5 % quantile of Student's t-distribution, by the Cornish-Fisher expansion around the
  /// normal quantile; accurate to 1 % from three degrees of freedom on.
  private static func studentT(degrees: Double) -> Double {
    let z = 1.959_964
    let z3 = z * z * z
    let z5 = z3 * z * z
    let z7 = z5 * z * z
    let first = (z3 + z) / 4
    let second = (5 * z5 + 16 * z3 + 3 * z) / 96
    let third = (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / 384
    return z + (first + (second + third / degrees) / degrees) / degrees
  }
}
