import Glibc

/// Information from the system about a file that is about to be read.
package enum RegularFile {
  /// The size in bytes; nil if it is not a regular file.
  ///
  /// - Throws: `SystemError` if the file does not exist or is not accessible.
  package static func size(_ path: String) throws(SystemError) -> Int? {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .latest }
    return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
  }
}

/// Identifies a state of a file, to detect changes.
package struct FileStamp: Sendable, Hashable {
  private let device: UInt
  private let inode: UInt
  private let size: Int
  private let seconds: Int
  private let nanoseconds: Int

  /// - Returns: nil if the file does not exist or is not accessible.
  package init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    (device, inode, size) = (UInt(status.st_dev), UInt(status.st_ino), Int(status.st_size))
    (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }
}
