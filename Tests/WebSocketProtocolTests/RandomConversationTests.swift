import TestPeers
import Testing
import WebSocketProtocol

/// Conversations made by chance, the same for the same seed: valid ones are heard as they were
/// meant however they are cut, and garbage neither traps nor passes.
@Suite struct RandomConversationTests {
  /// A valid conversation: frames as the peer sends them, and what is to be heard.
  private struct Conversation {
    var frames: [WireFrame] = []
    var hears: [Heard] = []

    init(_ random: inout RandomBytes) {
      for _ in 0...random.below(6) {
        if random.below(4) == 0 { addControl(&random) }
        addMessage(&random)
      }
      switch random.below(4) {
      case 0:
        frames.append(.close(1000, "€"))
        hears.append(.close(1000, "€"))
      case 1:
        frames.append(.close())
        hears.append(.close(nil))
      default: break
      }
    }

    private mutating func addControl(_ random: inout RandomBytes) {
      let body = random.bytes([0, 3, 125][random.below(3)])
      let isPing = random.below(2) == 0
      frames.append(
        WireFrame(opcode: isPing ? 9 : 10, payload: body, form: Self.form(&random)))
      hears.append(isPing ? .ping(body) : .pong(body))
    }

    private mutating func addMessage(_ random: inout RandomBytes) {
      let isText = random.below(2) == 0
      let count = [0, 1, 5, 40, 125, 126, 300][random.below(7)]
      let payload = isText ? Self.text(count, &random) : random.bytes(count)
      var rest = payload[...]
      var fragments = [0, 0, 1, 2, 5][random.below(5)]
      var opcode: UInt8 = isText ? 1 : 2
      while true {
        let size = fragments == 0 ? rest.count : random.below(rest.count + 1)
        frames.append(
          WireFrame(
            isFinal: fragments == 0, opcode: opcode, payload: Array(rest.prefix(size)),
            form: Self.form(&random)))
        rest = rest.dropFirst(size)
        opcode = 0
        guard fragments > 0 else { break }
        fragments -= 1
        if random.below(3) == 0 { addControl(&random) }
      }
      hears.append(isText ? .text(payload) : .binary(payload))
    }

    private static func text(_ count: Int, _ random: inout RandomBytes) -> [UInt8] {
      var text: [UInt8] = []
      while text.count < count {
        let bits = [7, 11, 16, 21][random.below(4)]
        let value = UInt32(truncatingIfNeeded: random.next()) & (1 << bits - 1)
        if let scalar = Unicode.Scalar(value) { text += Array(scalar.utf8) }
      }
      return text
    }

    /// The length in a form that it fits, mostly the shortest.
    private static func form(_ random: inout RandomBytes) -> WireFrame.LengthForm {
      [.shortest, .shortest, .shortest, .sixteenBits, .sixtyFourBits][random.below(5)]
    }
  }

  @Test(arguments: 1...60)
  func validConversationsAreHeardHoweverTheyAreCut(seed: UInt64) {
    var random = RandomBytes(seed: seed)
    let conversation = Conversation(&random)
    check(conversation.frames, hears: conversation.hears)
    for role in [Role.client, .server] {
      let wire = WireFrame.wire(conversation.frames, to: role)
      let expected = Expected(
        hears: conversation.hears, says: Self.answers(conversation), role: role)
      for round in 0..<25 {
        var listener = Listener(role)
        let pieces = Self.pieces(of: wire, &random)
        for piece in pieces { listener.feed(piece, sourceLocation: #_sourceLocation) }
        guard Expected(listener) == expected else {
          Issue.record("seed \(seed), round \(round), \(role), \(pieces.map(\.count))")
          return
        }
      }
    }
  }

  private static func answers(_ conversation: Conversation) -> [WireFrame] {
    conversation.hears.compactMap { heard in
      switch heard {
      case .ping(let body): WireFrame(opcode: 10, payload: body)
      case .close(let frame): .close(frame.code?.rawValue)
      default: nil
      }
    }
  }

  /// Pieces of random sizes, empty ones and long ones among them.
  private static func pieces(
    of wire: [UInt8], _ random: inout RandomBytes
  ) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var rest = wire[...]
    while !rest.isEmpty {
      let size = random.below([2, 4, 20, 200][random.below(4)])
      pieces.append(rest.prefix(size))
      rest = rest.dropFirst(size)
    }
    return pieces
  }

  /// One bit of a valid conversation turned over: cut in any way, the same comes of it.
  @Test(arguments: 1...60)
  func spoiltConversationsEndTheSameHoweverTheyAreCut(seed: UInt64) {
    var random = RandomBytes(seed: seed &+ 1000)
    let conversation = Conversation(&random)
    for role in [Role.client, .server] {
      let wire = WireFrame.wire(conversation.frames, to: role)
      guard !wire.isEmpty else { continue }
      for round in 0..<20 {
        var spoilt = wire
        for _ in 0...random.below(3) {
          spoilt[random.below(spoilt.count)] ^= 1 << UInt8(random.below(8))
        }
        var whole = Listener(role)
        whole.feed(spoilt, sourceLocation: #_sourceLocation)
        var cut = Listener(role)
        let pieces = Self.pieces(of: spoilt, &random)
        for piece in pieces { cut.feed(piece, sourceLocation: #_sourceLocation) }
        guard Expected(whole) == Expected(cut), whole.wires == cut.wires else {
          Issue.record(
            "seed \(seed), round \(round), \(role): \(Expected(whole)), but \(Expected(cut))")
          return
        }
      }
    }
  }

  /// Right or spoilt, and cut in any way: `echo` does what `next` and `send` do.
  @Test(arguments: 1...60)
  func theShortWayOfAnEchoSaysTheSame(seed: UInt64) {
    var random = RandomBytes(seed: seed &+ 3000)
    let conversation = Conversation(&random)
    for role in [Role.client, .server] {
      let wire = WireFrame.wire(conversation.frames, to: role)
      guard !wire.isEmpty else { continue }
      for round in 0..<20 {
        var sent = wire
        for _ in 0..<random.below(3) {
          sent[random.below(sent.count)] ^= 1 << UInt8(random.below(8))
        }
        let pieces = round % 2 == 0 ? [sent[...]] : Self.pieces(of: sent, &random)
        let limits = Limits(messageSize: round % 5 == 0 ? 40 : 1 << 20)
        let long = EchoedConversation(pieces, to: role, limits, shortWay: false)
        let short = EchoedConversation(pieces, to: role, limits, shortWay: true)
        guard short.result == long.result, long.shortened == 0 else {
          Issue.record("seed \(seed), round \(round), \(role): \(short), but \(long)")
          return
        }
      }
    }
  }

  /// Nothing traps, and what is heard is a violation, a Close, or nothing yet.
  @Test(arguments: 1...20)
  func garbageIsRefusedOrWaitedFor(seed: UInt64) {
    var random = RandomBytes(seed: seed &+ 2000)
    let limits = Limits(messageSize: 200, fragments: 3)
    for round in 0..<400 {
      let role = round % 2 == 0 ? Role.client : .server
      var garbage = random.bytes(random.below(300))
      // The rules on headers would stop nearly all of it at once: let some of it get further.
      if round % 3 > 0 {
        for index in stride(from: 0, to: garbage.count - 1, by: 7) {
          garbage[index] &= 0x8B
          garbage[index + 1] &= role == .client ? 0x7F : 0xFF
          if role == .server { garbage[index + 1] |= 0x80 }
        }
      }
      var listener = Listener(role, limits: limits)
      for piece in Self.pieces(of: garbage, &random) {
        listener.feed(piece, sourceLocation: #_sourceLocation)
      }
      let last = listener.heard.last
      switch listener.machine.demand {
      case .keepOpen where last?.isLast != true: break
      case .closeOutput where last?.isLast == true: break
      case .awaitEnd where last?.isLast == true && role == .client: break
      default: Issue.record("seed \(seed), round \(round), \(role), \(listener.heard)")
      }
      // What was heard behind the end, or twice the end, is wrong; so is a message over the limit.
      guard listener.heard.filter(\.isLast).count <= 1,
        listener.heard.dropLast().allSatisfy({ !$0.isLast }),
        listener.heard.allSatisfy({ ($0.messageSize ?? 0) <= limits.messageSize }),
        listener.said != nil
      else {
        Issue.record("seed \(seed), round \(round), \(role), \(listener.heard)")
        return
      }
      // Cut in any other way, the same comes of it.
      var whole = Listener(role, limits: limits)
      whole.feed(garbage, sourceLocation: #_sourceLocation)
      guard Expected(whole) == Expected(listener) else {
        Issue.record("seed \(seed), round \(round), \(role): \(Expected(whole))")
        return
      }
    }
  }
}
