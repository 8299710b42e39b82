import Glibc
import Synchronization

/// A server that accepts every handshake and then says what the test tells it to, when it tells it to.
/// What clients send is kept, frames and all, unmasked.
package final class PushPeer: Sendable {
  package let port: Int
  private let listener: RawSocket
  private let state = Mutex(State())

  private struct State: Sendable {
    var connections: [RawSocket] = []
    var accepted = 0
    var messages: [[UInt8]] = []
  }

  /// What is done about a message.
  package enum Answer: Sendable {
    case text(String)
    case binary([UInt8])
    case close(UInt16)
  }

  private let answer: (@Sendable (String) -> [Answer])?
  private let reading = Gate()

  /// Listens on a free port of 127.0.0.1.
  ///
  /// - Parameters:
  ///   - field: one more header field of the reply.
  ///   - answer: what is sent back for a message, to its sender.
  /// - Throws: `TestPeerError`.
  package init(
    field: String? = nil, answer: (@Sendable (String) -> [Answer])? = nil
  ) throws {
    self.answer = answer
    let listener = try RawSocket.listen()
    self.listener = listener
    port = listener.port
    TestThread.start { [weak self] in
      while let connection = listener.accept() {
        guard let self else {
          connection.close()
          return
        }
        TestThread.start { [weak self] in self?.serve(connection, field) }
      }
    }
  }

  deinit {
    reading.setOpen(true)
    listener.wake()
    listener.close()
    for connection in state.withLock({ $0.connections }) { connection.wake() }
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
    for connection in state.withLock({ $0.connections }) { connection.send(bytes) }
  }

  /// Sends a text message.
  package func say(_ text: String) { push(RawPeer.frame(0x1, Array(text.utf8))) }

  /// Whether what clients send is read. While it is not, the buffers of the system fill, and then
  /// theirs.
  package func setReading(_ isOn: Bool) { reading.setOpen(isOn) }

  /// Ends every connection without a Close.
  package func drop() {
    for connection in state.withLock({ $0.connections }) { connection.wake() }
  }

  /// Waits until this many handshakes were done, or messages came.
  ///
  /// - Throws: `TestPeerError` past the deadline.
  package func wait(
    accepted: Int = 0, messages: Int = 0, deadline seconds: Double = 100
  ) throws {
    let deadline = Deadline(seconds: seconds)
    while state.withLock({ $0.accepted < accepted || $0.messages.count < messages }) {
      guard !deadline.hasPassed else {
        throw TestPeerError("\(self.accepted) handshakes, messages: \(self.messages)")
      }
      usleep(2000)
    }
  }

  private func serve(_ connection: RawSocket, _ field: String?) {
    defer { connection.close() }
    let head = connection.readHead()
    guard head.suffix(4).elementsEqual("\r\n\r\n".utf8) else { return }
    var input = SocketReader(connection, reading)
    var reply = RawPeer.acceptance(of: head)
    if let field { reply = reply.dropLast(2) + Array((field + "\r\n\r\n").utf8) }
    // Together: who has the reply may be pushed to at once.
    state.withLock { state in
      connection.send(reply)
      state.connections.append(connection)
      state.accepted += 1
    }
    var message: [UInt8] = []
    while let (first, payload) = input.frame() {
      switch first & 0x0F {
      case 0x8:
        push(RawPeer.frame(0x8, Array(payload.prefix(2))))
        connection.endOutput()
      case 0x9: push(RawPeer.frame(0xA, payload))
      case 0xA: break
      default:
        message += payload
        guard first & 0x80 != 0 else { continue }
        state.withLock { $0.messages.append(message) }
        for answer in answer?(String(decoding: message, as: UTF8.self)) ?? [] {
          switch answer {
          case .text(let text): connection.send(RawPeer.frame(0x1, Array(text.utf8)))
          case .binary(let bytes): connection.send(RawPeer.frame(0x2, bytes))
          case .close(let code):
            connection.send(RawPeer.frame(0x8, [UInt8(code >> 8), UInt8(code & 0xFF)]))
          }
        }
        message = []
      }
    }
    state.withLock { $0.connections.removeAll { $0.descriptor == connection.descriptor } }
  }
}

/// Reads what a client sends.
private struct SocketReader {
  private let connection: RawSocket
  private let gate: Gate
  private var waiting: [UInt8] = []

  init(_ connection: RawSocket, _ gate: Gate) {
    self.connection = connection
    self.gate = gate
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
    while waiting.count < count {
      gate.pass()
      guard let more = connection.receive(64 * 1024), !more.isEmpty else { return nil }
      waiting += more
    }
    defer { waiting.removeFirst(count) }
    return Array(waiting.prefix(count))
  }
}

/// Lets through while it is open.
private final class Gate: Sendable {
  private let isOpen = Atomic<Bool>(true)

  func setOpen(_ isOpen: Bool) {
    self.isOpen.store(isOpen, ordering: .sequentiallyConsistent)
  }

  /// Waits until it is open.
  func pass() {
    while !isOpen.load(ordering: .sequentiallyConsistent) { usleep(1000) }
  }
}

/// Raised once.
package final class Flag: Sendable {
  private let isUp = Atomic<Bool>(false)

  package init() {}

  /// - Returns: whether it was up already.
  package func raise() -> Bool { isUp.exchange(true, ordering: .sequentiallyConsistent) }
}
