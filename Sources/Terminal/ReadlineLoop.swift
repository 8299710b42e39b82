@preconcurrency import CReadline
import Glibc

/// The line editing library.
package enum Readline {
  /// The version, such as `8.2`.
  package static var version: String { rl_library_version.map { String(cString: $0) } ?? "" }
}

/// The loop of the running editor, for the C callbacks, which cannot capture anything. Used on the
/// thread of the editor only.
private nonisolated(unsafe) var currentLoop: ReadlineLoop?

/// The only user of readline. Created, used and destroyed on the thread of the editor.
final class ReadlineLoop {
  private let mailbox: EditorMailbox
  private let configuration: LineEditor.Configuration
  private let canvas = CollectingStream()
  private var lines = DrawSchedule()
  private var isStopping = false
  /// True from the start to the end of input.
  private var isPrompting = false
  private var isForeground = true
  /// Ctrl-D was pressed, and it is not decided yet whether the input goes on.
  private var isAtEnd = false
  private var completions = Completions()
  private let longLines = LongLines()
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
    // Code that uses the terminal from the background first checks whether it may. If the check
    // comes too late, a stop by the system would only delay an exit.
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTTOU)
    pthread_sigmask(SIG_BLOCK, &set, nil)
    TerminalState.promptBegan(on: configuration.output)
    TerminalState.change {
      prepare()
      loadHistory()
      beginPrompt()
    }
    while !isStopping { turn() }
    TerminalState.change {
      while let text = lines.next(from: mailbox, evenIfEarly: true) { draw(text) }
      endPrompt(erasing: true)
    }
    TerminalState.promptEnded()
    currentLoop = nil
    configuration.entered.finish()
    _ = mailbox.advance(from: .stopping, to: .stopped)
  }

  // MARK: The loop

  private func turn() {
    let isReading = isPrompting && !isAtEnd && ownsTerminal()
    var waiting = [
      pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: isReading ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
    ]
    // In the background, check now and then whether that has ended.
    let patience = lines.milliseconds ?? (isPrompting && !isReading ? 500 : -1)
    _ = poll(&waiting, 2, patience)
    TerminalState.change { handle(keys: waiting[1].revents) }
  }

  private func handle(keys: Int16) {
    let (commands, hasText) = mailbox.takeCommands()
    for command in commands { perform(command) }
    lines.isAwaited = hasText
    if let text = lines.next(from: mailbox) { draw(text) }
    let keys = Int32(keys)
    guard keys != 0, isPrompting, !isStopping else { return }
    if keys & (POLLHUP | POLLERR | POLLNVAL) != 0 {
      // A partly typed line must not be sent.
      endPrompt(erasing: false)
      configuration.entered.yield(.terminalLost)
    } else {
      rl_callback_read_char()
    }
    canvas.flush(to: configuration.output)
  }

  private func perform(_ command: EditorMailbox.Command) {
    switch command {
    case .stop: isStopping = true
    case .setPrompt(let prompt): redraw { rl_set_prompt(prompt) }
    case .endPrompt: endPrompt(erasing: true)
    case .goOn: isAtEnd = false
    case .interruptLine: interruptLine()
    case .clearScreen: clearScreen()
    case .reloadHistory: loadHistory()
    case .windowChanged: resize()
    case .suspend: suspend()
    case .continued: continued()
    case .lendTerminal(let body): lendTerminal(body)
    }
    canvas.flush(to: configuration.output)
  }

  // MARK: Drawing

  /// Removes prompt and line from the screen, runs `change`, and shows them again below.
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

  fileprivate func redisplay() {
    longLines.size = size
    longLines.adapt()
    rl_redisplay()
  }

  /// Adapts to the terminal's new size. Also called before every draw, because the signal may
  /// arrive after the change.
  private func resize() {
    let before = size
    size = TerminalSize.of(configuration.output)
    guard size != before else { return }
    guard isPrompting, ownsTerminal(), size.columns != before.columns else {
      return rl_reset_screen_size()
    }
    // With a custom redisplay function, readline would only redraw the line, not erase the old one.
    let row = rowOfCursor(before: before.columns)
    canvas.append((row > 0 ? "\r\u{1b}[\(row)A\u{1b}[J" : "\r\u{1b}[J").utf8)
    rl_reset_screen_size()
    rl_forced_update_display()
  }

  /// The row of the cursor below the start of the prompt, after the terminal's width has changed.
  private func rowOfCursor(before width: Int) -> Int {
    if longLines.isOneRow {
      // A long line is scrolled so that its end is in the last third of its row.
      return wrapsAgain ? width * 2 / 3 / size.columns : 0
    }
    guard let prompt = rl_display_prompt, let line = rl_line_buffer else { return 0 }
    let typed = UnsafeRawBufferPointer(start: line, count: Int(rl_point))
    return PromptLayout.cursorRow(
      prompt: String(cString: prompt), line: String(decoding: typed, as: UTF8.self),
      width: wrapsAgain ? size.columns : width)
  }

  private func clearScreen() {
    guard isPrompting, ownsTerminal() else { return }
    rl_clear_screen(0, 0)
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

  /// Moves the cursor to the end of the line, so that the next output does not overwrite it.
  private func leaveLine() {
    let point = rl_point
    rl_point = rl_end
    rl_redisplay()
    rl_point = point
  }

  // MARK: Stopping and continuing

  /// Whether the terminal belongs to this process and not to the shell or another job. The shell
  /// sends no signal when it moves a running job to the foreground, so the change is detected here.
  private func ownsTerminal() -> Bool {
    let owner = tcgetpgrp(STDIN_FILENO)
    let wasForeground = isForeground
    isForeground = owner < 0 || owner == getpgrp()
    if isPrompting, isForeground, !wasForeground { reclaimTerminal() }
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
    // Valid whatever settings the shell has left: the prompt was removed before the stop.
    if isPrompting, ownsTerminal() { reclaimTerminal() }
  }

  private func lendTerminal(_ body: () -> Void) {
    guard isPrompting else { return body() }
    if ownsTerminal() { rl_clear_visible_line() }
    rl_deprep_terminal()
    canvas.flush(to: configuration.output)
    // The borrower may change the settings as it likes; after a crash they are not restored.
    TerminalState.promptEnded()
    body()
    TerminalState.promptBegan(on: configuration.output)
    if ownsTerminal() { reclaimTerminal() }
  }

  /// Draws the prompt after a SIGCONT, whatever stopped the process.
  private func continued() {
    guard isPrompting, ownsTerminal() else { return }
    var settings = termios()
    tcgetattr(STDIN_FILENO, &settings)
    // The settings are still the prompt's: it may be on the screen, or the shell has restored them.
    // Drawing it where the cursor is does no harm if it is already there.
    if settings.c_lflag & tcflag_t(ICANON) == 0 {
      redraw {}
    } else {
      reclaimTerminal()
    }
  }

  /// Redraws everything after another process used the terminal.
  private func reclaimTerminal() {
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
    // Between two lines readline would restore the terminal for a moment, and the terminal would
    // consume a Ctrl-D typed in that moment.
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
      isAtEnd = true
      configuration.entered.yield(.endOfInput)
      return
    }
    remember(line)
    configuration.entered.yield(.line(line))
  }

  // MARK: History

  private func loadHistory() {
    using_history()
    clear_history()
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

  /// A history that cannot be stored is reported once, and never stops the session.
  private func report(_ error: HistoryError) {
    guard !hasHistoryFailed else { return }
    hasHistoryFailed = true
    configuration.historyFailed(error)
  }

  // MARK: Set-up and completion

  private func prepare() {
    // Messages are UTF-8 whatever the locale; only an explicitly chosen locale is respected.
    if let locale = setlocale(LC_CTYPE, ""), ["C", "POSIX"].contains(String(cString: locale)) {
      setlocale(LC_CTYPE, "C.UTF-8")
    }
    rl_readline_name = UnsafePointer(strdup("wscope"))
    rl_catch_signals = 0
    rl_catch_sigwinch = 0
    // Changing the environment is not safe while other threads run.
    rl_change_environment = 0
    rl_outstream = canvas.file
    rl_initialize()
    // A question from readline would block all output until it is answered.
    rl_completion_query_items = -1
    rl_variable_bind("page-completions", "off")
    // The bell goes to standard error, which may be redirected to a file.
    if isatty(STDERR_FILENO) == 0 { rl_variable_bind("bell-style", "none") }
    longLines.attach()
    rl_completer_word_break_characters = UnsafePointer(strdup(" \t\n"))
    rl_attempted_completion_function = { word, start, _ in
      rl_attempted_completion_over = 1
      guard let word, let loop = currentLoop else { return nil }
      loop.complete(String(cString: word), at: Int(start))
      return rl_completion_matches(word) { _, index in
        guard let words = currentLoop?.completions.words, words.indices.contains(Int(index)) else {
          return nil
        }
        return strdup(words[Int(index)])
      }
    }
    rl_completion_display_matches_hook = { matches, count, _ in
      guard let matches, let loop = currentLoop else { return }
      // The first entry is their common prefix.
      loop.show((0..<Int(count)).compactMap { matches[$0 + 1].map { String(cString: $0) } })
    }
  }

  private func complete(_ word: String, at start: Int) {
    let line = String(cString: rl_line_buffer)
    completions = Completions(
      configuration.complete(line, Int(rl_point)), line: line, word: word, at: start,
      cursor: Int(rl_point))
    // A path may continue after a directory.
    if completions.words.count == 1, completions.words[0].hasSuffix("/") {
      rl_completion_append_character = 0
    }
  }

  private func show(_ words: [String]) {
    let width = TerminalSize.of(configuration.output).columns
    draw(Array(CompletionList.text(completions.names(of: words), width: width).utf8)[...])
  }
}

/// Lines longer than the screen: only one row is shown, which scrolls with the cursor. They are
/// edited like other lines, but a line of a megabyte is not redrawn for every message above it.
private final class LongLines {
  fileprivate private(set) var isOneRow = false
  private var isTheirChoice = false
  fileprivate var size = TerminalSize(columns: 80, rows: 24)

  func attach() {
    isTheirChoice = rl_variable_value("horizontal-scroll-mode").map { String(cString: $0) } == "on"
    rl_redisplay_function = { currentLoop?.redisplay() }
  }

  func adapt() {
    guard !isTheirChoice, let line = rl_line_buffer else { return }
    let room = size.columns * max(1, size.rows - 2)
    var isLong = Int(rl_end) >= room
    if !isLong, rl_end > size.rows {
      // Each newline starts a row.
      let newlines = UnsafeRawBufferPointer(start: line, count: Int(rl_end)).count { $0 == 0x0A }
      isLong = Int(rl_end) / size.columns + newlines >= size.rows - 2
    }
    guard isLong != isOneRow else { return }
    isOneRow = isLong
    rl_clear_visible_line()
    rl_variable_bind("horizontal-scroll-mode", isLong ? "on" : "off")
    rl_on_new_line()
  }
}
