/// A number of bytes as it is typed.
package enum ByteSize {
  /// Reads `64`, `16k`, `4KiB`, `1M` or `1 GiB`; k, M and G are powers of 1024.
  ///
  /// - Returns: bytes, not negative; nil for anything else.
  package static func parse(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let value = Int(digits) else { return nil }
    let shift: Int
    // With a space too, as help prints the defaults.
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
