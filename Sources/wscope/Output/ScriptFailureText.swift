import Conversation
import WebSocketProtocol

/// The text about what a failed script step got.
enum ScriptFailureText {
  /// The text for a server, whose log reports how the connection ended.
  static func got(_ failure: ScriptMachine.Failure) -> String {
    got(failure) { CloseText.line($0, CloseCircumstances()) }
  }

  /// - Parameters:
  ///   - failure: Why the step failed.
  ///   - line: Returns the text about how the connection ended.
  /// - Returns: the text for `got:`.
  static func got(_ failure: ScriptMachine.Failure, line: (CloseOutcome) -> String) -> String {
    switch failure {
    case .nothing(let wait, let last):
      last.map(text) ?? "nothing within \(Figures.shortDuration(wait))"
    case .unexpected(let kind, let payload): ExpectationText.message(kind, payload)
    case .stillOpen(let wait):
      "no Close within \(Figures.shortDuration(wait)): it is still open"
    case .closing, .notOpened: "a connection that is closing"
    case .invalid(let problem): "invalid with the values of its variables: \(problem)"
    case .other(let problem): problem
    case .unexpectedClose(_, let outcome): line(outcome)
    case .ended(_, let outcome, let last):
      last.map { "\(text($0)), then: \(line(outcome))" } ?? line(outcome)
    }
  }

  private static func text(_ last: ScriptMachine.Mismatch) -> String {
    ExpectationText.message(last.kind, last.payload, last.reason)
      + (last.wanted.map { ExpectationText.difference($0, last.payload) } ?? "")
  }
}
