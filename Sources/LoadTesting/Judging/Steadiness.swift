/// Whether a figure kept its level through the window, or rose or fell.
package enum Steadiness: Sendable, Equatable {
  /// Too few intervals to say.
  case unknown
  case steady
  /// The figure changed over the window by this share of what it was at first: 0.25 for a quarter up. It
  /// cannot fall by more than 1.
  case drifting(Double)

  /// One figure of an interval.
  package struct Figure: Sendable, Equatable {
    package var value: Double
    /// Its standard error, from the number of samples that it was made of.
    package var error: Double

    package init(_ value: Double, error: Double = 0) {
      self.value = value
      self.error = error
    }
  }

  /// Judges a figure by the slope of a straight line through it.
  ///
  /// Drifting means that the 95 % confidence interval of the slope excludes 0 and that the line
  /// changes by more than a tenth of the mean from end to end: the first without the second is a
  /// trend too small to matter, the second without the first may be chance. The scatter is what is seen
  /// around the line, but never less than the errors of the figures: few figures may lie on a line by
  /// chance.
  ///
  /// - Parameter figures: One per interval, in order, evenly spaced.
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
    // A line through few figures may begin or end below 0, where no figure is.
    guard first > 0 else { return .drifting(slope * (count - 1) / mean) }
    return .drifting(Swift.max(-1, slope * (count - 1) / first))
  }

  /// The 97.5 % quantile of Student's t distribution, by Cornish and Fisher's expansion around the
  /// normal one; within 1 % from three degrees of freedom on.
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
