import Terminal
import TestPeers
import Testing

@Suite(.blocking) struct ControlCharactersTests {
  private func check(
    _ bytes: [UInt8], _ expected: String, keepingNewlines: Bool = true,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let shown = ControlCharacters.escaped(
      bytes, keepingNewlines: keepingNewlines, highlight: false)
    #expect(shown == expected, sourceLocation: sourceLocation)
  }

  private func check(
    _ text: String, _ expected: String, keepingNewlines: Bool = true,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    check(
      Array(text.utf8), expected, keepingNewlines: keepingNewlines, sourceLocation: sourceLocation)
  }

  @Test func everyByteAlone() {
    for byte in UInt8.min...UInt8.max {
      let scalar = Unicode.Scalar(byte)
      let isKept = byte == 0x09 || byte == 0x0A || (0x20...0x7E).contains(byte)
      let digits = String(byte, radix: 16)
      let escape = "\\x" + (digits.count == 1 ? "0" : "") + digits
      check([byte], isKept ? String(scalar) : escape)
      check([0x61, byte, 0x62], isKept ? "a\(scalar)b" : "a\(escape)b")
    }
  }

  @Test func charactersThatAreNotShown() {
    let ranges: [ClosedRange<UInt32>] = [
      0x80...0x9F, 0x61C...0x61C, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069,
      0x2028...0x2029, 0xE0000...0xE007F,
    ]
    for value in ranges.joined() {
      guard let scalar = Unicode.Scalar(value) else { continue }
      check("a\(scalar)b", "a\\u{\(String(value, radix: 16))}b")
    }
    for value in [0xA0, 0x200D, 0x2027, 0x202F, 0x2065, 0x206A, 0xE0080, 0x1F600] as [UInt32] {
      guard let scalar = Unicode.Scalar(value) else { continue }
      check("\(scalar)", "\(scalar)")
    }
  }

  @Test func bytesThatAreNoText() {
    check([0xC0, 0x9B], "\\xc0\\x9b")  // an overlong form of ESC's byte
    check([0xE0, 0x80, 0x9B], "\\xe0\\x80\\x9b")
    check([0xED, 0xA0, 0x80], "\\xed\\xa0\\x80")  // a surrogate
    check([0xF4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80")
    check([0xE2, 0x82], "\\xe2\\x82")  // the euro sign, cut off
    check([0xE2, 0x82, 0x41], "\\xe2\\x82A")
    check([0xE2, 0x82, 0xAC, 0xFF], "€\\xff")
  }

  @Test func terminalCommands() {
    check("\u{1b}]52;c;aGk=\u{7}", "\\x1b]52;c;aGk=\\x07")
    check("\u{1b}[6n", "\\x1b[6n")
    check("\u{9b}6n", "\\u{9b}6n")
    check("a\rb", "a\\x0db")
  }

  @Test func newlinesOnOneLine() {
    check("a\n\tb", "a\n\tb")
    check("a\n\tb", "a\\n\tb", keepingNewlines: false)
  }

  @Test func escapesAreHighlightedTogether() {
    let shown = ControlCharacters.escaped("a\u{1b}\u{7}b\u{0}", highlight: true)
    #expect(shown == "a\u{1b}[7m\\x1b\\x07\u{1b}[27mb\u{1b}[7m\\x00\u{1b}[27m")
  }

  @Test func randomTextIsSafeAndEscapedOnce() {
    var generator = SeededGenerator(seed: 14)
    let likely: [[UInt8]] = [
      [0x1B], [0x9B], [0x0A], [0xC2, 0x9B], [0xE2, 0x80, 0xAE], [0xF3, 0xA0, 0x80, 0x81], [0xC2],
      [0xE2, 0x80], [0x41], [0xE2, 0x82, 0xAC],
    ]
    for _ in 0..<100_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0...12, using: &generator) {
        if Bool.random(using: &generator) {
          bytes.append(UInt8.random(in: .min ... .max, using: &generator))
        } else {
          bytes += likely.randomElement(using: &generator) ?? []
        }
      }
      let plain = ControlCharacters.escaped(bytes, highlight: false)
      #expect(isSafe(plain), "\(bytes)")
      #expect(ControlCharacters.escaped(plain, highlight: false) == plain, "\(bytes)")
      let highlighted = ControlCharacters.escaped(bytes, highlight: true)
      #expect(removingHighlight(highlighted) == plain, "\(bytes)")
    }
  }

  private func isSafe(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { scalar in
      if scalar == "\n" || scalar == "\t" { return true }
      switch scalar.value {
      case 0x61C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x2028, 0x2029,
        0xE0000...0xE007F:
        return false
      default: return scalar.properties.generalCategory != .control
      }
    }
  }

  private func removingHighlight(_ text: String) -> String {
    var scalars = Array(text.unicodeScalars)[...]
    var rest = String.UnicodeScalarView()
    while let scalar = scalars.first {
      if scalars.starts(with: "\u{1b}[7m".unicodeScalars) {
        scalars = scalars.dropFirst(4)
      } else if scalars.starts(with: "\u{1b}[27m".unicodeScalars) {
        scalars = scalars.dropFirst(5)
      } else {
        rest.append(scalar)
        scalars = scalars.dropFirst()
      }
    }
    return String(rest)
  }

  @Test func longTextIsCutBetweenCharacters() {
    func cut(_ text: String, at limit: Int) -> ControlCharacters.Cut {
      ControlCharacters.cut(Array(text.utf8), at: limit, highlight: false)
    }
    let text = "a€b😀"
    let expected = ["", "a", "a", "a", "a€", "a€b", "a€b", "a€b", "a€b", text]
    for (limit, shown) in expected.enumerated() {
      let cut = cut(text, at: limit)
      #expect(cut.text == shown)
      #expect(cut.bytesLeftOut == text.utf8.count - shown.utf8.count)
    }
    #expect(cut("\u{1b}\u{1b}", at: 1).text == "\\x1b")
    // Bytes that are no text may be cut anywhere.
    let broken = ControlCharacters.cut([0x80, 0x80, 0x80, 0x80, 0x80], at: 2, highlight: false)
    #expect(broken == ControlCharacters.cut([0x80, 0x80, 0, 0, 0], at: 2, highlight: false))
    #expect(broken.bytesLeftOut == 3)
  }
}
