import Glibc
import Terminal
import WebSocketNIO

/// What a command has around it: the streams, the signals and the environment, each made once.
struct CommandContext: Sendable {
  let console: Console
  let signals: Signals
  let environment: [String: String]
  let style: Style

  /// Takes over streams and signals of the process; to be called once.
  init(color: ColorChoice) {
    console = Console()
    signals = Signals()
    environment = Self.currentEnvironment()
    style = Style(
      color, environment: environment, isTerminal: console.standardErrorIsTerminal)
  }

  /// A line of information, marked `*`.
  func inform(_ text: String) {
    console.note(style(.dim, "* " + text))
  }

  /// A line about something that is wrong, marked `!`.
  func warn(_ text: String) {
    console.note(style(.red, "! " + text))
  }

  func explain(_ diagnosis: Diagnosis) {
    for (index, line) in diagnosis.lines.enumerated() {
      console.note(index == 0 ? style(.red, line) : line)
    }
  }

  /// Names the fields of a 101 that it cannot have; the connection is open all the same.
  func warnAboutIgnoredFields(_ info: HandshakeInfo) {
    if !info.ignoredFields.isEmpty { warn(HandshakeText.ignoredFields(info)) }
  }

  private static func currentEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    var entry = environ
    while let pointer = entry.pointee {
      let text = String(cString: pointer)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      entry += 1
    }
    return variables
  }
}
