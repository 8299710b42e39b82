/// Bytes as `hexdump -C` shows them: offset, sixteen bytes, their printable characters.
enum HexDump {
  /// The lines, without a newline at the end.
  static func text(_ bytes: some Collection<UInt8>) -> String {
    var lines: [String] = []
    var offset = 0
    var rest = bytes[...]
    while !rest.isEmpty {
      let row = rest.prefix(16)
      var hex = ""
      for (index, byte) in row.enumerated() {
        hex += (index == 8 ? "  " : " ") + digits(UInt64(byte), 2)
      }
      let characters = row.map { (0x20..<0x7F).contains($0) ? Character(Unicode.Scalar($0)) : "." }
      lines.append("\(digits(UInt64(offset), 8)) \(Figures.left(hex, 49))  |\(String(characters))|")
      offset += row.count
      rest = rest.dropFirst(16)
    }
    return lines.joined(separator: "\n")
  }

  private static func digits(_ value: UInt64, _ width: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(width - text.count, 0)) + text
  }
}
