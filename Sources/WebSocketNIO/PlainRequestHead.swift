import NIOHTTP1
import WebSocketProtocol

/// Parses only the request heads that ordinary clients send: one `GET`, HTTP/1.1, lines that end in
/// CRLF, printable ASCII, no body. Anything else, even if it is valid, is left to NIO's full
/// parser. This parser therefore rejects nothing, and it is correct as long as it interprets the
/// heads that it accepts as NIO does (a test compares both on the corpus).
enum PlainRequestHead {
  /// The head at the beginning of `bytes`, and its length in bytes; nil if the head is not plain or
  /// not complete.
  static func read(_ bytes: UnsafeRawBufferPointer) -> (head: HTTPRequestHead, length: Int)? {
    var reader = Reader(bytes: bytes)
    guard reader.skip("GET "), let target = reader.target(), reader.skip(" HTTP/1.1\r\n") else {
      return nil
    }
    var fields: [(String, String)] = []
    while !reader.skip("\r\n") {
      guard fields.count < HeadLimits.standard.fields, let field = reader.field() else {
        return nil
      }
      fields.append(field)
    }
    guard reader.position <= HeadLimits.standard.head else { return nil }
    let head = HTTPRequestHead(
      version: .http1_1, method: .GET, uri: target, headers: HTTPHeaders(fields))
    return (head, reader.position)
  }

  private struct Reader {
    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    mutating func skip(_ text: StaticString) -> Bool {
      let length = text.utf8CodeUnitCount
      guard bytes.count &- position >= length else { return false }
      for offset in 0..<length where bytes[position &+ offset] != text.utf8Start[offset] {
        return false
      }
      position &+= length
      return true
    }

    /// The bytes before the first one that does not match; nil if all of them match, or none.
    private mutating func text(while belongs: (UInt8) -> Bool) -> UnsafeRawBufferPointer? {
      let start = position
      let end = min(bytes.count, start &+ HeadLimits.standard.line)
      while position < end, belongs(bytes[position]) { position &+= 1 }
      guard position < end, position > start else { return nil }
      return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    mutating func target() -> String? {
      guard bytes.count > position, bytes[position] == UInt8(ascii: "/") else { return nil }
      let start = position
      guard let target = text(while: { $0 > 0x20 && $0 < 0x7F }),
        position &- start < HeadLimits.standard.line &- "GET  HTTP/1.1\r\n".utf8.count
      else { return nil }
      return String(decoding: target, as: UTF8.self)
    }

    mutating func field() -> (String, String)? {
      let start = position
      guard let name = text(while: Self.isName), skip(":") else { return nil }
      while position < bytes.count, Self.isSpace(bytes[position]) { position &+= 1 }
      let value = text { $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }
      guard skip("\r\n"), position &- start <= HeadLimits.standard.line else { return nil }
      // Fields that concern a body are left to NIO's parser.
      guard !Self.isAboutBodies(name) else { return nil }
      guard let value else { return (String(decoding: name, as: UTF8.self), "") }
      var end = value.count
      while end > 0, Self.isSpace(value[end &- 1]) { end &-= 1 }
      return (
        String(decoding: name, as: UTF8.self), String(decoding: value[..<end], as: UTF8.self)
      )
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isName(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
        true
      default: false
      }
    }

    private static func isAboutBodies(_ name: UnsafeRawBufferPointer) -> Bool {
      isName(name, "content-length") || isName(name, "transfer-encoding") || isName(name, "expect")
    }

    private static func isName(_ name: UnsafeRawBufferPointer, _ other: StaticString) -> Bool {
      guard name.count == other.utf8CodeUnitCount else { return false }
      for offset in 0..<name.count where name[offset] | 0x20 != other.utf8Start[offset] | 0x20 {
        return false
      }
      return true
    }
  }
}
