package import Conversation
package import WebSocketProtocol

/// What connections do by a script: steps for each of them, and rules for those whose path fits.
package struct Scripting: Sendable {
  /// Steps for each connection, with rules of their own; nil if there are none.
  package var script: Script?
  /// The first that fits takes a message, before the script and the mode see it.
  package var rules: [Script.Rule] = []
  /// Whether a message that no rule takes goes to the mode.
  package var passesOn = false
  /// What kind of message `>` and `>@` send.
  package var kind = MessageKind.text
  /// For how long a step waits, in ns.
  package var stepTimeout: Int64 = 10_000_000_000
  package var environment: [String: String] = [:]
  /// The contents of the files of `>@`, by the name in the script with its variables filled in.
  package var files: [String: [UInt8]] = [:]
  /// ns since 1970, for `$NOW` and `$MS`.
  package var wallClock: @Sendable () -> Int64 = { 0 }

  package init() {}

  /// The names of the files that `>@` of a script sends, with their variables filled in.
  package static func fileNames(_ script: Script?, _ environment: [String: String]) -> [String] {
    guard let script else { return [] }
    let variables = ScriptVariables(environment: environment)
    let actions = script.steps.map(\.action) + script.rules.flatMap(\.actions).map(\.action)
    return actions.compactMap { action in
      if case .sendFile(let name) = action { variables.text(name) } else { nil }
    }
  }
}

/// How the script of one connection went.
package struct ScriptSummary: Sendable {
  package var script: Script
  package var result: ScriptMachine.Result
  /// Steps that were reached, each with its report, in order: those that can fail.
  package var reports: [Report]
  /// From the opening to the end of the script, in ns.
  package var duration: Int64

  package struct Report: Sendable {
    package var report: ScriptMachine.StepReport
    /// Since the opening, in ns.
    package var time: Int64
  }
}
