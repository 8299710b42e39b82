import Glibc
import TestPeers

/// The binary under test, as a person runs it.
enum Wscope {
  /// It lies beside the test bundle, where the build has put both.
  static let path: String = {
    let bundle = CommandLine.arguments[0]
    return (bundle.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }) + "/wscope"
  }()

  /// An environment without the tester's own settings.
  static func environment(_ extra: [String: String] = [:]) -> [String: String] {
    var variables = [
      "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8",
      "SWIFT_BACKTRACE": "enable=no",
    ]
    for (name, value) in extra { variables[name] = value }
    return variables
  }

  static func run(
    _ arguments: [String], input: String? = nil, environment extra: [String: String] = [:],
    deadline: Double = 120
  ) throws -> ChildProcess.Finished {
    try ChildProcess.run(
      path, arguments, input: input.map { Array($0.utf8) }, environment: environment(extra),
      deadline: deadline)
  }

  static func start(
    _ arguments: [String], hasInput: Bool = true, environment extra: [String: String] = [:]
  ) throws -> ChildProcess {
    try ChildProcess.start(path, arguments, hasInput: hasInput, environment: environment(extra))
  }

  /// Runs a command line of the shell in which `wscope` is the binary.
  static func shell(_ line: String, deadline: Double = 120) throws -> ChildProcess.Finished {
    try ChildProcess.run(
      "/bin/bash", ["-c", "wscope() { command \"$WSCOPE\" \"$@\"; }; \(line)"],
      environment: environment(["WSCOPE": path]), deadline: deadline)
  }

  /// An empty directory of this process; it goes away with it.
  static func scratch(_ name: String) throws -> String {
    let path = "\(scratchRoot)/\(name)"
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw TestPeerError("mkdir \(path): \(errno)")
    }
    return path
  }

  static func write(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw TestPeerError("\(path): \(errno)") }
    fputs(text, file)
    fclose(file)
  }

  static func read(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw TestPeerError("\(path): \(errno)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static let scratchRoot: String = {
    let path = "/tmp/wscope-tests-\(getpid())"
    mkdir(path, 0o700)
    atexit { system("rm -rf '\(Wscope.scratchRoot)'") }
    return path
  }()
}

/// A running `wscope listen`, which is ended with the value.
final class Listener: Sendable {
  let process: ChildProcess
  let port: Int

  /// Starts it on a free port and waits for the ready line.
  init(
    _ options: [String] = [], hasInput: Bool = false, environment: [String: String] = [:]
  ) throws {
    process = try Wscope.start(
      ["listen", "0"] + options, hasInput: hasInput, environment: environment)
    let ready = try process.readLine(from: .standardError) { $0.contains("listening on") }
    // listening on ws://127.0.0.1:PORT/ and ...
    let digits = ready.split(separator: "127.0.0.1:", maxSplits: 1).last?.prefix { $0.isNumber }
    guard let port = digits.flatMap({ Int($0) }) else {
      throw TestPeerError("no port in \"\(ready)\"")
    }
    self.port = port
  }

  var url: String { "ws://127.0.0.1:\(port)/" }
}
