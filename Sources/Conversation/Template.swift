/// A text with variables in it: `$NAME`, `${NAME}`; `$$` is a dollar sign, and so is one that no name
/// follows.
package struct Template: Sendable, Hashable {
  enum Part: Sendable, Hashable {
    case text(String)
    case variable(String)
  }

  let parts: [Part]

  package init(_ text: String) {
    var parts: [Part] = []
    var literal = ""
    var rest = text[...]
    while let dollar = rest.firstIndex(of: "$") {
      literal += rest[..<dollar]
      rest = rest[dollar...].dropFirst()
      if rest.first == "$" {
        literal += "$"
        rest = rest.dropFirst()
        continue
      }
      let isBraced = rest.first == "{"
      let name = Self.name(at: isBraced ? rest.dropFirst() : rest)
      let behind = isBraced ? rest.dropFirst(name.count + 1) : rest.dropFirst(name.count)
      guard !name.isEmpty, !isBraced || behind.first == "}" else {
        literal += "$"
        continue
      }
      if !literal.isEmpty { parts.append(.text(literal)) }
      literal = ""
      parts.append(.variable(name))
      rest = isBraced ? behind.dropFirst() : behind
    }
    literal += rest
    if !literal.isEmpty { parts.append(.text(literal)) }
    self.parts = parts
  }

  var names: [String] {
    parts.compactMap { if case .variable(let name) = $0 { name } else { nil } }
  }

  /// The text, if there is nothing to fill in.
  package var constant: String? {
    names.isEmpty ? filled { _ in "" } : nil
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
  func filled(_ value: (String) -> String) -> String {
    parts.map { part in
      switch part {
      case .text(let text): text
      case .variable(let name): value(name)
      }
    }.joined()
  }
}

/// The values of the variables of a script: what was captured, and the environment.
package struct ScriptVariables: Sendable {
  private var captured: [String: JSONValue] = [:]
  private let environment: [String: String]

  package init(environment: [String: String]) { self.environment = environment }

  package mutating func set(_ name: String, _ value: JSONValue) { captured[name] = value }

  private func value(_ name: String) -> JSONValue {
    captured[name] ?? environment[name].map { .string($0) } ?? .null
  }

  /// As payload: a string without its quotes, anything else as JSON.
  package func text(_ template: Template) -> String { template.filled(plain) }

  private func plain(_ name: String) -> String {
    let value = value(name)
    return value.string ?? value.written
  }

  /// In a regular expression, where a value stands for itself.
  package func pattern(_ template: Template) -> String {
    template.filled { name in
      plain(name).map { "\\.[]{}()*+?^$|/-".contains($0) ? "\\\($0)" : "\($0)" }.joined()
    }
  }

  /// In an expression of JSON: a value as JSON, and inside of quotes the text of it.
  package func json(_ template: Template) -> String {
    var text = ""
    var isQuoted = false
    for part in template.parts {
      switch part {
      case .text(let literal):
        text += literal
        var isEscaped = false
        for character in literal {
          if character == "\"", !isEscaped { isQuoted.toggle() }
          isEscaped = character == "\\" && isQuoted && !isEscaped
        }
      case .variable(let name) where isQuoted:
        text += JSONValue.string(plain(name)).written.dropFirst().dropLast()
      case .variable(let name):
        text += value(name).written
      }
    }
    return text
  }
}

extension JSONValue {
  /// As JSON, on one line.
  package var written: String {
    var json = JSONWriter()
    json.value(self)
    return String(decoding: json.bytes, as: UTF8.self)
  }
}
