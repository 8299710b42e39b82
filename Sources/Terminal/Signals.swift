import Glibc
import Synchronization

/// The signals that a terminal program must handle.
package enum TerminalSignal: CaseIterable, Sendable {
  /// Ctrl-C (SIGINT).
  case interrupt
  /// SIGTERM.
  case terminate
  /// The terminal went away (SIGHUP).
  case hangup
  /// Ctrl-\ (SIGQUIT).
  case quit
  /// The terminal has a new size (SIGWINCH).
  case windowChanged
  /// Ctrl-Z (SIGTSTP).
  case suspend
  /// Continued after a stop (SIGCONT).
  case continued

  /// The signal number of the system.
  package var number: Int32 {
    switch self {
    case .interrupt: SIGINT
    case .terminate: SIGTERM
    case .hangup: SIGHUP
    case .quit: SIGQUIT
    case .windowChanged: SIGWINCH
    case .suspend: SIGTSTP
    case .continued: SIGCONT
    }
  }
}

// The only data of the signal handlers: the descriptor for their reports. A `let`, and used before
// the first handler is installed, because a handler must not run a lazy initialiser or an access
// check.
private let reportDescriptor = Atomic<Int32>(-1)

/// Turns signals into values.
///
/// Each signal has a handler that writes its number to a pipe, which a thread reads. Blocking the
/// signals and receiving them with `sigwait` would be simpler, but the main thread of an `async`
/// program waits in `sigsuspend` with everything unblocked and would be killed; and children would
/// inherit the mask.
package final class Signals: Sendable {
  /// The signals as they arrive. Stopping and continuing have already been handled.
  package let events: AsyncStream<TerminalSignal>
  private let editor = Mutex<LineEditor?>(nil)

  /// Takes over these signals for the rest of the process. Call once, at the start.
  ///
  /// A hangup or a stop that was ignored when the process started (`nohup`) stays ignored. An
  /// interrupt does not: a script's shell ignores it for every command started with `&`, and such a
  /// script ends us with `kill -INT`.
  package init(_ signals: [TerminalSignal] = TerminalSignal.allCases) {
    let (events, continuation) = AsyncStream.makeStream(of: TerminalSignal.self)
    self.events = events
    let pipe = WakePipe()
    reportDescriptor.store(pipe.writer, ordering: .sequentiallyConsistent)
    for signal in signals {
      let mayStayIgnored = signal == .hangup || signal == .suspend
      if mayStayIgnored, Self.isIgnored(signal) { continue }
      Self.report(signal.number)
    }
    DedicatedThread { [weak self] in
      while let number = pipe.read() {
        let signal = TerminalSignal.allCases.first { $0.number == Int32(number) }
        guard let signal else { continue }
        Self.forward(signal, to: self?.editor.withLock { $0 })
        continuation.yield(signal)
      }
    }.detach()
  }

  /// From now on `editor` adapts to a new window size and to being stopped and continued.
  package func attach(_ editor: LineEditor) { self.editor.withLock { $0 = editor } }

  /// Ends the effect of `attach`.
  package func detach() { editor.withLock { $0 = nil } }

  /// Ends the process as the signal would have ended it, so that the parent process can tell.
  package static func endProcess(by signal: TerminalSignal) -> Never {
    Glibc.signal(signal.number, SIG_DFL)
    pthread_kill(pthread_self(), signal.number)
    // Reached only for signals that do not end a process by default (SIGWINCH).
    exit(128 + signal.number)
  }

  /// Stops the process, visibly for the shell's job control; returns when it is continued.
  ///
  /// Uses the default action of SIGTSTP rather than SIGSTOP: the system then does not stop a
  /// process that could never be continued, because no shell controls it any more.
  static func stopProcess() {
    signal(SIGTSTP, SIG_DFL)
    // Swift's pool masks signals in its threads, and this may be one of them.
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTSTP)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    pthread_kill(pthread_self(), SIGTSTP)
    report(SIGTSTP)
  }

  private static func report(_ number: Int32) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      let before = errno
      var byte = UInt8(truncatingIfNeeded: number)
      _ = write(reportDescriptor.load(ordering: .relaxed), &byte, 1)
      errno = before
    }
    // Without SA_RESTART every blocking call in every thread would have to handle EINTR.
    action.sa_flags = SA_RESTART
    sigaction(number, &action, nil)
  }

  private static func forward(_ signal: TerminalSignal, to editor: LineEditor?) {
    switch signal {
    case .windowChanged: editor?.windowChanged()
    case .continued: editor?.continued()
    case .suspend: if editor?.suspend() != true { stopProcess() }
    case .interrupt, .terminate, .hangup, .quit: break
    }
  }

  private static func isIgnored(_ signal: TerminalSignal) -> Bool {
    var action = sigaction()
    sigaction(signal.number, nil, &action)
    let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
    return handler == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
