package import WebSocketProtocol

/// A message that is compared with several expectations; its JSON is parsed once.
package struct IncomingMessage {
  package let kind: MessageKind
  package let payload: [UInt8]
  private var records: Result<[JSONValue], JSONError>?

  package init(_ kind: MessageKind, _ payload: [UInt8]) {
    (self.kind, self.payload) = (kind, payload)
  }

  mutating func json() throws(JSONError) -> [JSONValue] {
    if let records { return try records.get() }
    let parsed: Result<[JSONValue], JSONError>
    do throws(JSONError) {
      parsed = .success(try JSONValue.records(payload))
    } catch {
      parsed = .failure(error)
    }
    records = parsed
    return try parsed.get()
  }

  /// The first JSON text of the message.
  mutating func record() -> JSONValue? { (try? json())?.first }
}

/// The condition of a step or a rule, with its variables filled in.
package struct ScriptExpectation: Sendable {
  private enum Test: Sendable {
    case text
    case binary
    case pattern(Pattern)
    case json(JSONCondition)
    case any
  }

  package enum Answer: Sendable, Hashable {
    /// The message matches. The value can be captured: that of the path, the first group of the
    /// regular expression or its whole match, or the message.
    case fits(JSONValue)
    case differs(MismatchReason?)
  }

  /// Why a text is not an expectation.
  package struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
  }

  private let test: Test
  /// The expected message, if it is exactly one.
  package let payload: [UInt8]?

  /// - Throws: the problem, caused by the values of the variables.
  package init(_ want: Script.Want, _ variables: ScriptVariables) throws(Failure) {
    var payload: [UInt8]?
    switch want {
    case .text(let template):
      payload = Array(variables.text(template).utf8)
      test = .text
    case .binary(let bytes):
      payload = bytes
      test = .binary
    case .pattern(let template):
      do {
        test = .pattern(try Pattern(variables.pattern(template)))
      } catch {
        throw Failure(description: error.description)
      }
    case .json(let template):
      do {
        test = .json(try JSONCondition(variables.json(template)))
      } catch {
        throw Failure(description: error.problem)
      }
    case .any: test = .any
    }
    self.payload = payload
  }

  package func answer(to kind: MessageKind, _ payload: [UInt8]) -> Answer {
    var message = IncomingMessage(kind, payload)
    return answer(to: &message).answer
  }

  /// The answer; for a regular expression that matches, also the match and its groups.
  func answer(to message: inout IncomingMessage) -> (answer: Answer, groups: [String?]) {
    switch test {
    case .text:
      let fits = message.kind == .text && message.payload == payload
      return (fits ? .fits(.string(Self.text(of: message))) : .differs(nil), [])
    case .binary:
      let fits = message.kind == .binary && message.payload == payload
      return (fits ? .fits(.string(Self.text(of: message))) : .differs(nil), [])
    case .any: return (.fits(.string(Self.text(of: message))), [])
    case .pattern(let pattern): return find(pattern, in: message)
    case .json(let condition): return (hold(condition, for: &message), [])
    }
  }

  private func find(
    _ pattern: Pattern, in message: IncomingMessage
  ) -> (answer: Answer, groups: [String?]) {
    switch MessageMatcher.groups(of: pattern, in: message.payload) {
    case .success(let groups):
      return (.fits(.string((groups.count > 1 ? groups[1] : groups[0]) ?? "")), groups)
    case .failure(let mismatch): return (.differs(mismatch.reason), [])
    }
  }

  private func hold(_ condition: JSONCondition, for message: inout IncomingMessage) -> Answer {
    do throws(JSONError) {
      guard let record = try message.json().first(where: condition.holds) else {
        return .differs(nil)
      }
      return .fits(condition.subject(of: record) ?? .null)
    } catch {
      return .differs(.notJSON(error))
    }
  }

  /// For a binary message, its hexadecimal digits.
  static func text(of message: IncomingMessage) -> String {
    message.kind == .text
      ? String(decoding: message.payload, as: UTF8.self) : Hexadecimal.text(message.payload)
  }
}
