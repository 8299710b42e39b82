import Glibc

/// What the system says of a file before it is read.
package enum RegularFile {
  /// Its size in bytes; nil when it is no regular file.
  ///
  /// - Throws: `SystemError` when there is no such file, or none that may be seen.
  package static func size(_ path: String) throws(SystemError) -> Int? {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .latest }
    return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
  }
}
