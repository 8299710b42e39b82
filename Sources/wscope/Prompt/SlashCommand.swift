import WebSocketProtocol

/// A parsed command at the prompt. The names of commands and their syntax are in `CommandRegistry`.
enum SlashCommand: Equatable, Sendable {
  case ping([UInt8])
  case pong([UInt8])
  case close(CloseFrame)
  case quit
  case reconnect
  /// The URL as it was typed.
  case connect(String)

  case sendBinary([UInt8])
  /// A nil kind means the session's.
  case sendFile(String, MessageKind?)
  case edit(String)
  case multi
  case repeatMessage(Int, String)

  /// nil toggles the setting.
  case json(Bool?)
  case timestamps(Timestamps)
  case roundTrips(Bool?)
  case pause
  /// nil removes the filter.
  case filter(String?)
  case clear

  /// The number of the message; nil means the last one.
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
    /// Lines typed at this URL.
    case here
    case everywhere
    /// Lines typed at this URL that contain this text.
    case containing(String)
  }
}

/// The error in a typed command, in one line.
struct CommandError: Error, Equatable {
  var message: String

  init(_ message: String) { self.message = message }
}

/// One command: its syntax, its effect, and its completion.
struct CommandEntry: Sendable {
  /// The kind of the command's argument, for completion.
  enum Argument: Sendable {
    case nothing
    case words([String])
    case fileName
    case url
    case command
  }

  var name: String
  /// The arguments as shown in the list: `[code [reason]]`.
  var arguments = ""
  /// A few words for the list.
  var summary: String
  /// A sentence or two for `/help NAME`.
  var explanation: String
  var argument = Argument.nothing
  /// Parses the text after the name, without surrounding spaces.
  var parse: @Sendable (String) throws(CommandError) -> SlashCommand

  var call: String { arguments.isEmpty ? "/\(name)" : "/\(name) \(arguments)" }
}

extension CommandEntry {
  /// `parse` for a command without arguments.
  static func plain(
    _ name: String, _ command: SlashCommand
  ) -> @Sendable (String) throws(CommandError) -> SlashCommand {
    { rest throws(CommandError) in
      guard rest.isEmpty else { throw CommandError("/\(name) takes no arguments") }
      return command
    }
  }

  /// Parses `on`, `off`, or nothing, which toggles.
  static func toggle(_ name: String, _ rest: String) throws(CommandError) -> Bool? {
    switch rest {
    case "": return nil
    case "on": return true
    case "off": return false
    default: throw CommandError("/\(name): invalid value \"\(rest)\" (expected on or off)")
    }
  }
}
