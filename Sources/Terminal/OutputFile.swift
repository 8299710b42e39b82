import Glibc

/// Opens and replaces the output files named on a command line.
///
/// A report replaces a regular file as a whole, so that a reader sees the old contents or the new
/// ones but never a part. Anything else that a path can name (a device, a FIFO, a shell's socket)
/// is opened and written to, as a shell's redirection would, and is never replaced. Symbolic links
/// are followed.
package enum OutputFile {
  /// How long to wait for a process to open a FIFO for reading.
  package static let readerTimeout = Duration.seconds(10)

  /// Writes all of `bytes` to `path`.
  ///
  /// A regular file keeps its mode, its owner and its other hard links.
  ///
  /// - Parameters:
  ///   - bytes: the whole contents.
  ///   - path: a file; `-` has no special meaning here.
  ///   - mode: the permissions of a new file, before the umask is applied.
  /// - Throws: `SystemError`; a regular file then still has its old contents, unless it had to be
  ///   written in place (several hard links, another owner, or a directory in which no file can be
  ///   created).
  package static func write(
    _ bytes: [UInt8], to path: String, mode: UInt32
  ) throws(SystemError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      // A symbolic link without a target is written through, which creates the target.
      guard errno == ENOENT else { throw .latest }
      guard !isSymbolicLink(path) else { return try writeInPlace(bytes, path, mode) }
      return try replace(path, with: bytes, mode: mode, like: nil)
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG:
      guard faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 else { throw .latest }
      guard status.st_nlink == 1, let target = resolved(path) else {
        return try writeInPlace(bytes, path, mode)
      }
      do throws(SystemError) {
        try replace(target, with: bytes, mode: mode, like: status)
      } catch {
        // No file can be created in its directory, the owner cannot be kept, or it is itself a
        // mount point.
        guard [EACCES, EPERM, EROFS, EBUSY, EXDEV].contains(error.code) else { throw error }
        try writeInPlace(bytes, path, mode)
      }
    default:
      let descriptor = try openExisting(path)
      defer { close(descriptor) }
      try append(bytes, to: descriptor)
    }
  }

  /// Whether `write` can be expected to succeed; nothing is opened or changed.
  ///
  /// - Parameter path: As for `write`.
  /// - Throws: `SystemError`, the one that `write` would throw.
  package static func checkWritable(_ path: String) throws(SystemError) {
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT != S_IFDIR else { throw SystemError(code: EISDIR) }
      guard faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 else { throw .latest }
      return
    }
    guard errno == ENOENT else { throw .latest }
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    guard faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0 else { throw .latest }
  }

  /// Opens something that is neither a regular file nor a directory, for writing. Waits up to
  /// `readerTimeout` for a reader of a FIFO: `open` itself would wait indefinitely and not respond
  /// to signals.
  ///
  /// - Throws: `SystemError`; `ENXIO` if no process reads the FIFO.
  package static func openExisting(_ path: String) throws(SystemError) -> Int32 {
    let clock = ContinuousClock()
    let deadline = clock.now + readerTimeout
    while true {
      let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
      if descriptor >= 0 {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK)
        return descriptor
      }
      guard errno == ENXIO, isFIFO(path), clock.now < deadline else { throw .latest }
      usleep(5_000)
    }
  }

  /// Writes all of `bytes` to an open descriptor.
  package static func append(
    _ bytes: [UInt8], to descriptor: Int32
  ) throws(SystemError) {
    let written = bytes.withUnsafeBytes { bytes in
      Result { () throws(SystemError) in try writeFully(bytes, to: descriptor) }
    }
    try written.get()
  }

  /// Whether `path`, after all links, names something that is written to but cannot be replaced: a
  /// device, a FIFO or a socket.
  package static func isStream(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    return ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
  }

  // MARK: Regular files

  private static func replace(
    _ path: String, with bytes: [UInt8], mode: UInt32, like old: stat?
  ) throws(SystemError) {
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    var random = SystemRandomNumberGenerator()
    let temporary = "\(directory).wscope-\(String(random.next(), radix: 36)).tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw .latest }
    do throws(SystemError) {
      defer { close(descriptor) }
      if let old { try adopt(old, descriptor) }
      try append(bytes, to: descriptor)
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let error = SystemError.latest
      unlink(temporary)
      throw error
    }
  }

  /// Gives a new file the owner and the mode of the file that it replaces.
  private static func adopt(_ old: stat, _ descriptor: Int32) throws(SystemError) {
    var new = stat()
    guard fstat(descriptor, &new) == 0 else { throw .latest }
    if new.st_uid != old.st_uid || new.st_gid != old.st_gid {
      guard fchown(descriptor, old.st_uid, old.st_gid) == 0 else { throw .latest }
    }
    guard fchmod(descriptor, old.st_mode & 0o7777) == 0 else { throw .latest }
  }

  private static func writeInPlace(
    _ bytes: [UInt8], _ path: String, _ mode: UInt32
  ) throws(SystemError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, mode)
    guard descriptor >= 0 else { throw .latest }
    defer { close(descriptor) }
    try append(bytes, to: descriptor)
  }

  private static func resolved(_ path: String) -> String? {
    guard let pointer = realpath(path, nil) else { return nil }
    defer { free(pointer) }
    return String(validatingCString: pointer)
  }

  private static func isSymbolicLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  private static func isFIFO(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
  }
}
