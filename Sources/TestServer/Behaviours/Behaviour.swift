import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// What the server does with the messages of one connection. Each mode implements `received`.
protocol Behaviour: ConnectionConsumer {
  var client: ServedClient { get }
}

extension Behaviour {
  func opened(_ handler: ConnectionHandler) { client.opened(handler) }
  func burstEnded(_ machine: inout ConnectionMachine) { client.noteActivity() }
  func closed(_ outcome: CloseOutcome) { client.closed(outcome) }
}

/// Creates the behaviour of each connection and holds what connections share.
protocol BehaviourMaker: Sendable {
  /// Creates the behaviour of one connection; called on its event loop.
  func makeBehaviour(for client: ServedClient) -> any Behaviour
}

/// The parts of the server that behaviour makers use.
struct BehaviourContext: Sendable {
  /// The client registries, one for each event loop of the server.
  var registries: [NIOLoopBound<ClientRegistry>]
  /// Maximum number of bytes queued for one client.
  var queueLimit: Int
  /// Finished when the first client subscribes to what the server publishes.
  var joined: AsyncStream<Void>.Continuation
}
