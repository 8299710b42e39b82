package import WebSocketProtocol

/// What a step of a script waits for, with its variables filled in.
package struct ScriptExpectation {
  private let matcher: MessageMatcher
  private let want: Script.Want
  private let condition: JSONCondition?
  private let pattern: Regex<AnyRegexOutput>?

  /// - Throws: what is wrong with it, by the values of the variables.
  package init(_ want: Script.Want, _ variables: ScriptVariables) throws {
    self.want = want
    var condition: JSONCondition?
    var pattern: Regex<AnyRegexOutput>?
    switch want {
    case .text(let template):
      matcher = MessageMatcher(.payload(Array(variables.text(template).utf8)))
    case .binary(let bytes):
      matcher = MessageMatcher(.binary(bytes))
    case .pattern(let template):
      let text = variables.pattern(template)
      pattern = try Regex(text).matchingSemantics(.unicodeScalar)
      matcher = MessageMatcher(.pattern(try Pattern(text)))
    case .json(let template):
      let read = try JSONCondition(variables.json(template))
      condition = read
      matcher = MessageMatcher(.json(read))
    }
    self.condition = condition
    self.pattern = pattern
  }

  /// What can be captured of a message that fits: the value of the path, the first group of the regular
  /// expression or all that it found, or the message. nil if the message does not fit.
  package func value(_ kind: MessageKind, _ payload: [UInt8]) -> JSONValue? {
    if case .text = want, kind != .text { return nil }
    guard matcher.matches(kind, payload) else { return nil }
    if let condition {
      return (try? JSONValue.parse(payload)).flatMap(condition.subject) ?? .null
    }
    let text = String(decoding: payload, as: UTF8.self)
    guard let match = try? pattern?.firstMatch(in: text) else { return .string(text) }
    let group = match.output.count > 1 ? match.output[1] : match.output[0]
    return .string(group.substring.map(String.init) ?? "")
  }
}
