/// Writes JSON (RFC 8259) piece by piece, without building a tree.
///
/// Objects and arrays are closures, so that every bracket is closed; commas are inserted
/// automatically. One writer makes one document; for JSON Lines, use a new writer or `startLine()`
/// for each line.
package struct JSONWriter: Sendable {
  /// The layout of the document.
  package enum Layout: Sendable {
    /// Without spaces and line breaks.
    case compact
    /// Each member of the outermost object on a separate line.
    case lines
  }

  /// The UTF-8 text written so far.
  package private(set) var bytes: [UInt8] = []
  private let layout: Layout
  private var depth = 0
  private var needsComma = false

  package init(layout: Layout = .compact) { self.layout = layout }

  /// The text written so far.
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Ends a line; the next document begins after it.
  package mutating func startLine() {
    bytes.append(UInt8(ascii: "\n"))
    needsComma = false
  }

  // MARK: Values

  package mutating func object(_ members: (inout JSONWriter) -> Void) {
    nest("{", "}", members)
  }

  package mutating func array(_ elements: (inout JSONWriter) -> Void) {
    nest("[", "]", elements)
  }

  /// An array with one value for each element, written by `write`.
  package mutating func array<Elements: Sequence>(
    _ elements: Elements, _ write: (inout JSONWriter, Elements.Element) -> Void
  ) {
    array { json in for element in elements { write(&json, element) } }
  }

  package mutating func string(_ value: String) {
    separate()
    quote(value)
  }

  package mutating func integer(_ value: some BinaryInteger) { raw(String(value)) }

  /// A number in the shortest form that parses back to the same value; null if it is not finite,
  /// which JSON cannot represent.
  package mutating func double(_ value: Double) { raw(value.isFinite ? String(value) : "null") }

  package mutating func boolean(_ value: Bool) { raw(value ? "true" : "false") }

  package mutating func null() { raw("null") }

  /// Any parsed value.
  package mutating func value(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .bool(let value): boolean(value)
    case .number(let text): raw(text)
    case .string(let text): string(text)
    case .array(let elements): array(elements) { json, element in json.value(element) }
    case .object(let members):
      object { json in
        for member in members {
          json.key(member.name)
          json.value(member.value)
        }
      }
    }
  }

  // MARK: Members of an object

  /// The name of the next value.
  package mutating func key(_ name: String) {
    separate()
    if layout == .lines, depth == 1 { bytes.append(contentsOf: "\n  ".utf8) }
    quote(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  package mutating func member(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { null() }
  }

  package mutating func member<Number: BinaryInteger>(_ name: String, _ value: Number?) {
    key(name)
    if let value { integer(value) } else { null() }
  }

  package mutating func member(_ name: String, _ value: Double?) {
    key(name)
    if let value { double(value) } else { null() }
  }

  package mutating func member(_ name: String, _ value: Bool) {
    key(name)
    boolean(value)
  }

  package mutating func member(_ name: String, object members: (inout JSONWriter) -> Void) {
    key(name)
    object(members)
  }

  package mutating func member<Elements: Sequence>(
    _ name: String, array elements: Elements,
    _ write: (inout JSONWriter, Elements.Element) -> Void
  ) {
    key(name)
    array(elements, write)
  }

  // MARK: -

  private mutating func nest(
    _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ content: (inout JSONWriter) -> Void
  ) {
    separate()
    bytes.append(UInt8(ascii: open))
    needsComma = false
    depth += 1
    content(&self)
    depth -= 1
    if layout == .lines, depth == 0, needsComma { bytes.append(UInt8(ascii: "\n")) }
    bytes.append(UInt8(ascii: close))
    needsComma = true
  }

  private mutating func raw(_ value: String) {
    separate()
    bytes.append(contentsOf: value.utf8)
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func quote(_ value: String) {
    bytes.append(UInt8(ascii: "\""))
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": bytes.append(contentsOf: "\\\"".utf8)
      case "\\": bytes.append(contentsOf: "\\\\".utf8)
      case "\n": bytes.append(contentsOf: "\\n".utf8)
      case "\r": bytes.append(contentsOf: "\\r".utf8)
      case "\t": bytes.append(contentsOf: "\\t".utf8)
      case _ where Self.isEscaped(scalar): escape(scalar)
      default: bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// RFC 8259 requires this for U+0000 to U+001F only. The other control characters, line
  /// separators, bidirectional marks and tags are escaped too: nothing is lost, and none of them
  /// can reach a terminal.
  private static func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x1F, 0x7F...0x9F, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069,
      0xE0000...0xE007F:
      true
    default: false
    }
  }

  /// `\u` and four hexadecimal digits; twice for characters above U+FFFF.
  private mutating func escape(_ scalar: Unicode.Scalar) {
    for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
      bytes.append(contentsOf: "\\u".utf8)
      let digits = String(unit, radix: 16)
      for _ in digits.utf8.count..<4 { bytes.append(UInt8(ascii: "0")) }
      bytes.append(contentsOf: digits.utf8)
    }
  }
}
