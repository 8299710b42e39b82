import Glibc
import Synchronization

// A signal handler must not take a lock or run a lazy initialiser or an access check: these are
// atomics, used before the handlers are installed. The memory behind the pointer is never changed
// or freed.
private nonisolated(unsafe) let savedSettings = Atomic<UnsafeMutablePointer<termios>?>(nil)
private let promptDescriptor = Atomic<Int32>(-1)
private let changes = Atomic<Int>(0)
private let isOver = Atomic<Bool>(false)

/// The original settings of the terminal, and how to restore them.
///
/// They are restored only while a prompt has changed them: in `wscope ... | less` the other program
/// owns the settings.
package enum TerminalState {
  /// Saves the settings of the terminal on standard input, if it is one, and arranges to restore
  /// them if the process crashes while a prompt is shown. Call once, on the main thread, at the
  /// start.
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

  /// Restores the saved settings and turns bracketed paste off, if a prompt is active. For exits
  /// that do not stop the editor.
  package static func restore() { restoreSettings() }

  /// Called before a prompt on `descriptor` changes the settings.
  static func promptBegan(on descriptor: Int32) {
    promptDescriptor.store(descriptor, ordering: .sequentiallyConsistent)
  }

  /// Runs `body`, which uses the terminal for the prompt, unless the settings have been restored
  /// for good. The restoring waits for a running `body`; none runs after it.
  static func change(_ body: () -> Void) {
    changes.add(1, ordering: .sequentiallyConsistent)
    if !isOver.load(ordering: .sequentiallyConsistent) { body() }
    changes.subtract(1, ordering: .sequentiallyConsistent)
  }

  /// Called when the prompt has restored the settings itself.
  static func promptEnded() { promptDescriptor.store(-1, ordering: .sequentiallyConsistent) }

  private static func restoreOnCrash(_ number: Int32) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      restoreSettings()
      // SA_RESETHAND restored the default action and SA_NODEFER left the signal unblocked.
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
  // Not indefinitely: the thread of the prompt may have crashed, or the terminal may accept no more
  // output.
  var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
  var patience = 100
  while patience > 0, changes.load(ordering: .sequentiallyConsistent) > 0 {
    nanosleep(&pause, nil)
    patience &-= 1
  }
  tcsetattr(STDIN_FILENO, TCSANOW, settings)
  // Input typed for the peer must not be read as a command by the shell.
  tcflush(STDIN_FILENO, TCIFLUSH)
  var pasteOff = pasteOffAndNewLine
  _ = withUnsafeBytes(of: &pasteOff) { write(descriptor, $0.baseAddress, $0.count) }
}

/// `ESC [ ? 2 0 0 4 l CR LF`, as a tuple because an array would allocate.
private var pasteOffAndNewLine:
  (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)
{ (0x1B, 0x5B, 0x3F, 0x32, 0x30, 0x30, 0x34, 0x6C, 0x0D, 0x0A) }
