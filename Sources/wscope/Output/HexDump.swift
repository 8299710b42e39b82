/// Bytes in the format of `hexdump -C`: offset, sixteen bytes, their printable characters. On a
/// narrow terminal there are fewer bytes in a row.
enum HexDump {
  /// The lines, without a newline at the end.
  static func text(_ bytes: some Collection<UInt8>, columns: Int = 80) -> String {
    let width = [16, 8, 4].first { columns >= 14 + 4 * $0 } ?? 4
    // The narrowest terminals have no room for the characters.
    let hasCharacters = columns >= 14 + 4 * width
    var lines: [String] = []
    var offset = 0
    var rest = bytes[...]
    while !rest.isEmpty {
      let row = rest.prefix(width)
      var hex = ""
      for (index, byte) in row.enumerated() {
        hex += (index == 8 ? "  " : " ") + digits(UInt64(byte), 2)
      }
      let characters = row.map { (0x20..<0x7F).contains($0) ? Character(Unicode.Scalar($0)) : "." }
      let line =
        "\(digits(UInt64(offset), 8)) \(Figures.left(hex, 3 * width + (width > 8 ? 1 : 0)))"
      lines.append(hasCharacters ? "\(line)  |\(String(characters))|" : line)
      offset += row.count
      rest = rest.dropFirst(width)
    }
    return lines.joined(separator: "\n")
  }

  private static func digits(_ value: UInt64, _ width: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(width - text.count, 0)) + text
  }
}
