import Glibc
import Terminal
import WebSocketNIO

/// The environment of a command: the streams, the signals and the variables, each created once.
struct CommandContext: Sendable {
  let console: Console
  let signals: Signals
  let environment: [String: String]
  /// The style of standard error.
  let style: Style
  /// The style of standard output.
  let outputStyle: Style

  /// Takes over the streams and signals of the process. Call once.
  init(color: ColorChoice) {
    console = Console()
    signals = Signals()
    environment = Self.currentEnvironment()
    style = Style(
      color, environment: environment, isTerminal: console.standardErrorIsTerminal)
    outputStyle = Style(
      color, environment: environment, isTerminal: console.standardOutputIsTerminal)
  }

  /// A line of information, marked `*`.
  func inform(_ text: String) {
    console.note(style(.dim, "* " + text))
  }

  /// A warning, marked `!`.
  func warn(_ text: String) {
    console.note(style(.red, "! " + text))
  }

  func explain(_ diagnosis: Diagnosis) {
    for (index, line) in diagnosis.lines.enumerated() {
      console.note(index == 0 ? style(.red, line) : line)
    }
  }

  /// Warns about fields that a 101 cannot have; the connection is open nevertheless.
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
