import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Sends to each client what the server publishes, and discards what clients send.
enum Source {
  static let mode = ModeEntry(
    name: "source",
    summary: "Sends each line of standard input to all clients and discards their messages.",
    isFed: true, channel: .broadcast,
    make: { _, context in
      ChannelMember.Maker(
        channels: context.channels, key: .broadcast, role: .listener,
        joined: { context.joined.finish() })
    })
}
