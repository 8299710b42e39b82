/// Parses a number of bytes as typed.
package enum ByteSize {
  /// Parses a rate such as `1KB/s`.
  ///
  /// - Returns: Bytes a second, at least 1; nil if the text is invalid.
  static func parse(perSecond text: String) -> Int? {
    guard text.hasSuffix("/s"), let bytes = parse(String(text.dropLast(2))), bytes > 0 else {
      return nil
    }
    return bytes
  }

  /// Parses `64`, `16k`, `4KiB`, `1M` or `1 GiB`; k, M and G are powers of 1024.
  ///
  /// - Returns: The number of bytes, not negative; nil if the text is invalid or the number too
  ///   large.
  package static func parse(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let value = Int(digits) else { return nil }
    let shift: Int
    // A space is allowed, because help prints the defaults with one.
    switch text[digits.endIndex...].lowercased().filter({ $0 != " " }) {
    case "", "b": shift = 0
    case "k", "kb", "kib": shift = 10
    case "m", "mb", "mib": shift = 20
    case "g", "gb", "gib": shift = 30
    default: return nil
    }
    let (bytes, overflow) = value.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : bytes
  }
}
