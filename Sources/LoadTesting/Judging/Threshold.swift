import Conversation

/// A limit on a figure of a result, such as `rtt.p99<50ms` or `rtt.p99<1s abort after 10s`.
package struct Threshold: Sendable, Equatable {
  /// The figure to compare with the limit.
  package enum Quantity: Sendable, Equatable {
    case metric(Metric, Statistic)
    /// The share of messages that were unanswered, failed or not sent because too many were
    /// outstanding.
    case errorRate
    case errors(class: ErrorTally.Class?, phase: ErrorTally.Phase?)
    case closes(code: Int?, by: CloseTally.Side?)
    case messages(MessageFigure)
    case connections(ConnectionFigure)
    case rate(Rate)
    /// CPU share of the busiest event loop of the generator, 1 for a whole core.
    case generatorCPU
  }

  /// A statistic of a distribution.
  package enum Statistic: Sendable, Equatable {
    case min
    case max
    case count
    case censored
    case percentile(PercentileLevel)
  }

  /// A member of `messages` in results.
  package enum MessageFigure: String, CaseIterable, Sendable {
    case planned, sent, answered, unanswered, failed, unsent, dropped, unknown, unmatched
    case answeredInWindow = "answered_in_window"
    case inFlightAtEnd = "in_flight_at_end"
    case noConnection = "no_connection"
    case lateReplies = "late_replies"
    case doubleReplies = "double_replies"
  }

  /// A member of `connections` in results.
  package enum ConnectionFigure: String, CaseIterable, Sendable {
    case asked, opened, failed, lost
  }

  /// A member of `rate`: messages per second, or a share.
  package enum Rate: String, CaseIterable, Sendable {
    case sent
    case answered
    /// The share of scheduled messages that were sent.
    case achieved
  }

  /// The operator between quantity and limit.
  package enum Comparison: String, CaseIterable, Sendable {
    // The longer operators come first, because the parser takes the first match.
    case atMost = "<="
    case atLeast = ">="
    case equal = "=="
    case unequal = "!="
    case below = "<"
    case above = ">"

    /// Whether `value` satisfies the limit.
    func holds(_ value: Double, _ limit: Double) -> Bool {
      switch self {
      case .atMost: value <= limit
      case .atLeast: value >= limit
      case .equal: value == limit
      case .unequal: value != limit
      case .below: value < limit
      case .above: value > limit
      }
    }
  }

  /// The unit of a figure and its limit.
  package enum Unit: Sendable, Equatable {
    /// A duration in nanoseconds.
    case duration
    /// A share from 0 to 1.
    case share
    /// Messages per second.
    case perSecond
    case count
  }

  package var quantity: Quantity
  package var comparison: Comparison
  /// The limit, in nanoseconds, as a share from 0 to 1, per second or as a count: see `unit`.
  package var limit: Double
  /// Time since the start of the window, in nanoseconds, from which on a breach ends the run; nil
  /// for never.
  package var abortAfter: Int64?
  /// The text as typed, with one space on each side of the comparison and no others in the
  /// expression.
  package var text: String

  /// The left side as typed.
  package var name: String {
    String(text.prefix { !"<>=! ".contains($0) || isInBraces(text, $0) })
  }

  private func isInBraces(_ text: String, _ character: Character) -> Bool {
    // Braces hold `=` and `,` but no space.
    character == "=" && text.prefix { $0 != "}" }.contains("{")
  }

  /// The unit of `limit`.
  package var unit: Unit { quantity.unit }

  /// The reason why a text is not a valid threshold.
  package struct Failure: Error, Equatable {
    /// One sentence.
    package var message: String

    package init(message: String) {
      self.message = message
    }
  }
}

extension Threshold.Quantity {
  /// The unit of the quantity and of its limit.
  package var unit: Threshold.Unit {
    switch self {
    case .metric(_, .count), .metric(_, .censored), .errors, .closes, .messages, .connections:
      .count
    case .metric: .duration
    case .errorRate, .generatorCPU, .rate(.achieved): .share
    case .rate: .perSecond
    }
  }

  /// Whether the quantity can be judged during the run, as `abort after` requires.
  package var isKnownEarly: Bool {
    switch self {
    case .metric(.roundTrip, _), .errors(class: nil, phase: nil), .connections(.lost),
      .connections(.failed):
      true
    default: false
    }
  }
}

// MARK: Reading

extension Threshold {
  /// Parses a threshold.
  ///
  /// - Parameter typed: `VALUE OP LIMIT [abort after DURATION]`, with or without spaces.
  /// - Throws: `Failure` with the cause; for an unknown name with the nearest known one.
  package init(_ typed: String) throws(Failure) {
    var (expression, abort) = (typed, Int64?.none)
    if let range = typed.firstRange(of: "abort after") {
      expression = String(typed[..<range.lowerBound])
      let text = typed[range.upperBound...].filter { $0 != " " }
      guard let ns = Self.duration(text), ns >= 0 else {
        throw Failure(message: "\"\(typed)\": abort after needs a duration, as in 10s")
      }
      abort = Int64(ns)
    }
    guard let (left, comparison, right) = Self.parts(expression) else {
      throw Failure(
        message: "\"\(typed)\" is not a threshold; write it as in rtt.p99<50ms (< <= > >= == !=)")
    }
    let quantity = try Self.quantity(left)
    guard let limit = Self.limit(right, quantity.unit) else {
      throw Failure(message: "\"\(typed)\": \(Self.wanted(quantity.unit, right))")
    }
    if abort != nil, !quantity.isKnownEarly {
      throw Failure(
        message: "\"\(typed)\": abort after is possible for rtt, errors.count, connections.failed "
          + "and connections.lost")
    }
    self.quantity = quantity
    self.comparison = comparison
    self.limit = limit
    abortAfter = abort
    text = "\(left) \(comparison.rawValue) \(right)"
    if let range = typed.firstRange(of: "abort after"), abort != nil {
      text += " abort after \(typed[range.upperBound...].filter { $0 != " " })"
    }
  }

  /// Splits an expression into left side, comparison and limit, without spaces. A comparison within
  /// braces belongs to the name.
  private static func parts(_ text: String) -> (String, Comparison, String)? {
    let text = text.filter { $0 != " " }
    var depth = 0
    for index in text.indices {
      if text[index] == "{" { depth += 1 }
      if text[index] == "}" { depth -= 1 }
      guard depth == 0,
        let found = Comparison.allCases.first(where: { text[index...].hasPrefix($0.rawValue) })
      else { continue }
      let left = String(text[..<index])
      let right = String(text[index...].dropFirst(found.rawValue.count))
      return left.isEmpty || right.isEmpty ? nil : (left, found, right)
    }
    return nil
  }

  /// Names of quantities, for suggestions.
  private static let names: [String] =
    Metric.allCases.map { $0.key + ".p99" } + ["errors.rate", "errors.count", "closes.count"]
    + MessageFigure.allCases.map { "messages." + $0.rawValue }
    + ConnectionFigure.allCases.map { "connections." + $0.rawValue }
    + Rate.allCases.map { "rate." + $0.rawValue } + ["generator.cpu"]

  private static func quantity(_ name: String) throws(Failure) -> Quantity {
    let plain = name.prefix { $0 != "{" }
    let braces = name.dropFirst(plain.count)
    if !braces.isEmpty {
      guard let end = braces.lastIndex(of: "}"), braces[end...] == "}.count",
        ["errors", "closes"].contains(plain)
      else { throw unknown(name) }
      let filters = braces[..<end].dropFirst().split(separator: ",")
      return plain == "errors" ? try errors(filters, name) : try closes(filters, name)
    }
    guard let dot = name.firstIndex(of: ".") else { throw unknown(name) }
    let (group, member) = (name[..<dot], String(name[name.index(after: dot)...]))
    switch group {
    case "errors":
      if member == "rate" { return .errorRate }
      if member == "count" { return .errors(class: nil, phase: nil) }
    case "closes":
      if member == "count" { return .closes(code: nil, by: nil) }
    case "messages":
      if let figure = MessageFigure(rawValue: member) { return .messages(figure) }
    case "connections":
      if let figure = ConnectionFigure(rawValue: member) { return .connections(figure) }
    case "rate":
      if let rate = Rate(rawValue: member) { return .rate(rate) }
    case "generator":
      if member == "cpu" { return .generatorCPU }
    default:
      guard let metric = Metric(key: group) else { throw unknown(name) }
      guard let statistic = statistic(member) else {
        throw Failure(
          message:
            "unknown statistic \"\(member)\" in \"\(name)\"; known: min, max, count, censored, "
            + "and percentiles as in p99.9")
      }
      return .metric(metric, statistic)
    }
    throw unknown(name)
  }

  private static func unknown(_ name: String) -> Failure {
    let near = Nearest.word(to: name, among: names)
    let group = name.prefix { $0 != "." }
    let groups =
      Metric.allCases.map(\.key) + [
        "errors", "closes", "messages", "connections", "rate", "generator",
      ]
    let word = Nearest.word(to: String(group), among: groups)
    let hint =
      near.map { "did you mean \($0)?" }
      ?? word.map { word in "did you mean \(names.first { $0.hasPrefix(word + ".") } ?? word)?" }
      ?? "known: " + groups.joined(separator: ", ")
    return Failure(message: "unknown metric \"\(name)\"; \(hint)")
  }

  private static func statistic(_ text: String) -> Statistic? {
    switch text {
    case "min": return .min
    case "max": return .max
    case "count": return .count
    case "censored": return .censored
    default:
      // `p(99)` is the notation of k6.
      guard text.hasPrefix("p") else { return nil }
      var level = text.dropFirst()
      if level.hasPrefix("("), level.hasSuffix(")") { level = level.dropFirst().dropLast() }
      return PercentileLevel(String(level)).map(Statistic.percentile)
    }
  }

  private static func errors(
    _ filters: [Substring], _ name: String
  ) throws(Failure) -> Quantity {
    var (kind, phase) = (ErrorTally.Class?.none, ErrorTally.Phase?.none)
    for filter in filters {
      let pair = filter.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2 else { throw unknown(name) }
      switch pair[0] {
      case "class":
        guard let found = ErrorTally.Class(name: pair[1]) else {
          throw Failure(message: "unknown class \"\(pair[1])\" in \"\(name)\"")
        }
        kind = found
      case "phase":
        guard let found = ErrorTally.Phase(rawValue: pair[1]) else {
          throw Failure(message: "unknown phase \"\(pair[1])\" in \"\(name)\"")
        }
        phase = found
      default:
        throw Failure(message: "unknown filter \"\(pair[0])\" in \"\(name)\"; known: class, phase")
      }
    }
    return .errors(class: kind, phase: phase)
  }

  private static func closes(
    _ filters: [Substring], _ name: String
  ) throws(Failure) -> Quantity {
    var (code, side) = (Int?.none, CloseTally.Side?.none)
    for filter in filters {
      let pair = filter.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2 else { throw unknown(name) }
      switch pair[0] {
      case "code":
        guard let number = Int(pair[1]), (1000...4999).contains(number) else {
          throw Failure(message: "\"\(pair[1])\" is not a close code, in \"\(name)\"")
        }
        code = number
      case "by":
        guard let found = CloseTally.Side(rawValue: pair[1]) else {
          throw Failure(message: "unknown side \"\(pair[1])\" in \"\(name)\"; known: ours, peer")
        }
        side = found
      default:
        throw Failure(message: "unknown filter \"\(pair[0])\" in \"\(name)\"; known: code, by")
      }
    }
    return .closes(code: code, by: side)
  }

  // MARK: Limits

  private static func wanted(_ unit: Unit, _ text: String) -> String {
    let example =
      switch unit {
      case .duration: "a duration with a unit, as in 50ms (ns us ms s m)"
      case .share: "a percentage, as in 0.1%"
      case .perSecond: "a rate, as in 20k/s"
      case .count: "a number, as in 0 or 10k"
      }
    return "\"\(text)\" is not \(example)"
  }

  private static func limit(_ text: String, _ unit: Unit) -> Double? {
    switch unit {
    case .duration: return duration(text)
    case .share: return text.hasSuffix("%") ? number(text.dropLast()).map { $0 / 100 } : nil
    case .perSecond: return scaled(text.hasSuffix("/s") ? text.dropLast(2) : text[...])
    case .count: return scaled(text[...])
    }
  }

  private static func duration(_ text: String) -> Double? {
    let units: [(String, Double)] = [
      ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9),
    ]
    guard let (suffix, factor) = units.first(where: { text.hasSuffix($0.0) }) else { return nil }
    return number(text.dropLast(suffix.count)).map { ($0 * factor).rounded() }
  }

  private static func scaled(_ text: Substring) -> Double? {
    if text.hasSuffix("k") { return number(text.dropLast()).map { $0 * 1e3 } }
    if text.hasSuffix("M") { return number(text.dropLast()).map { $0 * 1e6 } }
    return number(text)
  }

  private static func number(_ text: Substring) -> Double? {
    guard text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
      let number = Double(text), number <= 1e15
    else { return nil }
    return number
  }
}
