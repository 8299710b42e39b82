import WebSocketNIO
import WebSocketProtocol

/// Counts messages and discards them.
final class Sink: Behaviour {
  static let mode = ModeEntry(
    name: "sink", summary: "Counts every message and discards it.", onlyCounts: true,
    make: { _, _ in Maker() })

  struct Maker: BehaviourMaker {
    func makeBehaviour(for client: ServedClient) -> any Behaviour { Sink(client) }
  }

  let client: ServedClient

  init(_ client: ServedClient) {
    self.client = client
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
  }
}
