import NIOCore
import Testing
import WebSocketProtocol

/// RFC 6455 sections 5.5.1 and 7.1: the closing handshake, with every race there is.
@Suite struct CloseHandshakeTests {
  private static let weClose: Before = { try $0.sendClose(CloseFrame(.goingAway, reason: "bye")) }
  private static let ourClose = WireFrame.close(1001, "bye")

  @Test func thePeerClosesFirst() {
    for code in [1000, 1001, 1011, 3000, 4999, nil] as [UInt16?] {
      // "the endpoint typically echos the status code it received", without the reason
      check([.close(code)], hears: [.close(code)], says: [.close(code)])
      guard code != nil else { continue }
      check([.close(code, "why")], hears: [.close(code, "why")], says: [.close(code)])
    }
    check(
      [.text("last"), .ping("p"), .close(1000)],
      hears: [.text("last"), .ping("p"), .close(1000)], says: [.pong("p"), .close(1000)])
  }

  @Test func weCloseFirst() {
    check(
      [], before: Self.weClose, hears: [], says: [Self.ourClose], demand: .awaitClose,
      outcome: .lost(.endOfStream))
    for role in [Role.client, .server] {
      for code in [1001, 1000, 4000, nil] as [UInt16?] {
        check(
          WireFrame.wire([.close(code, code == nil ? "" : "ok")], to: role), to: role,
          before: Self.weClose, hears: [.close(code, code == nil ? "" : "ok")],
          says: [Self.ourClose], demand: role == .client ? .awaitEnd : .closeOutput,
          outcome: .closed(
            frame: CloseFrame(
              code.map(CloseCode.init(rawValue:)), reason: code == nil ? "" : "ok"), by: .us))
      }
    }
  }

  /// What the peer had under way when our Close came is still heard; pings are not answered.
  @Test func framesThatCrossOurClose() {
    for role in [Role.client, .server] {
      check(
        WireFrame.wire(
          [
            .text("one"), .ping("p"), .pong("q"), .binary([2], isFinal: false), .ping(""),
            .continuation([3]), .close(1000),
          ], to: role), to: role, before: Self.weClose,
        hears: [
          .text("one"), .ping("p"), .pong("q"), .ping(""), .binary([2, 3]), .close(1000),
        ], says: [Self.ourClose], demand: role == .client ? .awaitEnd : .closeOutput,
        outcome: .closed(frame: CloseFrame(.normal), by: .us))
    }
    check(
      [.text("one"), .ping("p")], before: Self.weClose, hears: [.text("one"), .ping("p")],
      says: [Self.ourClose], demand: .awaitClose)
  }

  /// Both sent a Close before either came: one frame each way, and both were first.
  @Test func bothCloseAtOnce() {
    var client = Listener(.client)
    var server = Listener(.server)
    #expect(throws: Never.self) {
      try client.machine.sendClose(CloseFrame(.normal))
      try server.machine.sendClose(CloseFrame(.goingAway))
    }
    client.feed(server.machine.output.readableBytesView, sourceLocation: #_sourceLocation)
    server.feed(client.machine.output.readableBytesView, sourceLocation: #_sourceLocation)
    #expect(client.heard == [.close(1001)])
    #expect(server.heard == [.close(1000)])
    #expect(client.said == [.close(1000)])
    #expect(server.said == [.close(1001)])
    #expect(client.machine.demand == .awaitEnd)
    #expect(server.machine.demand == .closeOutput)
    #expect(
      client.machine.outcome(.endOfStream) == .closed(frame: CloseFrame(.goingAway), by: .us))
    #expect(
      server.machine.outcome(.endOfStream) == .closed(frame: CloseFrame(.normal), by: .us))
  }

  @Test func aCloseInsideAFragmentedMessage() {
    check(
      [.text("never", isFinal: false), .close(1000)], hears: [.close(1000)], says: [.close(1000)])
    check(
      [.text("never", isFinal: false), .close(1000), .continuation("ended"), .ping("late")],
      hears: [.close(1000)], says: [.close(1000)])
    // Inside a character too: text that does not end is no text that is wrong.
    check(
      [.text([0xF0, 0x9F], isFinal: false), .close(1000)], hears: [.close(1000)],
      says: [.close(1000)])
  }

  /// "After receiving a Close frame, further data is discarded", whatever it is.
  @Test func whatComesBehindThePeersCloseIsNotLookedAt() {
    for late in [
      WireFrame.text("late"), .ping("late"), .close(1001), .close(999),
      WireFrame(reservedBits: 7, opcode: 15), WireFrame(opcode: 2, declaredLength: .max),
    ] {
      check([.close(1000), late], hears: [.close(1000)], says: [.close(1000)])
    }
  }

  @Test func whatComesBehindAViolationIsNotLookedAt() {
    for late in [WireFrame.text("late"), .ping("late"), .close(1000), .close(999)] {
      check(
        [.continuation("stray"), late], hears: [.violation(.continuationWithoutStart)])
    }
  }

  /// The violation is told, but a second Close is not sent.
  @Test func aViolationBehindOurClose() {
    for frame in [
      WireFrame.close(999), .close(1000, [0xFF]), WireFrame(opcode: 8, payload: [1]),
      .continuation("stray"), .text([0xFF]),
    ] {
      let violation: ProtocolViolation =
        switch frame.opcode {
        case 0: .continuationWithoutStart
        case 1: .textIsNotUTF8(TextSequences.evidence([0xFF]))
        case 8 where frame.payload.count == 1: .closeBodyOfOneByte
        case 8 where frame.payload.count == 2: .invalidCloseCode(999)
        default: .closeReasonIsNotUTF8(TextSequences.evidence([0xFF]))
        }
      check(
        [frame], before: Self.weClose, hears: [.violation(violation)], says: [Self.ourClose],
        demand: .closeOutput, outcome: .failed(violation))
    }
  }

  @Test func nothingIsSentBehindAClose() {
    func refusesAll(_ machine: ConnectionMachine, _ state: Comment) {
      var machine = machine
      let before = machine.output
      let traffic = machine.traffic
      #expect(!machine.isOpen, state)
      #expect(throws: SendError.closing, state) { try machine.send(.text, [0x61]) }
      #expect(throws: SendError.closing, state) { try machine.send(.binary, []) }
      #expect(throws: SendError.closing, state) { try machine.sendPing([]) }
      #expect(throws: SendError.closing, state) {
        try machine.sendPing([UInt8](repeating: 0, count: 126))
      }
      #expect(throws: SendError.closing, state) { try machine.sendPong([1]) }
      #expect(throws: SendError.closing, state) { try machine.sendClose(CloseFrame(.normal)) }
      #expect(machine.output == before, state)
      #expect(machine.traffic == traffic, state)
    }
    for role in [Role.client, .server] {
      var closing = Listener(role)
      #expect(closing.machine.isOpen)
      #expect(throws: Never.self) { try closing.machine.sendClose(CloseFrame(.normal)) }
      refusesAll(closing.machine, "our Close is sent")
      closing.feed(
        WireFrame.wire([.close(1000)], to: role), sourceLocation: #_sourceLocation)
      refusesAll(closing.machine, "the peer's Close has come too")

      var closed = Listener(role)
      closed.feed(WireFrame.wire([.close(1000)], to: role), sourceLocation: #_sourceLocation)
      refusesAll(closed.machine, "the peer closed")

      var failed = Listener(role)
      failed.feed(
        WireFrame.wire([.continuation("")], to: role), sourceLocation: #_sourceLocation)
      refusesAll(failed.machine, "the peer broke a rule")
    }
  }

  /// Codes that stand for the lack of a Close are never sent (section 7.4.1).
  @Test func codesThatMayNotBeSent() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, .max] as [UInt16] {
      var listener = Listener(.server)
      let illegal = CloseCode(rawValue: code)
      #expect(throws: SendError.closeCode(illegal)) {
        try listener.machine.sendClose(CloseFrame(illegal))
      }
      #expect(listener.said == [])
      #expect(listener.machine.isOpen)
    }
  }

  @Test func bothClosesAreRemembered() {
    var listener = Listener(.client)
    #expect(listener.said == [])
    #expect(listener.machine.closeReceived == nil)
    listener.feed(
      WireFrame.wire([.close(4001, "why")], to: .client), sourceLocation: #_sourceLocation)
    let code = CloseCode(rawValue: 4001)
    #expect(listener.machine.closeReceived == CloseFrame(code, reason: "why"))
    #expect(listener.said == [.close(4001)])

    var failed = Listener(.client)
    failed.feed(
      WireFrame.wire([.close(1005)], to: .client), sourceLocation: #_sourceLocation)
    let violation = ProtocolViolation.invalidCloseCode(1005)
    #expect(failed.machine.closeReceived == nil)
    #expect(failed.said == [.close(violation)])
  }

  /// How the transport ended tells the outcome only where no Close came and nothing was wrong.
  @Test func outcomesByStateAndEnd() {
    let ends: [TransportEnd] = [
      .endOfStream, .reset(errno: 104), .timedOut(.closingHandshake), .timedOut(.ping), .abandoned,
    ]
    for role in [Role.client, .server] {
      for end in ends {
        func outcome(
          _ frames: [WireFrame], before: (inout ConnectionMachine) throws -> Void = { _ in }
        ) -> CloseOutcome? {
          var listener = Listener(role)
          do {
            try before(&listener.machine)
          } catch {
            return nil
          }
          listener.feed(WireFrame.wire(frames, to: role), sourceLocation: #_sourceLocation)
          return listener.machine.outcome(end)
        }
        let half = WireFrame(opcode: 1, payload: [0x61], declaredLength: 20)
        #expect(outcome([]) == .lost(end))
        #expect(outcome([.text("x"), .ping("y")]) == .lost(end))
        #expect(outcome([half]) == .lost(end))
        #expect(outcome([], before: Self.weClose) == .lost(end))
        #expect(outcome([.text("x")], before: Self.weClose) == .lost(end))
        #expect(
          outcome([.close(1001, "x")])
            == .closed(frame: CloseFrame(.goingAway, reason: "x"), by: .peer))
        #expect(outcome([.close()]) == .closed(frame: CloseFrame(nil), by: .peer))
        #expect(
          outcome([.close(1000)], before: Self.weClose)
            == .closed(frame: CloseFrame(.normal), by: .us))
        #expect(
          outcome([.continuation("")]) == .failed(.continuationWithoutStart))
        #expect(
          outcome([.continuation("")], before: Self.weClose) == .failed(.continuationWithoutStart))
        #expect(
          outcome([.continuation(""), .close(1000)]) == .failed(.continuationWithoutStart))
      }
    }
  }

  @Test func demandsOfTheTransport() {
    for role in [Role.client, .server] {
      var listener = Listener(role)
      #expect(listener.machine.demand == .keepOpen)
      listener.feed(WireFrame.wire([.text("x")], to: role), sourceLocation: #_sourceLocation)
      #expect(listener.machine.demand == .keepOpen)
      #expect(throws: Never.self) { try listener.machine.sendClose(CloseFrame(nil)) }
      #expect(listener.machine.demand == .awaitClose)
      listener.feed(WireFrame.wire([.close()], to: role), sourceLocation: #_sourceLocation)
      // "the server MUST close the connection immediately, the client SHOULD wait"
      #expect(listener.machine.demand == (role == .server ? .closeOutput : .awaitEnd))
    }
  }
}
