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

  /// Most messages take the fast path of the machine; logged messages and special cases go one by
  /// one. This is not called for a client with an outlet, whose owner passes on messages one by
  /// one.
  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    repeat {
      if client.isOnlyCounting { client.received(machine.echo(&window)) }
    } while step(&window, &machine)
  }

  func burstEnded(_ machine: inout ConnectionMachine) { client.noteActivityInPlace() }

  /// Backpressure: the server does not read from a client that does not read its echoes.
  func writabilityChanged(_ isWritable: Bool) {
    client.handler?.setReading(isWritable)
  }
}
