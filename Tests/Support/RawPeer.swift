import Glibc
import Synchronization
import WebSocketProtocol

/// A server that follows a script of exact bytes, for peers that misbehave. Every connection runs
/// the whole script on a thread of its own; all of it is on loopback.
package final class RawPeer: Sendable {
  /// One thing to do on a connection.
  package enum Step: Sendable {
    /// Reads until the blank line that ends a request head.
    case readRequest
    /// Sends a correct 101 to the request that was read.
    case accept
    /// The same with one more field, and with bytes right behind it in the same segment.
    case acceptAnd(String, behind: [UInt8] = [])
    case send([UInt8])
    /// Sends an unmasked frame with FIN.
    case frame(opcode: UInt8, [UInt8])
    /// Reads whatever comes until this many bytes have come.
    case read(Int)
    /// Reads until the other side ends the connection.
    case readToEnd
    case wait(milliseconds: Int)
    /// Ends the connection with a reset.
    case reset
    /// Says nothing more and keeps the connection until the peer ends it.
    case silence
  }

  package let port: Int
  private let listener: Int32
  private let seen = Mutex<[[UInt8]]>([])
  private let steps: [Step]

  /// Listens on a free port of 127.0.0.1.
  ///
  /// - Throws: `TestPeerError`.
  package init(_ steps: [Step]) throws {
    self.steps = steps
    (listener, port) = try LoopbackListener.open()
    let socket = listener
    TestThread.start {
      while true {
        let connection = Glibc.accept(socket, nil, nil)
        guard connection >= 0 else { return }
        TestThread.start { self.run(connection) }
      }
    }
  }

  /// Stops accepting; connections that are open run to the end of their scripts.
  package func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  package var url: String { "ws://127.0.0.1:\(port)/" }

  /// The requests so far, whole.
  package var requests: [String] {
    seen.withLock { $0.map { String(decoding: $0, as: UTF8.self) } }
  }

  private func run(_ connection: Int32) {
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    defer { close(connection) }
    var request: [UInt8] = []
    for step in steps {
      switch step {
      case .readRequest:
        request = readHead(connection)
        seen.withLock { $0.append(request) }
      case .accept:
        write(connection, Self.acceptance(of: request))
      case .acceptAnd(let field, let behind):
        let reply = Self.acceptance(of: request).dropLast(2) + Array((field + "\r\n\r\n").utf8)
        write(connection, reply + behind)
      case .send(let bytes):
        write(connection, bytes)
      case .frame(let opcode, let payload):
        write(connection, Self.frame(opcode, payload))
      case .read(let count):
        var left = count
        while left > 0 {
          let got = receive(connection, left)
          guard got > 0 else { return }
          left -= got
        }
      case .readToEnd, .silence:
        while receive(connection, 65_536) > 0 {}
      case .wait(let milliseconds):
        usleep(UInt32(milliseconds) * 1000)
      case .reset:
        var lingering = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
          connection, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
        return
      }
    }
  }

  private func readHead(_ connection: Int32) -> [UInt8] {
    var head: [UInt8] = []
    var byte: UInt8 = 0
    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8), head.count < 65_536 {
      guard recv(connection, &byte, 1, 0) == 1 else { break }
      head.append(byte)
    }
    return head
  }

  private func receive(_ connection: Int32, _ most: Int) -> Int {
    var buffer = [UInt8](repeating: 0, count: most)
    return recv(connection, &buffer, most, 0)
  }

  private func write(_ connection: Int32, _ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// A correct 101 for a request head.
  package static func acceptance(of request: [UInt8]) -> [UInt8] {
    let lines = String(decoding: request, as: UTF8.self).split(separator: "\r\n")
    let field = lines.first { $0.lowercased().hasPrefix("sec-websocket-key:") } ?? ""
    let key = field.split(separator: ":", maxSplits: 1).last.map { $0.filter { $0 != " " } } ?? ""
    return Array(
      """
      HTTP/1.1 101 Switching Protocols\r
      Upgrade: websocket\r
      Connection: Upgrade\r
      Sec-WebSocket-Accept: \(HandshakeKey.accept(key))\r
      \r

      """.utf8)
  }

  /// A frame as a server sends it.
  package static func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x80 | opcode]
    switch payload.count {
    case ..<126:
      bytes.append(UInt8(payload.count))
    case ..<65_536:
      bytes += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default:
      bytes.append(127)
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift))
      }
    }
    return bytes + payload
  }
}

/// A socket that listens on a free port of 127.0.0.1.
enum LoopbackListener {
  static func open() throws -> (socket: Int32, port: Int) {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw TestPeerError.system("socket") }
    _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        guard bind(socket, $0, length) == 0 else { return Int32(-1) }
        return getsockname(socket, $0, &length)
      }
    }
    guard bound == 0, listen(socket, 64) == 0 else { throw TestPeerError.system("bind") }
    return (socket, Int(UInt16(bigEndian: address.sin_port)))
  }
}
