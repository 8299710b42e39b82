import Conversation
import Glibc
import NIOCore
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Writes what happens on a connection into a file, as JSON Lines. A file that cannot be written any
/// more ends the recording, not the session.
final class Recorder: Sendable {
  /// Where it records to, while it does.
  var path: String? { state.withLock { $0.sink?.name } }
  /// Whether a recording came to a bad end; the exit code of the session says so.
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
          // A reader that has left ends the session by itself.
          if case .failed(let code, _) = error { return SystemError(code: code) }
        }
      }
      return nil
    }
  }

  /// - Parameters:
  ///   - start: what the times count from.
  ///   - showsSecrets: whether the URL is recorded with its secrets.
  ///   - context: warned once when a recording fails; its standard output is the recording `-`.
  init(start: NIODeadline, showsSecrets: Bool, _ context: CommandContext) {
    self.start = start
    self.showsSecrets = showsSecrets
    self.context = context
  }

  /// Begins to record as `--record` says.
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

  /// Begins to record into a new file, a device or FIFO, or standard output (`-`); a recording that runs ends.
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

  /// - Returns: where it recorded to; nil if it did not.
  func end() -> String? {
    state.withLock { state in
      defer { state.sink = nil }
      return state.sink?.name
    }
  }

  /// From now on it is another connection.
  func connected(number: Int) { state.withLock { $0.connection = number } }

  /// Adds one line, if a recording runs; of the connection that was named last, or of this one.
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

  /// Adds what a connection says, if it belongs into a recording.
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
