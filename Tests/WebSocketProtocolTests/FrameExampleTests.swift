import NIOCore
import Testing
import WebSocketProtocol

/// RFC 6455 section 5.7: the examples, received and sent.
@Suite struct FrameExampleTests {
  private static let hello: [UInt8] = [0x48, 0x65, 0x6C, 0x6C, 0x6F]
  private static let maskedHello: [UInt8] = [
    0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
  ]
  private static let bytes256 = (0..<256).map { UInt8($0) }
  private static let bytes65536 = (0..<65_536).map { UInt8($0 >> 8 ^ $0 & 255) }

  @Test func aSingleFrameUnmaskedTextMessage() {
    check([0x81, 0x05] + Self.hello, to: .client, hears: [.text("Hello")], last: 7)
  }

  @Test func aSingleFrameMaskedTextMessage() {
    check([0x81, 0x85] + Self.maskedHello, to: .server, hears: [.text("Hello")], last: 11)
  }

  @Test func aFragmentedUnmaskedTextMessage() {
    check(
      [0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F], to: .client,
      hears: [.text("Hello")], last: 9)
  }

  @Test func anUnmaskedPingIsAnsweredWithItsBody() {
    check(
      [0x89, 0x05] + Self.hello, to: .client, hears: [.ping("Hello")], says: [.pong("Hello")])
  }

  @Test func aMaskedPong() {
    check([0x8A, 0x85] + Self.maskedHello, to: .server, hears: [.pong("Hello")], says: [])
  }

  @Test func bytes256InASingleUnmaskedFrame() {
    check(
      [0x82, 0x7E, 0x01, 0x00] + Self.bytes256, to: .client, hears: [.binary(Self.bytes256)])
  }

  @Test func kibibytes64InASingleUnmaskedFrame() {
    check(
      [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0] + Self.bytes65536, to: .client,
      hears: [.binary(Self.bytes65536)])
  }

  private func sent(
    _ role: Role, _ send: (inout ConnectionMachine) throws -> Void
  ) throws -> [UInt8] {
    let limits = Limits(messageSize: 1)
    let keys = MaskingKeys { space in
      for index in space.indices { space[index] = [0x37, 0xFA, 0x21, 0x3D][index % 4] }
    }
    var machine =
      role == .server
      ? ConnectionMachine(serverWith: limits)
      : ConnectionMachine(clientWith: keys, limits: limits)
    #expect(machine.role == role)
    try send(&machine)
    return Array(machine.output.readableBytesView)
  }

  @Test func framesAreSentAsTheExamplesShowThem() throws {
    #expect(try sent(.server) { try $0.send(.text, Self.hello) } == [0x81, 0x05] + Self.hello)
    #expect(
      try sent(.client) { try $0.send(.text, Self.hello) } == [0x81, 0x85] + Self.maskedHello)
    #expect(try sent(.server) { try $0.sendPing(Self.hello) } == [0x89, 0x05] + Self.hello)
    #expect(
      try sent(.client) { try $0.sendPong(Self.hello) } == [0x8A, 0x85] + Self.maskedHello)
    #expect(
      try sent(.server) { try $0.send(.binary, Self.bytes256) }
        == [0x82, 0x7E, 0x01, 0x00] + Self.bytes256)
    #expect(
      try sent(.server) { try $0.send(.binary, Self.bytes65536) }
        == [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0] + Self.bytes65536)
    #expect(
      try sent(.server) { try $0.sendClose(CloseFrame(.goingAway, reason: "bye")) }
        == [0x88, 0x05, 0x03, 0xE9] + Array("bye".utf8))
    #expect(
      try sent(.client) { try $0.sendClose(CloseFrame(nil)) }
        == [0x88, 0x80, 0x37, 0xFA, 0x21, 0x3D])
    // No bytes at no address are an empty payload.
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(try sent(.server) { try $0.send(.text, nothing) } == [0x81, 0x00])
    #expect(
      try sent(.client) { try $0.sendPing(nothing) } == [0x89, 0x80, 0x37, 0xFA, 0x21, 0x3D])
  }
}
