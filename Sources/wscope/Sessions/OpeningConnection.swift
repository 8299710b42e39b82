import NIOPosix
import Terminal
import WebSocketNIO

/// A connection being opened. It starts at once, which allows signals to be handled in the
/// meantime, and a failure is diagnosed.
struct OpeningConnection: Sendable {
  private let task: Task<Connection, any Error>
  private let endpoint: RedirectedEndpoint
  private let command: String
  private let patience: WaitUp?
  private let context: CommandContext
  private let isVerbose: Bool
  /// The heads of the handshake, for a diagnosis if it fails.
  let transcript = HandshakeTranscript()

  init(
    _ configuration: ClientConfiguration, reaction: Connection.Reaction, command: String,
    patience: WaitUp? = nil, isVerbose: Bool, _ context: CommandContext
  ) {
    self.isVerbose = isVerbose
    self.command = command
    self.patience = patience
    self.context = context
    endpoint = RedirectedEndpoint(configuration)
    var configuration = endpoint.watching(configuration)
    configuration.transcript = transcript
    let first = configuration
    task = Task {
      let open: @Sendable (ClientConfiguration) async throws -> Connection = {
        try await Connection.open(
          $0, reaction: reaction, on: MultiThreadedEventLoopGroup.singleton.next())
      }
      guard let patience else { return try await open(first) }
      return try await patience.open(first, open)
    }
  }

  /// The connection, once it is open; nil if it does not open.
  var connection: Connection? {
    get async { try? await task.value }
  }

  /// The result, without reporting it.
  var result: Result<Connection, ConnectError> {
    get async {
      do {
        return .success(try await task.value)
      } catch {
        return .failure(error as? ConnectError ?? .unresolved(host: "", message: "\(error)"))
      }
    }
  }

  /// Reports why the connection could not be opened.
  ///
  /// - Returns: the exit code.
  func explain(_ error: ConnectError) -> ExitStatus {
    context.explain(diagnosis(of: error))
    return ExitStatus(error)
  }

  func diagnosis(of error: ConnectError) -> Diagnosis {
    var diagnosis = Diagnostician(
      command: command, configuration: endpoint.configuration, isVerbose: isVerbose
    ).diagnose(error)
    if let patience, patience.isWaitedOut(error) {
      diagnosis.details.append("waited: \(Figures.shortDuration(patience.limit)) (--wait-up)")
    }
    return diagnosis
  }
}
