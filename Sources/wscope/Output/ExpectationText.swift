import Conversation
import Terminal

/// An expectation that was not met, in words.
enum ExpectationText {
  /// - Parameters:
  ///   - result: what was expected.
  ///   - instead: the last message that nobody expected, if there was one.
  /// - Returns: both, escaped and on one line each.
  static func diagnosis(of result: Conversation.Result, instead: [UInt8]?) -> Diagnosis {
    Diagnosis(
      cause: "expected \(shown(result.expectation.payload))",
      details: [
        instead.map { "got: \(shown($0))" } ?? "got: nothing that was not expected elsewhere"
      ])
  }

  private static func shown(_ payload: [UInt8]) -> String {
    "\""
      + ControlCharacters.escaped(
        Array(payload.prefix(200)), keepingNewlines: false, highlight: false) + "\""
      + (payload.count > 200 ? "... (\(payload.count) bytes)" : "")
  }
}
