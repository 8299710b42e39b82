/// A condition for a JSON message: a jq path, optionally compared (`.op == "pong"`, `.a.b[0] != 3`,
/// `.ready`). It is the subset of jq that needs no evaluation: no pipes, functions or arithmetic.
package struct JSONCondition: Sendable, Hashable {
  /// The text as typed.
  package let text: String
  private let left: JSONOperand
  private let comparison: (Comparison, JSONOperand)?

  enum Comparison: String, CaseIterable, Sendable {
    // The longer ones first, as the parser tries them in this order.
    case equal = "=="
    case unequal = "!="
    case atMost = "<="
    case atLeast = ">="
    case less = "<"
    case more = ">"
  }

  /// - Throws: the problem and the character at which it is.
  package init(_ text: String) throws(JSONConditionError) {
    self.text = text
    var parser = JSONConditionParser(text)
    (left, comparison) = try parser.condition()
  }

  package static func == (one: Self, other: Self) -> Bool { one.text == other.text }
  package func hash(into hasher: inout Hasher) { hasher.combine(text) }

  /// Without a comparison: whether the value exists and is neither `null` nor `false`, as with `jq
  /// -e`. `==` and `!=` compare any two values; numbers are compared exactly, by their digits. `<`,
  /// `<=`, `>` and `>=` are true only between two numbers or two strings; jq would also order
  /// `null` below every number, so that a missing value would pass for a small one.
  package func holds(for value: JSONValue) -> Bool {
    // jq reports an error for a path into a value without parts; here that is not a match.
    guard let found = left.value(in: value) else { return false }
    guard let (comparison, right) = comparison else {
      return found != .null && found != .bool(false)
    }
    guard let wanted = right.value(in: value) else { return false }
    switch comparison {
    case .equal: return found.equals(wanted)
    case .unequal: return !found.equals(wanted)
    case .less: return found.order(to: wanted).map { $0 < 0 } ?? false
    case .atMost: return found.order(to: wanted).map { $0 <= 0 } ?? false
    case .more: return found.order(to: wanted).map { $0 > 0 } ?? false
    case .atLeast: return found.order(to: wanted).map { $0 >= 0 } ?? false
    }
  }

  /// Whether it is only a path, without a comparison.
  package var isPath: Bool {
    guard comparison == nil, case .path = left else { return false }
    return true
  }

  /// The value of its path; if both sides are paths, of the left one.
  package func subject(of value: JSONValue) -> JSONValue? {
    guard case .literal = left, let (_, right) = comparison else { return left.value(in: value) }
    return right.value(in: value)
  }
}

package struct JSONConditionError: Error, Sendable, Hashable {
  /// The offset in characters from the start of the text.
  package var offset: Int
  package var problem: String
}

/// One side of a comparison.
enum JSONOperand: Sendable {
  enum Step: Sendable {
    case member(String)
    /// Counted from the end if negative.
    case element(Int)
  }

  case path([Step])
  case literal(JSONValue)

  /// nil where jq would report an error; a missing part is `null`, as in jq.
  func value(in document: JSONValue) -> JSONValue? {
    switch self {
    case .literal(let value): return value
    case .path(let steps):
      var value = document
      for step in steps {
        switch (value, step) {
        case (.null, _): return .null
        case (.object, .member(let name)): value = value[name] ?? .null
        case (.array(let elements), .element(let index)):
          let position = index < 0 ? elements.count + index : index
          value = elements.indices.contains(position) ? elements[position] : .null
        default: return nil
        }
      }
      return value
    }
  }
}

extension JSONValue {
  /// Whether both are the same value: numbers compared by their digits, strings by their bytes,
  /// objects regardless of the order of their members.
  func equals(_ other: JSONValue) -> Bool {
    switch (self, other) {
    case (.null, .null): return true
    case (.bool(let one), .bool(let two)): return one == two
    case (.number, .number): return order(to: other) == 0
    case (.string(let one), .string(let two)): return one.utf8.elementsEqual(two.utf8)
    case (.array(let one), .array(let two)):
      return one.count == two.count && zip(one, two).allSatisfy { $0.equals($1) }
    case (.object(let one), .object(let two)):
      let names = Set(one.map(\.name))
      return names == Set(two.map(\.name))
        && names.allSatisfy { name in (self[name] ?? .null).equals(other[name] ?? .null) }
    default: return false
    }
  }

  /// Negative if this value is less; nil if the two have no order.
  func order(to other: JSONValue) -> Int? {
    switch (self, other) {
    case (.number(let one), .number(let two)): return JSONNumber(one).order(to: JSONNumber(two))
    case (.string(let one), .string(let two)):
      if one.utf8.elementsEqual(two.utf8) { return 0 }
      return one.utf8.lexicographicallyPrecedes(two.utf8) ? -1 : 1
    default: return nil
    }
  }
}

private struct JSONConditionParser {
  private let characters: [Character]
  private var next = 0

  init(_ text: String) {
    characters = Array(text)
  }

  mutating func condition() throws(JSONConditionError)
    -> (JSONOperand, (JSONCondition.Comparison, JSONOperand)?)
  {
    let left = try operand("expected a path such as .op")
    skipSpace()
    guard next < characters.count else {
      guard case .path = left else { throw error("expected a path such as .op", at: 0) }
      return (left, nil)
    }
    let start = next
    guard let comparison = JSONCondition.Comparison.allCases.first(where: { take($0.rawValue) })
    else {
      throw error(
        characters[next] == "="
          ? "= is not a comparison; use ==" : "expected one of == != < <= > >=, or the end")
    }
    let right = try operand("expected a value")
    skipSpace()
    guard next == characters.count else {
      throw error("expected the end: an expression has at most one comparison")
    }
    if case .literal = left, case .literal = right {
      throw error("one side of the comparison must be a path such as .op", at: start)
    }
    return (left, (comparison, right))
  }

  private mutating func operand(_ wanted: String) throws(JSONConditionError) -> JSONOperand {
    skipSpace()
    guard next < characters.count else { throw error(wanted) }
    switch characters[next] {
    case ".": return .path(try path())
    case "\"": return .literal(.string(try string()))
    case "-", "0"..."9": return .literal(try number())
    default:
      if take("true") { return .literal(.bool(true)) }
      if take("false") { return .literal(.bool(false)) }
      if take("null") { return .literal(.null) }
      throw error(wanted)
    }
  }

  /// `.`, `.a`, `."a b"`, `.a.b`, `.a[0]`, `.["a"]`, `.[0]`.
  private mutating func path() throws(JSONConditionError) -> [JSONOperand.Step] {
    var steps: [JSONOperand.Step] = []
    while next < characters.count {
      if characters[next] == "[", !steps.isEmpty {
        steps.append(try brackets())
        continue
      }
      guard take(".") else { break }
      let isAtStart = steps.isEmpty
      guard next < characters.count else {
        guard isAtStart else { throw error("expected a member name") }
        break
      }
      switch characters[next] {
      case "[":
        steps.append(try brackets())
      case "\"":
        steps.append(.member(try string()))
      case _ where Self.beginsName(characters[next]):
        let start = next
        while next < characters.count,
          Self.beginsName(characters[next]) || ("0"..."9").contains(characters[next])
        { next += 1 }
        steps.append(.member(String(characters[start..<next])))
      default:
        // `.` alone is the whole message.
        guard isAtStart, !".0123456789".contains(characters[next]) else {
          throw error("expected a member name; an unusual one is written .[\"name\"]")
        }
        return steps
      }
    }
    return steps
  }

  private static func beginsName(_ character: Character) -> Bool {
    character == "_" || ("a"..."z").contains(character) || ("A"..."Z").contains(character)
  }

  private mutating func brackets() throws(JSONConditionError) -> JSONOperand.Step {
    next += 1
    skipSpace()
    let step: JSONOperand.Step
    if next < characters.count, characters[next] == "\"" {
      step = .member(try string())
    } else {
      let start = next
      _ = take("-")
      while next < characters.count, ("0"..."9").contains(characters[next]) { next += 1 }
      guard let index = Int(String(characters[start..<next])) else {
        throw error("expected a number or a string in the brackets", at: start)
      }
      step = .element(index)
    }
    skipSpace()
    guard take("]") else { throw error("expected ]") }
    return step
  }

  private mutating func string() throws(JSONConditionError) -> String {
    let start = next
    next += 1
    while next < characters.count, characters[next] != "\"" {
      next += characters[next] == "\\" ? 2 : 1
    }
    guard next < characters.count else { throw error("unterminated string", at: start) }
    next += 1
    guard case .string(let text) = try literal(from: start) else {
      throw error("expected a string", at: start)
    }
    return text
  }

  private mutating func number() throws(JSONConditionError) -> JSONValue {
    let start = next
    while next < characters.count, "+-.eE0123456789".contains(characters[next]) { next += 1 }
    return try literal(from: start)
  }

  /// The text from `start` to the current position, as JSON.
  private func literal(from start: Int) throws(JSONConditionError) -> JSONValue {
    let text = Array(String(characters[start..<next]).utf8)
    do throws(JSONError) {
      return try JSONValue.parse(text)
    } catch {
      let before = String(decoding: text.prefix(error.offset), as: UTF8.self).count
      throw self.error(error.problem, at: start + before)
    }
  }

  private mutating func skipSpace() {
    while next < characters.count, characters[next].isWhitespace { next += 1 }
  }

  private mutating func take(_ text: String) -> Bool {
    guard characters[next...].starts(with: text) else { return false }
    next += text.count
    return true
  }

  private func error(_ problem: String, at offset: Int? = nil) -> JSONConditionError {
    JSONConditionError(offset: min(offset ?? next, characters.count), problem: problem)
  }
}
