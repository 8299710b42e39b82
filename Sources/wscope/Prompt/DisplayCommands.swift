/// The commands that change what is shown.
enum DisplayCommands {
  static let entries = [
    CommandEntry(
      name: "json", arguments: "[on|off]", summary: "indent JSON",
      explanation:
        "Pretty-prints JSON in colour. The order of members and the digits of numbers stay the same.",
      argument: .words(["on", "off"]),
      parse: { rest throws(CommandError) in .json(try CommandEntry.toggle("json", rest)) }),
    CommandEntry(
      name: "timestamps", arguments: "iso|rel|delta|off", summary: "",
      explanation:
        "Shows when messages arrive: iso (UTC), rel (since the start) or delta (since the last one).",
      argument: .words(["iso", "rel", "delta", "off"]), parse: timestamps),
    CommandEntry(
      name: "rtt", arguments: "[on|off]", summary: "reply times",
      explanation: "Shows the time between each sent message and the next one received.",
      argument: .words(["on", "off"]),
      parse: { rest throws(CommandError) in .roundTrips(try CommandEntry.toggle("rtt", rest)) }),
    CommandEntry(
      name: "pause", summary: "hold messages",
      explanation:
        "Holds messages back until the next /pause; the prompt counts them. Recordings continue.",
      parse: CommandEntry.plain("pause", .pause)),
    CommandEntry(
      name: "filter", arguments: "[regex]", summary: "only matches",
      explanation:
        "Shows only messages that match, and counts the others. Without a regex, shows all.",
      parse: { rest throws(CommandError) in .filter(rest.isEmpty ? nil : rest) }),
    CommandEntry(
      name: "clear", summary: "clear screen", explanation: "Clears the screen.",
      parse: CommandEntry.plain("clear", .clear)),
  ]

  @Sendable private static func timestamps(_ rest: String) throws(CommandError) -> SlashCommand {
    if rest == "off" { return .timestamps(.off) }
    if let kind = MessageStamps.Kind(rawValue: rest) { return .timestamps(.on(kind)) }
    throw CommandError(
      rest.isEmpty
        ? "/timestamps requires iso, rel, delta or off"
        : "/timestamps: invalid value \"\(rest)\" (expected iso, rel, delta or off)")
  }
}
