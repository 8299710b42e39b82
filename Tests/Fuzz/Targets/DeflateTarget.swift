import NIOCore
import WebSocketProtocol

/// permessage-deflate: what a peer may send as a compressed message, and what we send ourselves.
enum DeflateTarget {
  private static let limit = 1 << 17

  /// Options: 0 the sender forgets its window, 1 the message comes twice, 2 the data are text to be
  /// compressed instead of a compressed message, 3-5 window bits.
  static func complaint(_ bytes: UnsafeRawBufferPointer) -> String? {
    let input = FuzzInput(bytes)
    let deflate = AgreedDeflate(
      serverForgets: input.option(0), clientForgets: input.option(0),
      windowBits: 8 + Int(input.options >> 3 & 7))
    return input.option(2) ? roundTrip(input, deflate) : inflate(input, deflate)
  }

  /// The compressed message in one frame, and in as many as there are pieces.
  private static func inflate(_ input: FuzzInput, _ deflate: AgreedDeflate) -> String? {
    func run(_ pieces: [ArraySlice<UInt8>]) -> MachineRun {
      var machine = ConnectionMachine(
        .client, limits: Limits(messageSize: limit), deflate: deflate)
      let frames = frames(pieces)
      var run = MachineRun([(input.option(1) ? frames + frames : frames)[...]], to: &machine)
      // The same bytes have more headers in more frames.
      run.traffic.framesIn = 0
      run.bytesAccountedFor = 0
      return run
    }
    let whole = run(input.whole)
    for case .message(_, let payload) in whole.heard where payload.count > limit {
      return "\(payload.count) bytes are over the limit"
    }
    return difference(whole: whole, cut: run(input.pieces))
  }

  /// Unmasked binary frames, RSV1 on the first.
  private static func frames(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (number, piece) in pieces.enumerated() {
      let header = FrameHeader(
        isFinal: number == pieces.count - 1, reservedBits: number == 0 ? 4 : 0,
        opcode: number == 0 ? .binary : .continuation, payloadLength: UInt64(piece.count))
      var space: [UInt8] = Array(repeating: 0, count: header.encodedLength)
      space.withUnsafeMutableBytes { _ = header.write(to: $0) }
      bytes += space + piece
    }
    return bytes
  }

  private static func roundTrip(_ input: FuzzInput, _ deflate: AgreedDeflate) -> String? {
    let limits = Limits(messageSize: max(1, input.data.count))
    for sender in [Role.client, .server] {
      var machine = ConnectionMachine(sender, limits: limits, deflate: deflate)
      var sent: [HeardStep] = []
      for piece in input.pieces {
        try? machine.send(.binary, Array(piece))
        sent.append(.message(.binary, Array(piece)))
      }
      var receiver = ConnectionMachine(sender.other, limits: limits, deflate: deflate)
      let run = MachineRun([Array(machine.output.readableBytesView)[...]], to: &receiver)
      if run.heard != sent { return "sent: \(sent)\nheard: \(run.heard)" }
    }
    return nil
  }
}
