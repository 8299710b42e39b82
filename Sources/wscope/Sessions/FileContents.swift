import Glibc
import Terminal
import WebSocketProtocol

/// Files that a command line names.
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

  /// All bytes of a regular file that may become a message.
  static func readFile(_ path: String) throws -> [UInt8] {
    // Not asked here: where a module of Foundation is about, the members of `stat` are taken for its own.
    let size: Int?
    do throws(SystemError) {
      size = try RegularFile.size(path)
    } catch {
      throw CommandFailure(.usage, "cannot read \(path): \(error.reason)")
    }
    guard let size else { throw CommandFailure(.usage, "\(path) is no regular file") }
    guard size <= Limits.largestMessageSize else {
      throw CommandFailure(
        .usage, "\(path) is larger than \(Figures.bytes(Limits.largestMessageSize))")
    }
    return try read(path)
  }

  /// Replaces a file as a whole: who reads it sees the old text or the new one, never a part.
  static func write(_ text: String, to path: String, mode: mode_t = 0o644) throws {
    let temporary = "\(path).\(getpid()).tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw failure(path, "write") }
    let isWritten = writeAll(Array(text.utf8), to: descriptor)
    close(descriptor)
    guard isWritten, rename(temporary, path) == 0 else {
      let failed = failure(path, "write")
      unlink(temporary)
      throw failed
    }
  }

  /// Makes a new file for its owner only; one that is there is left alone.
  static func create(_ bytes: [UInt8], at path: String) throws {
    let file = try AppendedFile(path)
    guard file.append(bytes) else {
      let failed = failure(path, "write")
      unlink(path)
      throw failed
    }
  }

  fileprivate static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  fileprivate static func failure(_ path: String, _ verb: String) -> CommandFailure {
    let name = path == "-" ? "standard input" : path
    return CommandFailure(
      verb == "read" ? .usage : .outputFailed,
      "cannot \(verb) \(name): \(SystemError(code: errno).reason)")
  }
}

/// A file that grows while a session runs; readable by its owner only.
final class AppendedFile: Sendable {
  let path: String
  private let descriptor: Int32

  /// Makes the file. One that is there already is left alone, unless it may be overwritten; a symbolic
  /// link is never followed.
  ///
  /// - Throws: `CommandFailure`.
  init(_ path: String, overwriting: Bool = false) throws {
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW
    let descriptor = open(path, flags | (overwriting ? O_TRUNC : O_EXCL), 0o600)
    guard descriptor >= 0 else {
      if errno == EEXIST { throw CommandFailure(.usage, "\(path) is there already") }
      throw FileContents.failure(path, "write")
    }
    self.path = path
    self.descriptor = descriptor
  }

  /// Opens a file to add to what is in it, and makes it if there is none.
  ///
  /// - Throws: `CommandFailure`.
  init(addingTo path: String) throws {
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    self.path = path
    guard descriptor >= 0 else { throw FileContents.failure(path, "write") }
  }

  deinit { close(descriptor) }

  /// Adds bytes; false if the system does not take them, and `errno` says why.
  func append(_ bytes: [UInt8]) -> Bool { FileContents.writeAll(bytes, to: descriptor) }
}
