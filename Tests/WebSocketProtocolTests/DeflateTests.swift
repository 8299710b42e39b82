import NIOCore
import NIOHTTP1
import TestPeers
import Testing

@testable import WebSocketProtocol

/// permessage-deflate on the wire (RFC 7692 sections 6 and 7.2).
@Suite struct DeflateTests {
  enum Outcome: Equatable {
    case messages([[UInt8]])
    case violation(ProtocolViolation)
  }

  static func agreement(_ edit: (inout DeflateParameters) -> Void = { _ in }) -> DeflateAgreement {
    var answer = DeflateParameters()
    edit(&answer)
    return DeflateAgreement(serverAnswering: answer)
  }

  /// What a client makes of these bytes, cut at `cut`.
  private func receive(
    _ bytes: [UInt8], cut: Int, limit: Int = 1 << 20, agreement: DeflateAgreement? = agreement()
  ) -> Outcome {
    var machine = ConnectionMachine(
      clientWith: MaskingKeys { _ in }, limits: Limits(messageSize: limit), deflate: agreement)
    var messages: [[UInt8]] = []
    for part in [bytes[..<cut], bytes[cut...]] {
      var copy = Array(part)
      let violation = copy.withUnsafeMutableBytes { bytes -> ProtocolViolation? in
        var window = ByteWindow(bytes)
        while let step = machine.next(&window) {
          switch step {
          case .message(_, let payload): messages.append(Array(payload))
          case .violation(let violation): return violation
          default: break
          }
        }
        return nil
      }
      if let violation { return .violation(violation) }
    }
    return .messages(messages)
  }

  private func check(
    _ bytes: [UInt8], _ expected: Outcome, limit: Int = 1 << 20,
    agreement: DeflateAgreement? = agreement(), sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for cut in 0...bytes.count {
      let outcome = receive(bytes, cut: cut, limit: limit, agreement: agreement)
      #expect(outcome == expected, "cut at \(cut)", sourceLocation: sourceLocation)
    }
  }

  static let hello = Array("Hello".utf8)
  static let helloFrame: [UInt8] = [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]

  /// RFC 7692 section 7.2.3: the examples.
  @Test func theExamplesOfTheRFC() {
    let hello = Self.hello
    check(Self.helloFrame, .messages([hello]))
    // 7.2.3.1, fragmented
    check(
      [0x41, 0x03, 0xF2, 0x48, 0xCD, 0x80, 0x04, 0xC9, 0xC9, 0x07, 0x00], .messages([hello]))
    // 7.2.3.2, sharing the window
    check(
      Self.helloFrame + [0xC1, 0x05, 0xF2, 0x00, 0x11, 0x00, 0x00], .messages([hello, hello]))
    // 7.2.3.3, a block without compression
    check(
      [0xC1, 0x0B, 0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
      .messages([hello]))
    // 7.2.3.4, a block with BFINAL set
    check([0xC1, 0x08, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00], .messages([hello]))
    // without the empty block that should follow it, in one frame and in two, and then another message
    let bare: [UInt8] = [0xC1, 0x07, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
    check(bare, .messages([hello]))
    check(bare + bare, .messages([hello, hello]))
    check(bare + [0xC1, 0x05, 0xF2, 0x00, 0x11, 0x00, 0x00], .messages([hello, hello]))
    check(
      [0x41, 0x04, 0xF3, 0x48, 0xCD, 0xC9, 0x80, 0x03, 0xC9, 0x07, 0x00], .messages([hello]))
    check(
      [0x41, 0x07, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x80, 0x00], .messages([hello]))
    // the limit holds across it
    check(bare, .violation(.inflatesBeyondLimit(limit: 4)), limit: 4)
    // and the window goes on behind it
    check(
      [0xC1, 0x08, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]
        + [0xC1, 0x05, 0xF2, 0x00, 0x11, 0x00, 0x00], .messages([hello, hello]))
    // 7.2.3.5, two blocks in one message
    check(
      [
        0xC1, 0x0D, 0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00,
      ],
      .messages([hello]))
    // An empty message is one octet.
    check([0xC1, 0x01, 0x00], .messages([[]]))
    // Uncompressed messages may stand between compressed ones.
    check([0x81, 0x01, 0x61] + Self.helloFrame, .messages([[0x61], hello]))
  }

  @Test func aPingInsideACompressedMessage() {
    check(
      [0x41, 0x03, 0xF2, 0x48, 0xCD, 0x89, 0x00, 0x80, 0x04, 0xC9, 0xC9, 0x07, 0x00],
      .messages([Self.hello]))
  }

  @Test func rsv1StandsOnTheFirstFrameOfADataMessageOnly() {
    check(Self.helloFrame, .violation(.reservedBits(4)), agreement: nil)
    check([0xC9, 0x00], .violation(.compressedFrame(.ping)))
    check([0xCA, 0x00], .violation(.compressedFrame(.pong)))
    check([0xC8, 0x00], .violation(.compressedFrame(.close)))
    check([0xCB, 0x00], .violation(.reservedOpcode(11)))
    check([0xD1, 0x00], .violation(.reservedBits(1)))
    check([0xF9, 0x00], .violation(.reservedBits(3)))
    check([0xA1, 0x00], .violation(.reservedBits(2)))
    check(
      [0x41, 0x03, 0xF2, 0x48, 0xCD, 0xC0, 0x04, 0xC9, 0xC9, 0x07, 0x00],
      .violation(.compressedFrame(.continuation)))
    check([0x01, 0x01, 0x61, 0xC0, 0x00], .violation(.compressedFrame(.continuation)))
  }

  @Test func whatDoesNotInflateIsRefused() {
    check([0xC2, 0x04, 0xFF, 0xFF, 0xFF, 0xFF], .violation(.corruptCompression))
    // The stream ends in the middle of a block.
    check([0xC2, 0x03, 0xF2, 0x48, 0xCD], .violation(.corruptCompression))
    // A distance beyond the window that there is: what the second message of 7.2.3.2 needs is gone.
    check(
      Self.helloFrame + [0xC1, 0x05, 0xF2, 0x00, 0x11, 0x00, 0x00],
      .violation(.corruptCompression),
      agreement: DeflateAgreement(
        client: DeflateParameters(), answer: Self.parameters { $0.serverNoContextTakeover = true }))
    // Garbage behind a final block.
    check(
      [0xC1, 0x09, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x07, 0xFF],
      .violation(.corruptCompression))
  }

  @Test func textIsValidatedAfterInflating() {
    let compressed = compress([[0x61, 0xFF, 0x62]], kind: .text)
    check(compressed, .violation(.textIsNotUTF8(TextSequences.evidence([0x61, 0xFF, 0x62]))))
    let whole = compress([Array("aé€😀".utf8)], kind: .text)
    check(whole, .messages([Array("aé€😀".utf8)]))
  }

  @Test func theLimitCountsWhatComesOut() {
    let payload = [UInt8](repeating: 65, count: 5000)
    let compressed = compress([payload], kind: .binary)
    #expect(compressed.count < 100)
    check(compressed, .messages([payload]), limit: 5000)
    check(compressed, .violation(.inflatesBeyondLimit(limit: 4999)), limit: 4999)
  }

  @Test func aBombIsRefusedBeforeItIsInflated() {
    let bomb = compress([[UInt8](repeating: 0, count: 8 << 20)], kind: .binary)
    #expect(bomb.count < 64 << 10)
    #expect(
      receive(bomb, cut: 0, limit: 1 << 20) == .violation(.inflatesBeyondLimit(limit: 1 << 20)))
  }

  @Test func aCompressedLengthThatCannotBeNeededIsRefusedByItsHeader() {
    let header: [UInt8] = [0xC2, 127, 0, 0, 0, 0, 0, 0x20, 0, 0]
    check(
      header, .violation(.messageTooBig(size: 1 << 21, limit: 1 << 20)), limit: 1 << 20)
  }

  static func parameters(_ edit: (inout DeflateParameters) -> Void) -> DeflateParameters {
    var parameters = DeflateParameters()
    edit(&parameters)
    return parameters
  }

  /// What a server puts on the wire for these messages.
  private func compress(
    _ messages: [[UInt8]], kind: MessageKind, agreement: DeflateAgreement = agreement()
  ) -> [UInt8] {
    var machine = ConnectionMachine(
      serverWith: Limits(messageSize: 1 << 30), deflate: agreement)
    for message in messages {
      #expect(throws: Never.self) { try machine.send(kind, message) }
    }
    return Array(machine.output.readableBytesView)
  }

  @Test(arguments: 9...15, [true, false]) func roundTripsWithEveryWindow(
    bits: Int, takeover: Bool
  ) {
    let answer = Self.parameters {
      $0.serverMaxWindowBits = bits
      $0.serverNoContextTakeover = !takeover
    }
    var generator = SystemRandomNumberGenerator()
    let noise = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let messages: [[UInt8]] = [
      [], [1], Self.hello, Self.hello, [UInt8](repeating: 7, count: 100_000), noise, Self.hello,
    ]
    let bytes = compress(
      messages, kind: .binary, agreement: DeflateAgreement(serverAnswering: answer))
    let outcome = receive(
      bytes, cut: bytes.count / 2,
      agreement: DeflateAgreement(client: DeflateParameters(), answer: answer))
    #expect(outcome == .messages(messages))
  }

  @Test func withTakeoverTheSecondMessageIsSmaller() {
    let one = compress([Self.hello], kind: .text).count
    #expect(compress([Self.hello, Self.hello], kind: .text).count < 2 * one)
    let forgetful = DeflateAgreement(
      serverAnswering: Self.parameters { $0.serverNoContextTakeover = true })
    #expect(
      compress([Self.hello, Self.hello], kind: .text, agreement: forgetful).count == 2 * one)
  }

  @Test func aWindowOf256BytesIsAgreedOnButNotUsed() {
    let agreement = DeflateAgreement(
      client: Self.parameters { $0.clientMaxWindowBits = .understood },
      answer: Self.parameters { $0.clientMaxWindowBits = .atMost(8) })
    #expect(agreement.outgoingWindowBits == nil)
    #expect(compress([Self.hello], kind: .text, agreement: agreement).first == 0x81)
  }
}

/// permessage-deflate in the handshake (RFC 7692 section 7.1).
@Suite struct DeflateNegotiationTests {
  private func answer(
    _ offers: String, wishes: DeflateParameters = DeflateParameters()
  ) -> String? {
    ExtensionOffer.list(offers).flatMap { DeflateChoice.answer($0, wishes: wishes) }?.text
  }

  @Test(arguments: [
    ("permessage-deflate", "permessage-deflate"),
    ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
    (
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    ),
    (
      "permessage-deflate;server_max_window_bits=10",
      "permessage-deflate; server_max_window_bits=10"
    ),
    (
      "permessage-deflate; server_max_window_bits=\"12\"",
      "permessage-deflate; server_max_window_bits=12"
    ),
    // The first offer cannot be kept, the second can.
    ("permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"),
    ("x-other, permessage-deflate", "permessage-deflate"),
    ("permessage-deflate; nonsense, permessage-deflate", "permessage-deflate"),
  ]) func isAnswered(offer: String, expected: String) {
    #expect(answer(offer) == expected)
  }

  @Test(arguments: [
    "x-other", "permessage-deflate; server_max_window_bits=8",
    "permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=08",
    "permessage-deflate; server_max_window_bits=1000",
    "permessage-deflate; server_max_window_bits=99999999999999999999",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; unknown",
  ]) func isDeclined(offer: String) {
    #expect(answer(offer) == nil)
  }

  @Test(arguments: [
    "permessage-deflate; server_max_window_bits=", "permessage-deflate; ;", "a b", "=x",
    "permessage-deflate; x=\"unfinished", "permessage-deflate; x=\"a b\"", "a; b=\"\"",
  ]) func breaksTheGrammar(text: String) {
    #expect(ExtensionOffer.list(text) == nil)
  }

  @Test func oneMegabyteIsReadInLinearTime() {
    let text = String(repeating: "permessage-deflate; a=b, ", count: 40_000)
    let time = cpuTime { #expect(ExtensionOffer.list(text)?.count == 40_000) }
    #expect(time < .seconds(10))
  }

  private func verdict(_ reply: String, offered: DeflateParameters?) -> HandshakeViolation? {
    do throws(HandshakeViolation) {
      _ = try DeflateChoice.check(ExtensionOffer.list(reply) ?? [], offered: offered)
      return nil
    } catch {
      return error
    }
  }

  @Test func whatTheServerMayAnswer() {
    var offered = DeflateParameters()
    #expect(verdict("", offered: nil) == nil)
    #expect(verdict("permessage-deflate", offered: offered) == nil)
    #expect(verdict("permessage-deflate; server_max_window_bits=9", offered: offered) == nil)
    #expect(
      verdict("permessage-deflate", offered: nil) == .unofferedExtension("permessage-deflate"))
    #expect(verdict("x-other", offered: offered) == .unofferedExtension("x-other"))
    for wrong in [
      "permessage-deflate; server_max_window_bits=1000",
      "permessage-deflate; server_max_window_bits=7",
      "permessage-deflate; server_max_window_bits=08",
      "permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits",
      "permessage-deflate; unknown",
    ] {
      #expect(verdict(wrong, offered: offered) == .wrongExtension(wrong))
    }
    #expect(
      verdict("permessage-deflate, permessage-deflate", offered: offered)
        == .wrongExtension("permessage-deflate twice"))
    offered.clientMaxWindowBits = .understood
    #expect(verdict("permessage-deflate; client_max_window_bits=10", offered: offered) == nil)
    offered.clientMaxWindowBits = .atMost(10)
    #expect(verdict("permessage-deflate; client_max_window_bits=10", offered: offered) == nil)
    #expect(verdict("permessage-deflate; client_max_window_bits=11", offered: offered) != nil)
    offered.serverMaxWindowBits = 10
    #expect(verdict("permessage-deflate", offered: offered) != nil)
    #expect(verdict("permessage-deflate; server_max_window_bits=11", offered: offered) != nil)
    #expect(verdict("permessage-deflate; server_max_window_bits=10", offered: offered) == nil)
    offered.serverNoContextTakeover = true
    #expect(verdict("permessage-deflate; server_max_window_bits=10", offered: offered) != nil)
  }

  @Test func whatAClientHasSaidOfItselfBindsIt() {
    var offer = DeflateParameters()
    offer.clientMaxWindowBits = .atMost(10)
    offer.clientNoContextTakeover = true
    let agreement = DeflateAgreement(client: offer, answer: DeflateParameters())
    #expect(agreement.outgoingWindowBits == 10)
    #expect(!agreement.outgoingTakeover)
    #expect(agreement.incomingTakeover)
  }
}

extension DeflateTests {
  /// The octets that end a message are put back; here they end it wrongly: as the complement of the
  /// length of a stored block.
  @Test func whatTheRestoredEndMakesWrongIsRefused() {
    check([0xC2, 0x03, 0x00, 0x01, 0x00], .violation(.corruptCompression))
  }

  /// Server wishes meet what a client offers: the smaller window, and the client's only if it was
  /// offered.
  @Test func wishesOfTheServer() {
    func answer(_ offer: String, _ edit: (inout DeflateParameters) -> Void) -> String? {
      DeflateChoice.answer(ExtensionOffer.list(offer) ?? [], wishes: Self.parameters(edit))?.text
    }
    #expect(
      answer("permessage-deflate; client_max_window_bits") { $0.clientMaxWindowBits = .atMost(10) }
        == "permessage-deflate; client_max_window_bits=10")
    #expect(
      answer("permessage-deflate; client_max_window_bits=9") {
        $0.clientMaxWindowBits = .atMost(10)
      } == "permessage-deflate; client_max_window_bits=9")
    #expect(
      answer("permessage-deflate") { $0.clientMaxWindowBits = .atMost(10) } == "permessage-deflate")
    // A wish for 8 is kept with 9, which zlib can; a client that asks for 8 is declined.
    #expect(
      answer("permessage-deflate") { $0.serverMaxWindowBits = 8 }
        == "permessage-deflate; server_max_window_bits=9")
    #expect(
      answer("permessage-deflate; server_max_window_bits=12") { $0.serverMaxWindowBits = 8 }
        == "permessage-deflate; server_max_window_bits=9")
    #expect(
      answer("permessage-deflate; server_max_window_bits=8") { $0.serverMaxWindowBits = 8 } == nil)
  }

  @Test func parametersAsTheyStandInTheField() {
    let all = Self.parameters {
      $0.serverNoContextTakeover = true
      $0.clientNoContextTakeover = true
      $0.serverMaxWindowBits = 12
      $0.clientMaxWindowBits = .atMost(9)
    }
    #expect(
      all.text == "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        + "server_max_window_bits=12; client_max_window_bits=9")
    let request = ClientHandshake(
      nonce: (1, 2), deflate: Self.parameters { $0.clientMaxWindowBits = .understood }
    ).request(
      for: WebSocketURL(security: .plain, endpoint: .host("a", port: 80)), userAgent: "test")
    #expect(
      request.headers["Sec-WebSocket-Extensions"] == ["permessage-deflate; client_max_window_bits"])
    // A quoted value may be escaped; a value that is no number of bits is none.
    let quoted = ExtensionOffer.list("permessage-deflate; client_max_window_bits=\"1\\0\"")
    #expect(
      quoted.flatMap { $0.first.flatMap(DeflateParameters.init) }?.clientMaxWindowBits
        == .atMost(10))
    let wrong = ExtensionOffer.list("permessage-deflate; client_max_window_bits=x")
    #expect(wrong?.count == 1 && wrong?.first.flatMap(DeflateParameters.init) == nil)
  }

  /// The field as a whole must keep the grammar, in a reply and in a request.
  @Test func fieldsThatBreakTheGrammar() {
    let handshake = ClientHandshake(nonce: (1, 2), deflate: DeflateParameters())
    var reply = HTTPResponseHead(version: .http1_1, status: .switchingProtocols)
    reply.headers = [
      "Upgrade": "websocket", "Connection": "Upgrade",
      "Sec-WebSocket-Accept": HandshakeKey.accept(handshake.key),
      "Sec-WebSocket-Extensions": "permessage-deflate;",
    ]
    #expect(handshake.judge(reply) == .invalid(.wrongExtension("permessage-deflate;")))

    var request = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
    request.headers = [
      "Host": "a", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": handshake.key, "Sec-WebSocket-Extensions": "a b",
    ]
    guard case .refuse(let refusal) = ServerHandshake.judge(request) else {
      Issue.record("not refused")
      return
    }
    #expect(refusal.status == .badRequest)
    request.headers.replaceOrAdd(name: "Sec-WebSocket-Extensions", value: "permessage-deflate")
    guard case .upgrade(let upgrade) = ServerHandshake.judge(request) else {
      Issue.record("not upgraded")
      return
    }
    let accepted = ServerHandshake.accept(upgrade, subprotocol: nil, deflate: DeflateParameters())
    #expect(accepted.headers["Sec-WebSocket-Extensions"] == ["permessage-deflate"])
  }

  /// zlib refuses windows that it does not have instead of taking the process with it.
  @Test func windowsThatZlibDoesNotHave() throws {
    #expect(MessageDeflater(windowBits: 8, takeover: true) == nil)
    #expect(MessageDeflater(windowBits: 99, takeover: false) == nil)
    #expect(throws: MessageInflater.Failure.corrupt) {
      _ = try MessageInflater(takeover: true, windowBits: 99)
    }
    // Agreed on, but not possible for us: messages go as they are.
    var machine = ConnectionMachine(
      serverWith: Limits(messageSize: 100), deflate: Self.agreement { $0.serverMaxWindowBits = 8 })
    try machine.send(.text, Self.hello)
    #expect(Array(machine.output.readableBytesView) == [0x81, 0x05] + Self.hello)
    #expect(machine.compressionTraffic == CompressionTraffic())
  }
}
