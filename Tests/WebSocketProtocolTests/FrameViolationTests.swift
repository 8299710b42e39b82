import Testing
import WebSocketProtocol

/// RFC 6455 sections 5.1 to 5.5: what a frame must not be, in both roles and in every state in
/// which frames are looked at.
@Suite struct FrameViolationTests {
  private static let start = WireFrame.text("start", isFinal: false)

  /// The bad frame as the first one, behind a message, behind a ping, and, when it is bad there
  /// too, inside a fragmented message; each time also when we have sent our Close.
  private func refuse(
    _ frame: WireFrame, _ violation: ProtocolViolation, insideMessage: ProtocolViolation?,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let message: [Heard] = [.text("ok")]
    refuse([frame], violation, hears: [], sourceLocation: sourceLocation)
    refuse([.text("ok"), frame], violation, hears: message, sourceLocation: sourceLocation)
    refuse(
      [.ping("p"), .text("ok"), .pong(""), frame], violation,
      hears: [.ping("p")] + message + [.pong("")], sourceLocation: sourceLocation)
    guard let insideMessage else { return }
    refuse(
      [Self.start, frame], insideMessage, hears: [], sourceLocation: sourceLocation)
    refuse(
      [Self.start, .continuation("", isFinal: false), .ping(""), frame], insideMessage,
      hears: [.ping("")], sourceLocation: sourceLocation)
  }

  private func refuse(
    _ frames: [WireFrame], _ violation: ProtocolViolation, hears: [Heard],
    sourceLocation: SourceLocation
  ) {
    check(frames, hears: hears + [.violation(violation)], sourceLocation: sourceLocation)
    // Behind our own Close nothing more is said, neither a pong nor a second Close.
    check(
      frames, before: { try $0.sendClose(CloseFrame(.normal)) },
      hears: hears + [.violation(violation)], says: [.close(1000)],
      sourceLocation: sourceLocation)
  }

  /// Refused in the same way wherever it stands.
  private func refuse(
    _ frame: WireFrame, _ violation: ProtocolViolation,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    refuse(frame, violation, insideMessage: violation, sourceLocation: sourceLocation)
  }

  @Test func reservedBits() {
    for bits in UInt8(1)...7 {
      for opcode in [0, 1, 2, 8, 9, 10] as [UInt8] {
        refuse(
          WireFrame(reservedBits: bits, opcode: opcode, payload: [0x61, 0x62]),
          .reservedBits(bits))
      }
      refuse(
        WireFrame(isFinal: false, reservedBits: bits, opcode: 1, payload: [0x61]),
        .reservedBits(bits))
    }
  }

  @Test func reservedOpcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8] {
      for payload in [[], [0x61]] as [[UInt8]] {
        for isFinal in [true, false] {
          refuse(
            WireFrame(isFinal: isFinal, opcode: opcode, payload: payload),
            .reservedOpcode(opcode))
        }
      }
    }
  }

  @Test func masksInTheWrongDirection() {
    for opcode in [1, 2, 8, 9, 10] as [UInt8] {
      let frame = WireFrame(opcode: opcode, payload: [0x61, 0x62])
      // To a server as a server sends it, and the other way round.
      check(
        WireFrame.wire([frame], to: .client), to: .server,
        hears: [.violation(.unmaskedFromClient)], last: 2)
      check(
        WireFrame.wire([frame], to: .server), to: .client,
        hears: [.violation(.maskedFromServer)], last: 6)
    }
    // A key of zeros is a mask.
    check(
      WireFrame.text("a").bytes(key: [0, 0, 0, 0]), to: .client,
      hears: [.violation(.maskedFromServer)])
    check(WireFrame.text("a").bytes(key: [0, 0, 0, 0]), to: .server, hears: [.text("a")])
  }

  @Test func controlFramesThatAreTooLong() {
    for opcode in [8, 9, 10] as [UInt8] {
      for length in [126, 127, 65_535, 65_536, 1 << 40] as [UInt64] {
        refuse(
          WireFrame(opcode: opcode, declaredLength: length), .controlFrameTooLong(length))
      }
      refuse(WireFrame(opcode: opcode, declaredLength: 1 << 63), .lengthHasTopBit)
    }
  }

  @Test func controlFramesOf125BytesInAnyFormOfLength() {
    let body = (0..<125).map { UInt8($0) }
    for form in WireFrame.LengthForm.allCases {
      for (opcode, heard) in [(9, Heard.ping(body)), (10, .pong(body))] {
        check([WireFrame(opcode: UInt8(opcode), payload: body, form: form)], hears: [heard])
      }
    }
    check(
      [.close(1000, String(repeating: "x", count: 123))],
      hears: [.close(1000, String(repeating: "x", count: 123))])
  }

  @Test func fragmentedControlFrames() {
    for (opcode, payload) in [(8, []), (8, [3, 232]), (9, []), (9, [1]), (10, []), (10, [1])] {
      refuse(
        WireFrame(isFinal: false, opcode: UInt8(opcode), payload: payload.map { UInt8($0) }),
        .fragmentedControlFrame(Opcode(rawValue: UInt8(opcode))))
    }
  }

  @Test func continuationsWithoutAStart() {
    for isFinal in [true, false] {
      for text in ["", "abc"] {
        refuse(
          .continuation(text, isFinal: isFinal), .continuationWithoutStart, insideMessage: nil)
      }
    }
    // The end of a fragmented message ends it.
    check(
      [Self.start, .continuation("ed"), .continuation("more")],
      hears: [.text("started"), .violation(.continuationWithoutStart)])
  }

  @Test func newMessagesInsideAFragmentedOne() {
    for opcode in [1, 2] as [UInt8] {
      for isFinal in [true, false] {
        for payload in [[], [0x61]] as [[UInt8]] {
          check(
            [Self.start, WireFrame(isFinal: isFinal, opcode: opcode, payload: payload)],
            hears: [.violation(.unfinishedMessage(Opcode(rawValue: opcode)))])
        }
      }
    }
    check(
      [.binary([1], isFinal: false), .continuation("", isFinal: false), .binary([2])],
      hears: [.violation(.unfinishedMessage(.binary))])
  }

  @Test func closeFramesOfOneByte() {
    for byte in [0, 3, 0x88, 0xFF] as [UInt8] {
      refuse(WireFrame(opcode: 8, payload: [byte]), .closeBodyOfOneByte)
    }
  }

  @Test func closeCodesThatMustNotBeOnTheWire() {
    let codes: [UInt16] = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
    for code in codes {
      refuse(.close(code), .invalidCloseCode(code))
      refuse(.close(code, "why"), .invalidCloseCode(code))
    }
  }

  @Test func closeReasonsThatAreNotUTF8() {
    let reasons: [[UInt8]] = [
      [0xFF], [0x61, 0x80], [0xC3], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
      [0xCE, 0xBA, 0xE1, 0xBD, 0xB9, 0xCF, 0x83, 0xCE, 0xBC, 0xCE, 0xB5, 0xED, 0xA0, 0x80],
    ]
    for reason in reasons {
      refuse(.close(1000, reason), .closeReasonIsNotUTF8(TextSequences.evidence(reason)))
    }
  }

  /// Which rule is named when several are broken.
  @Test func theFirstBrokenRuleIsNamed() {
    check(
      [WireFrame(reservedBits: 7, opcode: 3, declaredLength: 1 << 63)],
      hears: [.violation(.reservedBits(7))])
    check([WireFrame(opcode: 3, declaredLength: 1 << 63)], hears: [.violation(.reservedOpcode(3))])
    check(
      [WireFrame(isFinal: false, opcode: 9, declaredLength: 200)],
      hears: [.violation(.fragmentedControlFrame(.ping))])
    check(
      [WireFrame(opcode: 0, declaredLength: 1 << 40)],
      hears: [.violation(.continuationWithoutStart)])
  }

  /// The code and the reason are what the peer sees, so here the bytes are compared.
  @Test func everyViolationHasItsCloseCodeAndReason() {
    let rows: [(ProtocolViolation, UInt16, String)] = [
      (.reservedBits(4), 1002, "reserved bits set without an extension: RSV1"),
      (.reservedBits(2), 1002, "reserved bits set without an extension: RSV2"),
      (.reservedBits(1), 1002, "reserved bits set without an extension: RSV3"),
      (.reservedBits(7), 1002, "reserved bits set without an extension: RSV1+2+3"),
      (.reservedOpcode(11), 1002, "reserved opcode 11"),
      (.unmaskedFromClient, 1002, "a frame from a client must be masked"),
      (.maskedFromServer, 1002, "a frame from a server must not be masked"),
      (.lengthHasTopBit, 1002, "the top bit of a 64-bit length must be 0"),
      (.controlFrameTooLong(126), 1002, "control frame of 126 bytes (at most 125)"),
      (.fragmentedControlFrame(.ping), 1002, "fragmented control frame (opcode 9)"),
      (.continuationWithoutStart, 1002, "continuation frame without a message to continue"),
      (.unfinishedMessage(.binary), 1002, "new message (opcode 2) inside a fragmented one"),
      (.closeBodyOfOneByte, 1002, "close frame with a body of one byte"),
      (.invalidCloseCode(1005), 1002, "close code 1005 is not allowed on the wire"),
      (
        .closeReasonIsNotUTF8(TextSequences.evidence([0xFF])), 1007,
        "close reason is not valid UTF-8"
      ),
      (.textIsNotUTF8(TextSequences.evidence([0xFF])), 1007, "text is not valid UTF-8"),
      (
        .messageTooBig(size: 1_000_001, limit: 1_000_000), 1009,
        "message of 1000001 bytes is over the limit of 1000000 (--max-message)"
      ),
      (.tooManyFragments(limit: 3), 1009, "too many fragments"),
      (.fragmentTooBig(size: 9, limit: 8), 1009, "fragment of 9 bytes is over the limit of 8"),
      (
        .compressedFrame(.ping), 1002,
        "RSV1 on a ping: control frames are never compressed"
      ),
      (
        .compressedFrame(.continuation), 1002,
        "RSV1 on a continuation: only the first frame of a message may have it"
      ),
      (
        .messageTooBig(size: .max, limit: Limits.largestMessageSize), 1009,
        "message of 18446744073709551615 bytes is over the limit of 1073741824 (--max-message)"
      ),
    ]
    for (violation, code, reason) in rows {
      #expect(violation.closeCode.rawValue == code)
      #expect(violation.reason == reason)
      #expect(reason.utf8.count <= CloseFrame.maximumReasonLength)
    }
  }
}
