import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Paths on which the server sends an invalid frame right after the 101 response.
enum BrokenFramePaths {
  static let all =
    [
      entry("/bad-utf8", "Sends a text message that is not UTF-8.", [0x81, 2, 0xC3, 0x28]),
      entry(
        "/bad-mask", "Sends a masked frame, which a server must not.",
        [0x81, 0x82, 1, 2, 3, 4, 0x68 ^ 1, 0x69 ^ 2]),
      entry("/rsv1", "Sends a frame with RSV1 and no extension.", [0xC1, 2, 0x68, 0x69]),
      entry(
        "/interleaved", "Sends a text message inside a fragmented one.",
        [0x01, 1, 0x61, 0x81, 1, 0x62]),
      entry(
        "/big-ping", "Sends a ping of 126 bytes.",
        [0x89, 126, 0, 126] + [UInt8](repeating: 0x2A, count: 126)),
      entry("/truncated-close", "Sends a Close with a body of one byte.", [0x88, 1, 3]),
      entry(
        "/bad-length", "Sends a length with its top bit set.",
        [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 1]),
      entry(
        "/oversize", "Sends the header of a message of 1 TiB.",
        [0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]),
      TestPathEntry(
        pattern: "/bad-opcode/{n}", summary: "Sends a frame with a reserved opcode.",
        isBroken: true
      ) { arguments throws(InvalidArgument) in
        let opcode = try arguments.number("n", in: 3...15) ?? 3
        guard !(8...10).contains(opcode) else {
          throw InvalidArgument("n: invalid number \"\(opcode)\" (expected 3 to 7, 11 to 15)")
        }
        return .accept(connection([0x80 | UInt8(opcode), 0], closesFirst: false))
      },
      TestPathEntry(
        pattern: "/close-then-data", summary: "Sends Close 1000, and a text message after it.",
        isBroken: true
      ) { _ throws(InvalidArgument) in
        .accept(connection([0x81, 4] + Array("late".utf8), closesFirst: true))
      },
    ]

  private static func entry(
    _ pattern: String, _ summary: String, _ bytes: [UInt8]
  ) -> TestPathEntry {
    TestPathEntry(pattern: pattern, summary: summary, isBroken: true) { _ throws(InvalidArgument) in
      .accept(connection(bytes, closesFirst: false))
    }
  }

  static func connection(_ bytes: [UInt8], closesFirst: Bool) -> PathConnection {
    PathConnection(
      behaviour: BrokenFrame.Maker(bytes: bytes, closesFirst: closesFirst), allowsDeflate: false)
  }
}

/// Sends bytes that `ConnectionMachine` would never send, and echoes.
private final class BrokenFrame: Behaviour {
  struct Maker: BehaviourMaker {
    var bytes: [UInt8]
    /// Whether a Close frame with code 1000 is sent before them.
    var closesFirst: Bool

    func makeBehaviour(for client: ServedClient) -> any Behaviour { BrokenFrame(client, self) }
  }

  let client: ServedClient
  private let settings: Maker

  init(_ client: ServedClient, _ settings: Maker) {
    self.client = client
    self.settings = settings
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler)
    // This cannot fail: the connection has just opened.
    try? handler.perform { machine throws(SendError) in
      if settings.closesFirst { try machine.sendClose(CloseFrame(.normal)) }
      machine.output.writeBytes(settings.bytes)
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    client.send(kind, payload, &machine)
  }

  func writabilityChanged(_ isWritable: Bool) { client.handler?.setReading(isWritable) }
}
