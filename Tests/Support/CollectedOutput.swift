import Glibc
import Synchronization

/// Everything that a running program writes, and how it ends. One thread reads, one waits.
final class Collected: Sendable {
  struct End: Sendable {
    var status: Int32 = 0
    var usage = rusage()
    var moment = ContinuousClock.now
    var output: [UInt8] = []
    var errors: [UInt8] = []
  }

  private struct State: Sendable {
    var bytes: [ChildProcess.Stream: [UInt8]] = [:]
    var linesReadUpTo: [ChildProcess.Stream: Int] = [:]
    var isOpen: Set<ChildProcess.Stream> = [.standardOutput, .standardError]
    var end: End?
  }

  private let processIdentifier: pid_t
  private let state = Mutex(State())
  private let changes = ChangeBell()

  init(_ processIdentifier: pid_t) { self.processIdentifier = processIdentifier }

  func collect(output: Int32, errors: Int32) {
    TestThread.start { self.readAll(output, .standardOutput) }
    TestThread.start { self.readAll(errors, .standardError) }
    TestThread.start { self.reap() }
  }

  var text: String {
    state.withLock { state in
      let output = String(decoding: state.bytes[.standardOutput] ?? [], as: UTF8.self)
      let errors = String(decoding: state.bytes[.standardError] ?? [], as: UTF8.self)
      return "output \"\(output.suffix(2000))\", errors \"\(errors.suffix(2000))\""
    }
  }

  func signal(_ number: Int32) {
    // The number is the program's until it is reaped, which happens under the same lock.
    state.withLock { if $0.end == nil { kill(processIdentifier, number) } }
  }

  func nextLine(of stream: ChildProcess.Stream, _ deadline: Deadline) throws -> String? {
    var line: String?
    let isReady = changes.wait(deadline) {
      state.withLock { state in
        let bytes = state.bytes[stream, default: []]
        let start = state.linesReadUpTo[stream, default: 0]
        var end = bytes[start...].firstIndex(of: 0x0A)
        if end == nil && !state.isOpen.contains(stream) {
          if start >= bytes.count { return true }
          end = bytes.count
        }
        guard let end else { return false }
        state.linesReadUpTo[stream] = end + 1
        line = String(decoding: bytes[start..<end], as: UTF8.self)
        return true
      }
    }
    guard isReady else { throw TestPeerError("no line in time; so far: \(text)") }
    return line
  }

  /// How the program ended; nil past the deadline.
  func waitForEnd(_ deadline: Deadline) -> End? {
    guard changes.wait(deadline, until: { state.withLock { $0.end != nil } }) else { return nil }
    // A grandchild that lives on may keep the pipes open; what it says is not waited for long.
    _ = changes.wait(Deadline(seconds: 1)) { state.withLock { $0.isOpen.isEmpty } }
    return state.withLock { state in
      state.end?.output = state.bytes[.standardOutput] ?? []
      state.end?.errors = state.bytes[.standardError] ?? []
      return state.end
    }
  }

  private func readAll(_ descriptor: Int32, _ stream: ChildProcess.Stream) {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      state.withLock { $0.bytes[stream, default: []] += buffer[..<count] }
      changes.ring()
    }
    close(descriptor)
    state.withLock { _ = $0.isOpen.remove(stream) }
    changes.ring()
  }

  private func reap() {
    var info = siginfo_t()
    while waitid(P_PID, id_t(processIdentifier), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
    state.withLock { state in
      var end = End()
      wait4(processIdentifier, &end.status, 0, &end.usage)
      state.end = end
    }
    changes.ring()
  }
}

/// The writing end of a pipe, which is closed once.
final class PipeWriter: Sendable {
  private let descriptor: Mutex<Int32>

  init(_ descriptor: Int32) {
    self.descriptor = Mutex(descriptor)
    if descriptor >= 0 { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
  }

  func close() {
    descriptor.withLock { descriptor in
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
  }

  func write(_ bytes: [UInt8], _ deadline: Deadline) throws {
    // Else a program that ended would end the tests.
    signal(SIGPIPE, SIG_IGN)
    try descriptor.withLock { descriptor in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          guard poll(&waiting, 1, deadline.milliseconds) > 0 || !deadline.hasPassed else {
            throw TestPeerError("the program does not read its input")
          }
        } else if errno != EINTR {
          throw TestPeerError.system("write")
        }
      }
    }
  }
}

/// Wakes those who wait for something that other threads bring about.
final class ChangeBell: @unchecked Sendable {
  // Unchecked: pointers to POSIX objects that are made for use by many threads.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func ring() {
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Waits until `condition` holds, looking at each ring; false past the deadline.
  func wait(_ deadline: Deadline, until isReady: () -> Bool) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isReady() {
      let left = deadline.milliseconds
      if left == 0 { return false }
      var moment = timespec()
      clock_gettime(CLOCK_MONOTONIC, &moment)
      let nanoseconds = moment.tv_nsec + Int(left) * 1_000_000
      moment.tv_sec += nanoseconds / 1_000_000_000
      moment.tv_nsec = nanoseconds % 1_000_000_000
      pthread_cond_timedwait(condition, mutex, &moment)
    }
    return true
  }
}
