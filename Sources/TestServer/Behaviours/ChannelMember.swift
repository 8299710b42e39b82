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
  var channels: Channels { settings.channels }
  var key: ChannelKey { settings.key }
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
      case .invalid(let problem): inputs.append(.invalid(problem: problem))
      }
    case .sender, .speaker:
      inputs.append(.message(PublishedMessage(kind, ByteBuffer(bytes: payload))))
    }
    inputBytes += payload.count
  }

  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    while step(&window, &machine) {
      // Nothing can be sent after the answer to a Close.
      guard window.beginsWithClose else { continue }
      for reply in performNow() { send(reply, &machine) }
    }
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    client.noteActivity()
    guard !inputs.isEmpty else { return }
    pendingBytes += inputBytes
    if pendingBytes > Self.maxPending {
      isPaused = true
      client.handler?.setReading(false)
    }
    client.registry.turn.add(inputs, bytes: inputBytes, from: self)
    inputs = []
    inputBytes = 0
  }

  /// Performs what it has sent so far, before the end of the turn.
  private func performNow() -> [ChatReply] {
    let earlier = client.registry.turn.remove(self)
    pendingBytes -= earlier.bytes
    let all = earlier.inputs + inputs
    inputs = []
    inputBytes = 0
    guard !all.isEmpty else { return [] }
    let part = Channels.Inputs(author: client.number, inputs: all)
    return settings.channels.perform([part], in: settings.key).replies.flatMap(\.self)
  }

  /// Sends what the channel has answered.
  func receive(_ replies: [ChatReply]) {
    guard !replies.isEmpty else { return }
    try? client.handler?.perform { machine throws(SendError) in
      for reply in replies { send(reply, &machine) }
    }
  }

  private func send(_ reply: ChatReply, _ machine: inout ConnectionMachine) {
    let message = reply.rendered(as: settings.options.format)
    message.payload.withUnsafeReadableBytes { client.send(message.kind, $0, &machine) }
  }

  /// The members have taken what it has sent; it was paused while they were behind.
  func performed(bytes: Int) {
    pendingBytes -= bytes
    guard isPaused, pendingBytes <= Self.maxPending / 2 else { return }
    isPaused = false
    client.handler?.setReading(true)
  }

  func closed(_ outcome: CloseOutcome) {
    // Its messages come before the line that it has left.
    _ = performNow()
    settings.channels.leave(settings.key, client)
    client.closed(outcome)
  }
}
