/// A client that sends exact bytes to a server on loopback and tells what came back.
package final class RawClient {
  private let connection: RawSocket

  /// Connects to 127.0.0.1.
  ///
  /// - Throws: `TestPeerError`.
  package init(port: Int) throws {
    connection = try RawSocket.connect(port: port)
    connection.setReadTimeout(seconds: 120)
  }

  deinit {
    connection.close()
  }

  /// Sends bytes; what the server no longer takes is dropped.
  package func send(_ bytes: [UInt8]) { connection.send(bytes) }

  /// Sends until the server has taken nothing for `patience` milliseconds; how many bytes it took.
  package func sendUntilFull(_ bytes: [UInt8], patience: Int32 = 500) -> Int {
    connection.sendUntilFull(bytes, patience: patience)
  }

  /// Lets the end of this client be a reset.
  package func endWithReset() { connection.resetAtClose() }

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
  package func readHead() -> String { String(decoding: connection.readHead(), as: UTF8.self) }

  /// Reads exactly `count` bytes, or fewer when the server ends before.
  package func read(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, let more = connection.receive(count - bytes.count), !more.isEmpty {
      bytes += more
    }
    return bytes
  }

  /// Whether nothing arrives for so many seconds; what arrives is kept.
  package func isSilent(for seconds: Double) -> Bool { connection.isSilent(for: seconds) }

  /// Reads until the server ends the connection.
  package func readToEnd() -> [UInt8] { connection.readToEnd() }

  /// A masked frame with FIN, as a client sends it.
  package static func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x80 | opcode]
    switch payload.count {
    case ..<126: bytes.append(0x80 | UInt8(payload.count))
    case ..<65536: bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default:
      bytes.append(0x80 | 127)
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift))
      }
    }
    let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
  }
}
