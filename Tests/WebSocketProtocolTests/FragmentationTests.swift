import Testing
import WebSocketProtocol

/// RFC 6455 section 5.4: messages in several frames, with control frames in between.
@Suite struct FragmentationTests {
  @Test func messagesInAnyNumberOfFragments() {
    for count in 2...6 {
      var frames = [WireFrame.binary([0], isFinal: false)]
      for index in 1..<count {
        frames.append(.continuation([UInt8](repeating: UInt8(index), count: index)))
        frames[index].isFinal = index == count - 1
      }
      let payload = (0..<count).flatMap { [UInt8](repeating: UInt8($0), count: max($0, 1)) }
      check(frames + frames, hears: [.binary(payload), .binary(payload)])
    }
  }

  @Test func emptyFragments() {
    let empty = WireFrame.continuation("", isFinal: false)
    check([.text("", isFinal: false), .continuation("")], hears: [.text("")])
    check([.text("", isFinal: false), empty, empty, .continuation("")], hears: [.text("")])
    check(
      [.text("a", isFinal: false), empty, .continuation("b", isFinal: false), .continuation("")],
      hears: [.text("ab")])
    check(
      [.binary([], isFinal: false), empty, .continuation("b"), .text("")],
      hears: [.binary([0x62]), .text("")])
  }

  @Test func controlFramesBetweenFragmentsAreHeardAtOnce() {
    check(
      [
        .ping("0"), .text("a", isFinal: false), .ping("1"), .pong("2"),
        .continuation("", isFinal: false), .ping(""), .continuation("b"), .ping("3"),
      ],
      hears: [.ping("0"), .ping("1"), .pong("2"), .ping(""), .text("ab"), .ping("3")])
    // A long one too, whose body a read may cut.
    let body = String(repeating: "p", count: 125)
    check(
      [.binary([1], isFinal: false), .ping(body), .continuation([2]), .pong(body)],
      hears: [.ping(body), .binary([1, 2]), .pong(body)])
  }

  /// The window ends between the header of a control frame and its body: the message around it is
  /// kept, and so is the key of its next fragment.
  @Test func aPingInsideAMessageAndAMessageBehindIt() {
    check(
      [
        .text("κό", isFinal: false), .ping("aa"), .continuation("σμ", isFinal: false),
        .ping("bb"), .continuation("ε"), .text("tail"),
      ],
      hears: [.ping("aa"), .ping("bb"), .text("κόσμε"), .text("tail")])
  }

  @Test func theLimitOfFragmentsCountsEmptyOnes() {
    let limits = Limits(messageSize: 100, fragments: 4)
    func message(_ count: Int, _ text: String) -> [WireFrame] {
      (0..<count).map { index in
        WireFrame(
          isFinal: index == count - 1, opcode: index == 0 ? 1 : 0, payload: Array(text.utf8))
      }
    }
    for text in ["", "x"] {
      let whole = String(repeating: text, count: 4)
      check(message(4, text), limits: limits, hears: [.text(whole)])
      // The count begins anew with each message, and control frames are none of it.
      check(
        message(4, text) + message(1, "one") + message(4, text), limits: limits,
        hears: [.text(whole), .text("one"), .text(whole)])
      var mixed = message(4, text)
      mixed.insert(contentsOf: [.ping(), .ping(), .pong()], at: 3)
      check(mixed, limits: limits, hears: [.ping(""), .ping(""), .pong(""), .text(whole)])
      check(
        message(5, text), limits: limits, hears: [.violation(.tooManyFragments(limit: 4))])
      var endless = message(9, text)
      endless[8].isFinal = false
      check(endless, limits: limits, hears: [.violation(.tooManyFragments(limit: 4))])
    }
    check(
      [.text("a", isFinal: false), .continuation("b")],
      limits: Limits(messageSize: 9, fragments: 1),
      hears: [.violation(.tooManyFragments(limit: 1))])
  }

  /// At the limit and one above, alone, in a message, and in control frames, which it is not for.
  @Test func theLimitOfTheSizeOfAFragment() {
    var limits = Limits(messageSize: 9)
    limits.fragmentSize = 3
    check(
      [.text("abc"), .text("abc", isFinal: false), .continuation("def"), .ping("longer")],
      limits: limits, hears: [.text("abc"), .text("abcdef"), .ping("longer")])
    let violation = Heard.violation(.fragmentTooBig(size: 4, limit: 3))
    check([.text("abcd")], limits: limits, hears: [violation])
    check([.text("a", isFinal: false), .continuation("bcde")], limits: limits, hears: [violation])
    limits.messageSize = 2
    check(
      [.text("abc")], limits: limits,
      hears: [.violation(.messageTooBig(size: 3, limit: 2))])
  }

  /// SECURITY R2: the default limit, at the limit and one above, empty and of one byte.
  @Test(arguments: [[], [0x78]] as [[UInt8]])
  func theDefaultLimitOfFragments(payload: [UInt8]) {
    let limit = Limits.defaultFragments
    #expect(limit >= 65_536)
    let start = WireFrame.wire([.binary(payload, isFinal: false)], to: .client)
    let next = WireFrame.wire([.continuation(payload, isFinal: false)], to: .client)
    let end = WireFrame.wire([.continuation(payload)], to: .client)
    var listener = Listener(.client)
    listener.feed(start, sourceLocation: #_sourceLocation)
    let many = Array(repeatElement(next, count: 1022).joined())
    for _ in 0..<128 { listener.feed(many, sourceLocation: #_sourceLocation) }
    for _ in 0..<(limit - 2 - 128 * 1022) {
      listener.feed(next, sourceLocation: #_sourceLocation)
    }
    #expect(listener.heard == [])
    var oneTooMany = listener
    listener.feed(end, sourceLocation: #_sourceLocation)
    #expect(
      listener.heard == [.binary(Array(repeatElement(payload, count: limit).joined()))])
    oneTooMany.feed(next, sourceLocation: #_sourceLocation)
    #expect(oneTooMany.heard == [])
    oneTooMany.feed(end, sourceLocation: #_sourceLocation)
    #expect(oneTooMany.heard == [.violation(.tooManyFragments(limit: limit))])
  }
}
