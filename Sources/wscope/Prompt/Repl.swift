/// Interprets lines at the prompt, depending on a small state. It has no side effects: input in,
/// effects out.
struct Repl: Equatable {
  enum Effect: Equatable {
    case send(String)
    case perform(SlashCommand)
    /// An error message, in one line; nothing is sent.
    case warn(String)
    case inform(String)
    /// Close the connection and leave.
    case leave
  }

  private let usesCommands: Bool
  /// The lines of `/multi` so far; nil outside it.
  private var lines: [String]?

  init(usesCommands: Bool) { self.usesCommands = usesCommands }

  /// Whether the lines of one message are being collected.
  var isCollecting: Bool { lines != nil }

  mutating func line(_ line: String) -> Effect? {
    if lines != nil { return collect(line) }
    guard usesCommands, line.hasPrefix("/") else {
      // An empty line is most likely a typing error, not a message.
      return line.isEmpty ? nil : .send(line)
    }
    if line.hasPrefix("//") { return .send(String(line.dropFirst())) }
    do throws(CommandError) {
      let command = try CommandRegistry.parse(line)
      guard command == .multi else { return .perform(command) }
      lines = []
      return .inform("/end or Ctrl-D sends the lines as one message, Ctrl-C discards them")
    } catch {
      return .warn(error.message)
    }
  }

  /// Handles Ctrl-D on an empty line.
  mutating func endOfInput() -> Effect { isCollecting ? finish() : .leave }

  /// Handles Ctrl-C.
  ///
  /// - Returns: nil if it has no effect here, and is for the session.
  mutating func interrupt() -> Effect? {
    guard isCollecting else { return nil }
    lines = nil
    return .inform("dropped")
  }

  private mutating func collect(_ line: String) -> Effect? {
    if line == "/end" { return finish() }
    lines?.append(line)
    return nil
  }

  private mutating func finish() -> Effect {
    let text = (lines ?? []).joined(separator: "\n")
    lines = nil
    return text.isEmpty ? .inform("no lines; nothing was sent") : .send(text)
  }
}
