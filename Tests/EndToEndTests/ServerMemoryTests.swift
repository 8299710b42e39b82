import Glibc
import TestPeers
import Testing

/// What a client of `listen` costs, as its manual page says: a thousand of them, and the memory that the
/// process has in use.
@Suite(.serialized, .blocking) struct ServerMemoryTests {
  private static let clients = 1000
  private static let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
  /// "Hello" as RFC 7692 section 7.2.3.1 compresses it, masked with zeros.
  private static let compressed: [UInt8] = [
    0xC1, 0x87, 0, 0, 0, 0, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00,
  ]

  /// Opens a thousand connections, sends `message` on each and waits for as many bytes as `reply`.
  ///
  /// - Returns: bytes of memory that each of them added.
  private static func costOfAClient(
    fields: [String], message: [UInt8], reply: Int
  ) throws -> Int {
    let listener = try Listener(["-q"])
    // What the first ones bring into memory is not theirs.
    var sockets = try open(20, listener, fields, message, reply)
    let before = try residentBytes(of: listener.process.processIdentifier)
    sockets += try open(clients, listener, fields, message, reply)
    let grown = try residentBytes(of: listener.process.processIdentifier) - before
    for socket in sockets { socket.close() }
    return grown / clients
  }

  private static func open(
    _ count: Int, _ listener: Listener, _ fields: [String], _ message: [UInt8], _ reply: Int
  ) throws -> [RawSocket] {
    let request = Array(RawClient.request(fields: fields).utf8)
    return try (0..<count).map { _ in
      let socket = try RawSocket.connect(port: listener.port)
      socket.setReadTimeout(seconds: 120)
      socket.send(request + message)
      let head = String(decoding: socket.readHead(), as: UTF8.self)
      #expect(head.hasPrefix("HTTP/1.1 101 "))
      #expect(head.contains("permessage-deflate") == !fields.isEmpty)
      var left = reply
      while left > 0, let bytes = socket.receive(left), !bytes.isEmpty { left -= bytes.count }
      #expect(left == 0)
      return socket
    }
  }

  private static func residentBytes(of process: pid_t) throws -> Int {
    let file = try #require(fopen("/proc/\(process)/statm", "r"))
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 200)
    #expect(fgets(&line, 200, file) != nil)
    let fields = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
      .split(separator: " ")
    return try #require(Int(fields[1])) * sysconf(Int32(_SC_PAGESIZE))
  }

  /// Agreeing on compression costs nothing before a message is compressed.
  @Test func compressionCostsNothingUntilItIsUsed() throws {
    let plain = try Self.costOfAClient(fields: [], message: [], reply: 0)
    let agreed = try Self.costOfAClient(fields: [Self.offer], message: [], reply: 0)
    #expect(plain < 16 * 1024, "\(plain) bytes a client")
    #expect(agreed < plain + 2048, "\(agreed) bytes a client with compression, \(plain) without")
  }

  /// A message that is not compressed, from a peer without the extension, leaves nothing behind.
  @Test func aPlainMessageLeavesNothingBehind() throws {
    let cost = try Self.costOfAClient(
      fields: [], message: RawClient.frame(1, Array("hello".utf8)), reply: 7)
    #expect(cost < 16 * 1024, "\(cost) bytes a client")
  }

  /// With a window that goes on, both streams stay with the connection.
  @Test func aCompressedMessageCostsWhatTheManualSays() throws {
    let stated = try Self.statedCost()
    let cost = try Self.costOfAClient(
      fields: [Self.offer], message: Self.compressed, reply: Self.compressed.count - 4)
    // The page gives the figure of a release build with larger messages.
    #expect(cost < stated * 3 / 2, "\(cost) bytes a client, the manual says \(stated)")
    #expect(cost > stated / 8, "\(cost) bytes a client, the manual says \(stated)")
  }

  /// "a client that compresses costs about N KiB"
  private static func statedCost() throws -> Int {
    let root = #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 }
    let file = try #require(fopen("\(root)/man/wscope-listen.1", "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&bytes, 1, bytes.count, file)
    let words = String(decoding: bytes[..<count], as: UTF8.self)
      .split { $0 == " " || $0 == "\n" }
    let index = try #require(
      words.indices.first { index in
        words[index...].starts(with: ["that", "compresses", "costs", "about"])
      })
    return try #require(Int(words[index + 4])) * 1024
  }
}
