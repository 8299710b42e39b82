import Glibc

/// A blocking TCP socket on 127.0.0.1 that sends exact bytes and can end in every way there is.
package struct RawSocket: Sendable {
  package let descriptor: Int32

  /// Takes over a socket that is open.
  package init(_ descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  /// Connects.
  ///
  /// - Throws: `TestPeerError`.
  package static func connect(port: Int) throws -> RawSocket {
    let made = try make()
    let status = withAddress(port: port) { Glibc.connect(made.descriptor, $0, $1) }
    guard status == 0 else {
      made.close()
      throw TestPeerError.system("connect")
    }
    return made
  }

  /// Listens on a free port.
  ///
  /// - Throws: `TestPeerError`.
  package static func listen() throws -> RawSocket {
    let made = try make()
    guard withAddress(port: 0, { bind(made.descriptor, $0, $1) }) == 0,
      Glibc.listen(made.descriptor, 64) == 0
    else {
      made.close()
      throw TestPeerError.system("bind")
    }
    return made
  }

  private static func make() throws -> RawSocket {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw TestPeerError.system("socket") }
    return RawSocket(descriptor)
  }

  private static func withAddress(
    port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = UInt16(port).bigEndian
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  /// The port that it is bound to.
  package var port: Int {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(descriptor, $0, &length)
      }
    }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  /// The next connection; nil when the socket no longer listens.
  package func accept() -> RawSocket? {
    let accepted = Glibc.accept(descriptor, nil, nil)
    return accepted >= 0 ? RawSocket(accepted) : nil
  }

  /// How long a read waits before it gives up as if the peer had ended.
  package func setReadTimeout(seconds: Double) {
    var timeout = timeval(tv_sec: Int(seconds), tv_usec: Int(seconds * 1e6) % 1_000_000)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Sends all bytes; false when the peer took no more.
  @discardableResult
  package func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Sends until the peer has taken nothing for `patience` milliseconds; how many bytes it took.
  package func sendUntilFull(_ bytes: [UInt8], patience: Int32) -> Int {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if count > 0 { sent += count }
      var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard count > 0 || poll(&room, 1, patience) > 0 else { break }
    }
    return sent
  }

  /// What is there, at most `most` bytes; empty at the end of the stream, nil for an error.
  package func receive(_ most: Int) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: most)
    let count = recv(descriptor, &buffer, most, 0)
    return count < 0 ? nil : Array(buffer[..<count])
  }

  /// Reads until the blank line that ends an HTTP head, and not a byte more.
  /// Whether there is nothing to read for so many seconds, not even the end.
  package func isSilent(for seconds: Double) -> Bool {
    var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, Int32(seconds * 1000)) == 0
  }

  package func readHead() -> [UInt8] {
    var head: [UInt8] = []
    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8), head.count < 65_536 {
      guard let byte = receive(1), !byte.isEmpty else { break }
      head += byte
    }
    return head
  }

  /// Reads until the peer ends the connection.
  package func readToEnd() -> [UInt8] {
    var bytes: [UInt8] = []
    while let more = receive(65_536), !more.isEmpty { bytes += more }
    return bytes
  }

  /// Ends our half of the connection (FIN).
  package func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Makes `close` a reset (RST).
  package func resetAtClose() {
    var lingering = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
  }

  /// Ends reads and accepts that other threads wait in.
  package func wake() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  package func close() { _ = Glibc.close(descriptor) }
}
