import WebSocketProtocol

/// What a line at the prompt means.
enum PromptInput: Equatable {
  case message(String)
  case command(SlashCommand)
  /// No such command, or arguments it cannot take; nothing is sent. The words say what to do.
  case mistake(String)
}

/// A command at the prompt.
enum SlashCommand: Equatable {
  case ping([UInt8])
  case pong([UInt8])
  case close(CloseFrame)
  case info
  case quit
  case help(String?)

  /// One entry of the list: name, arguments, what it does.
  struct Entry {
    var name: String
    var arguments: String
    var summary: String
  }

  static let entries = [
    Entry(name: "ping", arguments: "[data]", summary: "send a ping and tell the round-trip time"),
    Entry(name: "pong", arguments: "[data]", summary: "send a pong that nobody asked for"),
    Entry(
      name: "close", arguments: "[code [reason]]",
      summary: "close with 1000, or with another code (3000 to 4999)"),
    Entry(name: "info", arguments: "", summary: "tell about the connection"),
    Entry(name: "quit", arguments: "", summary: "close with 1000 and leave, as Ctrl-D does"),
    Entry(name: "help", arguments: "[command]", summary: "list the commands, or explain one"),
  ]

  /// Reads a line. With `usesCommands`, a `/` at its start begins a command and `//` a message
  /// that begins with `/`.
  static func parse(_ line: String, usesCommands: Bool) -> PromptInput {
    guard usesCommands, line.hasPrefix("/") else { return .message(line) }
    if line.hasPrefix("//") { return .message(String(line.dropFirst())) }
    let words = line.dropFirst().split(separator: " ", maxSplits: 1)
    let name = words.first.map(String.init) ?? ""
    let rest = words.count > 1 ? String(words[1]) : ""
    return parse(name: name, rest)
  }

  private static func parse(name: String, _ rest: String) -> PromptInput {
    switch name {
    case "ping", "pong":
      let data = Array(rest.utf8)
      guard data.count <= 125 else {
        return .mistake("/\(name): the data of a control frame has at most 125 bytes")
      }
      return .command(name == "ping" ? .ping(data) : .pong(data))
    case "close":
      return close(rest)
    case "info", "quit":
      guard rest.isEmpty else { return .mistake("/\(name) takes no arguments") }
      return .command(name == "info" ? .info : .quit)
    case "help":
      return help(rest)
    default:
      let near = Nearest.word(to: name, among: entries.map(\.name))
      let hint = near.map { "did you mean /\($0)? " } ?? ""
      return .mistake(
        "no command /\(name); \(hint)/help lists them, //\(name) sends the text")
    }
  }

  private static func help(_ rest: String) -> PromptInput {
    guard !rest.isEmpty else { return .command(.help(nil)) }
    let name = rest.hasPrefix("/") ? String(rest.dropFirst()) : rest
    guard entries.contains(where: { $0.name == name }) else {
      return .mistake("/help: no command /\(name)")
    }
    return .command(.help(name))
  }

  private static func close(_ rest: String) -> PromptInput {
    guard !rest.isEmpty else { return .command(.close(CloseFrame(.normal))) }
    let words = rest.split(separator: " ", maxSplits: 1)
    guard let number = UInt16(words[0]) else {
      return .mistake("/close: \"\(words[0])\" is no close code: 1000 or 3000 to 4999")
    }
    let code = CloseCode(rawValue: number)
    guard code.mayBeChosen else {
      return .mistake("/close: the close code must be 1000 or 3000 to 4999, not \(number)")
    }
    let reason = words.count > 1 ? String(words[1]) : ""
    guard reason.utf8.count <= CloseFrame.maximumReasonLength else {
      return .mistake("/close: the reason has at most 123 bytes")
    }
    return .command(.close(CloseFrame(code, reason: reason)))
  }

  /// The lines of `/help`.
  static func helpLines(_ name: String?) -> [String] {
    entries.filter { name == nil || $0.name == name }.map { entry in
      let call = "/\(entry.name) \(entry.arguments)"
      return "\(Figures.left(call, 26)) \(entry.summary)"
    }
  }

  /// The commands that begin like `word`, for Tab.
  static func completions(of word: String) -> [String] {
    entries.map { "/" + $0.name }.filter { $0.hasPrefix(word) }
  }
}
