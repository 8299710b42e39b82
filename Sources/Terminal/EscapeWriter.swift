/// Decodes one character of UTF-8, strictly: no overlong forms, no surrogates.
enum ScalarDecoder {
  /// The character that starts at `index`, and its length in bytes; nil if there is no valid one.
  static func scalar(in bytes: UnsafeRawBufferPointer, at index: Int) -> (
    value: UInt32, length: Int
  )? {
    let first = bytes[index]
    let length: Int
    var value: UInt32
    switch first {
    case 0x00...0x7F: return (UInt32(first), 1)
    case 0xC2...0xDF: (length, value) = (2, UInt32(first & 0x1F))
    case 0xE0...0xEF: (length, value) = (3, UInt32(first & 0x0F))
    case 0xF0...0xF4: (length, value) = (4, UInt32(first & 0x07))
    default: return nil
    }
    guard index + length <= bytes.count else { return nil }
    for next in bytes[(index + 1)..<(index + length)] {
      guard next & 0xC0 == 0x80 else { return nil }
      value = value << 6 | UInt32(next & 0x3F)
    }
    switch (length, value) {
    case (3, ..<0x800), (3, 0xD800...0xDFFF), (4, ..<0x10000), (4, 0x110000...): return nil
    default: return (value, length)
    }
  }
}

/// Writes text with escapes, copying runs of printable bytes at once.
struct EscapeWriter {
  private let keepingNewlines: Bool
  private let highlight: Bool
  private let keepingBlanks: Bool
  private var output: [UInt8] = []
  /// Adjacent escapes share one stretch of reverse video.
  private var isHighlighting = false

  init(keepingNewlines: Bool, highlight: Bool, keepingBlanks: Bool) {
    self.keepingBlanks = keepingBlanks
    self.keepingNewlines = keepingNewlines
    self.highlight = highlight
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    output.reserveCapacity(output.count + bytes.count + bytes.count / 8)
    var runStart = 0
    var index = 0
    while index < bytes.count {
      let scalar = ScalarDecoder.scalar(in: bytes, at: index)
      if let scalar, isKept(scalar.value) {
        index += scalar.length
        continue
      }
      appendRun(bytes[runStart..<index])
      if let scalar {
        escape(scalar.value)
        index += scalar.length
      } else {
        escape(byte: bytes[index])
        index += 1
      }
      runStart = index
    }
    appendRun(bytes[runStart...])
  }

  consuming func finish() -> String {
    setHighlight(false)
    return String(decoding: output, as: UTF8.self)
  }

  private func isKept(_ scalar: UInt32) -> Bool {
    if !keepingBlanks, ControlCharacters.isDeceptiveBlank(scalar) { return false }
    return switch scalar {
    case 0x09: true
    case 0x0A: keepingNewlines
    default: ControlCharacters.isPrintable(scalar)
    }
  }

  private mutating func appendRun(_ run: Slice<UnsafeRawBufferPointer>) {
    guard !run.isEmpty else { return }
    setHighlight(false)
    output.append(contentsOf: run)
  }

  private mutating func escape(_ scalar: UInt32) {
    if scalar == 0x0A || scalar == 0x09 {
      setHighlight(true)
      output.append(contentsOf: (scalar == 0x0A ? "\\n" : "\\t").utf8)
    } else if scalar < 0x80 {
      escape(byte: UInt8(scalar))
    } else {
      setHighlight(true)
      output.append(contentsOf: "\\u{\(String(scalar, radix: 16))}".utf8)
    }
  }

  private mutating func escape(byte: UInt8) {
    setHighlight(true)
    output.append(contentsOf: byte < 0x10 ? "\\x0".utf8 : "\\x".utf8)
    output.append(contentsOf: String(byte, radix: 16).utf8)
  }

  private mutating func setHighlight(_ on: Bool) {
    guard highlight, on != isHighlighting else { return }
    output.append(contentsOf: on ? "\u{1b}[7m".utf8 : "\u{1b}[27m".utf8)
    isHighlighting = on
  }
}
