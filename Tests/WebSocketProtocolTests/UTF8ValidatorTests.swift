import TestPeers
import Testing
import WebSocketProtocol

/// RFC 3629: which bytes are UTF-8, however they are cut into pieces.
@Suite struct UTF8ValidatorTests {
  private static func feed(_ pieces: [ArraySlice<UInt8>]) -> UTF8Validator? {
    var validator = UTF8Validator()
    for piece in pieces {
      guard piece.withUnsafeBytes({ validator.validate($0) }) else { return nil }
    }
    return validator
  }

  private func check(
    _ bytes: [UInt8], isValid: Bool, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let slow = bytes.indices.map { bytes[$0...$0] }
    for pieces in (0...bytes.count).map({ [bytes[..<$0], bytes[$0...]] }) + [slow] {
      #expect(
        (Self.feed(pieces)?.isComplete ?? false) == isValid, "\(pieces)",
        sourceLocation: sourceLocation)
    }
    for count in 0...bytes.count {
      #expect(
        (Self.feed([bytes[..<count]]) != nil) == TextSequences.canBecomeValid(bytes[..<count]),
        "\(bytes[..<count])", sourceLocation: sourceLocation)
    }
  }

  @Test func knownSequencesInEveryTwoPieces() {
    for bytes in TextSequences.valid { check(bytes, isValid: true) }
    for bytes in TextSequences.invalid { check(bytes, isValid: false) }
    // Behind a valid character, before one, and with a long text around.
    let long = [UInt8](repeating: 0x61, count: 37)
    for bytes in TextSequences.valid {
      check(TextSequences.kosme + bytes, isValid: true)
      check(long + bytes + long, isValid: true)
    }
    for bytes in TextSequences.invalid {
      check(TextSequences.kosme + bytes, isValid: false)
      check(bytes + [0x61], isValid: false)
      check(long + bytes + long, isValid: false)
    }
    check([], isValid: true)
  }

  @Test func noBytesAtAllChangeNothing() {
    var validator = UTF8Validator()
    for byte in [0xF0, 0x9F, 0x98, 0x80] as [UInt8] {
      let isStillValid = validator.validate(UnsafeRawBufferPointer(start: nil, count: 0))
      let isValid = withUnsafeBytes(of: byte) { validator.validate($0) }
      #expect(isStillValid && isValid)
    }
    #expect(validator.isComplete)
  }

  /// Every sequence of one and two bytes, by all oracles.
  @Test func everySequenceOfOneAndTwoBytes() {
    for first in UInt8.min...UInt8.max {
      check([first], isValid: TextSequences.isValid([first]))
      for second in UInt8.min...UInt8.max {
        let bytes = [first, second]
        let isValid = TextSequences.isValid(bytes)
        #expect((Self.feed([bytes[...]])?.isComplete ?? false) == isValid)
        #expect((Self.feed([bytes[..<1], bytes[1...]])?.isComplete ?? false) == isValid)
        #expect((Self.feed([bytes[...]]) != nil) == TextSequences.canBecomeValid(bytes))
      }
    }
  }

  /// Every sequence of three bytes against the standard library, which is asked once for what
  /// follows an ASCII character, and not at all for what begins hopelessly.
  @Test(arguments: [0x00...0x7F, 0x80...0xBF, 0xC0...0xDF, 0xE0...0xFF] as [ClosedRange<UInt8>])
  func everySequenceOfThreeBytes(from leads: ClosedRange<UInt8>) {
    let pairs = (0..<65_536).map { TextSequences.isValid([UInt8($0 >> 8), UInt8($0 & 255)]) }
    var wrong: [[UInt8]] = []
    withUnsafeTemporaryAllocation(byteCount: 3, alignment: 1) { bytes in
      for first in leads {
        bytes[0] = first
        for second in UInt8.min...UInt8.max {
          bytes[1] = second
          let hasHope = first < 0x80 || TextSequences.canBecomeValid([first, second])
          for third in UInt8.min...UInt8.max {
            bytes[2] = third
            var validator = UTF8Validator()
            let isValid = validator.validate(UnsafeRawBufferPointer(bytes)) && validator.isComplete
            let expected =
              first < 0x80
              ? pairs[Int(second) << 8 | Int(third)] : hasHope && TextSequences.isValid(bytes)
            if isValid != expected { wrong.append([first, second, third]) }
          }
        }
      }
    }
    #expect(wrong == [])
  }

  /// Sequences of four bytes: all that can begin one of four, at random, and random ones.
  @Test func aSampleOfSequencesOfFourBytes() {
    var random = RandomBytes(seed: 4)
    for round in 0..<300_000 {
      var bytes = random.bytes(4)
      if round % 2 == 0 {
        bytes[0] = 0xEF + bytes[0] % 7
        for index in 1..<4 { bytes[index] = 0x80 | bytes[index] & 0x7F }
        bytes[2] &= 0xBF
        bytes[3] &= 0xBF
      }
      let isValid = TextSequences.isValid(bytes)
      guard (Self.feed([bytes[...]])?.isComplete ?? false) == isValid,
        (Self.feed([bytes[..<2], bytes[2...]])?.isComplete ?? false) == isValid
      else {
        Issue.record("\(bytes), seed 4, round \(round)")
        return
      }
    }
  }

  /// Long ASCII is read by words: one bad byte is found wherever it stands, and at any alignment.
  @Test func aBadByteAnywhereInLongASCII() {
    for count in [80, 81, 87, 96] {
      for alignment in 0..<8 {
        for offset in 0..<80 {
          var bytes = [UInt8](repeating: 0x41, count: alignment + count)
          #expect(Self.feed([bytes[alignment...]])?.isComplete == true)
          bytes[alignment + offset] = 0x80
          #expect(Self.feed([bytes[alignment...]]) == nil, "\(offset) of \(count)")
          #expect(Self.feed([bytes[alignment..<alignment + offset]]) != nil)
          bytes[alignment + offset] = 0xC3
          #expect(
            (Self.feed([bytes[alignment...]]) == nil) == (offset < count - 1),
            "\(offset) of \(count)")
          guard offset < count - 1 else { continue }
          bytes[alignment + offset + 1] = 0xA9
          #expect(Self.feed([bytes[alignment...]])?.isComplete == true)
        }
      }
    }
  }

  /// Text of all scripts is read by blocks of 64 bytes: whatever is changed in it is found, wherever it
  /// stands, and not before it can be known.
  @Test(arguments: [
    "Grüße aus Köln, ça va? ", "Привет, мир. ", "日本語のテキスト、", "한국어 문장 힣 ", "ไทย हिन्दी ",
    "😀🎉 \u{10FFFF}🚀",
    "aé日😀", "\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}",
  ])
  func aBadByteAnywhereInLongText(_ text: String) {
    var random = RandomBytes(seed: 64)
    let long = Array(String(repeating: text, count: 1 + 400 / text.utf8.count).utf8)
    #expect(Self.feed([long[...]])?.isComplete == true)
    for start in 0..<8 where TextSequences.isValid(Array(long[start...])) {
      #expect(Self.feed([long[start...]])?.isComplete == true)
    }
    let bad: [UInt8] = [
      0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1,
    ]
    for offset in long.indices {
      for byte in bad + [0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF] {
        var bytes = long
        bytes[offset] = byte
        let isValid = TextSequences.isValid(bytes)
        // In one piece, and in two of which the second begins anywhere.
        let cut = Int(random.bytes(1)[0]) + 64
        guard (Self.feed([bytes[...]])?.isComplete ?? false) == isValid,
          (Self.feed([bytes[..<cut], bytes[cut...]])?.isComplete ?? false) == isValid
        else {
          Issue.record("\(byte) at \(offset), cut at \(cut)")
          return
        }
      }
    }
    // Each beginning of a valid text can become valid; with FF behind it, it cannot.
    for count in long.indices {
      #expect(Self.feed([long[..<count]]) != nil)
      #expect(Self.feed([long[..<count] + [0xFF]]) == nil)
      #expect(Self.feed([long[..<count] + [0xFF] + long[..<100]]) == nil)
    }
  }
}
