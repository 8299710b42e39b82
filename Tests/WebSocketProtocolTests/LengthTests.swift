import Testing
import WebSocketProtocol

/// SECURITY R1: a length is judged when the header has come, before any memory is spent on it.
@Suite struct LengthTests {
  private static let limit = 100_000
  private static let limits = Limits(messageSize: limit)

  /// A header alone, with nothing of its payload.
  private func check(
    _ length: UInt64, opcode: UInt8 = 2, isFinal: Bool = true, limits: Limits = Self.limits,
    _ violation: ProtocolViolation?, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for role in [Role.client, .server] {
      for form in [WireFrame.LengthForm.shortest, .sixtyFourBits] {
        let frame = WireFrame(
          isFinal: isFinal, opcode: opcode, declaredLength: length, form: form)
        let right = WireFrame.wire([frame], to: role)
        WebSocketProtocolTests.check(
          right, to: role, limits: limits, hears: violation.map { [.violation($0)] } ?? [],
          last: violation == nil ? nil : right.count, sourceLocation: sourceLocation)
        let wrong = WireFrame.wire([frame], to: role == .client ? .server : .client)
        WebSocketProtocolTests.check(
          wrong, to: role, limits: limits,
          hears: [.violation(role == .client ? .maskedFromServer : .unmaskedFromClient)],
          last: wrong.count, sourceLocation: sourceLocation)
      }
    }
  }

  @Test func lengthsUpToTheLimitAreWaitedFor() {
    for length in [1, 125, 126, 65_535, 65_536, 99_999, 100_000] as [UInt64] {
      for opcode in [1, 2] as [UInt8] {
        check(length, opcode: opcode, nil)
        check(length, opcode: opcode, isFinal: false, nil)
      }
    }
  }

  @Test func lengthsOverTheLimitAreRefused() {
    let lengths: [UInt64] = [
      100_001, 1 << 31, 1 << 32, 1 << 40, 1 << 53, 1 << 62, UInt64(Int64.max),
    ]
    for length in lengths {
      for opcode in [1, 2] as [UInt8] {
        check(length, opcode: opcode, .messageTooBig(size: length, limit: Self.limit))
        check(
          length, opcode: opcode, isFinal: false,
          .messageTooBig(size: length, limit: Self.limit))
      }
    }
  }

  @Test func theTopBitIsRefusedWhateverTheLimit() {
    for length in [1 << 63, 1 << 63 + 5, .max] as [UInt64] {
      for opcode in [0, 1, 2, 8, 9, 10] as [UInt8] {
        check(length, opcode: opcode, .lengthHasTopBit)
      }
    }
  }

  @Test func theHardLimitIsOneGibibyte() {
    let limits = Limits(messageSize: .max)
    #expect(limits.messageSize == 1 << 30)
    check(1 << 30, limits: limits, nil)
    check(1 << 30 + 1, limits: limits, .messageTooBig(size: 1 << 30 + 1, limit: 1 << 30))
    #expect(Limits(messageSize: 0).messageSize == 1)
    #expect(Limits(messageSize: .min).messageSize == 1)
    #expect(Limits(messageSize: 1 << 30).messageSize == 1 << 30)
    #expect(Limits(messageSize: 1 << 30 + 1).messageSize == 1 << 30)
    #expect(Limits(messageSize: 1).fragments == 131_072)
    #expect(Limits.clientMessageSize == 64 << 20)
    #expect(Limits.serverMessageSize == 16 << 20)
  }

  @Test func aLimitOfOneByte() {
    let limits = Limits(messageSize: 1)
    WebSocketProtocolTests.check(
      [.text(""), .text("a"), .binary([7])], limits: limits,
      hears: [.text(""), .text("a"), .binary([7])])
    check(2, limits: limits, .messageTooBig(size: 2, limit: 1))
  }

  @Test func wholeMessagesOfEveryLength() {
    let limits = Limits(messageSize: 65_537)
    for length in [0, 1, 2, 3, 124, 125, 126, 127, 128, 65_535, 65_536, 65_537] {
      let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
      WebSocketProtocolTests.check(
        [.binary(payload), .text("next")], limits: limits,
        hears: [.binary(payload), .text("next")])
      let text = [UInt8](repeating: 0x74, count: length)
      WebSocketProtocolTests.check(
        [.text(text), .ping("next")], limits: limits, hears: [.text(text), .ping("next")])
    }
  }

  /// A longer form than needed is read as peers do.
  @Test func wholeMessagesWithLengthsInALongerForm() {
    for form in [WireFrame.LengthForm.sixteenBits, .sixtyFourBits] {
      for length in [0, 5, 125, 126, 300] {
        let text = [UInt8](repeating: 0x74, count: length)
        let frame = WireFrame(opcode: 1, payload: text, form: form)
        WebSocketProtocolTests.check(
          [frame, .text("next"), frame], hears: [.text(text), .text("next"), .text(text)])
      }
    }
  }

  /// The limit is on the whole message: a fragment that would go over it is refused by its header.
  @Test func theLimitCoversAllFragmentsTogether() {
    let limits = Limits(messageSize: 10)
    let start = WireFrame.text("12345", isFinal: false)
    WebSocketProtocolTests.check(
      [start, .continuation("67890", isFinal: false), .continuation("")], limits: limits,
      hears: [.text("1234567890")])
    WebSocketProtocolTests.check(
      [start, .continuation("6789", isFinal: false), .continuation("0"), .text("12345678")],
      limits: limits, hears: [.text("1234567890"), .text("12345678")])
    for last in [6, 1 << 40, UInt64(Int64.max)] {
      WebSocketProtocolTests.check(
        [start, WireFrame(opcode: 0, declaredLength: last)], limits: limits,
        hears: [.violation(.messageTooBig(size: last + 5, limit: 10))])
    }
    WebSocketProtocolTests.check(
      [
        start, .continuation("67890", isFinal: false), .ping("x"),
        WireFrame(opcode: 0, declaredLength: 1),
      ], limits: limits,
      hears: [.ping("x"), .violation(.messageTooBig(size: 11, limit: 10))])
  }
}
