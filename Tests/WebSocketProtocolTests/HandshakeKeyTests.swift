import TestPeers
import Testing

@testable import WebSocketProtocol

/// RFC 6455 sections 4.1 and 4.2.2: the key of a handshake and the answer to it.
@Suite struct HandshakeKeyTests {
  @Test func theAnswerToAKey() {
    let rows = [
      // Section 1.3, and what other implementations answer to keys of their own.
      ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
      ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
      ("AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
    ]
    for (key, accept) in rows { #expect(HandshakeKey.accept(key) == accept) }
  }

  @Test func aNonceIsEncodedInTheOrderOfItsBytes() {
    let bytes = Array("the sample nonce".utf8)
    let nonce = bytes.withUnsafeBytes {
      ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    #expect(HandshakeKey.encode(nonce: nonce) == "dGhlIHNhbXBsZSBub25jZQ==")
    #expect(HandshakeKey.encode(nonce: (0, 0)) == "AAAAAAAAAAAAAAAAAAAAAA==")
    #expect(HandshakeKey.encode(nonce: (.max, .max)) == "/////////////////////w==")
    var random = RandomBytes(seed: 16)
    for _ in 0..<100 {
      #expect(HandshakeKey.isValid(HandshakeKey.encode(nonce: (random.next(), random.next()))))
    }
  }

  @Test func aKeyIsBase64OfSixteenBytes() {
    for last in "AQgw" { #expect(HandshakeKey.isValid("dGhlIHNhbXBsZSBub25jZ\(last)==")) }
    #expect(HandshakeKey.isValid("+/+/+/+/+/+/+/+/+/+/+w=="))
    let wrong = [
      "", "=", "==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=",
      "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZQ== ", " dGhlIHNhbXBsZSBub25jZQ==",
      // 15 and 17 bytes, and 24 characters without padding (18 bytes)
      "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZWU=", "dGhlIHNhbXBsZSBub25jZWVl",
      // spare bits that are not 0
      "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZB==",
      // characters of other alphabets, and padding where none belongs
      "dGhlIHNhbXBsZSBub25j-Q==", "dGhlIHNhbXBsZSBub25j_Q==", "dGhlIHNhbXBsZSBub25j.Q==",
      "dGhlIHNhbXBs=SBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ===", "dGhl HNhbXBsZSBub25jZQ==",
      "dGhlIHNhbXBsZSBub25jZQ=\u{0}", "dGhlIHNhbXBsZSBub25jéQ==", "\u{212A}hlIHNhbXBsZSBub25jQ==",
    ]
    for key in wrong { #expect(!HandshakeKey.isValid(key), "\(key)") }
  }
}

/// RFC 4648 section 4.
@Suite struct Base64Tests {
  private static func encoded(_ text: String) -> String {
    Array(text.utf8).withUnsafeBytes { Base64.encode($0) }
  }

  @Test func theVectorsOfSection10() {
    let rows = [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
      ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ]
    for (text, base64) in rows {
      #expect(Self.encoded(text) == base64)
      #expect(Base64.decode(base64) == Array(text.utf8))
    }
  }

  @Test func everyCharacterOfTheAlphabet() {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    let bytes = Base64.decode(alphabet)
    #expect(bytes?.count == 48)
    #expect(bytes.map { $0.withUnsafeBytes { Base64.encode($0) } } == alphabet)
    for byte in UInt8.min...UInt8.max {
      let isKnown = alphabet.utf8.contains(byte)
      let character = String(Unicode.Scalar(byte))
      #expect((Base64.decode("AAA" + character) != nil) == (isKnown || byte == UInt8(ascii: "=")))
      #expect((Base64.decode(character + "AAA") != nil) == isKnown)
    }
  }

  @Test func bytesGoThereAndBack() {
    var random = RandomBytes(seed: 64)
    for count in 0..<200 {
      let bytes = random.bytes(count)
      let base64 = bytes.withUnsafeBytes { Base64.encode($0) }
      #expect(base64.utf8.count == (count + 2) / 3 * 4)
      #expect(Base64.decode(base64) == bytes)
    }
  }

  @Test func whatIsNotBase64() {
    for text in [
      "A", "AA", "AAA", "AAAAA", "=", "==", "====", "A===", "AA=A", "=AAA", "AA==AAAA", "AAA=AAAA",
      "AA= ", "AA\n=", " AAA", "AAA\n", "AA-_", "ÄA", "Zg==\n", "AAAA====",
    ] {
      #expect(Base64.decode(text) == nil, "\(text)")
    }
    #expect(Base64.decode("xAAAAx".dropFirst().dropLast()) == [0, 0, 0])
  }
}

/// RFC 3174, by its vectors and by lengths around the end of a block.
@Suite struct SHA1Tests {
  private static func hex(_ text: String) -> String { hex(Array(text.utf8)) }

  private static func hex(_ bytes: [UInt8]) -> String {
    SHA1.digest(bytes).map { byte in
      String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }.joined()
  }

  @Test func theVectorsOfSection73() {
    #expect(Self.hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(
      Self.hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    #expect(
      Self.hex(
        String(
          repeating: "0123456701234567012345670123456701234567012345670123456701234567",
          count: 10))
        == "dea356a2cddd90c7a7ecedc5ebb563934f460452")
    #expect(Self.hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    #expect(
      Self.hex(String(repeating: "a", count: 20_000))
        == "7e7308ef97590bcb05f9543bee280fb91976e90c")
  }

  @Test func lengthsAroundTheEndOfABlock() {
    let rows = [
      (1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
      (54, "b05d71c64979cb95fa74a33cdb31a40d258ae02e"),
      (55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
      (56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
      (57, "f08f24908d682555111be7ff6f004e78283d989a"),
      (63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
      (64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
      (65, "11655326c708d70319be2610e8a57d9a5b959d3b"),
      (119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"),
      (120, "f34c1488385346a55709ba056ddd08280dd4c6d6"),
      (127, "89d95fa32ed44a7c610b7ee38517ddf57e0bb975"),
      (128, "ad5b3fdbcb526778c2839d2f151ea753995e26a0"),
      (129, "d96debf1bdcbc896e6c134ea76e8141f40d78536"),
    ]
    for (count, digest) in rows {
      #expect(Self.hex([UInt8](repeating: 0x61, count: count)) == digest, "\(count)")
    }
  }
}
