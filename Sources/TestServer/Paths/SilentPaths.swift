import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// `/silent` and `/half-close`: the server sends no frames after the 101 response.
final class SilentPaths: Behaviour {
  static let all = [
    TestPathEntry(
      pattern: "/silent", summary: "Reads on, but sends no message, pong or Close.", isBroken: true
    ) { _ throws(InvalidArgument) in
      .accept(PathConnection(behaviour: Maker(endsOutput: false), allowsDeflate: false))
    },
    TestPathEntry(
      pattern: "/half-close", summary: "Sends FIN without a Close frame, and reads on.",
      isBroken: true
    ) { _ throws(InvalidArgument) in
      .accept(PathConnection(behaviour: Maker(endsOutput: true), allowsDeflate: false))
    },
  ]

  struct Maker: BehaviourMaker {
    /// Whether the output ends with a FIN.
    var endsOutput: Bool

    func makeBehaviour(for client: ServedClient) -> any Behaviour {
      SilentPaths(client, endsOutput: endsOutput)
    }
  }

  let client: ServedClient
  private let endsOutput: Bool

  init(_ client: ServedClient, endsOutput: Bool) {
    self.client = client
    self.endsOutput = endsOutput
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler)
    if endsOutput { handler.closeOutput() }
  }

  /// Discards all bytes before the machine, which would reply to pings and Close frames.
  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {}

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {}
}

/// `/no-pong`: an echo that does not answer pings.
final class NoPongPath: Behaviour {
  static let entry = TestPathEntry(
    pattern: "/no-pong", summary: "Echoes, but does not answer pings.", isBroken: true
  ) { _ throws(InvalidArgument) in
    .accept(PathConnection(behaviour: Maker(), allowsDeflate: false))
  }

  struct Maker: BehaviourMaker {
    func makeBehaviour(for client: ServedClient) -> any Behaviour { NoPongPath(client) }
  }

  let client: ServedClient

  init(_ client: ServedClient) {
    self.client = client
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler)
    try? handler.prepare { machine throws(SendError) in machine.answersPings = false }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    client.send(kind, payload, &machine)
  }

  func writabilityChanged(_ isWritable: Bool) { client.handler?.setReading(isWritable) }
}
