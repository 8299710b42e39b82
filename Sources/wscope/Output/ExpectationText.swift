import Conversation
import Terminal
import WebSocketProtocol

/// Expectations as text, each on one line. Text from peers and users is escaped.
enum ExpectationText {
  /// The expectation; `within` is the deadline for expectations that are waited for, in ns.
  static func name(_ expectation: Expectation, within: Int64?) -> String {
    let deadline = within.map { " within \(Figures.shortDuration($0))" } ?? ""
    switch expectation {
    case .message(let test): return name(test) + deadline
    case .until(let test): return "until \(name(test))" + deadline
    case .silence(let duration): return "no message for \(Figures.shortDuration(duration))"
    case .count(let count): return (count == 1 ? "1 message" : "\(count) messages") + deadline
    case .close(let codes): return "close \(codes.text)" + deadline
    case .status(let status): return "status \(status)"
    case .subprotocol(let name): return "subprotocol \(name)"
    case .roundTrip(let limit): return "replies within \(Figures.shortDuration(limit))"
    }
  }

  private static func name(_ test: MessageTest) -> String {
    switch test {
    case .payload(let payload): shown(payload)
    case .pattern(let pattern): "/\(safe(pattern.text))/"
    case .json(let condition): safe(condition.text)
    case .binary(let bytes): "binary \(hex(bytes))"
    }
  }

  /// What happened instead of the expectation.
  static func instead(_ result: ExpectationResult) -> String {
    switch result.instead {
    case nil: "nothing"
    case .message(let kind, let payload, let reason):
      message(kind, payload, reason) + difference(result.expectation, payload)
    case .notReached: "nothing, because an earlier expectation was not met"
    case .count(let count): count == 1 ? "1 message" : "\(count) messages"
    case .close(let code, let reason, let subprotocol):
      CloseText.code(CloseFrame(code, reason: reason), subprotocol: subprotocol)
    case .stillOpen: "no Close: the connection was still open"
    case .status(let status): status.map { "status \($0)" } ?? "no connection"
    case .subprotocol(let name): name.map { "subprotocol \(safe($0))" } ?? "no subprotocol"
    case .roundTrip(let time): "a reply after \(Figures.shortDuration(time))"
    case .noReply: "no reply"
    }
  }

  private static func difference(_ expectation: Expectation, _ payload: [UInt8]) -> String {
    guard case .message(.payload(let wanted)) = expectation else { return "" }
    return difference(wanted, payload)
  }

  /// Where two messages differ, if they look the same when shown.
  static func difference(_ wanted: [UInt8], _ payload: [UInt8]) -> String {
    // Compared as strings: two encodings of the same character look the same.
    guard wanted != payload, shown(wanted) == shown(payload) else { return "" }
    let common = zip(wanted, payload).prefix { $0 == $1 }.count
    return " (differs at byte \(common))"
  }

  /// A received message, and why it does not match if that is not obvious.
  static func message(
    _ kind: MessageKind, _ payload: [UInt8], _ reason: MismatchReason? = nil
  ) -> String {
    let message = kind == .text ? shown(payload) : "binary \(hex(payload))"
    return message + (reason.map { " (\(text($0)))" } ?? "")
  }

  static func text(_ reason: MismatchReason) -> String {
    switch reason {
    case .notJSON(let error): text(error)
    case .tooManySteps: "the regular expression needs too many steps on this message"
    case .notText(let offset): "not text: invalid UTF-8 at byte \(offset)"
    }
  }

  static func text(_ error: JSONError) -> String {
    "not JSON: \(error.problem) (byte \(error.offset))"
  }

  private static func shown(_ payload: [UInt8]) -> String {
    "\""
      + ControlCharacters.escaped(
        Array(payload.prefix(200)), keepingNewlines: false, highlight: false, keepingBlanks: false)
      + "\""
      + (payload.count > 200 ? "... (\(payload.count) bytes)" : "")
  }

  private static func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = bytes.prefix(100).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }
    return digits.joined() + (bytes.count > 100 ? "... (\(bytes.count) bytes)" : "")
  }
}
