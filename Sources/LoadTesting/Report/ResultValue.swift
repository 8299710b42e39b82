import Conversation

/// The reason why a stored result cannot be read.
package struct ResultError: Error, Sendable, Equatable {
  /// The path of the member, such as `metrics.rtt.hdr`; empty for the whole result.
  package var path: String
  /// The problem, such as `4 digits instead of 3`.
  package var problem: String

  /// Path and problem in one line.
  package var text: String { path.isEmpty ? problem : "\(path): \(problem)" }
}

/// A value of a stored result with its path, which every error includes.
struct ResultValue {
  private let value: JSONValue
  private let path: String

  init(_ value: JSONValue, path: String = "") {
    self.value = value
    self.path = path
  }

  func error(_ problem: String) -> ResultError { ResultError(path: path, problem: problem) }

  // MARK: Parts

  /// A required member; it may be `null`.
  func member(_ name: String) throws(ResultError) -> ResultValue {
    guard case .object = value else { throw error("not an object") }
    let path = path.isEmpty ? name : "\(path).\(name)"
    guard let member = value[name] else { throw ResultError(path: path, problem: "missing") }
    return ResultValue(member, path: path)
  }

  /// An optional member; nil if it is missing or `null`.
  func optional(_ name: String) throws(ResultError) -> ResultValue? {
    guard case .object = value else { throw error("not an object") }
    guard let member = value[name], member != .null else { return nil }
    return ResultValue(member, path: path.isEmpty ? name : "\(path).\(name)")
  }

  /// Converts an optional member with `make`; nil if it is missing or `null`.
  func optional<Value>(
    _ name: String, _ make: (ResultValue) throws(ResultError) -> Value
  ) throws(ResultError) -> Value? {
    guard let member = try optional(name) else { return nil }
    return try make(member)
  }

  /// Converts each element of an array member with `make`.
  func list<Value>(
    _ name: String, _ make: (ResultValue) throws(ResultError) -> Value
  ) throws(ResultError) -> [Value] {
    var values: [Value] = []
    for element in try member(name).elements() { values.append(try make(element)) }
    return values
  }

  /// The elements of an array.
  func elements() throws(ResultError) -> [ResultValue] {
    guard case .array(let elements) = value else { throw error("not an array") }
    return elements.enumerated().map { ResultValue($1, path: "\(path)[\($0)]") }
  }

  /// The members of an object, in the order of the text.
  func members() throws(ResultError) -> [(name: String, value: ResultValue)] {
    guard case .object(let members) = value else { throw error("not an object") }
    return members.map { ($0.name, ResultValue($0.value, path: "\(path).\($0.name)")) }
  }

  // MARK: Values

  func text() throws(ResultError) -> String {
    guard case .string(let text) = value else { throw error("not a string") }
    return text
  }

  func integer<Number: FixedWidthInteger>() throws(ResultError) -> Number {
    guard case .number(let digits) = value, let number = Number(digits) else {
      throw error("not an integer of \(Number.bitWidth) bits")
    }
    return number
  }

  func number() throws(ResultError) -> Double {
    guard case .number(let digits) = value, let number = Double(digits), number.isFinite else {
      throw error("not a number")
    }
    return number
  }

  func boolean() throws(ResultError) -> Bool {
    guard case .bool(let value) = value else { throw error("neither true nor false") }
    return value
  }

  /// A string that must be a raw value of `Word`.
  func word<Word: RawRepresentable>(
    _ type: Word.Type = Word.self
  ) throws(ResultError) -> Word where Word.RawValue == String {
    let text = try text()
    guard let word = Word(rawValue: text) else { throw error("unknown word \"\(text)\"") }
    return word
  }

  /// An optional integer member; nil if it is missing or `null`.
  func optionalInteger<Number: FixedWidthInteger>(
    _ name: String, _ type: Number.Type = Number.self
  ) throws(ResultError) -> Number? {
    guard let member = try optional(name) else { return nil }
    return try member.integer()
  }

  /// An optional number member; nil if it is missing or `null`.
  func optionalNumber(_ name: String) throws(ResultError) -> Double? {
    guard let member = try optional(name) else { return nil }
    return try member.number()
  }

  /// An optional string member; nil if it is missing or `null`.
  func optionalText(_ name: String) throws(ResultError) -> String? {
    guard let member = try optional(name) else { return nil }
    return try member.text()
  }
}
