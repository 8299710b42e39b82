import Conversation

/// Handles command lines in the style of similar tools.
enum Spelling {
  static let commands = ["connect", "listen", "send", "bench"]

  /// The arguments. Swift itself would replace bytes that are not UTF-8 with U+FFFD, which would
  /// then be sent.
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

  /// Converts wscat's spellings and a bare URL to a subcommand.
  ///
  /// Only the first word is examined. A word without `.`, `:` or `/` is a command, except
  /// `localhost`; any other word that is not an option is a URL.
  ///
  /// - Throws: `CommandFailure` for an unknown command, suggesting the nearest one.
  static func normalized(_ arguments: [String]) throws -> [String] {
    // The parser does not support options with an optional value.
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
    // The parser would take the program for a port, or for an argument too many.
    if first == "listen", arguments.contains("--exec"), !arguments.contains("--"),
      !arguments.contains(where: { ["-h", "--help"].contains($0) })
    {
      throw ProgramOptions.noProgram
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

  /// The words after `help`: a topic, or none for the list of topics; nil for other command lines.
  static func helpTopic(_ arguments: [String]) -> [String]? {
    guard arguments.first == "help", !arguments.contains(where: { $0.hasPrefix("-") }) else {
      return nil
    }
    return Array(arguments.dropFirst())
  }

  /// Options with an optional value, and the value used without one.
  private static let optionalValues = [
    "--compress": CompressOption.plain, "--reconnect": ReconnectOption.plain,
    "--timestamps": MessageStamps.Kind.iso.rawValue,
  ]

  /// `--compress` alone becomes `--compress=on` and so on, except after `--` and as the value of an
  /// option that accepts any text.
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

  /// The one-line message for an error of ArgumentParser.
  static func failure(_ message: String) -> CommandFailure {
    let lines = message.split(separator: "\n").map(String.init)
    var words = lines.first ?? "invalid command line"
    if words.hasPrefix("Error: ") { words.removeFirst("Error: ".count) }
    while words.hasSuffix(".") { words.removeLast() }
    let lowered = words.prefix(1).lowercased() + words.dropFirst()
    return CommandFailure(.usage, lowered, details: ["help: wscope --help, wscope COMMAND --help"])
  }
}
