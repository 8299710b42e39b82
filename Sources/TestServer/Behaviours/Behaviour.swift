import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// What the server does with the messages of one connection. Each mode implements `received`.
protocol Behaviour: ConnectionConsumer {
  var client: ServedClient { get }
}

extension Behaviour {
  func opened(_ handler: ConnectionHandler) { client.opened(handler) }
  func received(control step: Step, _ machine: inout ConnectionMachine) { client.received(step) }
  func burstEnded(_ machine: inout ConnectionMachine) { client.noteActivity() }
  func closed(_ outcome: CloseOutcome) { client.closed(outcome) }
}

/// Creates the behaviour of each connection and holds what connections share.
protocol BehaviourMaker: Sendable {
  /// Creates the behaviour of one connection; called on its event loop.
  func makeBehaviour(for client: ServedClient) -> any Behaviour
  /// The maker for a client with these parameters in its URL, of which most modes have none.
  func reading(_ arguments: PathArguments) throws(InvalidArgument) -> any BehaviourMaker
  /// The maker for the connection of a request that is about to be accepted. It takes what the connection needs
  /// and is scarce, which becomes free with the returned maker and its behaviour.
  ///
  /// - Throws: `Refusal` if nothing is free.
  func admitting(
    _ request: HTTPRequest, _ target: RequestTarget, subprotocol: String?
  ) throws(Refusal) -> any BehaviourMaker
}

extension BehaviourMaker {
  func reading(_ arguments: PathArguments) throws(InvalidArgument) -> any BehaviourMaker { self }
  func admitting(
    _ request: HTTPRequest, _ target: RequestTarget, subprotocol: String?
  ) throws(Refusal) -> any BehaviourMaker { self }
}

/// Makes the behaviour of the members of a channel, to which messages can be published.
protocol ChannelMaker: BehaviourMaker {
  /// The maker for a member with such options.
  func joining(_ options: MemberOptions) -> any BehaviourMaker
  /// Sends messages that are not from a member to all members.
  ///
  /// - Parameters:
  ///   - messages: In their order.
  ///   - name: The author, for members of a room.
  ///   - loop: The loop of the future.
  /// - Returns: The number of messages sent, each counted for each member. It succeeds once the members
  ///   have caught up or have been waited for long enough.
  func publish(
    _ messages: [PublishedMessage], name: String?, on loop: any EventLoop
  ) -> EventLoopFuture<Int>
}

/// The parts of the server that behaviour makers use.
struct BehaviourContext: Sendable {
  /// The client registries, one for each event loop of the server.
  var registries: [NIOLoopBound<ClientRegistry>]
  /// Maximum number of bytes queued for one client.
  var queueLimit: Int
  var channels: Channels
  /// To be finished once a client receives what is published.
  var joined: AsyncStream<Void>.Continuation
}
