import Glibc

/// What other threads ask of the thread of the editor, which alone may touch readline.
///
/// Text waits here until the next draw; a producer that is faster than the terminal is made to wait.
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
    /// Lets somebody else have the terminal for as long as the body runs.
    case lendTerminal(@Sendable () -> Void)
    case stop
  }

  enum Phase: Sendable {
    /// Not started: nobody would draw.
    case idle
    case running
    /// Asked to stop: no more text is taken, and what there is gets drawn.
    case stopping
    case stopped
  }

  private struct Contents: Sendable {
    var phase = Phase.idle
    var commands: [Command] = []
    var text: [UInt8] = []
    var isAwake = false
    /// The thread that draws, and that must not be made to wait for itself.
    var drawer: pthread_t?
  }

  /// Readable while something is here that was not taken.
  var wakeDescriptor: Int32 { pipe.reader }
  private let pipe = WakePipe()
  private let limit: Int
  private let contents = Monitor(Contents())

  /// - Parameter limit: how many bytes of text may wait before a producer has to.
  init(limit: Int) { self.limit = limit }

  /// Moves on from `expected`; false if the phase is another one.
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

  /// Makes the calling thread the one that draws.
  func claim() { contents.withLock { $0.drawer = pthread_self() } }

  /// Leaves a command; false if the editor is not running, and nothing was taken.
  func post(_ command: Command) -> Bool {
    contents.withLock { contents in
      guard contents.phase == .running else { return false }
      contents.commands.append(command)
      wake(&contents)
      return true
    }
  }

  /// Leaves lines to be drawn; an unfinished last line is finished.
  ///
  /// Blocks while too much waits, and while the editor is stopping, so that what the caller then
  /// writes itself comes after what waits here.
  ///
  /// - Returns: false if the editor is not running, and nothing was taken.
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
      // While text waits the thread has a draw to come anyway.
      if contents.text.isEmpty { wake(&contents) }
      contents.text.append(contentsOf: bytes)
      if bytes.last != 0x0A { contents.text.append(0x0A) }
      return true
    }
  }

  /// Takes all commands, and tells whether text waits.
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

  /// Whether text waits.
  var hasText: Bool { contents.withLock { !$0.text.isEmpty } }

  /// Takes the text that waits: whole lines.
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
