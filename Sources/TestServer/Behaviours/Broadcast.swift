import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Sends every message to all other clients on all event loops, and to the sender if requested.
final class Broadcast: Behaviour {
  static let mode = ModeEntry(
    name: "broadcast", summary: "Sends every message to all other clients.",
    values: [.init(name: "all", summary: "Sends every message to the sender too.")],
    channel: .broadcast,
    make: { value, context in maker(context, includesSender: value == "all") })

  /// Makes what answers the members of the channel: without kept messages, and where slow clients are
  /// closed, the messages take a shorter path than those of other channels.
  static func maker(_ context: BehaviourContext, includesSender: Bool) -> any ChannelMaker {
    let settings = context.channels.settings
    guard settings.keptInBroadcast == 0, settings.slow == .close else {
      return ChannelMember.Maker(
        channels: context.channels, key: .broadcast, role: .sender,
        options: MemberOptions(includesSelf: includesSender))
    }
    return Maker(audience: Audience(context: context, includesSender: includesSender))
  }

  struct Maker: ChannelMaker {
    var audience: Audience

    func makeBehaviour(for client: ServedClient) -> any Behaviour {
      Broadcast(client, audience: audience)
    }

    func joining(_ options: MemberOptions) -> any BehaviourMaker {
      var maker = self
      if options.includesSelf { maker.audience.includesSender = true }
      return maker
    }

    func publish(
      _ messages: [PublishedMessage], name: String?, on loop: any EventLoop
    ) -> EventLoopFuture<Int> {
      let limit = audience.context.queueLimit
      let sent = audience.context.registries.map { registry in
        registry.eventLoop.submit {
          let audience = registry.value.audience
          var sent = 0
          for message in messages {
            message.payload.withUnsafeReadableBytes {
              audience.deliver(message.kind, $0, except: nil, queueLimit: limit)
            }
            sent += audience.openCount
          }
          _ = audience.flush()
          return sent
        }
      }
      return EventLoopFuture.whenAllSucceed(sent, on: loop).map { $0.reduce(0, +) }
    }
  }

  /// The receivers of a message.
  struct Audience: Sendable {
    var context: BehaviourContext
    var includesSender: Bool
  }

  let client: ServedClient
  private let members: BroadcastAudience
  private let audience: Audience
  /// Messages of this burst for the clients on other loops.
  private var forOtherLoops: [(kind: MessageKind, payload: ByteBuffer)] = []
  /// Bytes passed to other loops and not yet written there.
  private var pendingBytes = 0

  private static let maxPending = 1024 * 1024

  init(_ client: ServedClient, audience: Audience) {
    self.client = client
    members = client.registry.audience
    self.audience = audience
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler)
    members.add(client)
  }

  func closed(_ outcome: CloseOutcome) {
    members.remove(client)
    client.closed(outcome)
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    if audience.includesSender { client.send(kind, payload, &machine) }
    members.deliver(
      kind, payload, except: client.handler, queueLimit: audience.context.queueLimit)
    if audience.context.registries.count > 1 {
      forOtherLoops.append((kind, ByteBuffer(bytes: payload)))
    }
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    client.noteActivity()
    let isBehind = members.flush()
    passOn()
    if let handler = client.handler, isBehind || pendingBytes > Self.maxPending {
      members.pauseSender(handler)
    }
  }

  /// Passes the burst to the other loops, which report back when they have written it.
  private func passOn() {
    guard !forOtherLoops.isEmpty, let handler = client.handler else { return }
    var burst: [(kind: MessageKind, payload: ByteBuffer)] = []
    swap(&burst, &forOtherLoops)
    let size = burst.reduce(0) { $0 + $1.payload.readableBytes }
    let loop = client.registry.loop
    let home = NIOLoopBound((broadcast: self, sender: handler), eventLoop: loop)
    for other in audience.context.registries where other.eventLoop !== loop {
      pendingBytes += size
      other.eventLoop.execute { [burst, audience] in
        let members = other.value.audience
        for message in burst {
          message.payload.withUnsafeReadableBytes {
            members.deliver(
              message.kind, $0, except: nil, queueLimit: audience.context.queueLimit)
          }
        }
        let isBehind = members.flush()
        home.eventLoop.execute {
          let (broadcast, sender) = home.value
          broadcast.pendingBytes -= size
          if isBehind { broadcast.members.pauseSender(sender) }
        }
      }
    }
  }

  func writabilityChanged(_ isWritable: Bool) {
    // Its own reading is not stopped: its messages go to the others. It has caught up with theirs.
    if isWritable { members.resumeSenders() }
  }
}
