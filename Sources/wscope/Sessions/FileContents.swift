import Glibc
import Terminal
import WebSocketProtocol

/// Files named on the command line.
enum FileContents {
  /// All bytes of a file; `-` is standard input.
  static func read(_ path: String) throws -> [UInt8] {
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path, "read") }
    defer { if path != "-" { close(descriptor) } }
    var contents: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(path, "read") }
      guard count > 0 else { return contents }
      contents.append(contentsOf: chunk[..<count])
    }
  }

  /// All bytes of a file to be parsed, without a byte order mark at its start.
  static func readText(_ path: String) throws -> [UInt8] { withoutByteOrderMark(try read(path)) }

  static func withoutByteOrderMark(_ bytes: [UInt8]) -> [UInt8] {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }

  /// All bytes of a regular file that is to become a message.
  static func readFile(_ path: String) throws -> [UInt8] {
    // Read without `stat` here: with a module of Foundation imported, its members would resolve to
    // those of Foundation.
    let size: Int?
    do throws(SystemError) {
      size = try RegularFile.size(path)
    } catch {
      throw CommandFailure(.usage, "cannot read \(path): \(error.reason)")
    }
    guard let size else { throw CommandFailure(.usage, "\(path) is not a regular file") }
    guard size <= Limits.largestMessageSize else {
      throw CommandFailure(
        .usage, "\(path) is larger than \(Figures.bytes(Limits.largestMessageSize))")
    }
    return try read(path)
  }

  /// Writes a whole report: `-` is standard output, a regular file is replaced as a whole, and
  /// anything else is written to (see `OutputFile`).
  ///
  /// - Throws: `CommandFailure`.
  static func write(
    _ text: String, to path: String, mode: mode_t = 0o644, _ console: Console = Console()
  ) throws {
    try write(Array(text.utf8), to: path, mode: mode, console)
  }

  /// As above, for bytes.
  static func write(
    _ bytes: [UInt8], to path: String, mode: mode_t = 0o644, _ console: Console = Console()
  ) throws {
    guard path != "-" else {
      do throws(OutputError) {
        return try console.payload(bytes)
      } catch {
        // If the reader has closed the stream, exit quietly.
        guard case .failed(let code, let stream) = error else { return }
        throw CommandFailure(
          .outputFailed, "cannot write \(stream): \(SystemError(code: code).reason)")
      }
    }
    do throws(SystemError) {
      try OutputFile.write(bytes, to: path, mode: mode)
    } catch {
      throw failure(path, "write", error)
    }
  }

  /// Adds a whole report to the end of a file, which is created if it does not exist.
  ///
  /// - Throws: `CommandFailure`.
  static func append(_ text: String, to path: String) throws {
    let file = try AppendedFile(addingTo: path)
    do throws(SystemError) {
      try file.append(Array(text.utf8))
    } catch {
      throw failure(path, "write", error)
    }
  }

  /// Checks whether a report can be written, before the measurement starts.
  ///
  /// - Throws: `CommandFailure` as `write` would.
  static func checkWritable(_ path: String) throws {
    do throws(SystemError) {
      try OutputFile.checkWritable(path)
    } catch {
      throw failure(path, "write", error)
    }
  }

  /// Creates a file that only its owner can read, or writes to a device or FIFO; an existing file
  /// is not changed.
  ///
  /// - Throws: `CommandFailure`.
  static func create(_ bytes: [UInt8], at path: String) throws {
    let isNew = !OutputFile.isStream(path)
    let file = try AppendedFile(path)
    do throws(SystemError) {
      try file.append(bytes)
    } catch {
      if isNew { unlink(path) }
      throw failure(path, "write", error)
    }
  }

  fileprivate static func failure(
    _ path: String, _ verb: String, _ error: SystemError = SystemError(code: errno)
  ) -> CommandFailure {
    let name = path == "-" ? "standard input" : path
    let reason = error.code == ENXIO ? "no process reads it" : error.reason
    return CommandFailure(
      verb == "read" ? .usage : .outputFailed, "cannot \(verb) \(name): \(reason)")
  }
}

/// A file that grows while a session runs, readable by its owner only.
final class AppendedFile: Sendable {
  let path: String
  private let descriptor: Int32

  /// Creates the file, or opens a device or FIFO. An existing regular file is not changed unless
  /// `overwriting` is true, and a symbolic link to one is never followed (SECURITY R16).
  ///
  /// - Throws: `CommandFailure`.
  init(_ path: String, overwriting: Bool = false) throws {
    self.path = path
    if OutputFile.isStream(path) {
      descriptor = try Self.openStream(path)
      return
    }
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW
    descriptor = open(path, flags | (overwriting ? O_TRUNC : O_EXCL), 0o600)
    guard descriptor >= 0 else {
      switch errno {
      case EEXIST: throw CommandFailure(.usage, "\(path) already exists")
      case ELOOP: throw CommandFailure(.usage, "\(path) is a symbolic link, which is not followed")
      default: throw FileContents.failure(path, "write")
      }
    }
  }

  /// Opens a file for appending, and creates it if it does not exist.
  ///
  /// - Throws: `CommandFailure`.
  init(addingTo path: String) throws {
    self.path = path
    if OutputFile.isStream(path) {
      descriptor = try Self.openStream(path)
      return
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw FileContents.failure(path, "write") }
  }

  /// Opens a file that a report fills during a run: an existing one is emptied, and may be a symbolic link.
  ///
  /// - Throws: `CommandFailure`.
  init(growing path: String) throws {
    self.path = path
    if OutputFile.isStream(path) {
      descriptor = try Self.openStream(path)
      return
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileContents.failure(path, "write") }
  }

  deinit { close(descriptor) }

  private static func openStream(_ path: String) throws -> Int32 {
    do throws(SystemError) {
      return try OutputFile.openExisting(path)
    } catch {
      throw FileContents.failure(path, "write", error)
    }
  }

  /// Appends bytes.
  func append(_ bytes: [UInt8]) throws(SystemError) {
    try OutputFile.append(bytes, to: descriptor)
  }
}
