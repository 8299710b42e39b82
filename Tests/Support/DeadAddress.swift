import Glibc

/// A place that takes no connection and refuses none: a listener whose queue is full, so that the kernel
/// drops what knocks. It is on loopback, and dead as long as the value lives.
package final class DeadAddress: Sendable {
  package let host: String
  package let port: Int
  private let descriptors: [Int32]

  /// - Parameters:
  ///   - host: an IPv4 address of loopback.
  ///   - port: 0 for a free one.
  /// - Throws: `TestPeerError`.
  package init(_ host: String = "127.0.0.2", port: Int = 0) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard listener >= 0 else { throw TestPeerError.system("socket") }
    guard Self.withAddress(host, port, { bind(listener, $0, $1) }) == 0,
      Glibc.listen(listener, 0) == 0
    else {
      close(listener)
      throw TestPeerError.system("bind \(host):\(port)")
    }
    self.host = host
    self.port = RawSocket(listener).port
    descriptors = try [listener] + Self.fill(host, self.port)
  }

  private static func fill(_ host: String, _ port: Int) throws -> [Int32] {
    var descriptors: [Int32] = []
    // The queue holds one or two; dead is what leaves a connect hanging.
    for _ in 0..<8 {
      let knocking = socket(
        AF_INET,
        Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      descriptors.append(knocking)
      _ = withAddress(host, port) { connect(knocking, $0, $1) }
      var answer = pollfd(fd: knocking, events: Int16(POLLOUT), revents: 0)
      if poll(&answer, 1, 200) == 0 { return descriptors }
    }
    throw TestPeerError("\(host):\(port) is not dead")
  }

  deinit { for descriptor in descriptors { close(descriptor) } }

  private static func withAddress(
    _ host: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
