import ArgumentParser
import LoadTesting

/// Messages or connections per second as they are typed: `5000`, `20k`, `0.5`, `5000/s`.
struct RateOption: ExpressibleByArgument, Hashable, Sendable {
  /// Above 0.
  var perSecond: Double

  init(_ perSecond: Double) {
    self.perSecond = perSecond
  }

  init?(argument: String) {
    var text = Substring(argument)
    if text.hasSuffix("/s") { text = text.dropLast(2) }
    var factor = 1.0
    if text.hasSuffix("k") {
      factor = 1e3
      text = text.dropLast()
    } else if text.hasSuffix("M") {
      factor = 1e6
      text = text.dropLast()
    }
    guard text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let value = Double(text)
    else { return nil }
    let rate = value * factor
    guard rate >= 0.001, rate <= 1e9 else { return nil }
    perSecond = rate
  }

  var defaultValueDescription: String { Figures.rate(perSecond) + "/s" }
}

/// A share as it is typed: `95%`, `99.5%`; a bare number is a percentage too.
struct PercentOption: ExpressibleByArgument, Hashable, Sendable {
  /// From 0 to 1.
  var share: Double

  init(share: Double) {
    self.share = share
  }

  init?(argument: String) {
    let digits = argument.hasSuffix("%") ? argument.dropLast() : Substring(argument)
    guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
      let percent = Double(digits), percent <= 100
    else { return nil }
    share = percent / 100
  }

  var defaultValueDescription: String { Figures.percent(share, decimals: 0) }
}

/// `--percentiles`: levels with commas between them, in the order in which to show them.
struct PercentilesOption: ExpressibleByArgument, Hashable, Sendable {
  var levels: [PercentileLevel]

  init(_ levels: [PercentileLevel]) {
    self.levels = levels
  }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let levels = parts.compactMap { PercentileLevel(String($0)) }
    guard levels.count == parts.count, Set(levels).count == levels.count, levels.count <= 10 else {
      return nil
    }
    self.levels = levels
  }

  var defaultValueDescription: String { levels.map(\.text).joined(separator: ",") }
}

extension LoadPlan.Arrival: ExpressibleByArgument, CaseIterable {
  static let allCases: [Self] = [.constant, .poisson]
}

extension LoadPlan.Matching: ExpressibleByArgument, CaseIterable {
  static let allCases: [Self] = [.sequence, .fifo]
}
