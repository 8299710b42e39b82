import WebSocketProtocol

/// Compares messages with a `MessageTest`.
struct MessageMatcher {
  enum Outcome {
    case fits
    case differs(MismatchReason?)
  }

  private let test: MessageTest

  init(_ test: MessageTest) { self.test = test }

  func match(_ kind: MessageKind, _ payload: [UInt8]) -> Outcome {
    switch test {
    case .payload(let wanted): payload == wanted ? .fits : .differs(nil)
    case .binary(let wanted): kind == .binary && payload == wanted ? .fits : .differs(nil)
    case .pattern(let pattern):
      switch Self.groups(of: pattern, in: payload) {
      case .success: .fits
      case .failure(let mismatch): .differs(mismatch.reason)
      }
    case .json(let condition):
      switch Self.values(of: payload, where: condition) {
      case .success: .fits
      case .failure(let mismatch): .differs(mismatch.reason)
      }
    }
  }

  struct Mismatch: Error { var reason: MismatchReason? }

  /// The match of a pattern in a message, and its groups.
  static func groups(of pattern: Pattern, in payload: [UInt8]) -> Result<[String?], Mismatch> {
    payload.withUnsafeBytes { bytes in
      if let offset = UTF8Validator.firstInvalid(in: bytes) {
        return .failure(Mismatch(reason: .notText(offset: offset)))
      }
      do throws(Pattern.SearchLimit) {
        guard let groups = try pattern.groups(in: bytes) else {
          return .failure(Mismatch(reason: nil))
        }
        return .success(groups)
      } catch {
        return .failure(Mismatch(reason: .tooManySteps))
      }
    }
  }

  /// The first record of a message that satisfies a condition.
  static func values(
    of payload: [UInt8], where condition: JSONCondition
  ) -> Result<JSONValue, Mismatch> {
    let records: [JSONValue]
    do throws(JSONError) {
      records = try JSONValue.records(payload)
    } catch {
      return .failure(Mismatch(reason: .notJSON(error)))
    }
    guard let record = records.first(where: condition.holds) else {
      return .failure(Mismatch(reason: nil))
    }
    return .success(record)
  }
}
