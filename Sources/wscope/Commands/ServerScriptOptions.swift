import ArgumentParser
import Conversation
import TestServer

/// The options of `listen` for scripts and rules.
struct ServerScriptOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Run the steps of this script on each connection ("< text" waits for a message from the client, "> text" \
      sends one) and close: a test of a client. - is standard input.
      """, valueName: "file"),
    completion: .file())
  var script: String?

  @Option(
    help: ArgumentHelp(
      """
      Answer messages by the rules of this file, one a line, as in: < ping => > pong. The file is read again \
      when it changes. - is standard input.
      """, valueName: "file"),
    completion: .file())
  var rules: String?

  @Option(
    help: ArgumentHelp(
      """
      Add a rule, as in: --on '< ping => > pong'. A value that begins with "=> " adds an action to the rule \
      before it. May be repeated.
      """, valueName: "rule"))
  var on: [String] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Time limit for each step of --script that waits for a message (default: 10s).",
      valueName: "duration"))
  var wait: DurationOption?

  @Option(
    help: ArgumentHelp(
      "Write a JUnit XML report of --script to this file, a test suite for each connection.",
      valueName: "file"),
    completion: .file())
  var junit: String?

  @Flag(help: "Write a TAP report of --script to standard output at the end.")
  var tapOutput = false

  /// The option that disables test paths; nil if none does.
  var name: String? {
    script != nil ? "--script" : rules != nil ? "--rules" : on.isEmpty ? nil : "--on"
  }

  /// - Parameters:
  ///   - hasMode: Whether `--mode` was given.
  ///   - isStrict: Whether `--strict-paths` was given.
  /// - Throws: `CommandFailure` for options that cannot be combined.
  func check(hasMode: Bool, isStrict: Bool) throws {
    if script != nil, hasMode {
      throw CommandFailure(.usage, "--script cannot be combined with --mode")
    }
    if let name, isStrict {
      throw CommandFailure(
        .usage, "--strict-paths requires test paths, which \(name) turns off")
    }
    if script == "-", rules == "-" {
      throw CommandFailure(.usage, "standard input is already used by --script -")
    }
    guard script == nil else {
      guard wait.map({ $0.nanoseconds > 0 }) ?? true else {
        throw CommandFailure(.usage, "--wait must be longer than 0")
      }
      return
    }
    if wait != nil { throw CommandFailure(.usage, "--wait requires --script") }
    if junit != nil { throw CommandFailure(.usage, "--junit requires --script") }
    if tapOutput { throw CommandFailure(.usage, "--tap-output requires --script") }
  }

  /// Reads the script, the rules and the files that they send.
  ///
  /// - Returns: nil if there are none.
  /// - Throws: `CommandFailure`.
  func configuration(
    hasMode: Bool, _ environment: [String: String]
  ) throws -> ServerScriptConfiguration? {
    guard name != nil else { return nil }
    var scripting = Scripting()
    scripting.environment = environment
    scripting.wallClock = { UTCTime.now }
    scripting.passesOn = hasMode
    if let wait { scripting.stepTimeout = wait.nanoseconds }
    let single = try ScriptFile.rules(on, environment)
    var scriptName: String?
    if let script {
      let (steps, name) = try ScriptFile.read(script, .listenScript, environment)
      (scripting.script, scriptName) = (steps, name)
    }
    scripting.rules = single
    if let rules {
      scripting.rules += try ScriptFile.read(rules, .listenRules, environment).script.rules
    }
    let steps = scripting.script ?? Script(steps: [])
    scripting.files = try ScriptFile.files(steps, beside: script, environment)
    scripting.files.merge(
      try ScriptFile.files(Script(steps: [], rules: scripting.rules), beside: rules, environment)
    ) { $1 }
    return ServerScriptConfiguration(
      scripting: scripting, scriptName: scriptName, rulesPath: rules, single: single,
      warnings: Self.warnings(scripting, script: script, rules: rules), junit: junit,
      isTAP: tapOutput)
  }

  /// Warnings about regular expressions that may be slow, each with its position.
  private static func warnings(
    _ scripting: Scripting, script: String?, rules: String?
  ) -> [String] {
    let steps = scripting.script.map { Script.slowPatterns(in: $0) } ?? []
    let others = Script.slowPatterns(in: Script(steps: [], rules: scripting.rules))
    return steps.map { "\(script ?? ""):\($0): nested quantifiers can take exponential time" }
      + others.map { line in
        let location = line < 0 ? "--on" : "\(rules ?? ""):\(line)"
        return "\(location): nested quantifiers can take exponential time"
      }
  }
}
