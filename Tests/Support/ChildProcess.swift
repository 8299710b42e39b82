package import Glibc

/// A program with pipes for its three streams, whose output is collected all the time: it is never
/// held up because the test looks elsewhere.
///
/// May be used by several tasks. The program is killed when this goes away.
package final class ChildProcess: Sendable {
  package enum Stream: Hashable, Sendable {
    case standardOutput
    case standardError
  }

  /// What a program left behind.
  package struct Finished: Sendable {
    package let ending: ProgramEnding
    package let standardOutput: [UInt8]
    package let standardError: [UInt8]
    /// From the start to the end.
    package let duration: Duration
    /// The most memory that the program had in use, in bytes.
    package let peakMemory: Int
    /// The time that it kept a processor busy.
    package let processorTime: Duration

    package var outputText: String { String(decoding: standardOutput, as: UTF8.self) }
    package var errorText: String { String(decoding: standardError, as: UTF8.self) }
    /// The exit code; nil if a signal ended the program.
    package var exitCode: Int32? { if case .exited(let code) = ending { code } else { nil } }
  }

  package let processIdentifier: pid_t
  private let input: PipeWriter
  private let collected: Collected
  private let started = ContinuousClock.now

  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - path: the program.
  ///   - arguments: its arguments, without its name.
  ///   - input: all of its standard input; nil for /dev/null.
  ///   - environment: all of its environment; nil for that of the tests.
  ///   - directory: where it runs; nil for the directory of the tests.
  ///   - seconds: the program is killed past this.
  /// - Returns: everything that it left behind.
  /// - Throws: `TestPeerError` if it cannot be started, or past the deadline.
  package static func run(
    _ path: String, _ arguments: [String] = [], input: [UInt8]? = nil,
    environment: [String: String]? = nil, directory: String? = nil, deadline seconds: Double = 100
  ) throws -> Finished {
    let deadline = Deadline(seconds: seconds)
    let child = try start(
      path, arguments, hasInput: input != nil, environment: environment, directory: directory)
    // A program need not read all of its input.
    if let input { try? child.write(input, deadline: deadline) }
    child.closeInput()
    return try child.wait(deadline)
  }

  /// Starts a program and lets it run.
  ///
  /// - Parameters:
  ///   - path: the program.
  ///   - arguments: its arguments, without its name.
  ///   - hasInput: whether to give it a pipe to read from, and not /dev/null.
  ///   - environment: all of its environment; nil for that of the tests.
  ///   - directory: where it runs; nil for the directory of the tests.
  /// - Returns: the running program.
  /// - Throws: `TestPeerError` if it cannot be started.
  package static func start(
    _ path: String, _ arguments: [String] = [], hasInput: Bool = true,
    environment: [String: String]? = nil, directory: String? = nil
  ) throws -> ChildProcess {
    try ChildProcess(
      path, arguments, hasInput: hasInput, environment: environment, directory: directory)
  }

  private init(
    _ path: String, _ arguments: [String], hasInput: Bool, environment: [String: String]?,
    directory: String?
  ) throws {
    let (output, outputEnd) = try Self.openPipe()
    let (errors, errorsEnd) = try Self.openPipe()
    let (inputEnd, ownInput) = hasInput ? try Self.openPipe() : (open("/dev/null", O_RDONLY), -1)
    defer { for end in [outputEnd, errorsEnd, inputEnd] { close(end) } }
    do {
      processIdentifier = try SpawnedProgram.start(
        path, arguments, environment: environment,
        standard: .descriptors(inputEnd, outputEnd, errorsEnd), directory: directory)
    } catch {
      for end in [output, errors, ownInput] where end >= 0 { close(end) }
      throw error
    }
    input = PipeWriter(ownInput)
    collected = Collected(processIdentifier)
    collected.collect(output: output, errors: errors)
  }

  deinit {
    collected.signal(SIGKILL)
    input.close()
  }

  /// Writes to the standard input of the program; blocks until it is taken.
  ///
  /// - Throws: `TestPeerError` if the program reads no more, or past the deadline.
  package func write(_ bytes: [UInt8], deadline seconds: Double = 100) throws {
    try write(bytes, deadline: Deadline(seconds: seconds))
  }

  /// Writes a line to the standard input of the program.
  package func writeLine(_ line: String) throws { try write(Array((line + "\n").utf8)) }

  /// Tells the program that no more messages.
  package func closeInput() { input.close() }

  /// The next line of one of the outputs, without its newline; nil at the end of the output.
  ///
  /// - Throws: `TestPeerError` past the deadline, with what came instead.
  package func readLine(from stream: Stream, deadline seconds: Double = 100) throws -> String? {
    try collected.nextLine(of: stream, Deadline(seconds: seconds))
  }

  /// The next line that satisfies `condition`; the ones before it are passed over.
  ///
  /// - Throws: `TestPeerError` past the deadline and at the end of the output.
  package func readLine(
    from stream: Stream, deadline seconds: Double = 100, where condition: (String) -> Bool
  ) throws -> String {
    let deadline = Deadline(seconds: seconds)
    while let line = try collected.nextLine(of: stream, deadline) {
      if condition(line) { return line }
    }
    throw TestPeerError("the output ended; so far: \(collected.text)")
  }

  /// Sends a signal, unless the program has ended.
  package func signal(_ number: Int32) { collected.signal(number) }

  /// Waits for the end of the program.
  ///
  /// - Throws: `TestPeerError` past the deadline; the program is killed then.
  package func wait(deadline seconds: Double = 100) throws -> Finished {
    try wait(Deadline(seconds: seconds))
  }

  private func wait(_ deadline: Deadline) throws -> Finished {
    guard let end = collected.waitForEnd(deadline) else {
      collected.signal(SIGKILL)
      throw TestPeerError(
        "program \(processIdentifier) does not end and was killed; so far: \(collected.text)")
    }
    let (usage, output, errors) = (end.usage, end.output, end.errors)
    let busy = [usage.ru_utime, usage.ru_stime].map {
      Duration.seconds($0.tv_sec) + .microseconds($0.tv_usec)
    }
    return Finished(
      ending: ProgramEnding(waitStatus: end.status), standardOutput: output, standardError: errors,
      duration: started.duration(to: end.moment), peakMemory: usage.ru_maxrss * 1024,
      processorTime: busy[0] + busy[1])
  }

  private func write(_ bytes: [UInt8], deadline: Deadline) throws {
    try input.write(bytes, deadline)
  }

  private static func openPipe() throws -> (reader: Int32, writer: Int32) {
    var ends: [Int32] = [-1, -1]
    let code = SpawnedProgram.withoutSpawning {
      defer { for end in ends where end >= 0 { _ = fcntl(end, F_SETFD, FD_CLOEXEC) } }
      return pipe(&ends)
    }
    guard code == 0 else { throw TestPeerError.system("pipe") }
    return (ends[0], ends[1])
  }
}
