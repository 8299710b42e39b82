import Glibc
import Synchronization

// A signal handler must run into no lock, no lazy initialiser and no access check: these are atomics,
// touched before the handlers are installed. What the pointer points to is never changed nor freed.
private nonisolated(unsafe) let savedSettings = Atomic<UnsafeMutablePointer<termios>?>(nil)
private let promptDescriptor = Atomic<Int32>(-1)
private let changes = Atomic<Int>(0)
private let isOver = Atomic<Bool>(false)

/// The terminal as it was found, and the ways back to it.
///
/// It is put back only while a prompt has changed it: in `wscope ... | less` the other program owns
/// the settings.
package enum TerminalState {
  /// Remembers the settings of the terminal on standard input, if it is one, and puts them back if
  /// the process crashes under a prompt. To be called once, on the main thread, at the start.
  package static func save() {
    var settings = termios()
    guard savedSettings.load(ordering: .acquiring) == nil,
      tcgetattr(STDIN_FILENO, &settings) == 0
    else { return }
    let pointer = UnsafeMutablePointer<termios>.allocate(capacity: 1)
    pointer.initialize(to: settings)
    savedSettings.store(pointer, ordering: .releasing)
    _ = promptDescriptor.load(ordering: .sequentiallyConsistent)
    _ = changes.load(ordering: .sequentiallyConsistent)
    _ = isOver.load(ordering: .sequentiallyConsistent)
    for signal in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS, SIGFPE] { restoreOnCrash(signal) }
  }

  /// Puts the remembered settings back and turns bracketed paste off, if a prompt is active.
  /// For the ways out that do not stop the editor.
  package static func restore() { restoreSettings() }

  /// A prompt on `descriptor` is about to change the settings.
  static func promptBegan(on descriptor: Int32) {
    promptDescriptor.store(descriptor, ordering: .sequentiallyConsistent)
  }

  /// Does something to the terminal for the prompt, unless the settings are put back for good: what is
  /// being done then is waited for, and nothing comes after.
  static func change(_ body: () -> Void) {
    changes.add(1, ordering: .sequentiallyConsistent)
    if !isOver.load(ordering: .sequentiallyConsistent) { body() }
    changes.subtract(1, ordering: .sequentiallyConsistent)
  }

  /// The prompt has put the settings back itself.
  static func promptEnded() { promptDescriptor.store(-1, ordering: .sequentiallyConsistent) }

  private static func restoreOnCrash(_ number: Int32) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      restoreSettings()
      // SA_RESETHAND brought the default action back and SA_NODEFER left the signal unblocked.
      raise(number)
    }
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_NODEFER | SA_ONSTACK
    sigaction(number, &action, nil)
  }
}

/// Only async-signal-safe calls from here on.
private func restoreSettings() {
  isOver.store(true, ordering: .sequentiallyConsistent)
  let descriptor = promptDescriptor.exchange(-1, ordering: .sequentiallyConsistent)
  // In the background the terminal belongs to the shell.
  guard descriptor >= 0, let settings = savedSettings.load(ordering: .acquiring),
    tcgetpgrp(STDIN_FILENO) == getpgrp()
  else { return }
  // Not for ever: it may be the thread of the prompt that has crashed, or a terminal that takes no more.
  var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
  var patience = 100
  while patience > 0, changes.load(ordering: .sequentiallyConsistent) > 0 {
    nanosleep(&pause, nil)
    patience &-= 1
  }
  tcsetattr(STDIN_FILENO, TCSANOW, settings)
  // What was typed for the peer is no command for the shell.
  tcflush(STDIN_FILENO, TCIFLUSH)
  var pasteOff = pasteOffAndNewLine
  _ = withUnsafeBytes(of: &pasteOff) { write(descriptor, $0.baseAddress, $0.count) }
}

/// `ESC [ ? 2 0 0 4 l CR LF`, as a tuple because an array would allocate.
private var pasteOffAndNewLine:
  (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)
{ (0x1B, 0x5B, 0x3F, 0x32, 0x30, 0x30, 0x34, 0x6C, 0x0D, 0x0A) }
