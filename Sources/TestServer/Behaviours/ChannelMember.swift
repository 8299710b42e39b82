import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// A client in a channel: receives what happens there, and adds to it.
final class ChannelMember: Behaviour {
  /// What becomes of the messages of a member.
  enum Role {
    /// They are counted.
    case listener
    /// They go to the other members.
    case sender
    /// They go to the other members, unless they are commands.
    case speaker
  }

  struct Maker: ChannelMaker {
    var channels: Channels
    var key: ChannelKey
    var role: Role
    var options = MemberOptions()
    /// Called when a member has joined.
    var joined: @Sendable () -> Void = {}

    func makeBehaviour(for client: ServedClient) -> any Behaviour { ChannelMember(client, self) }

    func joining(_ options: MemberOptions) -> any BehaviourMaker {
      var maker = self
      maker.options = options
      maker.options.includesSelf = options.includesSelf || self.options.includesSelf
      return maker
    }

    func publish(
      _ messages: [PublishedMessage], name: String?, on loop: any EventLoop
    ) -> EventLoopFuture<Int> {
      EventLoopFuture.whenAllSucceed(channels.publish(messages, to: key, name: name), on: loop)
        .map { $0.reduce(0, +) }
    }
  }

  let client: ServedClient
  private let settings: Maker
  /// What this burst has brought.
  private var inputs: [Channels.Input] = []
  private var inputBytes = 0
  /// Bytes handed to the channel that its members have not taken.
  private var pendingBytes = 0
  private var isPaused = false

  private static let maxPending = 256 * 1024

  init(_ client: ServedClient, _ settings: Maker) {
    self.client = client
    self.settings = settings
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler) {
      settings.channels.join(settings.key, client, settings.options)
      settings.joined()
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    let format = settings.options.format
    switch settings.role {
    case .listener: return
    case .speaker where kind == .text && format != .raw:
      switch ChatInput(String(decoding: payload, as: UTF8.self)) {
      case .text(let text): inputs.append(.message(PublishedMessage(.text, Array(text.utf8))))
      case .rename(let name): inputs.append(.rename(name))
      case .who: inputs.append(.who)
      case .invalid(let problem): reply(.problem(problem), &machine)
      }
    case .sender, .speaker:
      inputs.append(.message(PublishedMessage(kind, ByteBuffer(bytes: payload))))
    }
    inputBytes += payload.count
  }

  private func reply(_ reply: ChatReply, _ machine: inout ConnectionMachine) {
    let message = reply.rendered(as: settings.options.format)
    message.payload.withUnsafeReadableBytes { client.send(message.kind, $0, &machine) }
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    client.noteActivity()
    guard !inputs.isEmpty else { return }
    let (replies, sent) = settings.channels.perform(
      inputs, by: client.number, in: settings.key)
    for one in replies { reply(one, &machine) }
    waitFor(sent, bytes: inputBytes)
    inputs = []
    inputBytes = 0
  }

  /// Pauses the client while the members are behind.
  private func waitFor(_ sent: [EventLoopFuture<Int>], bytes: Int) {
    pendingBytes += bytes
    if pendingBytes > Self.maxPending {
      isPaused = true
      client.handler?.setReading(false)
    }
    EventLoopFuture.andAllComplete(sent, on: client.registry.loop).assumeIsolated().whenComplete {
      _ in
      self.pendingBytes -= bytes
      guard self.isPaused, self.pendingBytes <= Self.maxPending / 2 else { return }
      self.isPaused = false
      self.client.handler?.setReading(true)
    }
  }

  func closed(_ outcome: CloseOutcome) {
    settings.channels.leave(settings.key, client)
    client.closed(outcome)
  }
}
