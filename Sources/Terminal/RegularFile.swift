import Glibc

/// What the system says of a file before it is read.
package enum RegularFile {
  /// Its size in bytes; nil when it is not a regular file.
  ///
  /// - Throws: `SystemError` when there is no such file, or none that may be seen.
  package static func size(_ path: String) throws(SystemError) -> Int? {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .latest }
    return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
  }
}

/// What tells one state of a file from another.
package struct FileStamp: Sendable, Hashable {
  private let device: UInt
  private let inode: UInt
  private let size: Int
  private let seconds: Int
  private let nanoseconds: Int

  /// - Returns: nil when there is no such file, or none that may be seen.
  package init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    (device, inode, size) = (UInt(status.st_dev), UInt(status.st_ino), Int(status.st_size))
    (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }
}
