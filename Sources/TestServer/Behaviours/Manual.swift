import WebSocketNIO
import WebSocketProtocol

/// Shows messages; a person or a program answers them through `TestServer.perform`.
enum Manual {
  static let mode = ModeEntry(
    name: "manual",
    summary: "Shows every message; lines of standard input go to the clients that they name.",
    isAnsweredByHand: true, make: { _, _ in Sink.Maker() })
}
