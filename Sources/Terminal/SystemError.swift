import Glibc

/// A failed system call, represented by its `errno`.
package struct SystemError: Error, Equatable, Sendable {
  /// The value of `errno`.
  package let code: Int32

  /// The failure with this `errno`.
  package init(code: Int32) { self.code = code }

  /// The system's message, such as "No space left on device".
  package var reason: String { String(cString: strerror(code)) }

  /// The failure of the system call just made.
  static var latest: SystemError { SystemError(code: errno) }
}

/// Writes all of `bytes`, even if the system accepts only a part of them at a time.
///
/// Waits for a descriptor that another process has made non-blocking (processes share the open file
/// of a terminal), so that no output is lost.
func writeFully(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(SystemError) {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
    if count > 0 {
      rest = rest.dropFirst(count)
    } else if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      _ = poll(&waiting, 1, -1)
    } else if count < 0 && errno != EINTR {
      throw .latest
    }
  }
}

/// Reads at most `buffer.count` bytes as soon as there are any; 0 is the end of the input.
func readSome(into buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32)
  throws(SystemError) -> Int
{
  while true {
    let count = read(descriptor, buffer.baseAddress, buffer.count)
    if count >= 0 { return count }
    switch errno {
    case EINTR: continue
    case EAGAIN, EWOULDBLOCK:
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&waiting, 1, -1)
    default: throw .latest
    }
  }
}
