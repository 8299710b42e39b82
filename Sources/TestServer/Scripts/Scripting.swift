package import Conversation
package import WebSocketProtocol

/// Scripts for connections: steps for every connection, and rules for connections with a matching
/// path.
package struct Scripting: Sendable {
  /// Steps for every connection, with their own rules; nil if there are none.
  package var script: Script?
  /// Rules for all connections. The first matching rule takes a message before the script and the
  /// mode.
  package var rules: [Script.Rule] = []
  /// Whether a message that no rule takes goes to the mode.
  package var passesOn = false
  /// The type of the messages that `>` and `>@` send.
  package var kind = MessageKind.text
  /// How long a step waits before it fails, in nanoseconds.
  package var stepTimeout: Int64 = 10_000_000_000
  /// The environment variables that scripts and rules can use.
  package var environment: [String: String] = [:]
  /// The contents of the files that `>@` sends, by their names with variables expanded.
  package var files: [String: [UInt8]] = [:]
  /// Returns nanoseconds since 1970-01-01, UTC, for `$NOW` and `$MS`.
  package var wallClock: @Sendable () -> Int64 = { 0 }

  package init() {}

  /// The names of the files that a script sends with `>@`, with variables expanded.
  package static func fileNames(_ script: Script?, _ environment: [String: String]) -> [String] {
    guard let script else { return [] }
    let variables = ScriptVariables(environment: environment)
    let actions = script.steps.map(\.action) + script.rules.flatMap(\.actions).map(\.action)
    return actions.compactMap { action in
      if case .sendFile(let name) = action { variables.text(name) } else { nil }
    }
  }
}

/// The outcome of the script of one connection.
package struct ScriptSummary: Sendable {
  package var script: Script
  package var result: ScriptMachine.Result
  /// Reports of all steps that were reached and can fail, in order.
  package var reports: [Report]
  /// Time from the opening to the end of the script, in nanoseconds.
  package var duration: Int64

  /// The report of one step.
  package struct Report: Sendable {
    package var report: ScriptMachine.StepReport
    /// Time since the opening, in nanoseconds.
    package var time: Int64
  }
}
