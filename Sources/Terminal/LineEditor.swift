import Glibc
import Synchronization

/// A prompt at which the user types lines while other text appears above it.
///
/// GNU readline does the editing. Its state is a set of C globals, so only one editor may run at a
/// time, and only one dedicated thread uses them (`ReadlineLoop`); all other code posts to a
/// mailbox.
package final class LineEditor: Sendable {
  /// The user's input.
  package enum Input: Equatable, Sendable {
    /// One line; a paste of several lines is also one, with newlines in it.
    case line(String)
    /// Ctrl-D on an empty line. No key is read after it until `goOn()`, so that input meant for the
    /// shell is left to the shell.
    case endOfInput
    /// The terminal went away. No input follows and the prompt is gone, but text is still drawn
    /// until `stop()`.
    case terminalLost
  }

  /// The candidates to replace the word before the cursor.
  package enum Completion: Equatable, Sendable {
    /// These whole words; those that do not begin with the typed word are ignored.
    case words([String])
    /// File names. The typed part of the name begins at this byte of the line, so it may contain
    /// spaces.
    case fileNames(from: Int)
  }

  /// The user's input, in order.
  package let inputs: AsyncStream<Input>

  private let mailbox = EditorMailbox(limit: 4 * 1024 * 1024)
  private let configuration: Configuration
  private let thread = Mutex<DedicatedThread?>(nil)

  struct Configuration: Sendable {
    let prompt: String
    let output: Int32
    let history: History?
    let historyFailed: @Sendable (HistoryError) -> Void
    let complete: @Sendable (_ line: String, _ cursor: Int) -> Completion
    let entered: AsyncStream<Input>.Continuation
  }

  /// An editor that is not started yet.
  ///
  /// - Parameters:
  ///   - prompt: the text before the line; escapes in it must be made by `Style.inPrompt`.
  ///   - output: the terminal to draw on, `Console.promptDescriptor`. Keys are read from descriptor
  ///     0.
  ///   - history: the lines of earlier sessions; if nil, lines are remembered only until this
  ///     session ends.
  ///   - historyFailed: called when the history cannot be read or written, on the thread of the
  ///     editor, at most once.
  ///   - complete: called when Tab is pressed, on the thread of the editor, with the line and the
  ///     position of the cursor in UTF-8 bytes.
  package init(
    prompt: String, output: Int32, history: History? = nil,
    historyFailed: @escaping @Sendable (HistoryError) -> Void = { _ in },
    complete: @escaping @Sendable (_ line: String, _ cursor: Int) -> Completion = { _, _ in
      .words([])
    }
  ) {
    let (inputs, entered) = AsyncStream.makeStream(of: Input.self)
    self.inputs = inputs
    configuration = Configuration(
      prompt: prompt, output: output, history: history, historyFailed: historyFailed,
      complete: complete, entered: entered)
  }

  /// Shows the prompt and starts reading keys. An editor can be started once.
  package func start() {
    guard mailbox.advance(from: .idle, to: .running) else { return }
    thread.withLock { thread in
      thread = DedicatedThread { [mailbox, configuration] in
        ReadlineLoop(mailbox, configuration).run()
      }
    }
  }

  /// Draws pending text, removes the prompt, restores the terminal and waits until that is done.
  /// May be called any number of times.
  package func stop() {
    _ = mailbox.advance(from: .running, to: .stopping)
    // A second caller waits here for the first.
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
  }

  /// Draws whole lines above the prompt, soon: lines that arrive quickly are drawn together, at
  /// most sixty times a second. Blocks only while several megabytes are pending.
  ///
  /// - Returns: false if the editor is not running; the caller must then write the text itself.
  package func printAbove(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { printAbove(UnsafeRawBufferPointer($0)) }
  }

  /// Draws whole lines above the prompt, given as bytes.
  package func printAbove(_ bytes: UnsafeRawBufferPointer) -> Bool {
    mailbox.append(bytes)
  }

  /// Whether lines are pending that are not drawn yet: the terminal is slower than the output.
  package var isBehind: Bool { mailbox.hasText }

  /// Changes the prompt, even while a line is being typed.
  package func setPrompt(_ prompt: String) { _ = mailbox.post(.setPrompt(prompt)) }

  /// Resumes reading keys after the end of input.
  package func goOn() { _ = mailbox.post(.goOn) }

  /// Removes the prompt and stops reading keys; text is still drawn until `stop()`.
  package func endPrompt() { _ = mailbox.post(.endPrompt) }

  /// Reloads the history after its place has changed.
  package func reloadHistory() { _ = mailbox.post(.reloadHistory) }

  /// Discards the partly typed line and shows an empty one.
  package func interruptLine() { _ = mailbox.post(.interruptLine) }

  /// Clears the screen, and shows prompt and line at its top.
  package func clearScreen() { _ = mailbox.post(.clearScreen) }

  /// Adapts to the new size of the terminal.
  package func windowChanged() { _ = mailbox.post(.windowChanged) }

  /// Releases the terminal and stops the process, as Ctrl-Z requests.
  ///
  /// - Returns: false if the editor is not running; the caller must then stop the process itself.
  package func suspend() -> Bool { mailbox.post(.suspend) }

  /// Redraws after the process was stopped and continued.
  package func continued() { _ = mailbox.post(.continued) }

  /// Lends the terminal to `body`, which runs on the thread of the editor, and waits until it
  /// returns. Nothing is drawn in the meantime.
  ///
  /// - Returns: the result of `body`; nil if the editor is not running.
  package func lendTerminal<Answer: Sendable>(
    _ body: @escaping @Sendable () -> Answer
  ) async -> Answer? {
    await withCheckedContinuation { continuation in
      let isTaken = mailbox.post(.lendTerminal { continuation.resume(returning: body()) })
      if !isTaken { continuation.resume(returning: nil) }
    }
  }
}
