import Terminal
import WebSocketProtocol

/// Text that is not valid UTF-8: the invalid byte, its offset, and the text around it.
struct InvalidText {
  let offset: Int
  let byte: UInt8
  /// Escaped, a few characters on either side.
  let surroundingText: String

  /// - Returns: nil if the bytes are valid UTF-8.
  init?(_ bytes: [UInt8]) {
    guard let offset = bytes.withUnsafeBytes({ UTF8Validator.firstInvalid(in: $0) }) else {
      return nil
    }
    self.offset = offset
    byte = bytes[offset]
    var start = max(offset - 16, 0)
    // Start at a character boundary.
    while start < offset, bytes[start] & 0xC0 == 0x80 { start += 1 }
    surroundingText = ControlCharacters.escaped(
      Array(bytes[start..<min(offset + 16, bytes.count)]), keepingNewlines: false,
      highlight: false)
  }

  /// `not valid UTF-8: byte b0 at offset 8, "temp: 21\xb0C"`.
  var message: String {
    let digits = String(byte, radix: 16)
    return "not valid UTF-8: byte \(digits) at offset \(offset), \"\(surroundingText)\""
  }
}

extension InvalidText {
  /// `byte B0 at offset 9, after "temp: 21 "`.
  static func message(_ evidence: InvalidUTF8) -> String {
    let digits = String(evidence.byte, radix: 16, uppercase: true)
    let words = "byte \(digits) at offset \(evidence.offset)"
    guard !evidence.before.isEmpty else { return words }
    let before = ControlCharacters.escaped(
      evidence.before, keepingNewlines: false, highlight: false)
    return "\(words), after \"\(before)\""
  }
}
