import Conversation
import Synchronization
import TestServer
import WebSocketProtocol

/// Follows the connections of a server that ends after a number of them, for its exit status.
final class ServedConnections: Sendable {
  private let limit: Int
  private let acceptedCloses: CloseCodes?
  private let state = Mutex(State())

  private struct State {
    /// Connections that have ended.
    var ended = 0
    /// The first failure of a connection, by the number of its client.
    var failures: [Int: ExitStatus] = [:]
  }

  /// - Parameters:
  ///   - limit: Connections after which the run is over.
  ///   - acceptedCloses: Close codes of a client that are not a failure, beside 1000, 1001 and 1005.
  init(limit: Int, acceptedCloses: CloseCodes?) {
    (self.limit, self.acceptedCloses) = (limit, acceptedCloses)
  }

  /// Counts an event of the server; called on its event loops.
  ///
  /// - Returns: Whether the last connection has ended by it.
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

  /// The status of the first connection that failed, in the order of the clients.
  var status: ExitStatus {
    state.withLock { state in
      state.failures.min { $0.key < $1.key }?.value ?? .ok
    }
  }

  /// The first failure of a connection counts: a script that fails closes the connection.
  private func fail(_ client: Int, _ status: ExitStatus) {
    state.withLock { state in
      if state.failures[client] == nil { state.failures[client] = status }
    }
  }

  /// A Close that this server began is not a failure of the client.
  private func status(_ outcome: CloseOutcome) -> ExitStatus {
    switch outcome {
    case .closed(_, by: .us): .ok
    case .closed(let frame, by: .peer):
      acceptedCloses?.contains(frame.reportedCode) == true ? .ok : ExitStatus(outcome)
    case .failed, .lost: ExitStatus(outcome)
    }
  }
}
