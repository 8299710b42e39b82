/// A JSON number, exactly: of any size and with any number of decimals, never rounded.
struct JSONNumber {
  private var isNegative = false
  /// The digits without zeros at either end; empty for 0.
  private var digits: ArraySlice<UInt8> = []
  /// The value is 0.`digits` times ten to this power.
  private var power: Int128 = 0

  /// - Parameter text: in JSON notation.
  init(_ text: String) {
    let bytes = Array(text.utf8)
    var rest = bytes[...]
    isNegative = rest.first == UInt8(ascii: "-")
    if isNegative { rest = rest.dropFirst() }
    let mantissa = rest.prefix { $0 != UInt8(ascii: "e") && $0 != UInt8(ascii: "E") }
    let whole = mantissa.prefix { $0 != UInt8(ascii: ".") }
    power = Int128(whole.count)
    var digits = Array(mantissa.filter { $0 != UInt8(ascii: ".") })[...]
    while digits.first == UInt8(ascii: "0") {
      digits = digits.dropFirst()
      power -= 1
    }
    while digits.last == UInt8(ascii: "0") { digits = digits.dropLast() }
    self.digits = digits
    power += Self.exponent(rest.dropFirst(mantissa.count + 1))
    guard digits.isEmpty else { return }
    // -0 is 0.
    isNegative = false
    power = 0
  }

  /// An exponent of more than 36 digits is treated as 10^36.
  private static func exponent(_ text: ArraySlice<UInt8>) -> Int128 {
    let isNegative = text.first == UInt8(ascii: "-")
    let largest: Int128 = 1_000_000_000_000_000_000_000_000_000_000_000_000
    var value: Int128 = 0
    for byte in text where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      value = min(value * 10 + Int128(byte - UInt8(ascii: "0")), largest)
    }
    return isNegative ? -value : value
  }

  /// Negative if this number is less, 0 if both have the same value.
  func order(to other: Self) -> Int {
    guard isNegative == other.isNegative else { return isNegative ? -1 : 1 }
    let size = magnitudeOrder(to: other)
    return isNegative ? -size : size
  }

  private func magnitudeOrder(to other: Self) -> Int {
    guard !digits.isEmpty, !other.digits.isEmpty else {
      return (digits.isEmpty ? 0 : 1) - (other.digits.isEmpty ? 0 : 1)
    }
    if power != other.power { return power < other.power ? -1 : 1 }
    if digits == other.digits { return 0 }
    return digits.lexicographicallyPrecedes(other.digits) ? -1 : 1
  }
}
