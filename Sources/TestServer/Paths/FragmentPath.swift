import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// `/fragment/N`: echoes messages in fragments of N bytes (RFC 6455 section 5.4).
final class FragmentPath: Behaviour {
  static let entry = TestPathEntry(
    pattern: "/fragment/{n}",
    summary: "Echoes each message in fragments of n bytes, without compression."
  ) { arguments throws(InvalidArgument) in
    let size = try arguments.number("n", in: 1...1_000_000) ?? 1
    return .accept(PathConnection(behaviour: Maker(size: size), allowsDeflate: false))
  }

  struct Maker: BehaviourMaker {
    /// Bytes of payload in a fragment, at least 1.
    var size: Int

    func makeBehaviour(for client: ServedClient) -> any Behaviour { FragmentPath(client, size) }
  }

  let client: ServedClient
  private let size: Int

  init(_ client: ServedClient, _ size: Int) {
    self.client = client
    self.size = size
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    var opcode: UInt8 = kind == .text ? 1 : 2
    var rest = payload[...]
    repeat {
      let part = rest.prefix(size)
      rest = rest.dropFirst(part.count)
      machine.output.writeInteger(opcode | (rest.isEmpty ? 0x80 : 0))
      switch part.count {
      case ..<126: machine.output.writeInteger(part.count.truncatedToUInt8)
      case ..<65536:
        machine.output.writeInteger(UInt8(126))
        machine.output.writeInteger(part.count.truncatedToUInt16)
      default:
        machine.output.writeInteger(UInt8(127))
        machine.output.writeInteger(part.count.asUInt64)
      }
      machine.output.writeBytes(part)
      // What follows is a continuation.
      opcode = 0
    } while !rest.isEmpty
  }

  func writabilityChanged(_ isWritable: Bool) { client.handler?.setReading(isWritable) }
}
