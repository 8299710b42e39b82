import NIOCore
import Testing
import WebSocketProtocol

/// RFC 6455 sections 5.5.2 and 5.5.3: pings are answered at once, and by at most one waiting pong
/// while the transport takes nothing.
@Suite struct PingTests {
  private func feed(_ listener: inout Listener, _ frames: [WireFrame]) {
    listener.feed(
      WireFrame.wire(frames, to: listener.machine.role), sourceLocation: #_sourceLocation)
  }

  @Test func everyPingIsAnsweredByAPongWithItsBody() {
    for length in [0, 1, 2, 124, 125] {
      let body = (0..<length).map { UInt8(truncatingIfNeeded: 0xFF &- $0) }
      let ping = WireFrame(opcode: 9, payload: body)
      check([ping, ping], hears: [.ping(body), .ping(body)])
    }
    check(
      (0..<10).map { .ping("\($0)") }, hears: (0..<10).map { .ping("\($0)") },
      says: (0..<10).map { .pong("\($0)") })
  }

  @Test func pongsAreNotAnswered() {
    check([.pong("unasked"), .pong()], hears: [.pong("unasked"), .pong("")], says: [])
  }

  @Test func whileTheOutputIsBlockedOnlyTheLatestPingIsAnswered() {
    for role in [Role.client, .server] {
      var listener = Listener(role)
      listener.machine.isOutputBlocked = true
      feed(&listener, (0..<5).map { .ping("\($0)") })
      #expect(listener.heard.count == 5)
      #expect(listener.said == [])
      feed(&listener, [.ping("latest"), .text("x")])
      #expect(listener.said == [])
      listener.machine.isOutputBlocked = false
      #expect(listener.said == [.pong("latest")])
      // Once: neither a second unblocking nor a new blockage sends it again.
      listener.machine.isOutputBlocked = false
      listener.machine.isOutputBlocked = true
      listener.machine.isOutputBlocked = false
      #expect(listener.said == [.pong("latest")])
      feed(&listener, [.ping("open")])
      #expect(listener.said == [.pong("latest"), .pong("open")])
    }
  }

  @Test func anEmptyPingThatWaitsIsAnsweredToo() {
    var listener = Listener(.server)
    listener.machine.isOutputBlocked = true
    feed(&listener, [.ping("a"), .ping()])
    listener.machine.isOutputBlocked = false
    #expect(listener.said == [.pong()])
  }

  @Test func aWaitingPongIsNotSentBehindAClose() {
    for role in [Role.client, .server] {
      for frames in [[WireFrame.close(1000)], [.continuation("")], []] {
        var listener = Listener(role)
        listener.machine.isOutputBlocked = true
        feed(&listener, [.ping("waits")] + frames)
        if frames.isEmpty {
          #expect(throws: Never.self) { try listener.machine.sendClose(CloseFrame(.normal)) }
        }
        let closed = listener.said
        #expect(closed?.map(\.opcode) == [8])
        listener.machine.isOutputBlocked = false
        #expect(listener.said == closed)
      }
    }
  }

  /// A blocked output holds back pongs alone: the driver decides about messages itself.
  @Test func ourOwnFramesAreNotHeldBack() throws {
    var listener = Listener(.client)
    listener.machine.isOutputBlocked = true
    try listener.machine.send(.text, Array("a".utf8))
    try listener.machine.sendPing([1])
    try listener.machine.sendPong([2])
    try listener.machine.sendClose(CloseFrame(.normal))
    #expect(
      listener.said == [
        .text("a"), WireFrame(opcode: 9, payload: [1]), WireFrame(opcode: 10, payload: [2]),
        .close(1000),
      ])
  }

  /// Section 5.5: "All control frames MUST have a payload length of 125 bytes or less".
  @Test func ourControlFramesHoldAtMost125Bytes() throws {
    for role in [Role.client, .server] {
      var listener = Listener(role)
      let most = [UInt8](repeating: 7, count: 125)
      try listener.machine.sendPing(most)
      try listener.machine.sendPong(most)
      #expect(throws: SendError.controlFrameTooLong(126)) {
        try listener.machine.sendPing(most + [7])
      }
      #expect(throws: SendError.controlFrameTooLong(70_000)) {
        try listener.machine.sendPong([UInt8](repeating: 7, count: 70_000))
      }
      #expect(
        listener.said == [
          WireFrame(opcode: 9, payload: most), WireFrame(opcode: 10, payload: most),
        ])
    }
  }
}
