/// The commands that change what is shown.
enum DisplayCommands {
  static let entries = [
    CommandEntry(
      name: "json", arguments: "[on|off]", summary: "indent JSON",
      explanation: "Shows JSON indented and coloured. Order and numbers stay as they came.",
      argument: .words(["on", "off"]),
      parse: { rest throws(CommandMistake) in .json(try CommandEntry.toggle("json", rest)) }),
    CommandEntry(
      name: "timestamps", arguments: "iso|rel|delta|off", summary: "",
      explanation:
        "Shows when messages come: iso in UTC, rel since the start, delta since the one before.",
      argument: .words(["iso", "rel", "delta", "off"]), parse: timestamps),
    CommandEntry(
      name: "rtt", arguments: "[on|off]", summary: "time of replies",
      explanation: "Shows the time between a message sent and the next one that comes.",
      argument: .words(["on", "off"]),
      parse: { rest throws(CommandMistake) in .roundTrips(try CommandEntry.toggle("rtt", rest)) }),
    CommandEntry(
      name: "pause", summary: "hold messages",
      explanation:
        "Holds messages back, counted in the prompt; once more shows them. Recordings go on.",
      parse: CommandEntry.plain("pause", .pause)),
    CommandEntry(
      name: "filter", arguments: "[regex]", summary: "only matches",
      explanation: "Shows only messages that match; the hidden ones are counted. Alone: shows all.",
      parse: { rest throws(CommandMistake) in .filter(rest.isEmpty ? nil : rest) }),
    CommandEntry(
      name: "clear", summary: "empty screen", explanation: "Empties the screen.",
      parse: CommandEntry.plain("clear", .clear)),
  ]

  @Sendable private static func timestamps(_ rest: String) throws(CommandMistake) -> SlashCommand {
    if rest == "off" { return .timestamps(.off) }
    if let kind = MessageStamps.Kind(rawValue: rest) { return .timestamps(.on(kind)) }
    throw CommandMistake(
      rest.isEmpty
        ? "/timestamps needs iso, rel, delta or off"
        : "/timestamps: iso, rel, delta or off, not \"\(rest)\"")
  }
}
