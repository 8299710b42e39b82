import NIOPosix
import Terminal
import WebSocketNIO

/// A connection on its way: begun at once, so that signals can be watched while it takes its time,
/// and explained if it comes to nothing.
struct OpeningConnection: Sendable {
  private let task: Task<Connection, any Error>
  private let configuration: ClientConfiguration
  private let command: String
  private let context: CommandContext

  init(
    _ configuration: ClientConfiguration, reaction: Connection.Reaction, command: String,
    _ context: CommandContext
  ) {
    self.configuration = configuration
    self.command = command
    self.context = context
    task = Task {
      try await Connection.open(
        configuration, reaction: reaction, on: MultiThreadedEventLoopGroup.singleton.next())
    }
  }

  /// The connection, once it is open; nil if it does not open.
  var connection: Connection? {
    get async { try? await task.value }
  }

  /// The connection; the failure is told and becomes the exit code.
  ///
  /// - Throws: `ExitStatus`.
  func explained() async throws(ExitStatus) -> Connection {
    do {
      return try await task.value
    } catch let error as ConnectError {
      let diagnostician = Diagnostician(
        command: command, configuration: configuration,
        escapes: context.console.standardErrorIsTerminal)
      context.explain(diagnostician.diagnose(error))
      throw ExitStatus(error)
    } catch {
      context.warn("\(error)")
      throw ExitStatus.connectFailed
    }
  }
}
