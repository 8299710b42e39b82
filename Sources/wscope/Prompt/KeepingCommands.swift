/// The commands that store something, and those that show information.
enum KeepingCommands {
  static let entries = [
    CommandEntry(
      name: "save", arguments: "file [number]", summary: "save a message",
      explanation: "Writes the last message, or the one with that number, to a new file.",
      argument: .fileName, parse: save),
    CommandEntry(
      name: "record", arguments: "file|off", summary: "record session",
      explanation:
        "Records everything sent and received to a new file, as JSON Lines, until off.",
      argument: .fileName,
      parse: { rest throws(CommandError) in
        guard !rest.isEmpty else { throw CommandError("/record requires a file name, or off") }
        return .record(rest == "off" ? nil : rest)
      }),
    CommandEntry(
      name: "history", arguments: "[all|text]", summary: "typed lines",
      explanation: "Lists lines typed at this URL, at all URLs, or those that contain a text.",
      argument: .words(["all"]),
      parse: { rest throws(CommandError) in
        .history(rest.isEmpty ? .here : rest == "all" ? .everywhere : .containing(rest))
      }),
    CommandEntry(
      name: "info", summary: "the connection",
      explanation: "Shows addresses, handshake, TLS, extensions, counters and uptime.",
      parse: CommandEntry.plain("info", .info)),
    CommandEntry(
      name: "headers", summary: "the handshake",
      explanation: "Shows the request and the response of the handshake.",
      parse: CommandEntry.plain("headers", .headers)),
    CommandEntry(
      name: "help", arguments: "[command]", summary: "explain one",
      explanation: "Lists the commands, or explains one.", argument: .command, parse: help),
  ]

  @Sendable private static func save(_ rest: String) throws(CommandError) -> SlashCommand {
    guard !rest.isEmpty else { throw CommandError("/save requires a file name") }
    guard let space = rest.lastIndex(of: " "), let number = Int(rest[rest.index(after: space)...])
    else { return .save(rest, nil) }
    let path = String(rest[..<space]).reversed().drop { $0 == " " }.reversed()
    return .save(String(path), number)
  }

  @Sendable private static func help(_ rest: String) throws(CommandError) -> SlashCommand {
    guard !rest.isEmpty else { return .help(nil) }
    let name = rest.hasPrefix("/") ? String(rest.dropFirst()) : rest
    guard CommandRegistry.entry(name) != nil else {
      throw CommandError(
        "/help: unknown command /\(name)\(CommandRegistry.suggestion(for: name))")
    }
    return .help(name)
  }
}
