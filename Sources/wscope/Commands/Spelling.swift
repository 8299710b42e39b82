import Conversation

/// What people type that is not quite a command line of ours.
enum Spelling {
  static let commands = ["connect", "listen", "send", "bench"]

  /// What was typed. Swift by itself would put U+FFFD for bytes that are no UTF-8, and they would be
  /// sent.
  ///
  /// - Throws: `CommandFailure` for an argument that is not UTF-8.
  static func arguments() throws -> [String] {
    try (1..<max(1, Int(CommandLine.argc))).map { index in
      guard let argument = CommandLine.unsafeArgv[index] else { return "" }
      guard let text = String(validatingCString: argument) else {
        throw CommandFailure(.usage, "argument \(index) is not valid UTF-8")
      }
      return text
    }
  }

  /// Turns wscat's spellings and a bare URL into a subcommand.
  ///
  /// Only the first word is looked at. A word without `.`, `:` or `/` is a command, except
  /// `localhost`; anything else that is no option is a URL.
  ///
  /// - Throws: `CommandFailure` for a word that is no command, with the nearest one.
  static func normalized(_ arguments: [String]) throws -> [String] {
    // The parser knows no option whose value may be left out.
    let arguments = withOptionalValues(arguments)
    guard let first = arguments.first else { return ["--help"] }
    let rest = Array(arguments.dropFirst())
    switch first {
    case "-c": return ["connect"] + rest
    case "-l": return ["listen"] + rest
    case "-V": return ["--version"]
    case "-p", "-n":
      throw CommandFailure(
        .usage, "\(first) is ambiguous: wscat and websocat use it for different things",
        details: [
          first == "-p" ? "try: --subprotocol NAME, or wscope listen PORT" : "try: --insecure"
        ])
    default: break
    }
    guard !first.hasPrefix("-"), !commands.contains(first), first != "help" else {
      return arguments
    }
    if first == "localhost" || first.contains(where: { ".:/".contains($0) }) {
      return ["connect"] + arguments
    }
    let near = Nearest.word(to: first, among: commands)
    throw CommandFailure(
      .usage, "unknown command \"\(first)\"",
      details: [
        near.map { "did you mean: wscope \($0)" }
          ?? "commands: \(commands.joined(separator: ", ")); wscope URL connects"
      ])
  }

  /// What follows `help`: the words of a topic, none for the list of topics.
  static func helpTopic(_ arguments: [String]) -> [String]? {
    guard arguments.first == "help", !arguments.contains(where: { $0.hasPrefix("-") }) else {
      return nil
    }
    return Array(arguments.dropFirst())
  }

  /// Options whose value may be left out, and what they mean without it.
  private static let optionalValues = [
    "--compress": CompressOption.plain, "--reconnect": ReconnectOption.plain,
    "--timestamps": MessageStamps.Kind.iso.rawValue,
  ]

  /// `--compress` alone becomes `--compress=on` and so on, except behind `--` and where it is the
  /// value of an option that takes whatever stands behind it.
  private static func withOptionalValues(_ arguments: [String]) -> [String] {
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    return arguments.indices.map { index in
      let isValue = index > 0 && arguments[index - 1] == "--expect"
      guard let value = optionalValues[arguments[index]], index < end, !isValue else {
        return arguments[index]
      }
      return "\(arguments[index])=\(value)"
    }
  }

  /// The one line for what ArgumentParser has found wrong.
  static func failure(_ message: String) -> CommandFailure {
    let lines = message.split(separator: "\n").map(String.init)
    var words = lines.first ?? "invalid command line"
    if words.hasPrefix("Error: ") { words.removeFirst("Error: ".count) }
    while words.hasSuffix(".") { words.removeLast() }
    let lowered = words.prefix(1).lowercased() + words.dropFirst()
    return CommandFailure(.usage, lowered, details: ["help: wscope --help, wscope COMMAND --help"])
  }
}
