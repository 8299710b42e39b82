import Glibc
import Synchronization

/// A prompt at which a person types lines while other text appears above it.
///
/// GNU readline does the editing. Its state is one set of C globals, so only one editor may run at a
/// time, and one thread of its own alone touches them (`ReadlineLoop`); everything else leaves word
/// in a mailbox.
package final class LineEditor: Sendable {
  /// What a person entered.
  package enum Input: Equatable, Sendable {
    /// One line; a paste of several lines is one too, with newlines in it.
    case line(String)
    /// Ctrl-D on an empty line. No key is read behind it until `goOn()`, so that what is typed for
    /// the shell is left to it.
    case endOfInput
    /// The terminal went away. Nothing comes after it, and the prompt is gone, but text is still
    /// drawn until `stop()`.
    case terminalLost
  }

  /// What could stand in place of the word before the cursor.
  package enum Completion: Equatable, Sendable {
    /// These whole words; those that do not begin like the word typed so far are passed over.
    case words([String])
    /// The names of files. What is typed of the name begins at this byte of the line, so that it may
    /// have spaces in it.
    case fileNames(from: Int)
  }

  /// What the person entered, in order.
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

  /// An editor that does nothing yet.
  ///
  /// - Parameters:
  ///   - prompt: what stands before the line; escapes in it are made by `Style.inPrompt`.
  ///   - output: the terminal to draw on, `Console.promptDescriptor`. Keys are read from
  ///     descriptor 0.
  ///   - history: the lines of earlier sessions; without it this session's lines are remembered
  ///     until it ends.
  ///   - historyFailed: told when the history cannot be read or written; called on the thread of
  ///     the editor, at most once.
  ///   - complete: asked when Tab is pressed, on the thread of the editor, with the line and the
  ///     cursor as a number of UTF-8 bytes.
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

  /// Shows the prompt and begins to read keys. An editor starts once.
  package func start() {
    guard mailbox.advance(from: .idle, to: .running) else { return }
    thread.withLock { thread in
      thread = DedicatedThread { [mailbox, configuration] in
        ReadlineLoop(mailbox, configuration).run()
      }
    }
  }

  /// Draws what waits, takes the prompt away, restores the terminal and waits until that is done.
  /// May be called any number of times.
  package func stop() {
    _ = mailbox.advance(from: .running, to: .stopping)
    // A second caller waits here for the first.
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
  }

  /// Draws whole lines above the prompt, soon: lines that come fast are drawn together, at most
  /// sixty times a second. Blocks only while several megabytes wait for the terminal.
  ///
  /// - Returns: false if the editor is not running, and the caller has to write the text itself.
  package func printAbove(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { printAbove(UnsafeRawBufferPointer($0)) }
  }

  /// Draws whole lines above the prompt; the same with bytes.
  package func printAbove(_ bytes: UnsafeRawBufferPointer) -> Bool {
    mailbox.append(bytes)
  }

  /// Whether lines wait that are not drawn yet: the terminal is slower than what comes.
  package var isBehind: Bool { mailbox.hasText }

  /// Changes the prompt, also under a line that is being typed.
  package func setPrompt(_ prompt: String) { _ = mailbox.post(.setPrompt(prompt)) }

  /// Reads keys again after the end of the input.
  package func goOn() { _ = mailbox.post(.goOn) }

  /// Takes the prompt away and reads no more keys; text is still drawn until `stop()`.
  package func endPrompt() { _ = mailbox.post(.endPrompt) }

  /// Reads the history anew, after it was told that another place counts.
  package func reloadHistory() { _ = mailbox.post(.reloadHistory) }

  /// Drops the half-typed line and offers an empty one.
  package func interruptLine() { _ = mailbox.post(.interruptLine) }

  /// Empties the screen, and shows prompt and line at its top.
  package func clearScreen() { _ = mailbox.post(.clearScreen) }

  /// The terminal has a new size.
  package func windowChanged() { _ = mailbox.post(.windowChanged) }

  /// Gives the terminal back and stops the process, as Ctrl-Z asks.
  ///
  /// - Returns: false if the editor is not running, and the caller has to stop the process itself.
  package func suspend() -> Bool { mailbox.post(.suspend) }

  /// The process runs again after it was stopped.
  package func continued() { _ = mailbox.post(.continued) }

  /// Lends the terminal to `body`, which runs on the thread of the editor, and waits for its end.
  /// Meanwhile nothing is drawn.
  ///
  /// - Returns: what `body` returns; nil if the editor is not running.
  package func lendTerminal<Answer: Sendable>(
    _ body: @escaping @Sendable () -> Answer
  ) async -> Answer? {
    await withCheckedContinuation { continuation in
      let isTaken = mailbox.post(.lendTerminal { continuation.resume(returning: body()) })
      if !isTaken { continuation.resume(returning: nil) }
    }
  }
}
