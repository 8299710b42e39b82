import Conversation
import Glibc
import NIOCore
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Writes the events of a connection to a file, as JSON Lines. If the file cannot be written any
/// more, the recording ends, but not the session.
final class Recorder: Sendable {
  /// The name of the recording, while there is one.
  var path: String? { state.withLock { $0.sink?.name } }
  /// Whether a recording has failed; the exit code of the session then says so.
  var hasFailed: Bool { state.withLock { $0.hasFailed } }

  private let start: NIODeadline
  let showsSecrets: Bool
  private let context: CommandContext
  private let state = Mutex(State())

  private struct State: Sendable {
    var sink: Sink?
    var hasFailed = false
    var connection = 1
  }

  private enum Sink: Sendable {
    case file(AppendedFile)
    case standardOutput(Console)

    var name: String {
      switch self {
      case .file(let file): file.path
      case .standardOutput: "standard output"
      }
    }

    /// - Returns: why the line could not be written, or nil.
    func append(_ line: [UInt8]) -> SystemError? {
      switch self {
      case .file(let file):
        do throws(SystemError) { try file.append(line) } catch { return error }
      case .standardOutput(let console):
        do throws(OutputError) { try console.payload(line) } catch {
          // A closed stream ends the session elsewhere.
          if case .failed(let code, _) = error { return SystemError(code: code) }
        }
      }
      return nil
    }
  }

  /// - Parameters:
  ///   - start: the time from which times are counted.
  ///   - showsSecrets: whether secrets in the URL are recorded.
  ///   - context: warns once when a recording fails; its standard output is the recording `-`.
  init(start: NIODeadline, showsSecrets: Bool, _ context: CommandContext) {
    self.start = start
    self.showsSecrets = showsSecrets
    self.context = context
  }

  /// Starts the recording of `--record`.
  ///
  /// - Throws: `CommandFailure`.
  func begin(_ recording: RecordingConfiguration, url: String) throws {
    do {
      try begin(recording.path, overwriting: recording.overwrites, url: url)
    } catch var failure as CommandFailure where failure.status == .usage {
      failure.details = ["hint: --force overwrites it"]
      throw failure
    }
  }

  /// Starts recording to a new file, a device or FIFO, or standard output (`-`); ends any current
  /// recording.
  ///
  /// - Throws: `CommandFailure`.
  func begin(_ path: String, overwriting: Bool = false, url: String) throws {
    let sink: Sink =
      path == "-"
      ? .standardOutput(context.console) : .file(try AppendedFile(path, overwriting: overwriting))
    state.withLock { $0.sink = sink }
    let started = UTCTime(UTCTime.now).text
    write { $0.recording(url: showsSecrets ? url : Redaction.url(url), started: started) }
  }

  /// - Returns: the name of the recording; nil if there was none.
  func end() -> String? {
    state.withLock { state in
      defer { state.sink = nil }
      return state.sink?.name
    }
  }

  /// Sets the number of the current connection.
  func connected(number: Int) { state.withLock { $0.connection = number } }

  /// Adds one line, if there is a recording, for `connection` or for the current connection.
  func write(connection: Int? = nil, _ line: (JSONLines) -> [UInt8]) {
    let failure = state.withLock { state -> String? in
      guard let sink = state.sink else { return nil }
      let bytes = line(JSONLines(start: start, connection: connection ?? state.connection))
      guard let error = sink.append(bytes) else { return nil }
      state.sink = nil
      state.hasFailed = true
      return "cannot write \(sink.name): \(error.reason); recording stopped"
    }
    if let failure { context.warn(failure) }
  }

  /// Adds an event of a connection, if events of its kind are recorded.
  func write(_ event: ConnectionEvent, connection: Int? = nil) {
    switch event {
    case .message(let kind, let payload, let wire, let time):
      write(connection: connection) { $0.received(kind, payload, wire: wire, time: time) }
    case .ping(let payload, let time):
      write(connection: connection) {
        $0.ping(.incoming, Array(payload.readableBytesView), time: time)
      }
    case .pong(let payload, let time):
      write(connection: connection) {
        $0.pong(.incoming, Array(payload.readableBytesView), time: time)
      }
    case .pinged(let payload, let time):
      write(connection: connection) {
        $0.ping(.outgoing, Array(payload.readableBytesView), time: time)
      }
    case .ended(let outcome, _, _):
      write(connection: connection) { $0.ended(outcome) }
    case .close, .violation, .frame, .linted:
      break
    }
  }
}
