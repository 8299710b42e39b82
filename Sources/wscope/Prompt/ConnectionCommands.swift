import WebSocketProtocol

/// The commands that act on the connection.
enum ConnectionCommands {
  static let entries = [
    CommandEntry(
      name: "ping", arguments: "[data]", summary: "round-trip time",
      explanation: "Sends a ping with optional data, and prints the round-trip time.",
      parse: { rest throws(CommandError) in .ping(try control("ping", rest)) }),
    CommandEntry(
      name: "pong", arguments: "[data]", summary: "send a pong",
      explanation: "Sends an unsolicited pong.",
      parse: { rest throws(CommandError) in .pong(try control("pong", rest)) }),
    CommandEntry(
      name: "close", arguments: "[code [reason]]", summary: "close and leave",
      explanation: "Closes with 1000, or with a code from 3000 to 4999 and a reason, and leaves.",
      argument: .words(["1000", "3000", "4000"]), parse: close),
    CommandEntry(
      name: "reconnect", summary: "connect again",
      explanation: "Closes the connection and opens it again; -x messages are sent again.",
      parse: CommandEntry.plain("reconnect", .reconnect)),
    CommandEntry(
      name: "connect", arguments: "URL", summary: "another URL",
      explanation: "Closes the connection and opens one to another URL, with the same options.",
      argument: .url,
      parse: { rest throws(CommandError) in
        guard !rest.isEmpty else { throw CommandError("/connect requires a URL") }
        return .connect(rest)
      }),
    CommandEntry(
      name: "quit", summary: "close and leave",
      explanation: "Closes with 1000 and leaves, as Ctrl-D does.",
      parse: CommandEntry.plain("quit", .quit)),
  ]

  private static func control(_ name: String, _ rest: String) throws(CommandError) -> [UInt8] {
    let data = Array(rest.utf8)
    guard data.count <= 125 else {
      throw CommandError("/\(name): the data is longer than 125 bytes")
    }
    return data
  }

  @Sendable private static func close(_ rest: String) throws(CommandError) -> SlashCommand {
    guard !rest.isEmpty else { return .close(CloseFrame(.normal)) }
    let words = rest.split(separator: " ", maxSplits: 1)
    guard let number = UInt16(words[0]) else {
      throw CommandError(
        "/close: invalid close code \"\(words[0])\" (expected 1000 or 3000 to 4999)")
    }
    let code = CloseCode(rawValue: number)
    guard code.mayBeChosen else {
      throw CommandError("/close: invalid close code \(number) (expected 1000 or 3000 to 4999)")
    }
    let reason = words.count > 1 ? String(words[1]) : ""
    guard reason.utf8.count <= CloseFrame.maximumReasonLength else {
      throw CommandError("/close: the reason is longer than 123 bytes")
    }
    return .close(CloseFrame(code, reason: reason))
  }
}
