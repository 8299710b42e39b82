import NIOCore
import Testing
import WebSocketProtocol

/// What a machine that echoes has said and counted.
struct EchoedConversation {
  struct Result: Equatable {
    var said: [UInt8]
    var demand: TransportDemand
    var outcome: CloseOutcome
    var traffic: Traffic
    var lastWire: Int
  }

  let result: Result
  /// Messages that `echo` took.
  private(set) var shortened = 0

  init(
    _ pieces: [ArraySlice<UInt8>], to role: Role, _ limits: Limits = Listener.limits,
    shortWay: Bool
  ) {
    var machine = Listener(role, limits: limits).machine
    for piece in pieces {
      // Memory of exactly the size, wiped when it has been read.
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
      defer { memory.deallocate() }
      memory.copyBytes(from: piece)
      var window = ByteWindow(memory)
      if shortWay { shortened += machine.echo(&window) }
      while let step = machine.next(&window) {
        if case .message(let kind, let payload) = step { try? machine.send(kind, payload) }
        if shortWay { shortened += machine.echo(&window) }
      }
      memory.initializeMemory(as: UInt8.self, repeating: 0xEE)
    }
    result = Result(
      said: Array(machine.output.readableBytesView), demand: machine.demand,
      outcome: machine.outcome(.endOfStream), traffic: machine.traffic,
      lastWire: machine.messageWire)
  }
}

/// `ConnectionMachine.echo`, beside what `next` and `send` do.
@Suite struct EchoTests {
  /// Echoes frames in one read by the short way, and expects what the long way says; and that so many
  /// messages went the short way.
  private func check(
    _ frames: [WireFrame], shortened: Int, limits: Limits = Listener.limits,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let wire = WireFrame.wire(frames, to: .server)
    let long = EchoedConversation([wire[...]], to: .server, limits, shortWay: false)
    let short = EchoedConversation([wire[...]], to: .server, limits, shortWay: true)
    #expect(short.result == long.result, sourceLocation: sourceLocation)
    #expect(short.shortened == shortened, sourceLocation: sourceLocation)
  }

  /// All lengths at which a step of the mask, of the validator or the form of the header changes.
  @Test(arguments: [
    0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 125, 126, 127, 300, 65_535,
  ])
  func everyLengthIsEchoed(size: Int) throws {
    let bytes = (0..<size).map { UInt8($0 &* 7 & 0xFF) }
    let letters = bytes.map { 0x20 + $0 % 0x5F }
    check([.binary(bytes), .text(letters), .binary(bytes)], shortened: 3)

    let wire = WireFrame.wire([.binary(bytes), .text(letters)], to: .server)
    let echoed = EchoedConversation([wire[...]], to: .server, shortWay: true)
    let decoded = try #require(WireFrame.decode(echoed.result.said))
    #expect(decoded.map(\.frame) == [.binary(bytes), .text(letters)])
    #expect(decoded.allSatisfy { $0.key == nil })
  }

  @Test func theLastMessageIsTheOneWhoseWireIsTold() {
    let wire = WireFrame.wire([.text("a longer one"), .text("short")], to: .server)
    let echoed = EchoedConversation([wire[...]], to: .server, shortWay: true)
    #expect(echoed.result.lastWire == 6 + 5)
  }

  @Test func textThatIsNotUTF8IsLeftForTheRules() {
    for bad in [[0xFF], Array("fifteen letters".utf8) + [0xC3], [0xED, 0xA0, 0x80]] as [[UInt8]] {
      check([.text("good"), .text(bad), .text("behind it")], shortened: 1)
    }
    check([.text("schön"), .text("日本語"), .text("𝄞")], shortened: 3)
  }

  @Test func whatIsNotSimpleGoesTheLongWay() {
    check(
      [
        .text("one"), .ping("p"), .text("two"), .text("thr", isFinal: false), .pong(),
        .continuation("ee"), .text("four"), .binary(Array(repeating: 1, count: 65_536)),
        .text("five"),
      ], shortened: 4)
    // A reserved bit without an extension, and what is not there yet.
    check([.text("one"), WireFrame(reservedBits: 4, opcode: 1, payload: [65])], shortened: 1)
    check([.close(1000), .text("late")], shortened: 0)
  }

  @Test func lengthsInALongerFormThanNeededAreWrittenInTheShortest() {
    check(
      [
        WireFrame(opcode: 2, payload: [1, 2, 3], form: .sixteenBits), .text("x"),
        WireFrame(opcode: 2, payload: [4], form: .sixtyFourBits), .text("y"),
      ], shortened: 3)
  }

  @Test func theLimitHolds() {
    let limits = Limits(messageSize: 5)
    check([.text("12345"), .text("123456"), .text("1")], shortened: 1, limits: limits)
  }

  /// However a read has cut the frames, the rest of one is never taken for a new one.
  @Test func everyCutIsEchoedTheSame() {
    let wire = WireFrame.wire(
      [.text("first"), .binary([0x81, 0x81, 0, 0, 0, 0, 0x82]), .text("third")], to: .server)
    let whole = EchoedConversation([wire[...]], to: .server, shortWay: false)
    for cut in 0...wire.count {
      let pieces = [wire[..<cut], wire[cut...]]
      #expect(
        EchoedConversation(pieces, to: .server, shortWay: true).result == whole.result, "\(cut)")
    }
  }

  @Test func aMachineThatMayNotEchoLeavesAll() {
    func left(_ machine: ConnectionMachine, _ role: Role) -> Int {
      var machine = machine
      var wire = WireFrame.wire([.text("hello")], to: role)
      return wire.withUnsafeMutableBytes { bytes in
        var window = ByteWindow(bytes)
        let before = window.count
        #expect(machine.echo(&window) == 0)
        #expect(machine.output.readableBytes == 0)
        return before - window.count
      }
    }
    #expect(left(Listener(.client).machine, .client) == 0)
    let answer = DeflateAgreement(serverAnswering: DeflateParameters())
    #expect(left(ConnectionMachine(serverWith: Listener.limits, deflate: answer), .server) == 0)
    var closing = Listener(.server).machine
    try? closing.sendClose(CloseFrame(.normal))
    closing.output.clear()
    #expect(left(closing, .server) == 0)
  }

  @Test func nothingComesOfNothing() {
    var machine = Listener(.server).machine
    var window = ByteWindow(UnsafeMutableRawBufferPointer(start: nil, count: 0))
    #expect(machine.echo(&window) == 0)
    #expect(machine.traffic == Traffic())
  }
}
