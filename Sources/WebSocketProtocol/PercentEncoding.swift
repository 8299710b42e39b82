/// Percent-encoding (RFC 3986, section 2.1).
package enum PercentEncoding {
  /// The bytes that a text encodes.
  ///
  /// - Returns: nil if a `%` does not begin an escape.
  package static func bytes(_ text: Substring) -> [UInt8]? { decoded(text, isStrict: true) }

  /// The text that another text encodes. A `%` that does not begin an escape is literal; bytes that
  /// are not UTF-8 become U+FFFD.
  package static func text(_ text: Substring) -> String {
    guard let bytes = decoded(text, isStrict: false) else { return String(text) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func decoded(_ text: Substring, isStrict: Bool) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = text.utf8
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = rest.prefix(2).compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
      if digits.count == 2 {
        bytes.append((digits[0] * 16 + digits[1]).truncatedToUInt8)
        rest = rest.dropFirst(2)
      } else if isStrict {
        return nil
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }
}
