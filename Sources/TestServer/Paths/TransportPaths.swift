import Conversation
import NIOHTTP1
import WebSocketProtocol

/// `/t/`: the same updates by WebSocket, server-sent events, polls and long polls, and the same echo by
/// WebSocket and POST, for a comparison. Only with `TestServerConfiguration.hasTransports`.
enum TransportPaths {
  static let all = [publish, webSocket, eventStream, poll, longPoll, echo]

  /// The first segment of them all.
  static let segment = "t"

  private static let publish = TestPathEntry(
    pattern: "/t/publish", query: ["channel"],
    summary: "Publishes the body of a POST, one line of text, as an update of the channel.",
    exchange: .POST
  ) { arguments throws(InvalidArgument) in
    try arguments.exchange(.publish(channel: try arguments.channel()))
  }

  private static let webSocket = TestPathEntry(
    pattern: "/t/ws", query: ["channel"], summary: "Sends each update as one text message."
  ) { arguments throws(InvalidArgument) in
    .join(.updates(try arguments.channel()), MemberOptions())
  }

  private static let eventStream = TestPathEntry(
    pattern: "/t/sse", query: ["channel"],
    summary: "Sends each update as a server-sent event; Last-Event-ID resumes after a number.",
    isEventStream: true, exchange: .GET
  ) { arguments throws(InvalidArgument) in
    try arguments.exchange(.stream(channel: try arguments.channel()))
  }

  private static let poll = TestPathEntry(
    pattern: "/t/poll", query: ["channel", "since"],
    summary: "Answers a GET with all updates after a number, or with 204 if there are none.",
    exchange: .GET
  ) { arguments throws(InvalidArgument) in
    try arguments.exchange(
      .poll(channel: try arguments.channel(), since: try arguments.since(), wait: nil))
  }

  private static let longPoll = TestPathEntry(
    pattern: "/t/longpoll", query: ["channel", "since", "wait"],
    summary: "The same, but waits for an update, by default 30 s and at most 120 s.",
    exchange: .GET
  ) { arguments throws(InvalidArgument) in
    try arguments.exchange(
      .poll(
        channel: try arguments.channel(), since: try arguments.since(),
        wait: try arguments.wait()))
  }

  private static let echo = TestPathEntry(
    pattern: "/t/echo", summary: "Sends every message back, and the body of a POST too.",
    exchange: .POST
  ) { arguments throws(InvalidArgument) in
    guard arguments.method != "POST" else { return .exchange(.echo) }
    return .accept(PathConnection(behaviour: Echo.Maker(), messageLimit: Updates.maxUpdate))
  }
}

extension PathArguments {
  /// An exchange without an upgrade.
  ///
  /// - Throws: If the request is an upgrade.
  fileprivate func exchange(_ exchange: UpdateRequest) throws(InvalidArgument) -> PathAction {
    let expected =
      switch exchange {
      case .publish, .echo: "POST"
      case .stream, .poll: "GET without Upgrade"
      }
    guard offersUpgrade else { return .exchange(exchange) }
    throw InvalidArgument("\(target.path) is not a WebSocket path; it expects \(expected)")
  }

  private var offersUpgrade: Bool { fields.contains(name: "Upgrade") || method == "CONNECT" }

  fileprivate func channel() throws(InvalidArgument) -> String {
    let name = text("channel") ?? "0"
    guard PrintableName.isValid(name, maxLength: 64) else {
      throw InvalidArgument("channel: \(PrintableName.rule(maxLength: 64))")
    }
    return name
  }

  fileprivate func since() throws(InvalidArgument) -> UInt64? {
    try number("since", in: 0...Int.max).map { UInt64(clamping: $0) }
  }

  /// In nanoseconds.
  fileprivate func wait() throws(InvalidArgument) -> Int64 {
    guard let text = text("wait") else { return 30_000_000_000 }
    guard let wait = Duration.nanoseconds(text), wait <= 120_000_000_000 else {
      throw InvalidArgument("wait: invalid duration \"\(text)\" (expected 30s; at most 120s)")
    }
    return wait
  }
}
