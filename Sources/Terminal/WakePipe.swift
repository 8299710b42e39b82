import Glibc

/// A pipe through which one thread, or a signal handler, wakes another that waits in `poll` or
/// `read`.
///
/// Writing never blocks: if the pipe is full, the reader is going to wake up anyway.
final class WakePipe: Sendable {
  /// Readable while bytes are waiting.
  let reader: Int32
  /// The end for writing.
  let writer: Int32

  init() {
    var ends: [Int32] = [-1, -1]
    let code = pipe(&ends)
    precondition(code == 0, "cannot make a pipe: \(SystemError.latest.reason)")
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    (reader, writer) = (ends[0], ends[1])
  }

  deinit {
    close(reader)
    close(writer)
  }

  /// Writes one byte.
  func wake() {
    var byte: UInt8 = 0
    _ = write(writer, &byte, 1)
  }

  /// Waits for one byte; nil if the pipe is broken.
  func read() -> UInt8? {
    var byte: UInt8 = 0
    let count = try? withUnsafeMutableBytes(of: &byte) { try readSome(into: $0, from: reader) }
    return count == 1 ? byte : nil
  }
}
