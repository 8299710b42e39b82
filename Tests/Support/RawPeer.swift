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
  private let listener: RawSocket
  private let seen = Mutex<[[UInt8]]>([])
  private let steps: [Step]

  /// Listens on a free port of 127.0.0.1.
  ///
  /// - Throws: `TestPeerError`.
  package init(_ steps: [Step]) throws {
    self.steps = steps
    let listener = try RawSocket.listen()
    self.listener = listener
    port = listener.port
    TestThread.start {
      while let connection = listener.accept() {
        TestThread.start { self.run(connection) }
      }
    }
  }

  /// Stops accepting; connections that are open run to the end of their scripts.
  package func stop() {
    listener.wake()
    listener.close()
  }

  package var url: String { "ws://127.0.0.1:\(port)/" }

  /// The requests so far, whole.
  package var requests: [String] {
    seen.withLock { $0.map { String(decoding: $0, as: UTF8.self) } }
  }

  private func run(_ connection: RawSocket) {
    connection.setReadTimeout(seconds: 120)
    defer { connection.close() }
    var request: [UInt8] = []
    for step in steps {
      switch step {
      case .readRequest:
        request = connection.readHead()
        seen.withLock { $0.append(request) }
      case .accept:
        connection.send(Self.acceptance(of: request))
      case .acceptAnd(let field, let behind):
        let reply = Self.acceptance(of: request).dropLast(2) + Array((field + "\r\n\r\n").utf8)
        connection.send(reply + behind)
      case .send(let bytes):
        connection.send(bytes)
      case .frame(let opcode, let payload):
        connection.send(Self.frame(opcode, payload))
      case .read(let count):
        var left = count
        while left > 0 {
          guard let got = connection.receive(left), !got.isEmpty else { return }
          left -= got.count
        }
      case .readToEnd, .silence:
        while let more = connection.receive(65_536), !more.isEmpty {}
      case .wait(let milliseconds):
        usleep(UInt32(milliseconds) * 1000)
      case .reset:
        connection.resetAtClose()
        return
      }
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
