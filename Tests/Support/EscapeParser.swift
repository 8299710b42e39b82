/// Takes the output of a terminal program apart, one byte at a time.
struct EscapeParser: Sendable {
  /// `ESC [ ... final`.
  struct Sequence: Sendable {
    var isPrivate = false
    var parameters: [Int] = []
    var final: Character = " "
  }

  enum Token: Sendable {
    case character(Unicode.Scalar)
    case control(UInt8)
    case sequence(Sequence)
    case unknown(String)
  }

  private enum State {
    case text
    case escape
    case sequence([UInt8])
    /// Operating system command, which ends with BEL or `ESC \`.
    case command(sawEscape: Bool)
    /// `ESC ( B` and its like: one more byte.
    case designation
  }

  private var state = State.text
  private var pending: [UInt8] = []

  mutating func next(_ byte: UInt8) -> Token? {
    switch state {
    case .text: return text(byte)
    case .escape: return escape(byte)
    case .sequence(let body): return sequence(body, byte)
    case .command(let sawEscape):
      let isOver = byte == 0x07 || sawEscape && byte == 0x5C
      state = isOver ? .text : .command(sawEscape: byte == 0x1B)
      return nil
    case .designation:
      state = .text
      return nil
    }
  }

  private mutating func text(_ byte: UInt8) -> Token? {
    if byte == 0x1B {
      state = .escape
      return nil
    }
    if byte < 0x20 || byte == 0x7F { return .control(byte) }
    if byte & 0xC0 != 0x80 { pending = [] }
    pending.append(byte)
    let length =
      switch pending[0] {
      case ..<0x80: 1
      case 0xC2...0xDF: 2
      case 0xE0...0xEF: 3
      case 0xF0...0xF4: 4
      default: 0
      }
    guard length > 0 else {
      pending = []
      return .character("\u{FFFD}")
    }
    guard pending.count == length else { return nil }
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self).unicodeScalars.first.map(Token.character)
  }

  private mutating func escape(_ byte: UInt8) -> Token? {
    switch byte {
    case 0x5B: state = .sequence([])
    case 0x5D: state = .command(sawEscape: false)
    case 0x28, 0x29: state = .designation
    default:
      state = .text
      // Keypad modes change nothing that can be seen.
      if byte != 0x3D && byte != 0x3E { return .unknown("ESC \(Unicode.Scalar(byte))") }
    }
    return nil
  }

  private mutating func sequence(_ body: [UInt8], _ byte: UInt8) -> Token? {
    guard (0x40...0x7E).contains(byte) else {
      state = .sequence(body + [byte])
      return nil
    }
    state = .text
    var sequence = Sequence(final: Character(Unicode.Scalar(byte)))
    sequence.isPrivate = body.first == 0x3F
    sequence.parameters = body.drop { $0 == 0x3F }.split(
      separator: 0x3B, omittingEmptySubsequences: false
    ).map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
    return .sequence(sequence)
  }
}

/// How many columns a character takes; a table of the tests' own, so that a mistake in the product's
/// table shows.
package enum CharacterWidth {
  package static func columns(of scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0x300...0x36F, 0x200B...0x200F, 0x20D0...0x20FF, 0xFE00...0xFE0F: 0
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF,
      0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      2
    default: 1
    }
  }
}
