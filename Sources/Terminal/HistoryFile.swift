import Glibc

/// The file of a history, open and locked against other sessions until this value is destroyed.
struct HistoryFile: ~Copyable {
  private let path: String
  private let descriptor: Int32

  /// Opens the file without following a symbolic link, and makes it readable by its owner only.
  /// Returns nil if it does not exist and is not to be created.
  ///
  /// - Parameters:
  ///   - path: the path of the file.
  ///   - creating: whether to create it, with its parent directories.
  /// - Throws: the error of the system; ELOOP if it is a symbolic link or not a regular file.
  init?(path: String, creating: Bool) throws(SystemError) {
    if creating { Self.createDirectories(above: path) }
    while true {
      // Non-blocking, so that a FIFO in its place does not block the session.
      let flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
      let descriptor = open(path, creating ? flags | O_CREAT : flags, 0o600)
      if descriptor < 0 {
        if errno == ENOENT && !creating { return nil }
        throw .latest
      }
      do {
        if try Self.isCurrent(descriptor, path: path) {
          self.path = path
          self.descriptor = descriptor
          return
        }
      } catch {
        close(descriptor)
        throw error
      }
      // Another session replaced the file between opening and locking it.
      close(descriptor)
    }
  }

  deinit { close(descriptor) }

  borrowing func read() throws(SystemError) -> [UInt8] {
    var content: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 1)
    defer { buffer.deallocate() }
    while true {
      let count = try readSome(into: buffer, from: descriptor)
      if count == 0 { return content }
      content.append(contentsOf: buffer[..<count])
    }
  }

  borrowing func append(_ bytes: [UInt8]) throws(SystemError) {
    try Self.write(bytes, to: descriptor)
  }

  /// Replaces the whole content atomically: a reader sees the old or the new content.
  borrowing func replace(with bytes: [UInt8]) throws(SystemError) {
    let draft = "\(path).\(getpid())"
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let descriptor = open(draft, flags, 0o600)
    guard descriptor >= 0 else { throw .latest }
    defer { close(descriptor) }
    do throws(SystemError) {
      try Self.write(bytes, to: descriptor)
      guard rename(draft, path) == 0 else { throw .latest }
    } catch {
      unlink(draft)
      throw error
    }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
    let written = bytes.withUnsafeBytes { bytes in
      Result { () throws(SystemError) in try writeFully(bytes, to: descriptor) }
    }
    try written.get()
  }

  /// Locks the file and returns whether it is still the one at `path`.
  private static func isCurrent(_ descriptor: Int32, path: String) throws(SystemError) -> Bool {
    var opened = stat()
    guard fstat(descriptor, &opened) == 0 else { throw .latest }
    guard opened.st_mode & S_IFMT == S_IFREG else { throw SystemError(code: ELOOP) }
    if opened.st_mode & 0o777 != 0o600, fchmod(descriptor, 0o600) != 0 { throw .latest }
    // Where locks are not supported, each entry is still appended in one write.
    _ = flock(descriptor, LOCK_EX)
    var present = stat()
    return lstat(path, &present) == 0 && present.st_ino == opened.st_ino
      && present.st_dev == opened.st_dev
  }

  /// Creates missing directories, accessible by the owner only. Failures appear when the file is
  /// opened.
  private static func createDirectories(above path: String) {
    for (index, byte) in path.utf8.enumerated() where byte == 0x2F && index > 0 {
      mkdir(String(decoding: path.utf8.prefix(index), as: UTF8.self), 0o700)
    }
  }
}
