import Terminal
import WebSocketProtocol

/// `connect` without a URL, on a terminal: offers the URLs of earlier sessions.
struct URLChoice {
  let descriptor: Int32
  let context: CommandContext

  private static let maxOffered = 9

  /// Prompts for a number or a URL.
  ///
  /// - Returns: the URL; nil if the user leaves (Ctrl-D, Ctrl-C).
  /// - Throws: `CommandFailure` if there is nothing to offer.
  func ask() async throws -> String? {
    let history = History.path(environment: context.environment).map { History(path: $0) }
    let places = Array(((try? history?.places()) ?? []).prefix(Self.maxOffered))
    guard !places.isEmpty else {
      throw CommandFailure(
        .usage, "no URL given, and none in the history",
        details: ["try: wscope connect ws://localhost:8080/, or wscope listen for a server"])
    }
    for (index, endpoint) in places.enumerated() {
      context.console.note("\(index + 1)  \(Self.safe(endpoint))")
    }
    // Tab completes the URLs too, so that one can be edited.
    let editor = LineEditor(
      prompt: context.style.inPrompt(.green, "number or URL>") + " ", output: descriptor,
      complete: { _, _ in .words(places) })
    context.console.attach(editor)
    context.signals.attach(editor)
    let signals = Task {
      for await signal in context.signals.events
      where [.interrupt, .terminate, .hangup, .quit].contains(signal) {
        TerminalState.restore()
        Process.exit(signal == .interrupt ? .interrupted : .terminated)
      }
    }
    defer {
      signals.cancel()
      editor.stop()
      context.console.detach()
      context.signals.detach()
    }
    editor.start()
    for await input in editor.inputs {
      guard case .line(let line) = input else { return nil }
      let typed = line.filter { $0 != " " }
      if typed.isEmpty { return places[0] }
      guard let number = Int(typed) else { return typed }
      if places.indices.contains(number - 1) { return places[number - 1] }
      context.warn("enter a number from 1 to \(places.count) or a URL; Return selects the first")
    }
    return nil
  }

  private static func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }
}
