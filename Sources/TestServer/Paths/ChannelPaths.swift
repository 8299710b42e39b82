/// `/broadcast`: the channel of the modes `broadcast` and `source`.
enum BroadcastPath {
  static let entry = TestPathEntry(
    pattern: "/broadcast", query: ["self"],
    summary:
      "Sends every message to the others here, with self=1 to its sender too; POST publishes.",
    isChannel: true
  ) { arguments throws(InvalidArgument) in
    .join(.broadcast, MemberOptions(includesSelf: try arguments.flag("self")))
  }
}

/// `/room/NAME`: a chat.
enum RoomPath {
  static let entry = TestPathEntry(
    pattern: "/room/{room}", aliases: ["/chat/{room}"], query: ["name", "format", "self"],
    summary:
      "Sends every message to the others in the room, with the sender's name; POST publishes.",
    isChannel: true
  ) { arguments throws(InvalidArgument) in
    let room = arguments.text("room") ?? ""
    guard PrintableName.isValid(room, maxLength: 64) else {
      throw InvalidArgument("room: \(PrintableName.rule(maxLength: 64))")
    }
    return .join(.room(room), try arguments.memberOptions())
  }
}

extension PathArguments {
  /// How a client takes part in a room.
  func memberOptions() throws(InvalidArgument) -> MemberOptions {
    var options = MemberOptions(name: text("name"), format: .text)
    if let name = options.name, !PrintableName.isValid(name) {
      throw InvalidArgument("name: \(PrintableName.rule())")
    }
    if let text = text("format") {
      guard let format = ChannelFormat(rawValue: text) else {
        throw InvalidArgument("format: unknown format \"\(text)\" (expected text, json or raw)")
      }
      options.format = format
    }
    options.includesSelf = try flag("self")
    return options
  }

  /// A parameter that is 1 or 0; absent is 0.
  func flag(_ name: String) throws(InvalidArgument) -> Bool {
    guard let text = text(name) else { return false }
    guard text == "0" || text == "1" else {
      throw InvalidArgument("\(name): invalid value \"\(text)\" (expected 0 or 1)")
    }
    return text == "1"
  }
}
