/// Sec-WebSocket-Key and Sec-WebSocket-Accept (RFC 6455 sections 4.1 and 4.2.2).
package enum HandshakeKey {
  /// "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded"; here
  /// the 16 random bytes are passed in two halves.
  package static func encode(nonce: (UInt64, UInt64)) -> String {
    withUnsafeBytes(of: nonce) { Base64.encode($0) }
  }

  /// Whether `key` is base64 of exactly 16 bytes.
  package static func isValid(_ key: String) -> Bool {
    // 16 bytes are 24 characters, the last two of them padding; the last sextet has four unused
    // bits, which an encoder leaves 0.
    let bytes = Array(key.utf8)
    guard bytes.count == 24, bytes[22] == UInt8(ascii: "="), bytes[23] == UInt8(ascii: "=") else {
      return false
    }
    guard bytes[..<22].allSatisfy({ Base64.value(of: $0) != nil }) else { return false }
    return "AQgw".utf8.contains(bytes[21])
  }

  /// The Sec-WebSocket-Accept for `key`.
  package static func accept(_ key: String) -> String {
    let digest = SHA1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
    return digest.withUnsafeBytes { Base64.encode($0) }
  }
}

/// Base64 of RFC 4648 section 4, for the handshake and for binary payloads in JSON.
package enum Base64 {
  static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  package static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
    var encoded: [UInt8] = []
    encoded.reserveCapacity((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
      let left = bytes.count - index
      let group =
        bytes[index].truncatedToUInt32 << 16
        | (left > 1 ? bytes[index + 1].truncatedToUInt32 << 8 : 0)
        | (left > 2 ? bytes[index + 2].truncatedToUInt32 : 0)
      encoded.append(alphabet[(group >> 18 & 63).asInt])
      encoded.append(alphabet[(group >> 12 & 63).asInt])
      encoded.append(left > 1 ? alphabet[(group >> 6 & 63).asInt] : UInt8(ascii: "="))
      encoded.append(left > 2 ? alphabet[(group & 63).asInt] : UInt8(ascii: "="))
      index += 3
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  /// The bytes that `text` encodes, or nil if it is not Base64 with padding.
  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    let characters = Array(text.utf8)
    guard characters.count.isMultiple(of: 4) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(characters.count / 4 * 3)
    for start in stride(from: 0, to: characters.count, by: 4) {
      let isLast = start + 4 == characters.count
      var group: UInt32 = 0
      var padding = 0
      for character in characters[start..<start + 4] {
        if character == UInt8(ascii: "="), isLast {
          padding += 1
          group <<= 6
          continue
        }
        guard padding == 0, let value = value(of: character) else { return nil }
        group = group << 6 | value.truncatedToUInt32
      }
      guard padding <= 2 else { return nil }
      let decoded = [
        (group >> 16).truncatedToUInt8, (group >> 8).truncatedToUInt8,
        group.truncatedToUInt8,
      ]
      bytes.append(contentsOf: decoded[..<(3 - padding)])
    }
    return bytes
  }

  static func value(of character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}

/// SHA-1 (RFC 3174), which RFC 6455 uses as a checksum of the handshake, not for secrecy. These few
/// lines keep a cryptographic library, with its build and start-up time, out of the core.
enum SHA1 {
  static func digest(_ message: [UInt8]) -> [UInt8] {
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    var padded = message
    padded.append(0x80)
    while padded.count % 64 != 56 { padded.append(0) }
    let bits = message.count.asUInt64 &* 8
    for shift in stride(from: UInt64(56), through: 0, by: -8) {
      padded.append((bits >> shift).truncatedToUInt8)
    }
    var words = [UInt32](repeating: 0, count: 80)
    for block in stride(from: 0, to: padded.count, by: 64) {
      schedule(padded[block..<block + 64], into: &words)
      rounds(words, &state)
    }
    return state.flatMap { word in
      stride(from: UInt32(24), through: 0, by: -8).map { (word >> $0).truncatedToUInt8 }
    }
  }

  private static func schedule(_ block: ArraySlice<UInt8>, into words: inout [UInt32]) {
    for index in 0..<16 {
      let at = block.startIndex + index * 4
      words[index] =
        block[at].truncatedToUInt32 << 24 | block[at + 1].truncatedToUInt32 << 16 | block[at + 2]
        .truncatedToUInt32 << 8
        | block[at + 3].truncatedToUInt32
    }
    for index in 16..<80 {
      words[index] = rotate(
        words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], by: 1)
    }
  }

  private static func rounds(_ words: [UInt32], _ state: inout [UInt32]) {
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for index in 0..<80 {
      let function: UInt32
      let constant: UInt32
      switch index {
      case ..<20: (function, constant) = (b & c | ~b & d, 0x5A82_7999)
      case ..<40: (function, constant) = (b ^ c ^ d, 0x6ED9_EBA1)
      case ..<60: (function, constant) = (b & c | b & d | c & d, 0x8F1B_BCDC)
      default: (function, constant) = (b ^ c ^ d, 0xCA62_C1D6)
      }
      let next = rotate(a, by: 5) &+ function &+ e &+ constant &+ words[index]
      (e, d, c, b, a) = (d, c, rotate(b, by: 30), a, next)
    }
    for (index, value) in [a, b, c, d, e].enumerated() { state[index] = state[index] &+ value }
  }

  private static func rotate(_ word: UInt32, by count: UInt32) -> UInt32 {
    word << count | word >> (32 - count)
  }
}
