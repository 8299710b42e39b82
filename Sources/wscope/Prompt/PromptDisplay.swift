import NIOCore
import Synchronization
import Terminal
import WebSocketProtocol

/// The output above the prompt, and the prompt itself. Everything appears in the order in which it
/// was added, with at most sixty draws a second.
final class PromptDisplay: Sendable {
  private let editor: LineEditor
  private let style: Style
  private let descriptor: Int32
  private let state: Mutex<State>

  private struct State {
    var queue = DisplayQueue()
    var text: MessageText
    var prompt = PromptText()
    var shownPrompt = PromptText()
    var promptChanged = ContinuousClock.now
    /// Another program is using the terminal.
    var isLent = false
    var isDrawing = false
    var makesLine: (@Sendable (ShownMessage) -> [UInt8])?
  }

  /// The limits of one draw: what a terminal can show in a sixtieth of a second while it still
  /// handles keys.
  private static let maxMessages = 300
  private static let maxBytes = 32 * 1024
  private static let interval = Duration.milliseconds(16)
  /// Counters in the prompt change more slowly: sixty changes a second would be unreadable.
  private static let promptInterval = Duration.milliseconds(100)

  /// - Parameters:
  ///   - editor: the editor that draws.
  ///   - descriptor: the terminal that it draws on.
  ///   - style: the style of our own lines.
  ///   - text: the format of messages.
  ///   - makesLine: makes the line of a message instead of `text`, such as a line of JSON Lines.
  init(
    _ editor: LineEditor, on descriptor: Int32, style: Style, text: MessageText,
    makesLine: (@Sendable (ShownMessage) -> [UInt8])? = nil
  ) {
    self.editor = editor
    self.descriptor = descriptor
    self.style = style
    state = Mutex(State(text: text, makesLine: makesLine))
  }

  /// The width of the terminal.
  var columns: Int { TerminalSize.of(descriptor).columns }

  // MARK: Contents

  func add(line: String) { change { $0.queue.add(line: line + "\n") } }

  func add(_ message: ShownMessage) {
    change { state in
      state.queue.add(message)
      guard let bytes = state.queue.takeFilterFailure() else { return }
      let words =
        "! /filter: the regular expression needs too many steps on a message of "
        + "\(Figures.bytes(bytes)); the filter is off"
      state.queue.add(line: style(.red, words) + "\n")
    }
  }

  func setPrompt(_ body: @Sendable (inout PromptText) -> Void) { change { body(&$0.prompt) } }

  // MARK: Appearance

  /// Changes the format of messages; returns the result of `body`.
  func setLook<Answer: Sendable>(_ body: @Sendable (inout MessageText) -> Answer) -> Answer {
    change { body(&$0.text) }
  }

  /// - Returns: whether the display is now paused.
  func togglePause() -> Bool {
    change { state in
      if state.queue.isPaused { state.queue.resume() } else { state.queue.pause() }
      return state.queue.isPaused
    }
  }

  /// Shows only messages that match.
  ///
  /// - Throws: the error in the pattern.
  /// - Returns: the number of messages that the previous filter has hidden.
  func setFilter(_ pattern: String?) throws(CommandError) -> Int {
    let result = change { state -> Result<Int, CommandError> in
      Result { () throws(CommandError) in
        let filter = try Self.filter(pattern)
        defer { state.queue.set(filter) }
        return state.queue.hiddenCount
      }
    }
    return try result.get()
  }

  private static func filter(_ pattern: String?) throws(CommandError) -> MessageFilter? {
    guard let pattern else { return nil }
    do {
      return try MessageFilter(pattern)
    } catch {
      throw CommandError("/filter: not a regular expression: \(error)")
    }
  }

  /// Sets whether another program is using the terminal, so that nothing is drawn.
  func setLent(_ isLent: Bool) { change { $0.isLent = isLent } }

  // MARK: Drawing

  /// Draws everything that waits, immediately, when the session ends.
  func flush() {
    state.withLock { state in
      while let text = draw(&state) { put(text) }
    }
  }

  private func change<Answer: Sendable>(_ body: (inout State) -> Answer) -> Answer {
    let (answer, begins) = state.withLock { state in
      let answer = body(&state)
      state.prompt.held = state.queue.isPaused ? state.queue.heldCount : nil
      state.prompt.hidden = state.queue.filter == nil ? nil : state.queue.hiddenCount
      let begins = !state.isDrawing && Self.hasWork(state)
      if begins { state.isDrawing = true }
      return (answer, begins)
    }
    if begins { Task { await drawUntilDone() } }
    return answer
  }

  private static func hasWork(_ state: State) -> Bool {
    !state.isLent && (!state.queue.isEmpty || state.prompt != state.shownPrompt)
  }

  private func drawUntilDone() async {
    while true {
      let isOver = state.withLock { state in
        guard Self.hasWork(state) else {
          state.isDrawing = false
          return true
        }
        if let prompt = newPrompt(&state) { editor.setPrompt(prompt) }
        // A terminal that cannot keep up gets fewer messages, not later ones. Drawn under the lock,
        // so that two draws keep their order.
        if !editor.isBehind, let text = draw(&state) { put(text) }
        return false
      }
      if isOver { return }
      try? await Task.sleep(for: Self.interval)
    }
  }

  private func newPrompt(_ state: inout State) -> String? {
    guard state.prompt != state.shownPrompt else { return nil }
    let now = ContinuousClock.now
    let isMerelyCounting =
      state.prompt.isCollecting == state.shownPrompt.isCollecting
      && state.prompt.isConnected == state.shownPrompt.isConnected
    guard !isMerelyCounting || now >= state.promptChanged + Self.promptInterval else { return nil }
    state.shownPrompt = state.prompt
    state.promptChanged = now
    return state.prompt.text(style)
  }

  /// The text of one draw; nil if nothing waits.
  private func draw(_ state: inout State) -> String? {
    guard !state.queue.isEmpty else { return nil }
    state.text.columns = columns
    var text = ""
    for item in state.queue.take(messages: Self.maxMessages, bytes: Self.maxBytes) {
      switch item {
      case .line(let line): text += line
      case .skipped(let count):
        text += style(
          .dim, "* \(Figures.count(count)) messages not shown: the terminal is too slow")
        text += "\n"
      case .message(let message):
        if let makesLine = state.makesLine {
          text += String(decoding: makesLine(message), as: UTF8.self)
        } else {
          text += state.text.lines(message)
        }
      }
    }
    return text
  }

  private func put(_ text: String) { _ = editor.printAbove(text) }
}
