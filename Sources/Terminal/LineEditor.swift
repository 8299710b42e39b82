@preconcurrency import CReadline
import Glibc
import Synchronization

/// A prompt at which a person types lines while other text appears above it.
///
/// GNU readline does the editing. Its state is one set of C globals, so only one editor may run at a
/// time, and one thread of its own alone touches them; everything else leaves word in a mailbox.
package final class LineEditor: Sendable {
  /// What a person entered.
  package enum Input: Equatable, Sendable {
    /// One line; a paste of several lines is one too, with newlines in it.
    case line(String)
    /// Ctrl-D on an empty line, or the terminal went away. Nothing comes after it, and the prompt is
    /// gone, but text is still drawn until `stop()`.
    case endOfInput
  }

  /// What could stand in place of the word before the cursor.
  package enum Completion: Equatable, Sendable {
    /// These whole words; those that do not begin like the word typed so far are passed over.
    case words([String])
    /// The names of files.
    case fileNames
  }

  /// What the person entered, in order.
  package let inputs: AsyncStream<Input>

  private let mailbox = EditorMailbox(limit: 4 * 1024 * 1024)
  private let configuration: Configuration
  private let thread = Mutex<DedicatedThread?>(nil)

  fileprivate struct Configuration: Sendable {
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

  /// Changes the prompt, also under a line that is being typed.
  package func setPrompt(_ prompt: String) { _ = mailbox.post(.setPrompt(prompt)) }

  /// Drops the half-typed line and offers an empty one.
  package func interruptLine() { _ = mailbox.post(.interruptLine) }

  /// The terminal has a new size.
  package func windowChanged() { _ = mailbox.post(.windowChanged) }

  /// Gives the terminal back and stops the process, as Ctrl-Z asks.
  ///
  /// - Returns: false if the editor is not running, and the caller has to stop the process itself.
  package func suspend() -> Bool { mailbox.post(.suspend) }

  /// The process runs again after it was stopped.
  package func continued() { _ = mailbox.post(.continued) }
}

/// The loop of the running editor, for the C callbacks, which can capture nothing. Touched by the
/// thread of the editor only.
private nonisolated(unsafe) var currentLoop: ReadlineLoop?

/// Everything that touches readline. Made, used and dropped on the thread of the editor.
private final class ReadlineLoop {
  private let mailbox: EditorMailbox
  private let configuration: LineEditor.Configuration
  private let canvas = CollectingStream()
  private var lines = DrawSchedule()
  private var isStopping = false
  /// From the start to the end of input.
  private var isPrompting = false
  private var isForeground = true
  private var candidates: [String] = []
  private var lastKept: String?
  private var hasHistoryFailed = false
  private var size: TerminalSize
  private let wrapsAgain = PromptLayout.wrapsAgain { getenv($0).map { String(cString: $0) } }

  init(_ mailbox: EditorMailbox, _ configuration: LineEditor.Configuration) {
    size = TerminalSize.of(configuration.output)
    self.mailbox = mailbox
    self.configuration = configuration
  }

  func run() {
    currentLoop = self
    mailbox.claim()
    // What touches the terminal from the background asks first whether it may; where that comes too
    // late, a stop by the system would only get in the way of an exit.
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTTOU)
    pthread_sigmask(SIG_BLOCK, &set, nil)
    TerminalState.promptBegan(on: configuration.output)
    prepare()
    loadHistory()
    beginPrompt()
    while !isStopping { turn() }
    while let text = lines.next(from: mailbox, evenIfEarly: true) { draw(text) }
    endPrompt(erasing: true)
    TerminalState.promptEnded()
    currentLoop = nil
    configuration.entered.finish()
    _ = mailbox.advance(from: .stopping, to: .stopped)
  }

  // MARK: The loop

  private func turn() {
    let isReading = isPrompting && ownsTerminal()
    var waiting = [
      pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: isReading ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
    ]
    // In the background, look now and then whether that is over.
    let patience = lines.milliseconds ?? (isPrompting && !isReading ? 500 : -1)
    _ = poll(&waiting, 2, patience)
    let (commands, hasText) = mailbox.takeCommands()
    for command in commands { perform(command) }
    lines.isAwaited = hasText
    if let text = lines.next(from: mailbox) { draw(text) }
    let keys = Int32(waiting[1].revents)
    guard keys != 0, isPrompting, !isStopping else { return }
    if keys & (POLLHUP | POLLERR | POLLNVAL) != 0 {
      // The terminal went away: what was half typed must not be sent.
      entered(nil)
    } else {
      rl_callback_read_char()
    }
    canvas.flush(to: configuration.output)
  }

  private func perform(_ command: EditorMailbox.Command) {
    switch command {
    case .stop: isStopping = true
    case .setPrompt(let prompt): redraw { rl_set_prompt(prompt) }
    case .interruptLine: interruptLine()
    case .windowChanged: resize()
    case .suspend: suspend()
    case .continued: if isPrompting, ownsTerminal() { reclaimTerminal(ifChanged: true) }
    }
    canvas.flush(to: configuration.output)
  }

  // MARK: Drawing

  /// Takes prompt and line off the screen, lets `change` happen, and puts them back below.
  private func redraw(_ change: () -> Void) {
    resize()
    let isVisible = isPrompting && ownsTerminal()
    if isVisible { rl_clear_visible_line() }
    change()
    if isVisible {
      rl_on_new_line()
      rl_redisplay()
    }
    canvas.flush(to: configuration.output)
  }

  private func draw(_ text: ArraySlice<UInt8>) { redraw { canvas.append(text) } }

  /// Follows the terminal to its new size. Called before every draw too, because the signal may
  /// come later than the change.
  private func resize() {
    let before = size
    size = TerminalSize.of(configuration.output)
    guard size != before else { return }
    guard isPrompting, ownsTerminal(), size.columns != before.columns else {
      return rl_reset_screen_size()
    }
    guard wrapsAgain, let prompt = rl_display_prompt, let line = rl_line_buffer else {
      return rl_resize_terminal()
    }
    let typed = UnsafeRawBufferPointer(start: line, count: Int(rl_point))
    let row = PromptLayout.cursorRow(
      prompt: String(cString: prompt), line: String(decoding: typed, as: UTF8.self),
      width: size.columns)
    canvas.append((row > 0 ? "\r\u{1b}[\(row)A\u{1b}[J" : "\r\u{1b}[J").utf8)
    rl_reset_screen_size()
    rl_forced_update_display()
  }

  private func interruptLine() {
    guard isPrompting else { return }
    leaveLine()
    rl_callback_sigcleanup()
    rl_free_line_state()
    rl_replace_line("", 1)
    rl_crlf()
    rl_on_new_line()
    rl_redisplay()
  }

  /// Moves the cursor behind the line, so that what comes next does not run into it.
  private func leaveLine() {
    let point = rl_point
    rl_point = rl_end
    rl_redisplay()
    rl_point = point
  }

  // MARK: Stopping and continuing

  /// Whether the terminal belongs to this process and not to the shell or another job. The shell
  /// sends no signal when it brings a running job to the foreground, so a change is noticed here.
  private func ownsTerminal() -> Bool {
    let owner = tcgetpgrp(STDIN_FILENO)
    let wasForeground = isForeground
    isForeground = owner < 0 || owner == getpgrp()
    if isPrompting, isForeground, !wasForeground { reclaimTerminal(ifChanged: false) }
    return isForeground
  }

  private func suspend() {
    if isPrompting {
      resize()
      leaveLine()
      rl_deprep_terminal()
      canvas.flush(to: configuration.output)
    }
    Signals.stopProcess()
    if isPrompting, ownsTerminal() { reclaimTerminal(ifChanged: true) }
  }

  /// Draws everything anew after the terminal was another's.
  ///
  /// - Parameter ifChanged: only if its settings tell that it really was.
  private func reclaimTerminal(ifChanged: Bool) {
    var settings = termios()
    tcgetattr(STDIN_FILENO, &settings)
    if ifChanged && settings.c_lflag & tcflag_t(ICANON) == 0 { return }
    rl_deprep_terminal()
    rl_prep_terminal(1)
    size = TerminalSize.of(configuration.output)
    rl_reset_screen_size()
    rl_forced_update_display()
    canvas.flush(to: configuration.output)
  }

  // MARK: Input

  private func beginPrompt() {
    isPrompting = true
    // Between two lines readline would restore the terminal for a moment, and a Ctrl-D that comes
    // in that moment would mean something to the terminal and nothing to us.
    rl_deprep_term_function = { if currentLoop?.isPrompting != true { rl_deprep_terminal() } }
    rl_callback_handler_install(configuration.prompt) { typed in
      let line = typed.map { String(cString: $0) }
      free(typed)
      currentLoop?.entered(line)
    }
    canvas.flush(to: configuration.output)
  }

  private func endPrompt(erasing: Bool) {
    guard isPrompting else { return }
    isPrompting = false
    if erasing && ownsTerminal() { rl_clear_visible_line() }
    rl_callback_handler_remove()
    rl_deprep_terminal()
    canvas.flush(to: configuration.output)
  }

  private func entered(_ line: String?) {
    guard let line else {
      endPrompt(erasing: false)
      configuration.entered.yield(.endOfInput)
      return
    }
    remember(line)
    configuration.entered.yield(.line(line))
  }

  // MARK: History

  private func loadHistory() {
    using_history()
    stifle_history(Int32(clamping: configuration.history?.limit ?? 1000))
    do {
      for line in try configuration.history?.load() ?? [] {
        add_history(line)
        lastKept = line
      }
    } catch { report(error) }
  }

  private func remember(_ line: String) {
    guard History.isWorthKeeping(line, after: lastKept) else { return }
    lastKept = line
    add_history(line)
    do { try configuration.history?.append(line) } catch { report(error) }
  }

  /// A history that cannot be kept is told of once, and never stops the session.
  private func report(_ error: HistoryError) {
    guard !hasHistoryFailed else { return }
    hasHistoryFailed = true
    configuration.historyFailed(error)
  }

  // MARK: Set-up and completion

  private func prepare() {
    // Messages are UTF-8 whatever the locale; only one that the person chose is respected.
    if let locale = setlocale(LC_CTYPE, ""), ["C", "POSIX"].contains(String(cString: locale)) {
      setlocale(LC_CTYPE, "C.UTF-8")
    }
    rl_readline_name = UnsafePointer(strdup("wscope"))
    rl_catch_signals = 0
    rl_catch_sigwinch = 0
    // Changing the environment is not safe beside other threads.
    rl_change_environment = 0
    rl_outstream = canvas.file
    rl_initialize()
    // Questions of readline's own would hold up everything that arrives meanwhile.
    rl_completion_query_items = -1
    rl_variable_bind("page-completions", "off")
    // The bell goes to standard error, which may be somebody's file.
    if isatty(STDERR_FILENO) == 0 { rl_variable_bind("bell-style", "none") }
    rl_completer_word_break_characters = UnsafePointer(strdup(" \t\n"))
    rl_attempted_completion_function = { word, _, _ in
      rl_attempted_completion_over = 1
      guard let word, let loop = currentLoop else { return nil }
      switch loop.complete(String(cString: word)) {
      case .fileNames: return rl_completion_matches(word, rl_filename_completion_function)
      case .words:
        return rl_completion_matches(word) { _, index in
          guard let loop = currentLoop, loop.candidates.indices.contains(Int(index)) else {
            return nil
          }
          return strdup(loop.candidates[Int(index)])
        }
      }
    }
    rl_completion_display_matches_hook = { matches, count, _ in
      guard let matches, let loop = currentLoop else { return }
      // The first entry is what they have in common.
      let words = (0..<Int(count)).compactMap { matches[$0 + 1].map { String(cString: $0) } }
      loop.show(words)
    }
  }

  private func complete(_ word: String) -> LineEditor.Completion {
    let completion = configuration.complete(String(cString: rl_line_buffer), Int(rl_point))
    if case .words(let words) = completion { candidates = words.filter { $0.hasPrefix(word) } }
    return completion
  }

  private func show(_ words: [String]) {
    var names = words
    if rl_filename_completion_desired != 0 {
      names = words.map { $0.split(separator: "/").last.map(String.init) ?? $0 }
    }
    let width = TerminalSize.of(configuration.output).columns
    draw(Array(CompletionList.text(names, width: width).utf8)[...])
  }
}
