import Testing
import WebSocketProtocol

/// RFC 6455 section 8.1: text that is not UTF-8 fails the connection, at the first byte that makes
/// that certain, whether or not its frame has come whole (Autobahn section 6).
@Suite struct TextMessageTests {
  /// In one frame, in frames of one byte each, and in two frames cut at every point.
  private func refuse(_ text: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    let certain = TextSequences.certainlyInvalid(text)
    let hears = [Heard.violation(.textIsNotUTF8(TextSequences.evidence(text)))]
    for (role, header) in [(Role.client, 2), (.server, 6)] {
      // What is not certain by its bytes is so by the end of the message.
      check(
        WireFrame.wire([.text(text)], to: role), to: role, hears: hears,
        last: header + (certain ?? text.count), sourceLocation: sourceLocation)
      check(
        WireFrame.wire(Self.fragments(text, of: 1), to: role), to: role, hears: hears,
        last: (header + 1) * (certain ?? text.count), sourceLocation: sourceLocation)
    }
    for cut in 0...text.count {
      let frames = [
        WireFrame.text(Array(text[..<cut]), isFinal: false), .ping("between"),
        .continuation(Array(text[cut...])),
      ]
      let isEarly = certain.map { $0 <= cut } ?? false
      check(
        frames, hears: (isEarly ? [] : [.ping("between")]) + hears,
        sourceLocation: sourceLocation)
    }
  }

  private func accept(_ text: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    check(
      [.text(text), .text("next")], hears: [.text(text), .text("next")],
      sourceLocation: sourceLocation)
    check(
      Self.fragments(text, of: 1) + [.text(text)], hears: [.text(text), .text(text)],
      sourceLocation: sourceLocation)
    for cut in 0...text.count {
      check(
        [
          .text(Array(text[..<cut]), isFinal: false), .ping("between"),
          .continuation(Array(text[cut...])), .text(text),
        ], hears: [.ping("between"), .text(text), .text(text)], sourceLocation: sourceLocation)
    }
  }

  private static func fragments(_ text: [UInt8], of size: Int) -> [WireFrame] {
    let starts = Array(stride(from: 0, to: text.count, by: size))
    return starts.map { start in
      WireFrame(
        isFinal: start == starts.last, opcode: start == 0 ? 1 : 0,
        payload: Array(text[start..<min(start + size, text.count)]))
    }
  }

  @Test func validText() {
    for text in TextSequences.valid { accept(text) }
    accept(Array("Hello-µ@ßöäüàá-UTF-8!!".utf8))
  }

  @Test func invalidText() {
    for text in TextSequences.invalid { refuse(text) }
  }

  @Test func emptyTextOfThreeFragments() {
    check(
      [.text("", isFinal: false), .continuation("", isFinal: false), .continuation("")],
      hears: [.text("")])
    check(
      [
        .text("", isFinal: false), .continuation("middle frame payload", isFinal: false),
        .continuation(""),
      ], hears: [.text("middle frame payload")])
  }

  /// Autobahn 6.4.1 and 6.4.2: the second of three frames is refused, before the third.
  @Test func failsInTheFrameThatMakesItCertain() {
    let text = TextSequences.kosme + [0xF4, 0x90, 0x80, 0x80]
    for parts in [11..<15, 12..<13] {
      check(
        [
          .text(Array(text[..<parts.lowerBound]), isFinal: false),
          .continuation(Array(text[parts]), isFinal: false),
        ], hears: [.violation(.textIsNotUTF8(TextSequences.evidence(text)))])
      check([.text(Array(text[..<parts.lowerBound]), isFinal: false)], hears: [])
    }
  }

  /// Autobahn 6.4.3 and 6.4.4: the same inside one frame of which the rest never comes.
  @Test func failsInsideAFrameThatHasNotArrivedWhole() {
    let bad = TextSequences.kosme + [0xF4, 0x90]
    for rest in [1, 8, 100_000] as [UInt64] {
      for (role, header) in [(Role.client, rest < 100 ? 2 : 10), (.server, rest < 100 ? 6 : 14)] {
        let frame = WireFrame(opcode: 1, payload: bad, declaredLength: UInt64(bad.count) + rest)
        check(
          WireFrame.wire([frame], to: role), to: role,
          hears: [.violation(.textIsNotUTF8(TextSequences.evidence(bad)))],
          last: header + bad.count)
        let good = WireFrame(opcode: 1, payload: bad.dropLast(), declaredLength: 40)
        check(WireFrame.wire([good], to: role), to: role, hears: [])
      }
    }
  }

  /// The byte, its offset in the message and the text before it, in one frame, in fragments and in parts of
  /// a frame.
  @Test func theEvidenceOfInvalidText() {
    let rows: [(text: [UInt8], evidence: InvalidUTF8)] = [
      (
        Array("temp: 21 ".utf8) + [0xB0, 0x43],
        InvalidUTF8(byte: 0xB0, offset: 9, before: Array("temp: 21 ".utf8))
      ),
      ([0xFF, 0x61], InvalidUTF8(byte: 0xFF, offset: 0, before: [])),
      // The end of the text inside a character: its first byte.
      ([0x61, 0xE2, 0x82], InvalidUTF8(byte: 0xE2, offset: 1, before: [0x61])),
      ([0x61, 0xC3, 0x28], InvalidUTF8(byte: 0xC3, offset: 1, before: [0x61])),
      // As much as 16 bytes before it, from the beginning of a character on.
      (
        Array("\u{20AC}123456789 12345".utf8) + [0xC0],
        InvalidUTF8(byte: 0xC0, offset: 18, before: Array("123456789 12345".utf8))
      ),
      (
        [UInt8](repeating: 0x20, count: 70_000) + [0x80],
        InvalidUTF8(byte: 0x80, offset: 70_000, before: [UInt8](repeating: 0x20, count: 16))
      ),
    ]
    for (text, evidence) in rows {
      #expect(TextSequences.evidence(text) == evidence)
      if text.count < 100 { refuse(text) }
      for size in [1000, text.count] {
        check(
          Self.fragments(text, of: size), hears: [.violation(.textIsNotUTF8(evidence))])
      }
    }
  }

  /// The bytes of binary messages and of pings are nobody's business.
  @Test func otherPayloadsNeedNotBeUTF8() {
    for bytes in TextSequences.invalid {
      check(
        [
          .binary(bytes), .binary(bytes, isFinal: false), .ping("x"), .continuation(bytes),
          WireFrame(opcode: 9, payload: bytes), WireFrame(opcode: 10, payload: bytes),
          .text("ok"),
        ],
        hears: [
          .binary(bytes), .ping("x"), .binary(bytes + bytes), .ping(bytes), .pong(bytes),
          .text("ok"),
        ])
    }
  }

  /// A control frame between the halves of a character is none of the text.
  @Test func controlFramesInsideACharacter() {
    let smile: [UInt8] = [0xF0, 0x9F, 0x98, 0x80]
    for cut in 1..<4 {
      check(
        [
          .text(Array(smile[..<cut]), isFinal: false), WireFrame(opcode: 9, payload: [0xFF, 0x80]),
          .continuation(Array(smile[cut...])), .text("after"),
        ], hears: [.ping([0xFF, 0x80]), .text(smile), .text("after")])
    }
  }
}
