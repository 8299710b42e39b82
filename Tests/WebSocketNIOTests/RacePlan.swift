import Glibc
import NIOCore
import Synchronization
import TestPeers
import WebSocketNIO
import WebSocketProtocol

/// What both sides of one race do, made of its number: the peer's frames and end, and when we close.
struct RacePlan: Sendable, CustomStringConvertible {
  enum Step: Sendable {
    case message
    case close(UInt16)
    case wait(microseconds: UInt32)
  }

  enum End: Sendable {
    /// FIN, and the rest is read.
    case halfClose
    /// Reads until we end it.
    case waiting
    /// `close` with whatever is unread: FIN or RST, as the kernel sees fit.
    case leaving
    case reset

    /// Whether the peer hears all that we say.
    var isOrderly: Bool { self == .halfClose || self == .waiting }
  }

  static let ourCode: UInt16 = 4001

  let number: UInt64
  let steps: [Step]
  let end: End
  /// When we close, in microseconds from the upgrade; nil: never.
  let ourClose: Int64?

  init(_ number: UInt64) {
    self.number = number
    var random = RandomBytes(seed: number &+ 1)
    var steps: [Step] = []
    for _ in 0..<random.below(4) {
      steps.append(random.below(2) == 0 ? .message : .wait(microseconds: Self.pause(&random)))
    }
    let closes = random.below(3) > 0
    if closes {
      let code: UInt16 = [1000, 1001, 3000, 4999][random.below(4)]
      steps.insert(.close(code), at: random.below(steps.count + 1))
    }
    self.steps = steps
    ourClose = random.below(4) == 0 ? nil : [0, Int64(Self.pause(&random))][random.below(2)]
    let ends: [End] = [.halfClose, .halfClose, .waiting, .leaving, .reset]
    let end = ends[random.below(ends.count)]
    // Somebody has to end it; and waiting for our timer is worth a few runs only.
    self.end =
      end == .waiting && !closes && (ourClose == nil || random.below(4) > 0) ? .halfClose : end
  }

  /// Up to 2 ms, often nearly nothing.
  private static func pause(_ random: inout RandomBytes) -> UInt32 {
    UInt32(random.below([1, 60, 2_000][random.below(3)]))
  }

  private var peerCode: UInt16? {
    for case .close(let code) in steps { return code }
    return nil
  }

  var description: String {
    "\(steps), then \(end); we close after \(ourClose.map { "\($0) us" } ?? "never")"
  }

  /// Does the peer's part; the bytes that we were heard to say, if the plan is to listen.
  func play(on socket: RawSocket, masked: Bool) -> [UInt8]? {
    socket.setReadTimeout(seconds: 12)
    defer { socket.close() }
    let frame = masked ? RawClient.frame : RawPeer.frame
    for step in steps {
      switch step {
      case .message: socket.send(frame(1, Array("hello".utf8)))
      case .close(let code): socket.send(frame(8, [UInt8(code >> 8), UInt8(code & 255)]))
      case .wait(let microseconds): usleep(microseconds)
      }
    }
    switch end {
    case .halfClose: socket.endOutput()
    case .waiting: break
    case .leaving: return nil
    case .reset:
      socket.resetAtClose()
      return nil
    }
    return socket.readToEnd()
  }

  /// What is wrong with how it went; nil when all is right.
  func complaint(heard: [UInt8]?, ended: CloseOutcome?) -> String? {
    guard let ended else { return "no end in time: \(self)" }
    var closes: [UInt16] = []
    if let heard {
      guard let frames = Self.frames(heard) else { return "we said \(heard): \(self)" }
      closes = frames.filter { $0.opcode == 8 }.map(\.code)
      if closes.count > 1 { return "\(closes.count) Closes: \(self)" }
      if closes.count == 1, frames.last?.opcode != 8 { return "a frame behind our Close: \(self)" }
    }
    return isRight(ended, closes) ? nil : "\(ended), our Close \(closes): \(self)"
  }

  private func isRight(_ ended: CloseOutcome, _ closes: [UInt16]) -> Bool {
    switch (ended, peerCode) {
    case (.closed(let frame, let initiator), let code?):
      guard frame == CloseFrame(CloseCode(rawValue: code)) else { return false }
      // Who was first is told by what we said: a code of our own, or the peer's sent back.
      return !end.isOrderly || closes == [initiator == .us ? Self.ourCode : code]
    case (.lost(.timedOut(.closingHandshake)), nil):
      return end == .waiting && closes == [Self.ourCode]
    case (.lost(.endOfStream), nil):
      return end != .waiting
    case (.lost(.endOfStream), _?), (.lost(.reset), _):
      // A reset can overtake what was sent before it, a Close too.
      return !end.isOrderly
    default:
      return false
    }
  }

  private static func frames(_ bytes: [UInt8]) -> [(opcode: UInt8, code: UInt16)]? {
    var frames: [(opcode: UInt8, code: UInt16)] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      guard case .header(let header, let length) = rest.withUnsafeBytes(FrameHeader.read),
        rest.count >= length + Int(header.payloadLength)
      else { return nil }
      let payload = rest.dropFirst(length).prefix(Int(header.payloadLength))
      let key = withUnsafeBytes(of: header.maskingKey ?? 0) { Array($0) }
      let plain = payload.enumerated().map { $1 ^ key[$0 % 4] }
      let code = plain.count >= 2 ? UInt16(plain[0]) << 8 | UInt16(plain[1]) : 0
      frames.append((header.opcode.rawValue, code))
      rest = rest.dropFirst(length + payload.count)
    }
    return frames
  }
}

/// Our side of a race: echoes, and closes when the plan says so.
final class Racer: ConnectionConsumer {
  private let plan: RacePlan
  private let note: @Sendable (UInt64, CloseOutcome) -> Void

  init(_ plan: RacePlan, _ note: @escaping @Sendable (UInt64, CloseOutcome) -> Void) {
    self.plan = plan
    self.note = note
  }

  func opened(_ handler: ConnectionHandler) {
    guard let delay = plan.ourClose else { return }
    let close = {
      // It may be too late, when the peer was faster.
      try? handler.perform { machine throws(SendError) in
        try machine.sendClose(CloseFrame(CloseCode(rawValue: RacePlan.ourCode)))
      }
    }
    guard delay > 0, let loop = handler.eventLoop else { return close() ?? () }
    loop.assumeIsolated().scheduleTask(in: .microseconds(delay)) { close() ?? () }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    try? machine.send(kind, payload)
  }

  func closed(_ outcome: CloseOutcome) { note(plan.number, outcome) }
}

/// How races ended, by their number.
final class Ends: Sendable {
  private let outcomes = Mutex<[UInt64: CloseOutcome]>([:])

  func note(_ number: UInt64, _ outcome: CloseOutcome) {
    outcomes.withLock { $0[number] = outcome }
  }

  /// Waits for the end of a race, which comes a little after the peer has seen it, if at all.
  func wait(for number: UInt64, _ seconds: Double) -> CloseOutcome? {
    for _ in 0..<Int(seconds * 1000) {
      if let outcome = outcomes.withLock({ $0[number] }) { return outcome }
      usleep(1000)
    }
    return nil
  }
}
