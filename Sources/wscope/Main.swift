import ArgumentParser
import Conversation
import Glibc
import Terminal
import WebSocketNIO

/// A subcommand that runs a session, according to its options, and returns an exit code.
///
/// Its configuration has a `commandName`: without one, the parser determines it by reflection, with
/// three searches through all conformances of the binary for each subcommand, at every start.
protocol SessionCommand: AsyncParsableCommand {
  var color: ColorOption { get }

  func run(_ context: CommandContext) async throws -> ExitStatus
}

/// A session command that shows more on request.
protocol VerboseCommand: SessionCommand {
  var output: OutputOptions { get }
}

extension VerboseCommand {
  var color: ColorOption { output.color }
}

/// The command `wscope`.
@main
struct Wscope: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wscope",
    abstract: "An oscilloscope for WebSockets.",
    usage: "wscope <subcommand>",
    discussion: """
      Examples:
        wscope listen 8080                       # run an echo server
        wscope connect :8080                     # talk to it
        wscope send :8080 ping --expect ping     # check it in a script

      wscope URL is short for wscope connect URL; wscope -c URL and wscope -l PORT also work.
      """,
    version: Version.text,
    subcommands: [Connect.self, Listen.self, Send.self, Bench.self])

  @Flag(help: "Print the JSON Schema of --format jsonl and of recordings.")
  var schema = false

  static func main() async {
    Console.occupyClosedStreams()
    Console.ignoreBrokenPipes()
    TerminalState.save()
    do {
      let arguments = try Spelling.arguments()
      if let topic = Spelling.helpTopic(arguments) {
        Process.exit(Process.show(try Manual.text(topic)))
      }
      var parsed = try parsed(Spelling.normalized(arguments))
      if let root = parsed as? Wscope, root.schema {
        // `show` adds the last newline.
        Process.exit(Process.show(String(decoding: SessionEvent.schema.dropLast(), as: UTF8.self)))
      }
      guard let command = parsed as? any SessionCommand else {
        // Help is a command of the parser, whose `run` throws the text of the help.
        try parsed.run()
        return
      }
      try ProcessLimits.check()
      let color = ColorChoice(rawValue: command.color.rawValue) ?? .auto
      let context = CommandContext(color: color)
      Process.exit(await Process.run(command, context))
    } catch let failure as CommandFailure {
      Process.explain(failure)
      Process.exit(failure.status)
    } catch {
      Process.exit(parsing: error)
    }
  }
}

extension Wscope {
  /// Parses a valid subcommand alone, a fifth faster than together with all others. Help and errors
  /// need the whole command.
  static func parsed(_ arguments: [String]) throws -> any ParsableCommand {
    let command = configuration.subcommands.first {
      $0.configuration.commandName == arguments.first
    }
    // The parser would take the name of a command below another one for the argument of that one.
    let nested = command?.configuration.subcommands.first {
      $0.configuration.commandName == arguments.dropFirst().first
    }
    if let nested { return try nested.parseAsRoot(Array(arguments.dropFirst(2))) }
    if let command, let parsed = try? command.parseAsRoot(Array(arguments.dropFirst())),
      parsed is any SessionCommand
    {
      return parsed
    }
    return try parseAsRoot(arguments)
  }
}

/// Runs a command and ends the process.
enum Process {
  static func exit(_ status: ExitStatus) -> Never {
    Glibc.exit(status.rawValue)
  }

  static func run(_ command: any SessionCommand, _ context: CommandContext) async -> ExitStatus {
    do {
      return try await command.run(context)
    } catch let failure as CommandFailure {
      explain(failure)
      return failure.status
    } catch let failure as TLSFailure {
      explain(CommandFailure(ExitStatus(failure), Self.message(failure)))
      return ExitStatus(failure)
    } catch {
      explain(CommandFailure(.usage, "\(error)"))
      return .usage
    }
  }

  private static func message(_ failure: TLSFailure) -> String {
    switch failure {
    case .configuration(let reason), .clientCertificate(let reason): reason
    default: "\(failure)"
    }
  }

  static func explain(_ failure: CommandFailure) {
    let console = Console()
    for line in Diagnosis(cause: failure.message, details: failure.details).lines {
      console.note(line)
    }
  }

  /// Prints text that is the output of the command itself, such as help; a closed stream is not a
  /// failure.
  fileprivate static func show(_ text: String) -> ExitStatus {
    do throws(OutputError) {
      try Console().payload(Array((text + "\n").utf8))
      return .ok
    } catch {
      guard case .failed(let code, let stream) = error else { return .ok }
      explain(
        CommandFailure(.outputFailed, "cannot write \(stream): \(SystemError(code: code).reason)"))
      return .outputFailed
    }
  }

  /// Help and version are printed to standard output and are not errors; a usage error gets one
  /// line and exit code 2.
  static func exit(parsing error: any Error) -> Never {
    if Wscope.exitCode(for: error) == .success {
      let text = Wscope.fullMessage(for: error)
      exit(text.isEmpty ? .ok : show(text))
    }
    explain(Spelling.failure(Wscope.message(for: error)))
    exit(.usage)
  }
}
