import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Sends every message to all other clients on all event loops, and to the sender if requested.
final class Broadcast: Behaviour {
  static let mode = ModeEntry(
    name: "broadcast", summary: "Sends every message to all other clients.",
    values: [.init(name: "all", summary: "Sends every message to the sender too.")],
    make: { value, context in
      Maker(audience: Audience(context: context, includesSender: value == "all"))
    })

  struct Maker: BehaviourMaker {
    var audience: Audience

    func makeBehaviour(for client: ServedClient) -> any Behaviour {
      Broadcast(client, audience: audience)
    }
  }

  /// The receivers of a message.
  struct Audience: Sendable {
    var context: BehaviourContext
    var includesSender: Bool
  }

  let client: ServedClient
  private let registry: ClientRegistry
  private let audience: Audience
  /// Messages of this burst for the clients on other loops.
  private var forOtherLoops: [(kind: MessageKind, payload: ByteBuffer)] = []
  /// Bytes passed to other loops and not yet written there.
  private var pendingBytes = 0

  private static let maxPending = 1024 * 1024

  init(_ client: ServedClient, audience: Audience) {
    self.client = client
    registry = client.registry
    self.audience = audience
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    if audience.includesSender { client.send(kind, payload, &machine) }
    registry.deliver(
      kind, payload, except: client.handler, queueLimit: audience.context.queueLimit)
    if audience.context.registries.count > 1 {
      forOtherLoops.append((kind, ByteBuffer(bytes: payload)))
    }
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    client.noteActivity()
    let isBehind = registry.flush()
    passOn()
    if let handler = client.handler, isBehind || pendingBytes > Self.maxPending {
      registry.pauseSender(handler)
    }
  }

  /// Passes the burst to the other loops, which report back when they have written it.
  private func passOn() {
    guard !forOtherLoops.isEmpty, let handler = client.handler else { return }
    var burst: [(kind: MessageKind, payload: ByteBuffer)] = []
    swap(&burst, &forOtherLoops)
    let size = burst.reduce(0) { $0 + $1.payload.readableBytes }
    let home = NIOLoopBound((broadcast: self, sender: handler), eventLoop: registry.loop)
    for other in audience.context.registries where other.eventLoop !== registry.loop {
      pendingBytes += size
      other.eventLoop.execute { [burst, audience] in
        let registry = other.value
        for message in burst {
          message.payload.withUnsafeReadableBytes {
            registry.deliver(
              message.kind, $0, except: nil, queueLimit: audience.context.queueLimit)
          }
        }
        let isBehind = registry.flush()
        home.eventLoop.execute {
          let (broadcast, sender) = home.value
          broadcast.pendingBytes -= size
          if isBehind { broadcast.registry.pauseSender(sender) }
        }
      }
    }
  }

  func writabilityChanged(_ isWritable: Bool) {
    // The client keeps being read, since its messages go to others. If it is writable again, it has
    // caught up with the messages of the paused senders.
    if isWritable { registry.resumeSenders() }
  }
}
