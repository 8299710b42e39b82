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
      let sent = audience.context.registries.map { registry in
        registry.eventLoop.submit { registry.value.audience.publish(messages) }
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
  /// nil while it is not open.
  private var member: BroadcastAudience.Member?

  init(_ client: ServedClient, audience: Audience) {
    self.client = client
    members = client.registry.audience
    self.audience = audience
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler) { member = members.add(client, audience.context) }
  }

  func closed(_ outcome: CloseOutcome) {
    if let member { members.remove(member) }
    member = nil
    client.closed(outcome)
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    members.add(kind, payload, except: audience.includesSender ? nil : member)
  }

  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    while step(&window, &machine) {
      // Nothing can be sent after the answer to a Close.
      if window.beginsWithClose, let member { members.writePending(to: member, &machine) }
    }
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    client.noteActivity()
    if let member { members.burstEnded(of: member, &machine) }
  }

  func writabilityChanged(_ isWritable: Bool) {
    // Its own reading is not stopped: its messages go to the others. It has caught up with theirs.
    if isWritable { members.resumeSenders() }
  }
}
