import Glibc
import Terminal

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

  /// Replaces a file as a whole: who reads it sees the old text or the new one, never a part.
  static func write(_ text: String, to path: String) throws {
    let temporary = "\(path).\(getpid()).tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure(path, "write") }
    let bytes = Array(text.utf8)
    let written = Glibc.write(descriptor, bytes, bytes.count)
    close(descriptor)
    guard written == bytes.count, rename(temporary, path) == 0 else {
      let failed = failure(path, "write")
      unlink(temporary)
      throw failed
    }
  }

  private static func failure(_ path: String, _ verb: String) -> CommandFailure {
    let name = path == "-" ? "standard input" : path
    return CommandFailure(
      verb == "read" ? .usage : .outputFailed,
      "cannot \(verb) \(name): \(SystemError(code: errno).reason)")
  }
}
