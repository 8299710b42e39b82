import LoadTesting

/// Numbers as reports print them: short, with a unit, and never with more digits than were
/// measured.
enum Figures {
  /// Printed if there is no figure.
  static let none = "–"

  /// A duration with three significant digits: `412 µs`, `2.31 ms`, `60.0 s`.
  static func duration(_ ns: Int64) -> String {
    let (number, unit) = scaled(ns)
    // Whole nanoseconds have no decimals.
    return (unit == "ns" ? String(ns) : significant(number)) + " " + unit
  }

  /// A duration as a user would type it, without superfluous zeros: `5 s`, `1.5 ms`.
  static func shortDuration(_ ns: Int64) -> String {
    let (number, unit) = scaled(ns)
    let text = unit == "ns" ? String(ns) : significant(number)
    return withoutEmptyDecimals(text) + " " + unit
  }

  /// Seconds with one decimal, regardless of magnitude: `2.0 s`.
  static func seconds(_ ns: Int64) -> String { decimal(Double(ns) / 1e9, decimals: 1) + " s" }

  /// One percentile: a value, `>5 s`, or `–  (n<10 000)` while samples are missing.
  static func percentile(_ percentile: Percentile?) -> String {
    switch percentile {
    case .value(let ns)?: duration(ns)
    case .atLeast(let ns)?: ">" + shortDuration(ns)
    case .tooFewSamples(let needed)?: none + " (n<" + count(needed) + ")"
    case nil: none
    }
  }

  /// A whole number; from five digits on in groups of three: `1000`, `1 200 000`.
  static func count(_ number: Int) -> String {
    let digits = String(number.magnitude)
    guard digits.count > 4 else { return String(number) }
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(" ") }
      text.append(digit)
    }
    return number < 0 ? "-" + text : text
  }

  /// A rate in groups of three; with decimals below 100: `19 999`, `0.5`, `33.3`.
  static func rate(_ perSecond: Double) -> String {
    guard perSecond.isFinite else { return none }
    if perSecond.magnitude >= 99.95 { return count(Int(clamping: perSecond)) }
    return withoutEmptyDecimals(significant(perSecond))
  }

  /// A short rate for narrow columns: `20.0k`, `1.25M`.
  static func shortRate(_ perSecond: Double) -> String {
    switch perSecond.magnitude {
    case 999_500...: significant(perSecond / 1e6) + "M"
    case 999.5...: significant(perSecond / 1e3) + "k"
    default: rate(perSecond)
    }
  }

  /// A share as a percentage: `99.8 %`.
  static func percent(_ share: Double, decimals: Int) -> String {
    decimal(share * 100, decimals: decimals) + " %"
  }

  /// Bytes in the form in which they are typed: `64 B`, `16 KiB`; decimals only if needed.
  static func bytes(_ bytes: Int) -> String {
    var number = Double(bytes)
    var units = ["B", "KiB", "MiB", "GiB"][...]
    while number >= 1024, units.count > 1 {
      number /= 1024
      units.removeFirst()
    }
    return withoutEmptyDecimals(significant(number)) + " " + (units.first ?? "B")
  }

  /// A number with that many decimals, rounded to nearest.
  static func decimal(_ number: Double, decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (number * scale).rounded()
    guard scaled.isFinite, scaled.magnitude < 9e18 else { return none }
    let units = UInt64(scaled.magnitude)
    let sign = scaled < 0 ? "-" : ""
    guard decimals > 0 else { return sign + String(units) }
    let divisor = UInt64(scale)
    let fraction = String(divisor + units % divisor).dropFirst()
    return sign + String(units / divisor) + "." + fraction
  }

  /// Pads on the left to a width in characters.
  static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// Pads on the right to a width in characters.
  static func left(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  /// Three significant digits from 1 on, three decimals below 1.
  private static func significant(_ number: Double) -> String {
    switch number.magnitude {
    case 99.95...: decimal(number, decimals: 0)
    case 9.995...: decimal(number, decimals: 1)
    case 0.9995...: decimal(number, decimals: 2)
    default: decimal(number, decimals: 3)
    }
  }

  /// The unit is chosen after rounding: 999.7 µs are 1.00 ms, not 1000 µs.
  private static func scaled(_ ns: Int64) -> (Double, String) {
    let number = Double(ns)
    switch number.magnitude {
    case 999_500_000...: return (number / 1e9, "s")
    case 999_500...: return (number / 1e6, "ms")
    case 1000...: return (number / 1e3, "µs")
    default: return (number, "ns")
    }
  }

  private static func withoutEmptyDecimals(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var rest = text[...]
    while rest.last == "0" { rest.removeLast() }
    if rest.last == "." { rest.removeLast() }
    return String(rest)
  }
}

extension Int {
  /// The nearest whole number; the largest or smallest one if out of range.
  fileprivate init(clamping number: Double) {
    self = Int(exactly: number.rounded()) ?? (number > 0 ? Int.max : Int.min)
  }
}
