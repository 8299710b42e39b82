import WebSocketNIO
import WebSocketProtocol

/// Sends published messages to each client and discards messages from clients.
final class Source: Behaviour {
  static let mode = ModeEntry(
    name: "source",
    summary: "Sends each line of standard input to all clients and discards their messages.",
    isFed: true, make: { _, context in Maker(joined: context.joined) })

  struct Maker: BehaviourMaker {
    /// Finished when the first client opens.
    var joined: AsyncStream<Void>.Continuation

    func makeBehaviour(for client: ServedClient) -> any Behaviour { Source(client, joined) }
  }

  let client: ServedClient
  private let joined: AsyncStream<Void>.Continuation

  init(_ client: ServedClient, _ joined: AsyncStream<Void>.Continuation) {
    self.client = client
    self.joined = joined
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler)
    client.registry.channel.join(client)
    joined.finish()
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
  }

  func closed(_ outcome: CloseOutcome) {
    client.registry.channel.leave(client)
    client.closed(outcome)
  }
}
