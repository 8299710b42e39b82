import Glibc

/// A client that sends exact bytes to a server on loopback and tells what came back.
package final class RawClient {
  private let connection: Int32

  /// Connects to 127.0.0.1.
  ///
  /// - Throws: `TestPeerError`.
  package init(port: Int) throws {
    connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard connection >= 0 else { throw TestPeerError.system("socket") }
    _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
    var timeout = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(
      connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = UInt16(port).bigEndian
    let descriptor = connection
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw TestPeerError.system("connect") }
  }

  deinit {
    close(connection)
  }

  /// Sends bytes; what the server no longer takes is dropped.
  package func send(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// Sends until the server has taken nothing for `patience` milliseconds; how many bytes it took.
  package func sendUntilFull(_ bytes: [UInt8], patience: Int32 = 500) -> Int {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      }
      if count > 0 { sent += count }
      var room = pollfd(fd: connection, events: Int16(POLLOUT), revents: 0)
      guard count > 0 || poll(&room, 1, patience) > 0 else { break }
    }
    return sent
  }

  /// Lets the end of this client be a reset.
  package func endWithReset() {
    var now = linger(l_onoff: 1, l_linger: 0)
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
  }

  package func send(_ text: String) { send(Array(text.utf8)) }

  /// An upgrade request with these fields behind the usual ones.
  package static func request(
    host: String = "localhost", path: String = "/", fields: [String] = []
  ) -> String {
    (["GET \(path) HTTP/1.1", "Host: \(host)", "Upgrade: websocket", "Connection: Upgrade"]
      + ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="] + fields)
      .map { $0 + "\r\n" }.joined() + "\r\n"
  }

  /// Reads the head of a reply.
  package func readHead() -> String {
    var head: [UInt8] = []
    var byte: UInt8 = 0
    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8), head.count < 65_536 {
      guard recv(connection, &byte, 1, 0) == 1 else { break }
      head.append(byte)
    }
    return String(decoding: head, as: UTF8.self)
  }

  /// Reads exactly `count` bytes, or fewer when the server ends before.
  package func read(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var got = 0
    while got < count {
      let more = bytes[got...].withUnsafeMutableBytes {
        recv(connection, $0.baseAddress, $0.count, 0)
      }
      guard more > 0 else { break }
      got += more
    }
    return Array(bytes[..<got])
  }

  /// Reads until the server ends the connection.
  package func readToEnd() -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(connection, &chunk, chunk.count, 0)
      guard count > 0 else { return bytes }
      bytes += chunk[..<count]
    }
  }

  /// A masked frame with FIN, as a client sends it.
  package static func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x80 | opcode]
    switch payload.count {
    case ..<126: bytes.append(0x80 | UInt8(payload.count))
    default: bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    }
    let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
  }
}
