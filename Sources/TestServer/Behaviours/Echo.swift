import WebSocketNIO
import WebSocketProtocol

/// Sends every message back to its sender.
final class Echo: Behaviour {
  static let mode = ModeEntry(
    name: "echo", summary: "Sends every message back to the client that it came from.",
    make: { _, _ in Maker() })

  struct Maker: BehaviourMaker {
    func makeBehaviour(for client: ServedClient) -> any Behaviour { Echo(client) }
  }

  let client: ServedClient

  init(_ client: ServedClient) {
    self.client = client
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    client.send(kind, payload, &machine)
  }

  /// Most messages go the short way; the others, and those that are logged, one by one. A client with an
  /// outlet does not come here: the owner of the outlet hands on its messages one by one.
  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    repeat {
      if client.isOnlyCounting { client.received(machine.echo(&window)) }
    } while step(&window, &machine)
  }

  func burstEnded(_ machine: inout ConnectionMachine) { client.noteActivityInPlace() }

  /// A client that does not read its echoes is not read from either.
  func writabilityChanged(_ isWritable: Bool) {
    client.handler?.setReading(isWritable)
  }
}
