import WebSocketProtocol

/// A JSON text (RFC 8259) as a value. Numbers keep their original notation, so that nothing is
/// rounded, and objects keep the order of their members.
package indirect enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([Member])

  package struct Member: Sendable, Hashable {
    package var name: String
    package var value: JSONValue
  }

  package subscript(_ name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    // If several members have the same name, the last one counts, as in most parsers.
    return members.last { $0.name == name }?.value
  }

  package var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// Parses exactly one JSON text.
  ///
  /// - Throws: the problem and the byte at which it is.
  package static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    var parser = JSONParser(bytes)
    return try parser.document()
  }

  /// Parses the JSON texts of a message: one, or several in a row. White space separates them, and
  /// so do the record separator (RFC 7464; SignalR ends each text with one) and NUL (STOMP).
  ///
  /// - Throws: the problem and the byte at which it is.
  /// - Returns: at least one.
  package static func records(_ bytes: [UInt8]) throws(JSONError) -> [JSONValue] {
    var parser = JSONParser(bytes)
    return try parser.records()
  }
}

package struct JSONError: Error, Sendable, Hashable {
  /// The offset in bytes from the start of the text.
  package var offset: Int
  package var problem: String

  package init(offset: Int, problem: String) {
    self.offset = offset
    self.problem = problem
  }
}

private struct JSONParser {
  private let bytes: [UInt8]
  private var next = 0
  private var depth = 0
  /// The maximum nesting depth: deeper nesting would overflow the stack.
  private static let deepest = 512

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  mutating func document() throws(JSONError) -> JSONValue {
    let value = try value()
    skipSpace()
    guard next == bytes.count else { throw error("unexpected text after the end") }
    return value
  }

  mutating func records() throws(JSONError) -> [JSONValue] {
    var records: [JSONValue] = []
    skipSeparators()
    repeat {
      let start = next
      records.append(try value())
      let end = next
      skipSeparators()
      // Without a separator, only an opening bracket shows where the next record begins.
      guard next > end || next == bytes.count || Self.isOpening(bytes[next]),
        next == bytes.count || Self.beginsValue(bytes[next]), next > start
      else { throw error("unexpected text after the end") }
    } while next < bytes.count
    return records
  }

  private mutating func skipSeparators() {
    while next < bytes.count, [0x20, 0x09, 0x0A, 0x0D, 0x1E, 0x00].contains(bytes[next]) {
      next += 1
    }
  }

  private static func isOpening(_ byte: UInt8) -> Bool { "{[".utf8.contains(byte) }

  private static func beginsValue(_ byte: UInt8) -> Bool {
    "{[\"tfn-0123456789".utf8.contains(byte)
  }

  private mutating func value() throws(JSONError) -> JSONValue {
    skipSpace()
    guard next < bytes.count else { throw error("unexpected end") }
    switch bytes[next] {
    case UInt8(ascii: "{"): return try nested { parser throws(JSONError) in try parser.object() }
    case UInt8(ascii: "["): return try nested { parser throws(JSONError) in try parser.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func nested(
    _ body: (inout JSONParser) throws(JSONError) -> JSONValue
  ) throws(JSONError) -> JSONValue {
    depth += 1
    guard depth <= Self.deepest else { throw error("nested too deeply") }
    defer { depth -= 1 }
    next += 1
    return try body(&self)
  }

  private mutating func object() throws(JSONError) -> JSONValue {
    var members: [JSONValue.Member] = []
    if take(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipSpace()
      guard next < bytes.count, bytes[next] == UInt8(ascii: "\"") else {
        throw error("expected a member name")
      }
      let name = try string()
      guard take(UInt8(ascii: ":")) else { throw error("expected a colon") }
      members.append(.init(name: name, value: try value()))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw error("expected a comma or }") }
    return .object(members)
  }

  private mutating func array() throws(JSONError) -> JSONValue {
    var elements: [JSONValue] = []
    if take(UInt8(ascii: "]")) { return .array(elements) }
    repeat { elements.append(try value()) } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw error("expected a comma or ]") }
    return .array(elements)
  }

  private mutating func string() throws(JSONError) -> String {
    let start = next
    next += 1
    var text: [UInt8] = []
    while next < bytes.count {
      let byte = bytes[next]
      next += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let valid = String(validating: text, as: UTF8.self) else {
          let invalid = bytes[start..<next].withUnsafeBytes { UTF8Validator.firstInvalid(in: $0) }
          throw error("a string is not valid UTF-8", at: start + (invalid ?? 0))
        }
        return valid
      case UInt8(ascii: "\\"):
        try escape(into: &text)
      case ..<0x20:
        throw error("a control character in a string", at: next - 1)
      default:
        text.append(byte)
      }
    }
    throw error("unterminated string")
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    guard next < bytes.count else { throw error("unterminated string") }
    let byte = bytes[next]
    next += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): try unicodeEscape(into: &text)
    default: throw error("unknown escape", at: next - 2)
    }
  }

  /// Half of a surrogate pair, as from a language that cuts strings anywhere, becomes U+FFFD.
  private mutating func unicodeEscape(into text: inout [UInt8]) throws(JSONError) {
    var code = try fourHexDigits()
    while (0xD800..<0xDC00).contains(code), next + 1 < bytes.count,
      bytes[next] == UInt8(ascii: "\\"), bytes[next + 1] == UInt8(ascii: "u")
    {
      next += 2
      let second = try fourHexDigits()
      if (0xDC00..<0xE000).contains(second) {
        code = 0x10000 + (code - 0xD800) << 10 + (second - 0xDC00)
      } else {
        text.append(contentsOf: "\u{FFFD}".utf8)
        code = second
      }
    }
    text.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
  }

  private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
    guard next + 4 <= bytes.count else { throw error("unterminated string") }
    var code: UInt32 = 0
    for byte in bytes[next..<next + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error("expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
    }
    next += 4
    return code
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = next
    _ = takeByte(UInt8(ascii: "-"))
    if !takeByte(UInt8(ascii: "0")) {
      guard digits() > 0 else { throw error("expected a value") }
    }
    if takeByte(UInt8(ascii: ".")) {
      guard digits() > 0 else { throw error("expected a digit") }
    }
    if takeByte(UInt8(ascii: "e")) || takeByte(UInt8(ascii: "E")) {
      if !takeByte(UInt8(ascii: "+")) { _ = takeByte(UInt8(ascii: "-")) }
      guard digits() > 0 else { throw error("expected a digit") }
    }
    return .number(String(decoding: bytes[start..<next], as: UTF8.self))
  }

  private mutating func digits() -> Int {
    let start = next
    while next < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[next]) {
      next += 1
    }
    return next - start
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    guard bytes[next...].starts(with: word.utf8) else { throw error("expected a value") }
    next += word.utf8.count
    return value
  }

  private mutating func skipSpace() {
    while next < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[next]) { next += 1 }
  }

  private mutating func takeByte(_ byte: UInt8) -> Bool {
    guard next < bytes.count, bytes[next] == byte else { return false }
    next += 1
    return true
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    return takeByte(byte)
  }

  private func error(_ problem: String, at offset: Int? = nil) -> JSONError {
    JSONError(offset: offset ?? next, problem: problem)
  }
}
