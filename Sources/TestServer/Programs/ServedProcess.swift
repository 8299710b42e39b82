import Glibc
import NIOCore
import Synchronization

/// A process with our ends of its streams. It leads a session of its own, so that a signal of the terminal
/// does not reach it and everything that it starts can be ended with it.
///
/// It is started with `posix_spawn` and not with swift-subprocess, which reaps a process itself: its number, and that
/// of its group, must stay taken until the group has been ended.
final class ServedProcess: Sendable {
  /// Our descriptors; their owner closes them.
  struct Streams: Sendable {
    /// To write to the standard input; nil if that is /dev/null.
    var input: CInt?
    /// To read the standard output.
    var output: CInt
    /// To read the standard error.
    var errors: CInt
  }

  let streams: Streams
  private let pid: pid_t
  private let state: Mutex<State>
  private let ending: Task<ProgramEnd, Never>

  private struct State {
    /// Until the process is reaped, its number and that of its group belong to it.
    var isReaped = false
    var slot: ProgramSlot?
  }

  /// Time from SIGTERM to SIGKILL.
  private static let patience = Swift.Duration.seconds(2)

  /// Starts a process.
  ///
  /// - Parameters:
  ///   - program: The program and what its streams are.
  ///   - environment: All of its environment.
  ///   - hasInput: Whether something is written to it.
  ///   - slot: Released by `release`.
  /// - Throws: `SystemFailure`.
  init(
    _ program: ServedProgram, environment: [String: String], hasInput: Bool, slot: ProgramSlot?
  ) throws(SystemFailure) {
    let pipes = try Pipes(usesTerminal: program.usesTerminal, hasInput: hasInput)
    defer { for descriptor in [pipes.input, pipes.output, pipes.errors] { close(descriptor) } }
    let pid: pid_t
    do throws(SystemFailure) {
      pid = try Self.spawn(program.command, environment, pipes)
    } catch {
      for descriptor in [pipes.ours.input, pipes.ours.output, pipes.ours.errors] {
        if let descriptor { close(descriptor) }
      }
      throw error
    }
    self.pid = pid
    state = Mutex(State(slot: slot))
    streams = pipes.ours
    ending = Task { await Self.wait(for: pid) }
  }

  /// Waits for the end of the process.
  var end: ProgramEnd { get async { await ending.value } }

  /// Ends the process and what it started: SIGTERM, 2 s, SIGKILL.
  func terminate() {
    signal(SIGTERM)
    Task {
      try? await Task.sleep(for: Self.patience)
      signal(SIGKILL)
    }
  }

  /// Ends what the process has left behind in its group, after its end. Its last call.
  func release() {
    state.withLock { state in
      guard !state.isReaped else { return }
      state.isReaped = true
      kill(-pid, SIGKILL)
      var status: CInt = 0
      while waitpid(pid, &status, 0) < 0, errno == EINTR {}
      // Last, because the server may end once it is free.
      state.slot = nil
    }
  }

  private func signal(_ number: CInt) {
    state.withLock { if !$0.isReaped { kill(-pid, number) } }
  }

  // MARK: System calls

  private static func spawn(
    _ command: [String], _ environment: [String: String], _ pipes: Pipes
  ) throws(SystemFailure) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (ours, theirs) in [(pipes.input, 0), (pipes.output, 1), (pipes.errors, 2)] as [(CInt, CInt)]
    {
      posix_spawn_file_actions_adddup2(&actions, ours, theirs)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    // Among them SIGPIPE, which this process ignores.
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) | Self.newSession)
    let arguments = command.map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in arguments + variables { free(text) } }
    keepDescriptors()
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, command[0], &actions, &attributes, arguments, variables)
    guard code == 0 else { throw SystemFailure(errno: code) }
    return pid
  }

  /// Makes sure that no descriptor besides the streams reaches the process: NIO opens listening sockets and epoll
  /// instances without `O_CLOEXEC`, and Glibc's module has neither `close_range` nor a file action for it.
  private static func keepDescriptors() {
    guard let folder = opendir("/proc/self/fd") else { return }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard let descriptor = CInt(name), descriptor > 2 else { continue }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
  }

  /// `POSIX_SPAWN_SETSID`, which Glibc's module does not have.
  private static let newSession: Int16 = 0x80

  /// Waits for the end of a process without reaping it.
  private static func wait(for pid: pid_t) async -> ProgramEnd {
    await withCheckedContinuation { continuation in
      WaitingThread.start(for: pid) { continuation.resume(returning: $0) }
    }
  }

  /// Finds a program as a process would be started.
  ///
  /// - Parameters:
  ///   - name: A path, or a name to look up in `PATH`.
  ///   - path: The value of `PATH`.
  /// - Returns: Why it cannot be run; nil if it can.
  static func problem(running name: String, path: String) -> String? {
    if name.contains("/") { return problem(running: name) }
    let candidates = path.split(separator: ":").map { "\($0)/\(name)" }
    return candidates.contains { problem(running: $0) == nil } ? nil : "no such file"
  }

  private static func problem(running path: String) -> String? {
    if let folder = opendir(path) {
      closedir(folder)
      return "it is a directory"
    }
    return access(path, X_OK) == 0
      ? nil : errno == ENOENT ? "no such file" : SystemFailure(errno: errno).reason.lowercased()
  }
}

/// A thread that waits for one process: Swift's own threads must not.
private final class WaitingThread: Sendable {
  private let pid: pid_t
  private let done: @Sendable (ProgramEnd) -> Void

  private init(_ pid: pid_t, _ done: @escaping @Sendable (ProgramEnd) -> Void) {
    self.pid = pid
    self.done = done
  }

  static func start(for pid: pid_t, _ done: @escaping @Sendable (ProgramEnd) -> Void) {
    var handle = pthread_t()
    let work = Unmanaged.passRetained(WaitingThread(pid, done))
    let code = pthread_create(
      &handle, nil,
      { work in
        if let work { Unmanaged<WaitingThread>.fromOpaque(work).takeRetainedValue().wait() }
        return nil
      }, work.toOpaque())
    // If there is no memory for another stack, there is no alternative left.
    precondition(code == 0, "cannot start a thread: \(SystemFailure(errno: code).reason)")
    pthread_detach(handle)
  }

  private func wait() {
    var info = siginfo_t()
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    let status = info._sifields._sigchld.si_status
    done(info.si_code == CInt(CLD_EXITED) ? .exited(status) : .killed(signal: status))
  }
}

/// A system call that failed.
struct SystemFailure: Error {
  var errno: CInt
  var reason: String { String(cString: strerror(errno)) }
}

/// Both ends of the streams of a process.
private struct Pipes: Sendable {
  var input: CInt
  var output: CInt
  var errors: CInt
  var ours: ServedProcess.Streams

  init(usesTerminal: Bool, hasInput: Bool) throws(SystemFailure) {
    var opened: [CInt] = []
    do throws(SystemFailure) {
      let errors = try Self.pipe(&opened)
      self.errors = errors.write
      if usesTerminal {
        let (ours, theirs) = try Self.terminal(&opened)
        output = theirs
        // Each stream has a descriptor of its own, which its owner closes.
        input = hasInput ? try Self.copy(theirs, &opened) : try Self.null(&opened)
        self.ours = ServedProcess.Streams(
          input: hasInput ? try Self.copy(ours, &opened) : nil, output: ours, errors: errors.read)
      } else {
        let output = try Self.pipe(&opened)
        let input = hasInput ? try Self.pipe(&opened) : nil
        self.output = output.write
        if let input { self.input = input.read } else { self.input = try Self.null(&opened) }
        ours = ServedProcess.Streams(input: input?.write, output: output.read, errors: errors.read)
      }
    } catch {
      for descriptor in opened { close(descriptor) }
      throw error
    }
  }

  /// A pseudo-terminal that passes all bytes unchanged, in both directions.
  private static func terminal(
    _ opened: inout [CInt]
  ) throws(SystemFailure) -> (ours: CInt, theirs: CInt) {
    var (ours, theirs): (CInt, CInt) = (-1, -1)
    var mode = termios()
    cfmakeraw(&mode)
    cfsetspeed(&mode, speed_t(B38400))
    mode.c_cflag |= tcflag_t(CREAD)
    var size = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
    guard openpty(&ours, &theirs, nil, &mode, &size) == 0 else { throw SystemFailure(errno: errno) }
    opened += [ours, theirs]
    for descriptor in [ours, theirs] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    return (ours, theirs)
  }

  private static func null(_ opened: inout [CInt]) throws(SystemFailure) -> CInt {
    try kept(open("/dev/null", O_RDONLY | O_CLOEXEC), &opened)
  }

  private static func copy(
    _ descriptor: CInt, _ opened: inout [CInt]
  ) throws(SystemFailure) -> CInt {
    try kept(fcntl(descriptor, F_DUPFD_CLOEXEC, 3), &opened)
  }

  private static func pipe(
    _ opened: inout [CInt]
  ) throws(SystemFailure) -> (read: CInt, write: CInt) {
    var ends: [CInt] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else { throw SystemFailure(errno: errno) }
    opened += ends
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func kept(
    _ descriptor: CInt, _ opened: inout [CInt]
  ) throws(SystemFailure) -> CInt {
    guard descriptor >= 0 else { throw SystemFailure(errno: errno) }
    opened.append(descriptor)
    return descriptor
  }
}
