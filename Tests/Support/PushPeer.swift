import Glibc
import Synchronization

/// A server that accepts every handshake and then says what the test tells it to, when it tells it to.
/// What clients send is kept, frames and all, unmasked.
package final class PushPeer: Sendable {
  package let port: Int
  private let listener: Int32
  private let state = Mutex(State())

  private struct State: Sendable {
    var connections: [Int32] = []
    var accepted = 0
    var messages: [[UInt8]] = []
  }

  /// Listens on a free port of 127.0.0.1.
  ///
  /// - Parameter field: one more header field of the reply.
  /// - Throws: `TestPeerError`.
  package init(field: String? = nil) throws {
    (listener, port) = try LoopbackListener.open()
    let listener = listener
    TestThread.start { [weak self] in
      while true {
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else { return }
        guard let self else {
          close(connection)
          return
        }
        TestThread.start { [weak self] in self?.serve(connection, field) }
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    for connection in state.withLock({ $0.connections }) { shutdown(connection, Int32(SHUT_RDWR)) }
  }

  package var url: String { "ws://127.0.0.1:\(port)/" }

  /// How many handshakes there were.
  package var accepted: Int { state.withLock { $0.accepted } }

  /// The payloads of the messages that came, in order.
  package var messages: [String] {
    state.withLock { $0.messages.map { String(decoding: $0, as: UTF8.self) } }
  }

  /// Sends bytes on every open connection.
  package func push(_ bytes: [UInt8]) {
    for connection in state.withLock({ $0.connections }) {
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes {
          Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { break }
        rest = rest.dropFirst(count)
      }
    }
  }

  /// Sends a text message.
  package func say(_ text: String) { push(RawPeer.frame(0x1, Array(text.utf8))) }

  /// Ends every connection without a Close.
  package func drop() {
    for connection in state.withLock({ $0.connections }) { shutdown(connection, Int32(SHUT_RDWR)) }
  }

  /// Waits until this many handshakes were done, or messages came.
  ///
  /// - Throws: `TestPeerError` past the deadline.
  package func wait(
    accepted: Int = 0, messages: Int = 0, deadline seconds: Double = 10
  ) throws {
    let deadline = Deadline(seconds: seconds)
    while state.withLock({ $0.accepted < accepted || $0.messages.count < messages }) {
      guard !deadline.hasPassed else {
        throw TestPeerError("\(self.accepted) handshakes, messages: \(self.messages)")
      }
      usleep(2000)
    }
  }

  private func serve(_ connection: Int32, _ field: String?) {
    var input = SocketReader(connection)
    guard let head = input.head() else {
      close(connection)
      return
    }
    var reply = RawPeer.acceptance(of: head)
    if let field { reply = reply.dropLast(2) + Array((field + "\r\n\r\n").utf8) }
    _ = Glibc.send(connection, reply, reply.count, Int32(MSG_NOSIGNAL))
    state.withLock { state in
      state.connections.append(connection)
      state.accepted += 1
    }
    var message: [UInt8] = []
    while let (first, payload) = input.frame() {
      switch first & 0x0F {
      case 0x8:
        push(RawPeer.frame(0x8, Array(payload.prefix(2))))
        shutdown(connection, Int32(SHUT_WR))
      case 0x9: push(RawPeer.frame(0xA, payload))
      case 0xA: break
      default:
        message += payload
        guard first & 0x80 != 0 else { continue }
        state.withLock { $0.messages.append(message) }
        message = []
      }
    }
    state.withLock { $0.connections.removeAll { $0 == connection } }
    close(connection)
  }
}

/// Reads what a client sends.
private struct SocketReader {
  private let connection: Int32
  private var waiting: [UInt8] = []

  init(_ connection: Int32) { self.connection = connection }

  mutating func head() -> [UInt8]? {
    var head: [UInt8] = []
    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
      guard let byte = take(1) else { return nil }
      head += byte
    }
    return head
  }

  /// The first byte of a frame and its payload, unmasked; nil at the end.
  mutating func frame() -> (UInt8, [UInt8])? {
    guard let start = take(2) else { return nil }
    var length = Int(start[1] & 0x7F)
    if length > 125 {
      guard let bytes = take(length == 126 ? 2 : 8) else { return nil }
      length = bytes.reduce(0) { $0 << 8 | Int($1) }
    }
    guard let key = take(4), let masked = take(length) else { return nil }
    return (start[0], masked.enumerated().map { $1 ^ key[$0 % 4] })
  }

  private mutating func take(_ count: Int) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while waiting.count < count {
      let got = recv(connection, &buffer, buffer.count, 0)
      guard got > 0 else { return nil }
      waiting += buffer[..<got]
    }
    defer { waiting.removeFirst(count) }
    return Array(waiting.prefix(count))
  }
}
