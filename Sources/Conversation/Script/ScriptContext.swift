/// Where a script is used; decides which steps, events and targets are available (LISTEN.md 2).
package enum ScriptContext: Sendable, Hashable, CaseIterable {
  /// `send --script`: steps over named connections, and rules.
  case send
  /// `listen --script`: steps and rules, for each connection.
  case listenScript
  /// `listen --rules`: rules for every connection.
  case listenRules

  var isListening: Bool { self != .send }

  /// The variables that are set without a capture. `$MESSAGE` is set in actions of rules only.
  package var predefined: [String] {
    isListening ? ["CONN", "N", "PATH", "NOW", "MS", "UUID", "MESSAGE"] : ["MESSAGE"]
  }
}

/// The words of actions, each with the contexts in which it is available: the registry of the step
/// language.
enum ScriptWord: String, CaseIterable {
  case sendText = ">"
  case sendEscaped = ">e"
  case sendBytes = ">b"
  case sendFile = ">@"
  case expectText = "<"
  case expectEscaped = "<e"
  case expectBytes = "<b"
  case expectPattern = "<~"
  case expectJSON = "<json"
  case expectAny = "<*"
  case wait
  case expectNone = "expect-none"
  case ping
  case close
  case expectClose = "expect-close"
  case connect
  case status
  case reset
  case stall
  case nothing

  /// Whether it waits for a message, and is therefore an event too.
  var isMessage: Bool {
    switch self {
    case .expectText, .expectEscaped, .expectBytes, .expectPattern, .expectJSON, .expectAny: true
    default: false
    }
  }

  /// Whether it may be a step.
  func isStep(in context: ScriptContext) -> Bool {
    switch self {
    case .connect: context == .send
    case .status, .reset, .stall: context == .listenScript
    case .nothing: false
    default: context != .listenRules
    }
  }

  /// Whether it may be an action of a rule.
  func isRuleAction(in context: ScriptContext) -> Bool {
    switch self {
    case .sendText, .sendEscaped, .sendBytes, .sendFile, .wait, .ping, .close, .nothing: true
    case .status, .reset, .stall: context.isListening
    default: false
    }
  }
}

/// The words of events that are not messages.
enum ScriptEventWord: String, CaseIterable {
  case every
  case open
  case closed
  case upgrade

  func isAvailable(in context: ScriptContext) -> Bool { self == .every || context == .listenRules }
}
