package import Glibc

/// A program that runs on a terminal of its own, with a person (the test) in front of it.
///
/// Belongs to one task. The program is killed when this goes away.
package final class PseudoTerminal {
  /// What the person sees.
  package private(set) var screen: Screen
  /// Every byte that the program wrote to the terminal.
  package private(set) var transcript: [UInt8] = []
  /// The program, for `kill`.
  package let processIdentifier: pid_t

  private let descriptor: Int32
  private var ending: ProgramEnding?

  /// Starts a program on a new terminal of the given size.
  ///
  /// - Parameters:
  ///   - path: the program.
  ///   - arguments: its arguments, without its name.
  ///   - environment: all of the environment, but `TERM` is `xterm-256color`, `INPUTRC` is
  ///     `/dev/null` and `LANG` is `C.UTF-8` unless it says otherwise.
  ///   - directory: where the program runs; nil for the directory of the tests.
  ///   - columns: the width of the terminal.
  ///   - rows: its height.
  /// - Throws: `TestPeerError` if there is no terminal to be had or the program cannot be started.
  package init(
    _ path: String, _ arguments: [String] = [], environment: [String: String] = [:],
    directory: String? = nil, columns: Int = 80, rows: Int = 24
  ) throws {
    screen = Screen(columns: columns, rows: rows)
    var size = winsize(
      ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    var (master, slave): (Int32, Int32) = (-1, -1)
    let code = SpawnedProgram.withoutSpawning {
      defer { for end in [master, slave] where end >= 0 { _ = fcntl(end, F_SETFD, FD_CLOEXEC) } }
      return openpty(&master, &slave, nil, nil, &size)
    }
    guard code == 0 else { throw TestPeerError.system("openpty") }
    defer { close(slave) }
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    descriptor = master
    var name = [CChar](repeating: 0, count: 64)
    guard ttyname_r(slave, &name, name.count) == 0 else {
      close(master)
      throw TestPeerError.system("ttyname")
    }
    let known = ["TERM": "xterm-256color", "INPUTRC": "/dev/null", "LANG": "C.UTF-8"]
    let terminal = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
    do {
      processIdentifier = try SpawnedProgram.start(
        path, arguments, environment: environment.merging(known) { own, _ in own },
        standard: .terminal(path: terminal), directory: directory)
    } catch {
      close(master)
      throw error
    }
  }

  deinit {
    if ending == nil {
      kill(processIdentifier, SIGKILL)
      var status: Int32 = 0
      waitpid(processIdentifier, &status, 0)
    }
    close(descriptor)
  }

  /// Types keys; `\r` is Return, `\u{3}` Ctrl-C, `\u{4}` Ctrl-D, `\u{1a}` Ctrl-Z.
  package func type(_ keys: String, deadline seconds: Double = 100) throws {
    let deadline = Deadline(seconds: seconds)
    var rest = Array(keys.utf8)[...]
    while !rest.isEmpty {
      // Reading meanwhile: a program that cannot write does not read either.
      let ready = try exchange(wantsToWrite: true, deadline)
      guard ready else { continue }
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 { rest = rest.dropFirst(count) }
    }
  }

  /// Pastes text as terminals do: marked, if the program asked for that.
  package func paste(_ text: String) throws {
    try type(screen.marksPastes ? "\u{1b}[200~\(text)\u{1b}[201~" : text)
  }

  /// Reads until the screen is as the test wants it.
  ///
  /// - Parameters:
  ///   - what: what is waited for, for the message of the failure.
  ///   - seconds: how long to wait.
  ///   - condition: looked at after each piece of output.
  /// - Throws: `TestPeerError` with the screen in it, past the deadline.
  package func wait(
    for what: String, deadline seconds: Double = 100, until condition: (Screen) -> Bool
  ) throws {
    let deadline = Deadline(seconds: seconds)
    while !condition(screen) {
      do { _ = try exchange(wantsToWrite: false, deadline) } catch {
        throw TestPeerError("\(error) while waiting for \(what); the screen:\n\(screen.text)")
      }
    }
  }

  /// Reads until the screen shows `text`.
  package func wait(forText text: String, deadline seconds: Double = 100) throws {
    try wait(for: "\"\(text)\"", deadline: seconds) { $0.everything.contains(text) }
  }

  /// Gives the terminal a new size; the system tells the program (SIGWINCH).
  package func resize(columns: Int, rows: Int) throws {
    var size = winsize(
      ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    guard ioctl(descriptor, UInt(TIOCSWINSZ), &size) == 0 else {
      throw TestPeerError.system("TIOCSWINSZ")
    }
    screen.resize(columns: columns, rows: rows)
  }

  /// The settings of the terminal now.
  package func settings() throws -> termios {
    var settings = termios()
    guard tcgetattr(descriptor, &settings) == 0 else { throw TestPeerError.system("tcgetattr") }
    return settings
  }

  /// Sends a signal to the program.
  package func signal(_ number: Int32) {
    if ending == nil { kill(processIdentifier, number) }
  }

  /// Reads until the program has ended; its last output is on the screen then.
  ///
  /// - Throws: `TestPeerError` past the deadline; the program is killed then.
  package func waitForEnd(deadline seconds: Double = 100) throws -> ProgramEnding {
    if let ending { return ending }
    let deadline = Deadline(seconds: seconds)
    var status: Int32 = 0
    while waitpid(processIdentifier, &status, WNOHANG) == 0 {
      if deadline.hasPassed {
        kill(processIdentifier, SIGKILL)
        throw TestPeerError("the program does not end; the screen:\n\(screen.text)")
      }
      // The end of a program does not wake `poll` while others hold the terminal.
      _ = try? exchange(wantsToWrite: false, Deadline(seconds: 0.02))
    }
    let ending = ProgramEnding(waitStatus: status)
    self.ending = ending
    while readSome() {}
    return ending
  }

  /// Waits until something can be read or written, and reads; tells whether it can be written.
  private func exchange(wantsToWrite: Bool, _ deadline: Deadline) throws -> Bool {
    let events = wantsToWrite ? POLLIN | POLLOUT : POLLIN
    var waiting = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    guard poll(&waiting, 1, deadline.milliseconds) > 0 else {
      throw TestPeerError("the deadline has passed")
    }
    let ready = Int32(waiting.revents)
    if ready & POLLIN != 0 { _ = readSome() }
    if ready & (POLLHUP | POLLERR) != 0, ready & POLLIN == 0 {
      throw TestPeerError("the program has let go of the terminal")
    }
    return ready & POLLOUT != 0
  }

  private func readSome() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return false }
    transcript += buffer[..<count]
    screen.feed(buffer[..<count])
    return true
  }
}
