import Conversation

/// As much of JSON Schema 2020-12 as the schemas of sessions and results use.
struct SchemaCheck {
  private let schema: JSONValue

  init(_ schema: JSONValue) { self.schema = schema }

  /// What is wrong with a value; nothing if it is valid. A keyword that is not known here is a problem.
  func problems(of value: JSONValue) -> [String] { problems(value, schema, "") }

  private func problems(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
    if schema == .bool(true) { return [] }
    guard case .object(let keywords) = schema else { return ["\(path): no schema"] }
    return keywords.flatMap { keyword -> [String] in
      switch keyword.name {
      case "$schema", "title", "description", "$defs": return []
      case "$ref":
        let name = keyword.value.string?.split(separator: "/").last.map(String.init)
        guard let name, let found = self.schema["$defs"]?[name] else { return ["\(path): $ref"] }
        return problems(value, found, path)
      case "const": return value == keyword.value ? [] : ["\(path): not \(keyword.value)"]
      case "enum":
        return Self.elements(keyword.value).contains(value) ? [] : ["\(path): not in enum"]
      case "type": return Self.type(value, keyword.value) ? [] : ["\(path): not \(keyword.value)"]
      case "minimum", "maximum":
        guard let found = Self.number(value), let bound = Self.number(keyword.value) else {
          return []
        }
        let isValid = keyword.name == "minimum" ? found >= bound : found <= bound
        return isValid ? [] : ["\(path): \(keyword.name)"]
      case "required":
        guard case .object = value else { return [] }
        return Self.elements(keyword.value).compactMap(\.string).filter { value[$0] == nil }
          .map { "\(path): no \($0)" }
      case "properties":
        return Self.members(keyword.value).flatMap { property in
          value[property.name].map { problems($0, property.value, path + "/" + property.name) }
            ?? []
        }
      case "additionalProperties":
        let known = Self.members(schema["properties"] ?? .null).map(\.name)
        let others = Self.members(value).filter { !known.contains($0.name) }
        guard case .object = keyword.value else { return others.map { "\(path): \($0.name)" } }
        return others.flatMap { problems($0.value, keyword.value, path + "/" + $0.name) }
      case "items":
        return Self.elements(value).flatMap { problems($0, keyword.value, path + "/*") }
      case "oneOf":
        let results = Self.elements(keyword.value).map { problems(value, $0, path) }
        return results.count { $0.isEmpty } == 1 ? [] : ["\(path): oneOf: \(results)"]
      default: return ["\(path): unknown keyword \(keyword.name)"]
      }
    }
  }

  private static func type(_ value: JSONValue, _ wanted: JSONValue) -> Bool {
    let wanted = wanted.string.map { [$0] } ?? elements(wanted).compactMap(\.string)
    let found: [String] =
      switch value {
      case .null: ["null"]
      case .bool: ["boolean"]
      case .number(let text): Int(text) == nil ? ["number"] : ["number", "integer"]
      case .string: ["string"]
      case .array: ["array"]
      case .object: ["object"]
      }
    return found.contains { wanted.contains($0) }
  }

  private static func elements(_ value: JSONValue) -> [JSONValue] {
    if case .array(let elements) = value { elements } else { [] }
  }

  private static func members(_ value: JSONValue) -> [JSONValue.Member] {
    if case .object(let members) = value { members } else { [] }
  }

  private static func number(_ value: JSONValue) -> Double? {
    if case .number(let text) = value { Double(text) } else { nil }
  }
}
