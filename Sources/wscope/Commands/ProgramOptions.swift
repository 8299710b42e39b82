import ArgumentParser
import NIOCore
import TestServer
import WebSocketProtocol

/// The options of `listen` for programs that answer clients.
struct ProgramOptions: ParsableArguments {
  @Flag(
    help: """
      Run the program after -- for each connection: messages become lines of its input, and lines of its output \
      become messages. With mode source, run it once and send its output to all clients.
      """)
  var exec = false

  @Flag(
    help:
      "Give the program a pseudo-terminal in place of pipes, so that it does not buffer its output."
  )
  var execPty = false

  @Option(
    help: ArgumentHelp(
      """
      Time from the end of the program's input, once its client has left, to SIGTERM; SIGKILL follows 2 s later \
      (default: 2s).
      """, valueName: "duration"))
  var execGrace: DurationOption?

  @Option(
    help: ArgumentHelp(
      """
      What to do with the program's standard error: log, or client to send both outputs to the client as JSON, \
      {"stream":"stderr","data":"text"} (default: log).
      """, valueName: "log|client"),
    completion: .list(ErrorOutput.allCases.map(\.rawValue)))
  var execStderr: ErrorOutput?

  @Option(
    help: ArgumentHelp(
      "Pass this variable of the environment to the program; may be repeated.", valueName: "name"))
  var passEnv: [String] = []

  @Option(
    help: ArgumentHelp(
      "Pass this field of the request to the program, as WS_HEADER_NAME; may be repeated.",
      valueName: "field"))
  var passHeader: [String] = []

  @Flag(
    name: .customLong("i-know"),
    help: "Allow --exec on an address that other machines can reach: they can then run the program."
  )
  var knowsExposure = false

  /// Where the standard error of a program goes.
  enum ErrorOutput: String, CaseIterable, ExpressibleByArgument {
    case log, client
  }

  /// `--exec` without a program.
  static let noProgram = CommandFailure(
    .usage, "--exec requires a program after --, as in: wscope listen --exec -- cat")

  /// Checks the options against each other.
  ///
  /// - Throws: `CommandFailure`.
  func check(
    _ command: [String], _ mode: Mode, hasMode: Bool, script: String?, isStrict: Bool
  ) throws {
    guard exec else {
      let given: [(Bool, String)] = [
        (execPty, "--exec-pty"), (execGrace != nil, "--exec-grace"),
        (execStderr != nil, "--exec-stderr"), (!passEnv.isEmpty, "--pass-env"),
        (!passHeader.isEmpty, "--pass-header"), (knowsExposure, "--i-know"),
        (!command.isEmpty, "a program after --"),
      ]
      if let option = given.first(where: \.0)?.1 {
        throw CommandFailure(.usage, "\(option) requires --exec")
      }
      return
    }
    if command.isEmpty { throw Self.noProgram }
    if script != nil { throw CommandFailure(.usage, "--exec cannot be combined with --script") }
    if hasMode, !mode.entry.isFed {
      throw CommandFailure(.usage, "--exec cannot be combined with --mode \(mode.text)")
    }
    if isStrict, !mode.entry.isFed {
      throw CommandFailure(
        .usage, "--strict-paths requires test paths, which --exec turns off")
    }
    if mode.entry.isFed {
      let given = [
        passHeader.isEmpty ? nil : "--pass-header", execStderr.map { _ in "--exec-stderr" },
      ].compactMap(\.self)
      if let option = given.first {
        throw CommandFailure(
          .usage, "\(option) requires a process for each connection, not mode source")
      }
    }
    for field in passHeader where !HeaderSyntax.isToken(field) {
      throw CommandFailure(.usage, "--pass-header \"\(field)\" is not a token (RFC 9110)")
    }
  }

  /// The variables that every program gets.
  private static let variables = ["PATH", "HOME", "LANG", "TZ", "TERM", "USER"]

  /// - Parameters:
  ///   - command: The program and its arguments.
  ///   - publishing: Whether messages end with NUL, and are binary.
  ///   - maxMessage: Maximum size of a message in bytes.
  ///   - isOpen: Whether other machines can connect.
  ///   - environment: The environment of this process.
  /// - Returns: nil without `--exec`.
  /// - Throws: `CommandFailure`.
  func program(
    _ command: [String], _ publishing: PublishingOptions, maxMessage: Int, isOpen: Bool,
    _ environment: [String: String]
  ) throws -> ServedProgram? {
    guard exec else { return nil }
    if isOpen, !knowsExposure {
      throw CommandFailure(
        .usage, "--exec lets other machines run \(command[0]); --i-know allows it")
    }
    let passed = Set(Self.variables + passEnv)
    var program = ServedProgram(
      command: command, environment: environment.filter { passed.contains($0.key) })
    if publishing.null {
      program.boundary = .null
    } else if publishing.binary {
      program.boundary = .none
    }
    program.sendsBinary = publishing.binary
    program.usesTerminal = execPty
    program.sendsErrors = execStderr == .client
    if program.sendsErrors, publishing.binary {
      throw CommandFailure(.usage, "--exec-stderr client cannot be combined with --binary")
    }
    if let execGrace { program.grace = .nanoseconds(execGrace.nanoseconds) }
    program.passedFields = passHeader
    program.maxMessage = maxMessage
    do throws(ProgramFailure) {
      try program.check()
    } catch {
      throw CommandFailure(.usage, "cannot run \(command[0]): \(error.reason)")
    }
    return program
  }
}
