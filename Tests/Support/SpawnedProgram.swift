import Glibc
import Synchronization

/// A system call or a wait that went wrong in a test.
package struct TestPeerError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }

  static func system(_ call: String, code: Int32 = errno) -> TestPeerError {
    TestPeerError("\(call): \(String(cString: strerror(code)))")
  }
}

/// How a program ended.
package enum ProgramEnding: Equatable, Sendable {
  case exited(Int32)
  case signaled(Int32)

  init(waitStatus status: Int32) {
    self = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signaled(status & 0x7F)
  }
}

/// A moment that no test waits past.
package struct Deadline: Sendable {
  private let instant: ContinuousClock.Instant

  /// A moment `seconds` from now.
  package init(seconds: Double) { instant = .now + .seconds(seconds) }

  package var hasPassed: Bool { ContinuousClock.now >= instant }

  /// What is left, as `poll` wants it: at least 1 until the deadline has passed, then 0.
  package var milliseconds: Int32 {
    let left = ContinuousClock.now.duration(to: instant)
    return left <= .zero ? 0 : Int32(clamping: Int64(left / .milliseconds(1))) + 1
  }
}

/// What `posix_spawn` needs, in Swift's types.
struct SpawnedProgram {
  enum Standard {
    /// Descriptor of ours for 0, 1 and 2.
    case descriptors(Int32, Int32, Int32)
    /// A terminal for all three, which becomes the controlling one.
    case terminal(path: String)
  }

  private static let spawning = Mutex(())

  /// Opens descriptors that no program must inherit which another test starts at this moment.
  static func withoutSpawning<Answer>(_ body: () -> Answer) -> Answer {
    spawning.withLock { _ in body() }
  }

  /// Starts `path` with default signal actions and nothing blocked, whatever the test process does.
  /// An `environment` is all that the program gets; nil stands for that of the tests.
  static func start(
    _ path: String, _ arguments: [String], environment: [String: String]?, standard: Standard,
    directory: String?
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }

    var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    switch standard {
    case .descriptors(let input, let output, let errors):
      for (ours, theirs) in [(input, 0), (output, 1), (errors, 2)] as [(Int32, Int32)] {
        posix_spawn_file_actions_adddup2(&actions, ours, theirs)
      }
    case .terminal(let path):
      // The first terminal that the leader of a new session opens becomes its controlling one.
      posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
      for theirs in 1...2 as ClosedRange<Int32> {
        posix_spawn_file_actions_adddup2(&actions, 0, theirs)
      }
      flags |= 0x80  // POSIX_SPAWN_SETSID, which Glibc's module does not show
    }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(flags))

    let words = environment.map { $0.map { "\($0.key)=\($0.value)" } }
    // `env -C` changes the directory and becomes the program, which `posix_spawn` itself cannot.
    let (path, arguments) =
      directory.map { ("/usr/bin/env", ["-C", $0, path] + arguments) } ?? (path, arguments)
    return try withPointers([path] + arguments) { arguments in
      try withPointers(words ?? currentEnvironment()) { environment in
        var identifier = pid_t()
        let code = withoutSpawning {
          posix_spawn(&identifier, path, &actions, &attributes, arguments, environment)
        }
        guard code == 0 else { throw TestPeerError.system("posix_spawn \(path)", code: code) }
        return identifier
      }
    }
  }

  private static func currentEnvironment() -> [String] {
    var words: [String] = []
    var next = environ
    while let word = next.pointee {
      words.append(String(cString: word))
      next = next.successor()
    }
    return words
  }

  private static func withPointers<Answer>(
    _ words: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Answer
  ) rethrows -> Answer {
    let pointers = words.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return try body(pointers + [nil])
  }
}
