import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Lines of ours in a session at the prompt: in order with the messages if they go to the same screen,
/// and to standard error in any case.
struct PromptVoice: Sendable {
  let display: PromptDisplay
  let context: CommandContext

  /// A line of information, marked `*`.
  func inform(_ text: String) { say(context.style(.dim, "* " + text)) }

  /// A line about something that is wrong, marked `!`.
  func warn(_ text: String) { say(context.style(.red, "! " + text)) }

  /// A line without a mark.
  func say(_ line: String) {
    if context.console.standardErrorIsTerminal {
      display.add(line: line)
    } else {
      context.console.note(line)
    }
  }

  /// What the person hears of connections that end and begin.
  func tell(_ notice: Reconnector.Notice) {
    switch notice {
    case .ended(let outcome, let circumstances, let isWanted):
      display.setPrompt { $0.isConnected = false }
      let words = CloseWords.line(outcome, circumstances)
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
