import Conversation
import Terminal

/// JSON made readable: indented and coloured, token by token. Members keep their order; numbers and
/// strings keep their notation.
struct JSONText {
  let style: Style
  /// Whether untrusted characters must be escaped, since the output is a terminal.
  var escapes = true

  /// The text indented, one line per member or element; nil if it is not JSON.
  ///
  /// - Parameters:
  ///   - bytes: any text.
  ///   - limit: nothing is added once this many bytes are written.
  /// - Returns: the text, and whether the limit has truncated it.
  func indented(_ bytes: [UInt8], limit: Int = ControlCharacters.displayLimit) -> (
    text: String, isCut: Bool
  )? {
    guard (try? JSONValue.records(bytes)) != nil else { return nil }
    var writer = Writer(bytes: bytes, look: self, limit: limit)
    writer.run()
    return (writer.text, writer.isCut)
  }

  /// Why a text that looks like JSON is invalid; nil if it is valid, or does not look like JSON.
  static func problem(_ bytes: [UInt8]) -> String? {
    let first = bytes.first { ![0x20, 0x09, 0x0A, 0x0D, 0x1E].contains($0) }
    guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else { return nil }
    do throws(JSONError) {
      _ = try JSONValue.records(bytes)
      return nil
    } catch {
      return ExpectationText.text(error)
    }
  }

  /// Formats a text that is known to be JSON.
  private struct Writer {
    let bytes: [UInt8]
    let look: JSONText
    let limit: Int
    var text = ""
    var isCut = false
    private var next = 0
    private var depth = 0

    init(bytes: [UInt8], look: JSONText, limit: Int) {
      self.bytes = bytes
      self.look = look
      self.limit = limit
    }

    mutating func run() {
      while next < bytes.count {
        guard text.utf8.count < limit else {
          isCut = true
          return
        }
        token(bytes[next])
      }
    }

    private mutating func token(_ byte: UInt8) {
      // The next record in the same message.
      if depth == 0, !text.isEmpty, !Self.separators.contains(byte) { newLine() }
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["): open(byte)
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        newLine()
        put(byte)
      case UInt8(ascii: ","):
        put(byte)
        newLine()
      case UInt8(ascii: ":"):
        put(byte)
        text += " "
      case UInt8(ascii: "\""): string()
      case _ where Self.separators.contains(byte): next += 1
      default: word()
      }
    }

    private static let separators: [UInt8] = [0x20, 0x09, 0x0A, 0x0D, 0x1E, 0x00]

    private mutating func put(_ byte: UInt8) {
      text.unicodeScalars.append(Unicode.Scalar(byte))
      next += 1
    }

    private mutating func open(_ byte: UInt8) {
      put(byte)
      skipSpace()
      // Empty brackets stay together; the character codes of the two brackets differ by two.
      if next < bytes.count, bytes[next] == byte + 2 { return put(bytes[next]) }
      depth += 1
      newLine()
    }

    private mutating func newLine() {
      text += "\n" + String(repeating: "  ", count: max(depth, 0))
    }

    private mutating func skipSpace() {
      while next < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[next]) { next += 1 }
    }

    private mutating func string() {
      let start = next
      next += 1
      while next < bytes.count, bytes[next] != UInt8(ascii: "\"") {
        next += bytes[next] == UInt8(ascii: "\\") ? 2 : 1
      }
      next = min(next + 1, bytes.count)
      let shown = shown(Array(bytes[start..<next]))
      skipSpace()
      let isName = next < bytes.count && bytes[next] == UInt8(ascii: ":")
      text += look.style(isName ? .cyan : .green, shown)
    }

    private mutating func shown(_ string: [UInt8]) -> String {
      guard look.escapes else { return String(decoding: string, as: UTF8.self) }
      let cut = ControlCharacters.cut(
        string, at: max(limit - text.utf8.count, 0), keepingNewlines: false, highlight: false)
      if cut.bytesLeftOut > 0 { isCut = true }
      return cut.text
    }

    private mutating func word() {
      let start = next
      while next < bytes.count, !",]} \t\r\n{[\"\u{1E}\0".utf8.contains(bytes[next]) { next += 1 }
      let word = String(decoding: bytes[start..<next], as: UTF8.self)
      text += look.style(["true", "false", "null"].contains(word) ? .bold : .yellow, word)
    }
  }
}
