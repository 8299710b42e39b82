import WebSocketProtocol

/// A command at the prompt, its arguments understood. What each is called and how it is typed is in
/// `CommandRegistry`.
enum SlashCommand: Equatable, Sendable {
  case ping([UInt8])
  case pong([UInt8])
  case close(CloseFrame)
  case quit
  case reconnect
  /// With the URL as it was typed.
  case connect(String)

  case sendBinary([UInt8])
  /// nil: as the session sends its lines.
  case sendFile(String, MessageKind?)
  case edit(String)
  case multi
  case repeatMessage(Int, String)

  /// nil turns it over.
  case json(Bool?)
  case timestamps(Timestamps)
  case roundTrips(Bool?)
  case pause
  /// nil takes the filter away.
  case filter(String?)
  case clear

  /// The number of the message; nil for the last one.
  case save(String, Int?)
  /// nil ends the recording.
  case record(String?)
  case history(HistoryQuery)

  case info
  case headers
  case help(String?)

  enum Timestamps: Equatable, Sendable {
    case off
    case on(MessageStamps.Kind)
  }

  enum HistoryQuery: Equatable, Sendable {
    /// What was typed at this URL.
    case here
    case everywhere
    /// At this URL, with this text in it.
    case containing(String)
  }
}

/// What is wrong with a command as it was typed, in one line.
struct CommandMistake: Error, Equatable {
  var words: String

  init(_ words: String) { self.words = words }
}

/// One command: how it is typed, what it does, what Tab offers behind it.
struct CommandEntry: Sendable {
  /// What could stand as its argument.
  enum Argument: Sendable {
    case nothing
    case words([String])
    case fileName
    case url
    case command
  }

  var name: String
  /// As the list shows it: `[code [reason]]`.
  var arguments = ""
  /// A few words for the list.
  var summary: String
  /// A sentence or two for `/help NAME`.
  var explanation: String
  var argument = Argument.nothing
  /// Understands what stands behind the name, without the blanks around it.
  var parse: @Sendable (String) throws(CommandMistake) -> SlashCommand

  var call: String { arguments.isEmpty ? "/\(name)" : "/\(name) \(arguments)" }
}

extension CommandEntry {
  /// `parse` for a command without arguments.
  static func plain(
    _ name: String, _ command: SlashCommand
  ) -> @Sendable (String) throws(CommandMistake) -> SlashCommand {
    { rest throws(CommandMistake) in
      guard rest.isEmpty else { throw CommandMistake("/\(name) takes no arguments") }
      return command
    }
  }

  /// `on`, `off`, or nothing, which turns it over.
  static func toggle(_ name: String, _ rest: String) throws(CommandMistake) -> Bool? {
    switch rest {
    case "": return nil
    case "on": return true
    case "off": return false
    default: throw CommandMistake("/\(name): invalid value \"\(rest)\" (expected on or off)")
    }
  }
}
