import Conversation
import Synchronization
import TestServer
import WebSocketProtocol

/// Counts the connections of a server that ends after a number of them, and determines its exit
/// status.
final class ServedConnections: Sendable {
  private let limit: Int
  private let acceptedCloses: CloseCodes?
  private let state = Mutex(State())

  private struct State {
    /// The number of connections that have ended.
    var ended = 0
    /// The first failure of each connection, by client number.
    var failures: [Int: ExitStatus] = [:]
  }

  /// - Parameters:
  ///   - limit: The number of connections after which the run ends.
  ///   - acceptedCloses: Close codes from clients that are not a failure, besides 1000, 1001 and
  ///     1005.
  init(limit: Int, acceptedCloses: CloseCodes?) {
    (self.limit, self.acceptedCloses) = (limit, acceptedCloses)
  }

  /// Counts an event of the server; called on its event loops.
  ///
  /// - Returns: Whether the event ended the last connection.
  func add(_ event: ServerEvent) -> Bool {
    switch event {
    case .script(let client, let summary):
      if case .failed = summary.result { fail(client, .expectationFailed) }
      return false
    case .closed(let client, let summary):
      let status = status(summary.outcome)
      if status != .ok { fail(client, status) }
    case .rejectedByScript: break
    default: return false
    }
    return state.withLock { state in
      state.ended += 1
      return state.ended == limit
    }
  }

  /// The status of the failed connection with the lowest client number; `.ok` if none failed.
  var status: ExitStatus {
    state.withLock { state in
      state.failures.min { $0.key < $1.key }?.value ?? .ok
    }
  }

  /// Records the first failure of a connection only: a failed script then also closes the
  /// connection.
  private func fail(_ client: Int, _ status: ExitStatus) {
    state.withLock { state in
      if state.failures[client] == nil { state.failures[client] = status }
    }
  }

  /// The exit status for the end of a connection. A Close that the server started is not a failure.
  private func status(_ outcome: CloseOutcome) -> ExitStatus {
    switch outcome {
    case .closed(_, by: .us): .ok
    case .closed(let frame, by: .peer):
      acceptedCloses?.contains(frame.reportedCode) == true ? .ok : ExitStatus(outcome)
    case .failed, .lost: ExitStatus(outcome)
    }
  }
}
