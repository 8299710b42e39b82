import Glibc

/// A program that temporarily controls the terminal, such as an editor.
package enum ForegroundProgram {
  /// How the program ended.
  package enum Ending: Equatable, Sendable {
    case exited(Int32)
    case signaled(Int32)
    /// It could not be started.
    case failed(SystemError)
  }

  /// Runs `command`, a command line from the user (such as `code --wait`), with one more argument,
  /// and waits for it to end. Call with the terminal lent (`LineEditor.lendTerminal`).
  package static func run(_ command: String, argument: String) -> Ending {
    // Ctrl-C is meant for the program, not for us, as in system(3).
    let ignored = [SIGINT, SIGQUIT]
    let before = ignored.map { number in
      var action = sigaction()
      sigaction(number, nil, &action)
      signal(number, SIG_IGN)
      return action
    }
    defer {
      for (number, action) in zip(ignored, before) {
        var action = action
        sigaction(number, &action, nil)
      }
    }
    var program = pid_t()
    let code = start(command, argument, &program)
    guard code == 0 else { return .failed(SystemError(code: code)) }
    var status: Int32 = 0
    while true {
      let found = waitpid(program, &status, WUNTRACED)
      if found < 0 {
        if errno == EINTR { continue }
        return .failed(.latest)
      }
      guard status & 0xFF == 0x7F else { break }
      // Ctrl-Z in the program stops both processes, so that the shell notices.
      Signals.stopProcess()
      kill(program, SIGCONT)
    }
    return status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signaled(status & 0x7F)
  }

  private static func start(
    _ command: String, _ argument: String, _ program: inout pid_t
  ) -> Int32 {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    // The shell splits the user's command into words; the argument is passed separately.
    let words = ["sh", "-c", "exec \(command) \"$1\"", "sh", argument]
    let pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return posix_spawn(&program, "/bin/sh", nil, &attributes, pointers, environ)
  }
}
