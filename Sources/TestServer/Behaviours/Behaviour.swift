import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// What the server does with the messages of one connection. A mode is its `received`.
protocol Behaviour: ConnectionConsumer {
  var client: ServedClient { get }
}

extension Behaviour {
  func opened(_ handler: ConnectionHandler) { client.opened(handler) }
  func burstEnded(_ machine: inout ConnectionMachine) { client.noteActivity() }
  func closed(_ outcome: CloseOutcome) { client.closed(outcome) }
}

/// Makes the behaviour of each connection, and holds what connections share.
protocol BehaviourMaker: Sendable {
  /// Called on the event loop of the connection.
  func makeBehaviour(for client: ServedClient) -> any Behaviour
}

/// What the makers of behaviours may use of the server.
struct BehaviourContext: Sendable {
  /// One for each event loop of the server.
  var registries: [NIOLoopBound<ClientRegistry>]
  /// Bytes that may wait for one client.
  var queueLimit: Int
  /// To be finished once a client receives what is published.
  var joined: AsyncStream<Void>.Continuation
}
