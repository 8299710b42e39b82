import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Prints our own lines in a session at the prompt: in order with the messages if both go to the
/// same screen, otherwise to standard error.
struct PromptVoice: Sendable {
  let display: PromptDisplay
  let context: CommandContext

  /// A line of information, marked `*`.
  func inform(_ text: String) { say(context.style(.dim, "* " + text)) }

  /// A warning, marked `!`.
  func warn(_ text: String) { say(context.style(.red, "! " + text)) }

  /// A line without a mark.
  func say(_ line: String) {
    if context.console.standardErrorIsTerminal {
      display.add(line: line)
    } else {
      context.console.note(line)
    }
  }

  /// Reports the beginning and end of connections to the user.
  func tell(_ notice: Reconnector.Notice) {
    switch notice {
    case .ended(let outcome, let circumstances, let isWanted):
      display.setPrompt { $0.isConnected = false }
      let words = CloseText.line(outcome, circumstances)
      if isWanted || ExitStatus(outcome) == .ok { inform(words) } else { warn(words) }
    case .failed(let error, let client):
      let diagnostician = Diagnostician(
        command: "connect", configuration: client)
      for (index, line) in diagnostician.diagnose(error).lines.enumerated() {
        say(index == 0 ? context.style(.red, line) : line)
      }
    case .waiting(let pause, let attempt, let limit):
      let count = limit.map { " of \($0)" } ?? ""
      inform("reconnecting in \(Figures.duration(pause)) (attempt \(attempt)\(count))")
    case .opening(let url):
      inform("connecting to \(Redaction.url("\(url)"))")
    case .stranded:
      inform("not connected: /connect URL or /reconnect, or Ctrl-D to leave")
    }
  }
}
