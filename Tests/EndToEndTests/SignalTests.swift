import Glibc
import Synchronization
import TestPeers
import Testing

/// SECURITY R19: the terminal is as it was, whatever ends the program, and whenever.
@Suite(.blocking) struct SignalTests {
  static let moments = 20

  /// A shell with job control, as a person has it; `wscope` runs in it as its child.
  private final class Shell {
    let terminal: PseudoTerminal
    let home: String

    /// Runs the program on a URL that it reads, and tells what was left for it of what was typed then.
    static let reading = """
      ulimit -c 0; read url; "$W" connect "$url"; read -t 1 line; echo "the shell has read <$line>"
      """

    init(_ home: String, _ arguments: [String]) throws {
      self.home = home
      terminal = try PseudoTerminal(
        "/bin/bash", ["--norc", "--noprofile"] + arguments,
        environment: Wscope.environment([
          "HOME": home, "TERM": "xterm-256color", "INPUTRC": "/dev/null", "PS1": "$ ",
          "W": Wscope.path,
        ]))
    }

    /// One that is typed to.
    convenience init(interactive home: String) throws {
      try self.init(home, ["-i"])
      try terminal.wait(for: "the prompt of the shell") { $0.cursorLine == "$" }
      try terminal.type("ulimit -c 0; bind 'set enable-bracketed-paste off'\r")
    }

    /// The settings of the terminal, as `stty -g` tells them.
    func settings(_ name: String) throws -> String {
      // What was typed before is ended, not only erased: of a change to whole lines in between, the
      // terminal keeps what it had read in single keys.
      try terminal.type("\u{15}\rstty -g >\(name) && echo to''ld-\(name)\r")
      try terminal.wait(forText: "told-\(name)\n")
      return try #require(contents("\(home)/\(name)"))
    }

    private func contents(_ path: String) -> String? {
      guard let file = fopen(path, "r") else { return nil }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 1024)
      guard fgets(&line, 1024, file) != nil else { return nil }
      return String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// The process that runs in the foreground of the shell, and its state.
    func child() -> (pid: pid_t, state: Character)? {
      let shell = terminal.processIdentifier
      guard let children = contents("/proc/\(shell)/task/\(shell)/children"),
        let pid = children.split(separator: " ").compactMap({ pid_t($0) }).last,
        let words = contents("/proc/\(pid)/stat"),
        // Before it becomes that, it is the shell, which has ideas of its own about signals.
        words.contains("(wscope)"), let state = words.split(separator: ")").last?.dropFirst().first
      else { return nil }
      return (pid, state)
    }

    /// Reads what the program writes until the child is as wanted.
    func wait(for what: String, until isReached: (Character?) -> Bool) throws {
      let deadline = Deadline(seconds: 15)
      while !isReached(child()?.state) {
        guard !deadline.hasPassed else {
          throw TestPeerError("no \(what); the screen:\n\(terminal.screen.text)")
        }
        try? terminal.wait(for: "output", deadline: 0.01) { _ in false }
      }
    }
  }

  static let signals = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGABRT, SIGSEGV, SIGILL,
  ]

  @Test(arguments: signals) func theTerminalIsRestored(_ signal: Int32) throws {
    let peer = try PushPeer()
    let isOver = Mutex(false)
    // Messages come all the time, so that a signal can fall into a draw.
    let frames = (1...20).flatMap { RawPeer.frame(0x1, Array("message \($0)".utf8)) }
    let flood = BackgroundWork {
      while !isOver.withLock({ $0 }) {
        peer.push(frames)
        usleep(5000)
      }
    }
    defer {
      isOver.withLock { $0 = true }
      flood.wait()
    }
    let home = try Wscope.scratch("signal-\(signal)")
    let shell = try Shell(interactive: home)
    try shell.terminal.type("cd \(home); stty tostop\r")
    let before = try shell.settings("before")
    var generator = SystemRandomNumberGenerator()
    for moment in 0..<Self.moments {
      try shell.terminal.type("$W connect \(peer.url)\r")
      try shell.wait(for: "start") { $0 != nil }
      let child = try #require(shell.child())
      // From before the handshake to long after it, half of them while something is typed.
      let delay = UInt32.random(in: 0...250, using: &generator)
      try? shell.terminal.wait(for: "time", deadline: Double(delay) / 1000) { _ in false }
      if Bool.random() { try shell.terminal.type("half") }
      kill(child.pid, signal)
      if signal == SIGTSTP {
        try shell.wait(for: "stop") { $0 == "T" || $0 == nil }
        let during = try shell.settings("stopped-\(moment)")
        #expect(during == before, "stopped after \(delay) ms")
        try shell.terminal.type("fg\r")
        try shell.wait(for: "going on") { $0 != "T" }
        try shell.terminal.wait(for: "the prompt again") { $0.cursorLine.hasPrefix(">") }
        try shell.terminal.type("\u{15}\u{4}")
      }
      try shell.wait(for: "end after \(delay) ms") { $0 == nil }
      let after = try shell.settings("after-\(moment)")
      #expect(after == before, "signal \(signal) after \(delay) ms")
      #expect(!shell.terminal.screen.marksPastes, "bracketed paste after \(delay) ms")
    }
    shell.terminal.signal(SIGKILL)
  }

  @Test func whatWasTypedForThePeerIsNoCommandForTheShell() throws {
    let peer = try PushPeer()
    let shell = try Shell(try Wscope.scratch("signal-typed"), ["-c", Shell.reading])
    try shell.terminal.type("\(peer.url)\n")
    try shell.terminal.wait(for: "the prompt") { $0.cursorLine == ">" && $0.cursorColumn == 2 }
    let child = try #require(shell.child())
    // It hangs before it crashes; and there is more than it can take in before the signal is handled.
    kill(child.pid, SIGSTOP)
    try shell.terminal.type(String(repeating: "half\n", count: 500))
    try? shell.terminal.wait(for: "time to be taken in", deadline: 0.3) { _ in false }
    kill(child.pid, SIGABRT)
    kill(child.pid, SIGCONT)
    try shell.terminal.wait(forText: "the shell has read <>")
    #expect(try shell.terminal.waitForEnd() == .exited(0))
  }
}

/// Work on a thread of its own, since the tests themselves block.
private final class BackgroundWork: Sendable {
  private let isDone = Atomic<Bool>(false)

  init(_ body: @escaping @Sendable () -> Void) {
    TestThread.start { [self] in
      body()
      isDone.store(true, ordering: .releasing)
    }
  }

  func wait() { while !isDone.load(ordering: .acquiring) { usleep(1000) } }
}
