/// A text with variables: `$NAME` and `${NAME}`, and in the actions of rules also `$1`, `${.path}`
/// and `${?name}`. `$$` is a dollar sign, and so is a `$` that is not followed by a name (LISTEN.md
/// 2.4).
package struct Template: Sendable, Hashable {
  package enum Part: Sendable, Hashable {
    case text(String)
    case variable(String)
    /// `$0` to `$9`: the match of the rule's regular expression, or one of its groups.
    case group(Int)
    /// A value of the message, by its path.
    case member(JSONCondition)
    /// A query parameter of the request.
    case query(String)
  }

  package let parts: [Part]
  /// Whether values are inserted as JSON: the text is then JSON with any values, so that a peer
  /// cannot change its structure.
  package let isJSON: Bool

  /// The text of a step or an event.
  package init(_ text: String) {
    parts = Self.parts(of: text, isRule: false)
    isJSON = false
  }

  /// The text of an action of a rule.
  package init(rule text: String) {
    let parts = Self.parts(of: text, isRule: true)
    self.parts = parts
    isJSON =
      Self.beginsAsJSON(parts) && parts.contains { if case .text = $0 { false } else { true } }
      && (try? JSONValue.parse(Array(Self.json(parts) { _ in .null }.utf8))) != nil
  }

  /// A single variable would be valid JSON too, so the literal text decides.
  private static func beginsAsJSON(_ parts: [Part]) -> Bool {
    guard case .text(let text)? = parts.first else { return false }
    return text.first { !$0.isWhitespace }.map { "{[\"".contains($0) } ?? false
  }

  private static func parts(of text: String, isRule: Bool) -> [Part] {
    var parts: [Part] = []
    var literal = ""
    var rest = text[...]
    while let dollar = rest.firstIndex(of: "$") {
      literal += rest[..<dollar]
      rest = rest[dollar...].dropFirst()
      if rest.first == "$" {
        literal += "$"
        rest = rest.dropFirst()
      } else if let (part, after) = value(at: rest, isRule: isRule) {
        if !literal.isEmpty { parts.append(.text(literal)) }
        literal = ""
        parts.append(part)
        rest = after
      } else {
        literal += "$"
      }
    }
    literal += rest
    if !literal.isEmpty { parts.append(.text(literal)) }
    return parts
  }

  /// The variable whose name follows a dollar sign, and the text after it.
  private static func value(at text: Substring, isRule: Bool) -> (Part, Substring)? {
    guard text.first == "{" else {
      if isRule, let digit = text.first, digit.isASCII, let number = digit.wholeNumberValue {
        return (.group(number), text.dropFirst())
      }
      let name = name(at: text)
      return name.isEmpty ? nil : (.variable(name), text.dropFirst(name.count))
    }
    guard let end = text.firstIndex(of: "}") else { return nil }
    let inside = text[..<end].dropFirst()
    let after = text[end...].dropFirst()
    let name = name(at: inside)
    if !name.isEmpty, name.count == inside.count { return (.variable(name), after) }
    guard isRule else { return nil }
    switch inside.first {
    case "?" where inside.count > 1: return (.query(String(inside.dropFirst())), after)
    case ".":
      guard let path = try? JSONCondition(String(inside)), path.isPath else { return nil }
      return (.member(path), after)
    default: return nil
    }
  }

  /// The names of its variables, in order.
  package var names: [String] {
    parts.compactMap { if case .variable(let name) = $0 { name } else { nil } }
  }

  /// The text, if there are no variables.
  package var constant: String? {
    switch parts.count {
    case 0: return ""
    case 1:
      guard case .text(let text) = parts[0] else { return nil }
      return text
    default: return nil
    }
  }

  /// The name of a variable at the beginning; empty if there is none.
  static func name(at text: Substring) -> String {
    guard let first = text.unicodeScalars.first, isNameHead(first) else { return "" }
    return String(
      Substring(text.unicodeScalars.prefix { isNameHead($0) || ("0"..."9").contains($0) }))
  }

  private static func isNameHead(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "_" || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
  }

  /// The text with every variable replaced.
  func filled(_ value: (Part) -> String) -> String {
    parts.map { part in
      if case .text(let text) = part { text } else { value(part) }
    }.joined()
  }

  /// The text as JSON: values are inserted as JSON; inside quotes, as escaped text.
  func json(_ value: (Part) -> JSONValue) -> String {
    Self.json(parts, value)
  }

  private static func json(_ parts: [Part], _ value: (Part) -> JSONValue) -> String {
    var text = ""
    var isQuoted = false
    for part in parts {
      guard case .text(let literal) = part else {
        let value = value(part)
        text +=
          isQuoted
          ? String(JSONValue.string(value.plain).written.dropFirst().dropLast()) : value.written
        continue
      }
      text += literal
      var isEscaped = false
      for character in literal {
        if character == "\"", !isEscaped { isQuoted.toggle() }
        isEscaped = character == "\\" && isQuoted && !isEscaped
      }
    }
    return text
  }
}

/// The variables of a script: captured and predefined values, the environment, and in a rule the
/// message that it takes.
package struct ScriptVariables: Sendable {
  private var captured: [String: JSONValue] = [:]
  private let environment: [String: String]
  /// Values that captures cannot change, such as `$CONN`.
  package var predefined: [String: JSONValue] = [:]
  /// The query parameters of the request, percent-decoded.
  package var query: [String: String] = [:]
  /// The match and the groups of the rule's regular expression.
  package var groups: [String?] = []
  /// The JSON of the message that the rule takes.
  package var record: JSONValue?

  package init(environment: [String: String]) { self.environment = environment }

  package mutating func set(_ name: String, _ value: JSONValue) { captured[name] = value }

  private func value(_ part: Template.Part) -> JSONValue {
    switch part {
    case .text(let text): .string(text)
    case .variable(let name):
      captured[name] ?? predefined[name] ?? environment[name].map { .string($0) } ?? .null
    case .group(let number):
      groups.indices.contains(number) ? groups[number].map { .string($0) } ?? .null : .null
    case .member(let path): record.flatMap { path.subject(of: $0) } ?? .null
    case .query(let name): query[name].map { .string($0) } ?? .null
    }
  }

  /// For a payload: a string without its quotes, anything else as JSON. A missing value is empty in
  /// the text of a rule, and `null` in that of a step and in JSON.
  package func text(_ template: Template) -> String {
    if template.isJSON { return template.json(value) }
    return template.filled { part in
      let value = value(part)
      if value == .null, case .variable = part { return "null" }
      return value == .null ? "" : value.plain
    }
  }

  /// For a regular expression, in which values are escaped to match literally.
  package func pattern(_ template: Template) -> String {
    template.filled { part in
      value(part).plain.map { "\\.[]{}()*+?^$|/-".contains($0) ? "\\\($0)" : "\($0)" }.joined()
    }
  }

  /// For a JSON expression: values are inserted as JSON; inside quotes, as escaped text.
  package func json(_ template: Template) -> String { template.json(value) }
}

extension JSONValue {
  /// The JSON text, on one line.
  package var written: String {
    var json = JSONWriter()
    json.value(self)
    return String(decoding: json.bytes, as: UTF8.self)
  }

  /// A string without its quotes, anything else as JSON.
  var plain: String { string ?? written }
}
