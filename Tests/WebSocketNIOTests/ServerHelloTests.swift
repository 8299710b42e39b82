import TestPeers
import Testing

@testable import WebSocketNIO

/// What is read of the clear part of a handshake, from bytes that anybody may send.
@Suite(.blocking) struct ServerHelloTests {
  static func record(_ payload: [UInt8], type: UInt8 = 0x16) -> [UInt8] {
    [type, 3, 3, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload
  }

  static func message(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
    [type, 0, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
  }

  static func hello(_ cipher: UInt16, session: Int = 0, extensions: [UInt8]? = nil) -> [UInt8] {
    var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32)
    body += [UInt8(session)] + [UInt8](repeating: 9, count: session)
    body += [UInt8(cipher >> 8), UInt8(cipher & 0xFF), 0]
    if let extensions {
      body += [UInt8(extensions.count >> 8), UInt8(extensions.count & 0xFF)] + extensions
    }
    return message(2, body)
  }

  /// As TLS 1.3 says it: another extension first, then supported_versions.
  static let newest = hello(
    0x1301, session: 32, extensions: [0, 51, 0, 2, 0, 29, 0, 43, 0, 2, 3, 4])
  static let older = hello(0xC02F)

  @Test func versionAndCipher() throws {
    let newest = try #require(ServerHello(Self.record(Self.newest)))
    #expect(newest.version == 0x0304 && newest.cipher == 0x1301 && !newest.requestsCertificate)
    let older = try #require(ServerHello(Self.record(Self.older)))
    #expect(older.version == 0x0303 && older.cipher == 0xC02F && !older.requestsCertificate)
  }

  /// TLS 1.2: Certificate, CertificateRequest and ServerHelloDone follow in clear.
  @Test func aRequestForACertificate() throws {
    let rest =
      Self.message(11, [0, 0, 0]) + Self.message(13, [1, 64, 0, 0]) + Self.message(14, [])
    for wire in [
      Self.record(Self.older + rest), Self.record(Self.older) + Self.record(rest),
      Self.record(Self.older + rest.prefix(9)) + Self.record(Array(rest.dropFirst(9))),
    ] {
      #expect(try #require(ServerHello(wire)).requestsCertificate)
    }
    let encrypted = Self.record(Self.older) + Self.record(rest, type: 0x17)
    #expect(try #require(ServerHello(encrypted)).requestsCertificate == false)
  }

  /// A message may be spread over records of any size.
  @Test func spreadOverRecords() throws {
    for size in 1...Self.newest.count {
      var wire: [UInt8] = []
      var rest = Self.newest[...]
      while !rest.isEmpty {
        wire += Self.record(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      let hello = try #require(ServerHello(wire), "pieces of \(size)")
      #expect(hello.version == 0x0304 && hello.cipher == 0x1301)
    }
  }

  @Test func whatIsCutOffIsNotGuessed() throws {
    let wire = Self.record(Self.newest)
    // Up to the cipher there is nothing to tell; then the version may still be missing.
    let cipherEnd = 5 + 4 + 2 + 32 + 1 + 32 + 2
    for count in 0..<wire.count {
      let hello = ServerHello(Array(wire.prefix(count)))
      #expect((hello == nil) == (count < cipherEnd), "\(count)")
      if let hello { #expect(hello.cipher == 0x1301 && hello.version == 0x0303, "\(count)") }
    }
  }

  @Test func whatIsNoServerHello() {
    for wire in [
      [], [0x16], Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [0x15, 3, 3, 0, 2, 2, 40],
      Self.record([]), Self.record(Self.message(1, [UInt8](repeating: 0, count: 60))),
      Self.record([2, 0xFF, 0xFF, 0xFF]), [0x16, 3, 3, 0xFF, 0xFF, 2],
    ] as [[UInt8]] {
      #expect(ServerHello(wire) == nil, "\(wire)")
    }
  }

  /// Any bytes at all: nothing traps, whatever the lengths inside claim.
  @Test func anyBytes() {
    var random = RandomBytes(seed: 5)
    let wire = Self.record(Self.newest) + Self.record(Self.message(13, [1, 64]))
    for index in wire.indices {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var changed = wire
        changed[index] = value
        _ = ServerHello(changed)
      }
    }
    for length in 0..<2000 {
      _ = ServerHello([0x16, 3, 3] + random.bytes(length % 97))
      _ = ServerHello(random.bytes(length % 61))
    }
  }
}
