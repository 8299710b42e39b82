import Testing
import WebSocketProtocol

/// `FrameLint`: what is legal but odd is counted, wherever the stream is cut.
@Suite struct FrameLintTests {
  static let rows: [(name: String, bytes: [UInt8], counts: [Oddity: Int])] = [
    ("ordinary frames", [0x81, 0x01, 0x61, 0x89, 0x00, 0x88, 0x02, 0x03, 0xE8], [:]),
    ("a length in two bytes", [0x81, 0x7E, 0x00, 0x01, 0x61], [.longLength: 1]),
    ("a length in eight bytes", [0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0, 1, 0x61], [.longLength: 1]),
    ("in a control frame too", [0x89, 0x7E, 0x00, 0x01, 0x61], [.longLength: 1]),
    (
      "a length that needs two bytes",
      [0x82, 0x7E, 0x00, 0x7E] + [UInt8](repeating: 0, count: 126),
      [:]
    ),
    (
      "empty fragments", [0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x61, 0x80, 0x00],
      [.emptyFragment: 2]
    ),
    ("an empty message", [0x81, 0x00, 0x82, 0x00], [:]),
    ("a character in two fragments", [0x01, 0x01, 0xC3, 0x80, 0x01, 0xA9], [.cutCharacter: 1]),
    (
      "with a ping between", [0x01, 0x01, 0xC3, 0x89, 0x01, 0xFF, 0x80, 0x01, 0xA9],
      [.cutCharacter: 1]
    ),
    (
      "a character in three fragments", [0x01, 0x01, 0xE2, 0x00, 0x01, 0x82, 0x80, 0x01, 0xAC],
      [.cutCharacter: 2]
    ),
    ("whole characters in fragments", [0x01, 0x02, 0xC3, 0xA9, 0x80, 0x01, 0x61], [:]),
    ("bytes in fragments", [0x02, 0x01, 0xC3, 0x80, 0x01, 0xA9], [:]),
    ("compressed fragments", [0x41, 0x01, 0xC3, 0x80, 0x01, 0xA9], [:]),
    (
      "all of them", [0x01, 0x7E, 0x00, 0x01, 0xC3, 0x00, 0x00, 0x80, 0x01, 0xA9],
      [.longLength: 1, .emptyFragment: 1, .cutCharacter: 1]
    ),
    (
      "masking keys of their own", [0x82, 0x81, 1, 2, 3, 4, 0, 0x82, 0x81, 1, 2, 3, 5, 0], [:]
    ),
    (
      "a masking key three times, and once more later",
      [0x82, 0x81, 1, 2, 3, 4, 0, 0x89, 0x80, 1, 2, 3, 4, 0x82, 0x81, 1, 2, 3, 4, 0]
        + [0x89, 0x80, 1, 2, 3, 5, 0x89, 0x80, 1, 2, 3, 4],
      [.reusedMask: 2]
    ),
    (
      "a masked character in three fragments",
      [0x01, 0x82, 1, 2, 3, 4, 0x60, 0xE0, 0x00, 0x81, 5, 6, 7, 8, 0x87]
        + [0x80, 0x82, 9, 9, 9, 9, 0xA5, 0x68],
      [.cutCharacter: 2]
    ),
    (
      "masked whole characters",
      [0x01, 0x85, 1, 2, 3, 4, 0x60, 0x63, 0x62, 0xC7, 0xA8, 0x80, 0x81, 5, 6, 7, 8, 0x64], [:]
    ),
  ]

  @Test(arguments: rows.indices) func oddities(_ index: Int) {
    let (name, bytes, counts) = Self.rows[index]
    for size in 1...bytes.count {
      var lint = FrameLint()
      var rest = bytes[...]
      while !rest.isEmpty {
        Array(rest.prefix(size)).withUnsafeBytes { lint.scan($0) }
        rest = rest.dropFirst(size)
      }
      #expect(lint.counts == counts, "\(name), in pieces of \(size)")
    }
  }
}
