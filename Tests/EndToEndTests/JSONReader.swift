/// Just enough of a JSON reader to hold the writer to RFC 8259: it accepts nothing else.
enum JSONReader {
  indirect enum Value: Equatable {
    case object([Member])
    case array([Value])
    case string(String)
    case number(Double)
    case boolean(Bool)
    case null

    struct Member: Equatable {
      var name: String
      var value: Value
    }

    /// The names of an object's members, in their order.
    var names: [String] {
      guard case .object(let members) = self else { return [] }
      return members.map(\.name)
    }

    /// The value at the end of a path of names.
    subscript(path: String...) -> Value? {
      path.reduce(self as Value?) { value, name in
        guard case .object(let members)? = value else { return nil }
        return members.first { $0.name == name }?.value
      }
    }
  }

  struct Failure: Error { var offset: Int }

  @discardableResult
  static func read(_ text: String) throws -> Value {
    var cursor = Cursor(bytes: Array(text.utf8))
    let value = try cursor.value()
    cursor.skipBlanks()
    guard cursor.offset == cursor.bytes.count else { throw Failure(offset: cursor.offset) }
    return value
  }

  private struct Cursor {
    var bytes: [UInt8]
    var offset = 0

    var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func skipBlanks() { while let next, " \t\r\n".utf8.contains(next) { offset += 1 } }

    mutating func take(_ text: String) -> Bool {
      guard bytes[offset...].starts(with: text.utf8) else { return false }
      offset += text.utf8.count
      return true
    }

    mutating func need(_ text: String) throws {
      guard take(text) else { throw Failure(offset: offset) }
    }

    mutating func value() throws -> Value {
      skipBlanks()
      if take("null") { return .null }
      if take("true") { return .boolean(true) }
      if take("false") { return .boolean(false) }
      if take("{") { return .object(try list("}") { try $0.member() }) }
      if take("[") { return .array(try list("]") { try $0.value() }) }
      return next == UInt8(ascii: "\"") ? .string(try string()) : .number(try number())
    }

    mutating func list<Element>(
      _ end: String, _ element: (inout Cursor) throws -> Element
    ) throws -> [Element] {
      var elements: [Element] = []
      skipBlanks()
      if take(end) { return elements }
      while true {
        elements.append(try element(&self))
        skipBlanks()
        if take(end) { return elements }
        try need(",")
      }
    }

    mutating func member() throws -> Value.Member {
      skipBlanks()
      let name = try string()
      skipBlanks()
      try need(":")
      return Value.Member(name: name, value: try value())
    }

    mutating func number() throws -> Double {
      let rest = bytes[offset...].prefix { "+-.eE0123456789".utf8.contains($0) }
      let text = String(decoding: rest, as: UTF8.self)
      let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
      let starts = digits.first?.isNumber == true && digits.last?.isNumber == true
      let padded = digits.hasPrefix("0") && digits.dropFirst().first?.isNumber == true
      guard starts, !padded, let number = Double(text) else { throw Failure(offset: offset) }
      offset += rest.count
      return number
    }

    mutating func string() throws -> String {
      try need("\"")
      var content: [UInt8] = []
      while let byte = next, byte != UInt8(ascii: "\"") {
        guard byte >= 0x20 else { throw Failure(offset: offset) }
        offset += 1
        guard byte == UInt8(ascii: "\\") else {
          content.append(byte)
          continue
        }
        content.append(contentsOf: String(try escaped()).utf8)
      }
      try need("\"")
      return String(decoding: content, as: UTF8.self)
    }

    mutating func escaped() throws -> Character {
      let plain: [String: Character] = [
        "n": "\n", "r": "\r", "t": "\t", "\"": "\"", "\\": "\\", "/": "/",
      ]
      for (name, character) in plain where take(name) { return character }
      try need("u")
      let digits = String(decoding: bytes[offset...].prefix(4), as: UTF8.self)
      guard digits.count == 4, let code = UInt32(digits, radix: 16),
        let scalar = Unicode.Scalar(code)
      else { throw Failure(offset: offset) }
      offset += 4
      return Character(scalar)
    }
  }
}
