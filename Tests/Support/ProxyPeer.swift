import Glibc
import Synchronization

/// A small proxy, CONNECT or SOCKS version 5, that leads every place to a port of 127.0.0.1: the one that it
/// was asked for, under any name.
package final class ProxyPeer: Sendable {
  package enum Manner: Sendable, Hashable {
    case connect
    case socks
  }

  package let port: Int
  private let manner: Manner
  /// `user:password`; nil takes everybody.
  private let credentials: String?
  private let listener: RawSocket
  private let state = Mutex(State())

  private struct State {
    var destinations: [String] = []
    var requests: [String] = []
  }

  /// Listens on a free port of 127.0.0.1.
  ///
  /// - Throws: `TestPeerError`.
  package init(_ manner: Manner, credentials: String? = nil) throws {
    self.manner = manner
    self.credentials = credentials
    let listener = try RawSocket.listen()
    self.listener = listener
    port = listener.port
    TestThread.start {
      while let client = listener.accept() {
        TestThread.start { self.serve(client) }
      }
      listener.close()
    }
  }

  deinit { listener.wake() }

  /// Stops accepting.
  package func stop() { listener.wake() }

  package var endpoint: String { "127.0.0.1:\(port)" }

  /// What it was asked to connect to, as `name:port`, `address:port`, by those that it let in.
  package var destinations: [String] { state.withLock { $0.destinations } }

  /// Heads of CONNECT, whole; of SOCKS `user:password` where it was told.
  package var requests: [String] { state.withLock { $0.requests } }

  private func serve(_ client: RawSocket) {
    client.setReadTimeout(seconds: 120)
    let destination = manner == .connect ? connected(client) : asked(client)
    guard let destination else { return client.close() }
    state.withLock { $0.destinations.append(destination) }
    let port = destination.split(separator: ":").last.flatMap { Int($0) } ?? 0
    guard let upstream = try? RawSocket.connect(port: port) else {
      let refusal = Array("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n".utf8)
      client.send(manner == .connect ? refusal : [5, 5, 0, 1, 0, 0, 0, 0, 0, 0])
      return client.close()
    }
    upstream.setReadTimeout(seconds: 120)
    client.send(
      manner == .connect
        ? Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)
        : [5, 0, 0, 1, 127, 0, 0, 1, 0, 0])
    Tunnel(client, upstream).run()
  }

  /// The place of a CONNECT whose sender may pass.
  private func connected(_ client: RawSocket) -> String? {
    let head = String(decoding: client.readHead(), as: UTF8.self)
    state.withLock { $0.requests.append(head) }
    let words = head.split(separator: "\r\n").first?.split(separator: " ") ?? []
    guard words.count == 3, words[0] == "CONNECT" else { return nil }
    if let credentials {
      let field = "Proxy-Authorization: Basic \(Self.base64(Array(credentials.utf8)))\r\n"
      guard head.contains(field) else {
        client.send(
          Array(
            """
            HTTP/1.1 407 Proxy Authentication Required\r
            Proxy-Authenticate: Basic realm="the realm"\r
            Content-Length: 14\r
            \r
            who are you?\r

            """.utf8))
        return nil
      }
    }
    return String(words[1])
  }

  /// The place that SOCKS asks for.
  private func asked(_ client: RawSocket) -> String? {
    guard let head = read(client, 2), head[0] == 5, let methods = read(client, Int(head[1])) else {
      return nil
    }
    guard methods.contains(credentials == nil ? 0 : 2) else {
      client.send([5, 0xFF])
      return nil
    }
    client.send([5, credentials == nil ? 0 : 2])
    if let credentials {
      guard let version = read(client, 1), version == [1], let user = text(client),
        let password = text(client)
      else { return nil }
      state.withLock { $0.requests.append("\(user):\(password)") }
      guard "\(user):\(password)" == credentials else {
        client.send([1, 1])
        return nil
      }
      client.send([1, 0])
    }
    guard let request = read(client, 4), request[0] == 5, request[1] == 1 else { return nil }
    let name: String?
    switch request[3] {
    case 1: name = read(client, 4).map { $0.map(String.init).joined(separator: ".") }
    case 3: name = text(client)
    default: name = read(client, 16).map { _ in "IPv6" }
    }
    guard let name, let port = read(client, 2) else { return nil }
    return "\(name):\(Int(port[0]) << 8 | Int(port[1]))"
  }

  private func text(_ client: RawSocket) -> String? {
    guard let length = read(client, 1) else { return nil }
    return read(client, Int(length[0])).map { String(decoding: $0, as: UTF8.self) }
  }

  private func read(_ client: RawSocket, _ count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard let more = client.receive(count - bytes.count), !more.isEmpty else { return nil }
      bytes += more
    }
    return bytes
  }

  /// RFC 4648 section 4, without the code under test.
  private static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let part = Array(bytes[start..<min(start + 3, bytes.count)])
      let bits = part.enumerated().reduce(0) { $0 | Int($1.element) << (16 - 8 * $1.offset) }
      for endpoint in 0..<4 {
        text.append(endpoint <= part.count ? alphabet[bits >> (18 - 6 * endpoint) & 63] : "=")
      }
    }
    return text
  }

  /// Passes bytes both ways until both ways have ended.
  private final class Tunnel: Sendable {
    private let client: RawSocket
    private let server: RawSocket
    private let users = Atomic<Int>(2)

    init(_ client: RawSocket, _ server: RawSocket) {
      self.client = client
      self.server = server
    }

    func run() {
      TestThread.start { self.pump(self.server, self.client) }
      pump(client, server)
    }

    private func pump(_ from: RawSocket, _ to: RawSocket) {
      while let bytes = from.receive(65_536), !bytes.isEmpty, to.send(bytes) {}
      to.endOutput()
      guard users.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
      client.close()
      server.close()
    }
  }
}
