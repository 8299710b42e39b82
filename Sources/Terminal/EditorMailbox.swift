import Glibc

/// Requests from other threads to the editor's thread, the only one that may use readline.
///
/// Text waits here until the next draw; a producer that is faster than the terminal is blocked.
final class EditorMailbox: Sendable {
  enum Command: Sendable {
    case setPrompt(String)
    case endPrompt
    case goOn
    case interruptLine
    case clearScreen
    case reloadHistory
    case windowChanged
    case suspend
    case continued
    /// Lends the terminal to `body` while it runs.
    case lendTerminal(@Sendable () -> Void)
    case stop
  }

  enum Phase: Sendable {
    /// Not started: text would not be drawn.
    case idle
    case running
    /// Stopping: no more text is accepted, and the pending text is drawn.
    case stopping
    case stopped
  }

  private struct Contents: Sendable {
    var phase = Phase.idle
    var commands: [Command] = []
    var text: [UInt8] = []
    var isAwake = false
    /// The drawing thread, which must not wait for itself.
    var drawer: pthread_t?
  }

  /// Readable while there is something to take.
  var wakeDescriptor: Int32 { pipe.reader }
  private let pipe = WakePipe()
  private let limit: Int
  private let contents = Monitor(Contents())

  /// - Parameter limit: the number of bytes of text that may be pending before a producer is
  ///   blocked.
  init(limit: Int) { self.limit = limit }

  /// Moves on from `expected`; returns false if the phase is a different one.
  func advance(from expected: Phase, to next: Phase) -> Bool {
    contents.withLock { contents in
      guard contents.phase == expected else { return false }
      contents.phase = next
      if next == .stopping {
        contents.commands.append(.stop)
        wake(&contents)
      }
      return true
    }
  }

  /// Makes the calling thread the drawing thread.
  func claim() { contents.withLock { $0.drawer = pthread_self() } }

  /// Posts a command; returns false if the editor is not running, and the command is not accepted.
  func post(_ command: Command) -> Bool {
    contents.withLock { contents in
      guard contents.phase == .running else { return false }
      contents.commands.append(command)
      wake(&contents)
      return true
    }
  }

  /// Appends lines to be drawn; a missing newline at the end is added.
  ///
  /// Blocks while too much text is pending, and while the editor is stopping, so that text that the
  /// caller then writes itself follows the pending text.
  ///
  /// - Returns: false if the editor is not running, and the text is not accepted.
  func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let caller = pthread_self()
    return contents.withLock(when: { contents in
      switch contents.phase {
      case .idle, .stopped: true
      case .running: contents.text.count < limit || contents.drawer == caller
      case .stopping: contents.drawer == caller
      }
    }) { contents in
      guard contents.phase == .running || contents.phase == .stopping else { return false }
      // If text is already pending, the thread will draw anyway.
      if contents.text.isEmpty { wake(&contents) }
      contents.text.append(contentsOf: bytes)
      if bytes.last != 0x0A { contents.text.append(0x0A) }
      return true
    }
  }

  /// Takes all commands, and returns whether text is pending.
  func takeCommands() -> (commands: [Command], hasText: Bool) {
    contents.withLock { contents in
      if contents.isAwake {
        _ = pipe.read()
        contents.isAwake = false
      }
      defer { contents.commands.removeAll() }
      return (contents.commands, !contents.text.isEmpty)
    }
  }

  /// Whether text is pending.
  var hasText: Bool { contents.withLock { !$0.text.isEmpty } }

  /// Takes the pending text, which consists of whole lines.
  func takeText() -> [UInt8] {
    contents.withLock { contents in
      var text: [UInt8] = []
      swap(&text, &contents.text)
      return text
    }
  }

  private func wake(_ contents: inout Contents) {
    guard !contents.isAwake else { return }
    contents.isAwake = true
    pipe.wake()
  }
}
