import NIOCore
import Testing
import WebSocketProtocol

/// A step with its payload copied: the machine's own is valid until the next call only.
enum Heard: Hashable, CustomStringConvertible {
  case text([UInt8])
  case binary([UInt8])
  case ping([UInt8])
  case pong([UInt8])
  case close(CloseFrame)
  case violation(ProtocolViolation)

  static func text(_ text: String) -> Heard { .text(Array(text.utf8)) }
  static func ping(_ text: String) -> Heard { .ping(Array(text.utf8)) }
  static func pong(_ text: String) -> Heard { .pong(Array(text.utf8)) }
  static func close(_ code: UInt16?, _ reason: String = "") -> Heard {
    .close(CloseFrame(code.map(CloseCode.init(rawValue:)), reason: reason))
  }

  init(_ step: Step) {
    switch step {
    case .message(.text, let payload): self = .text(Array(payload))
    case .message(.binary, let payload): self = .binary(Array(payload))
    case .ping(let payload): self = .ping(Array(payload))
    case .pong(let payload): self = .pong(Array(payload))
    case .close(let frame): self = .close(frame)
    case .violation(let violation): self = .violation(violation)
    }
  }

  var description: String {
    switch self {
    case .text(let bytes): WireFrame.text(bytes).description
    case .binary(let bytes): WireFrame.binary(bytes).description
    case .ping(let bytes): WireFrame(opcode: 9, payload: bytes).description
    case .pong(let bytes): WireFrame(opcode: 10, payload: bytes).description
    case .close(let frame): "\(frame)"
    case .violation(let violation): "\(violation)"
    }
  }

  /// Whether nothing that comes behind it is looked at.
  var isLast: Bool {
    switch self {
    case .close, .violation: true
    case .text, .binary, .ping, .pong: false
    }
  }

  /// Bytes of payload, when it is a message.
  var messageSize: Int? {
    switch self {
    case .text(let bytes), .binary(let bytes): bytes.count
    case .ping, .pong, .close, .violation: nil
    }
  }
}

/// A machine of either role, and all that came of what it was fed.
struct Listener {
  var machine: ConnectionMachine
  private(set) var heard: [Heard] = []
  /// Bytes that had been fed when each of them was heard.
  private(set) var offsets: [Int] = []
  /// `messageWire` at each message.
  private(set) var wires: [Int] = []
  private(set) var fed = 0

  static let limits = Limits(messageSize: 1 << 20)

  /// A machine whose keys, if it has any, are 1, 2, 3 and so on.
  init(_ role: Role, limits: Limits = Listener.limits) {
    switch role {
    case .client:
      var next: UInt32 = 0
      let keys = MaskingKeys { space in
        for offset in stride(from: 0, to: space.count, by: 4) {
          next &+= 1
          space.storeBytes(of: next.bigEndian, toByteOffset: offset, as: UInt32.self)
        }
      }
      machine = ConnectionMachine(clientWith: keys, limits: limits)
    case .server:
      machine = ConnectionMachine(serverWith: limits)
    }
  }

  /// Feeds one read. The bytes stand in memory of exactly their size, which is wiped behind the
  /// last step: a machine that reads over the end or keeps a pointer shows itself.
  mutating func feed(_ bytes: some Collection<UInt8>, sourceLocation: SourceLocation) {
    fed += bytes.count
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    var window = ByteWindow(memory)
    while let step = machine.next(&window) {
      let step = Heard(step)
      heard.append(step)
      offsets.append(fed)
      if step.messageSize != nil { wires.append(machine.messageWire) }
    }
    if !window.isEmpty {
      Issue.record("\(window.count) bytes left in the window", sourceLocation: sourceLocation)
    }
    let traffic = machine.traffic
    if traffic.wireIn + traffic.discarded != UInt64(fed) {
      Issue.record("of \(fed) bytes, \(traffic)", sourceLocation: sourceLocation)
    }
    let said = said
    if traffic.wireOut != UInt64(machine.output.readableBytes)
      || said.map({ UInt64($0.count) != traffic.framesOut }) ?? false
    {
      Issue.record("said \(said ?? []), \(traffic)", sourceLocation: sourceLocation)
    }
    for index in memory.indices { memory[index] = 0xEE }
  }

  /// The frames in the output; nil when it is not made of whole frames, or when their masks are
  /// not as the role demands.
  var said: [WireFrame]? {
    guard let decoded = WireFrame.decode(Array(machine.output.readableBytesView)),
      decoded.allSatisfy({ ($0.key != nil) == (machine.role == .client) })
    else { return nil }
    return decoded.map(\.frame)
  }
}

/// What must come of some bytes, however they are cut into reads.
struct Expected: Equatable, CustomStringConvertible {
  var hears: [Heard]
  var says: [WireFrame]?
  var demand: TransportDemand
  /// The outcome when the byte stream then ends.
  var outcome: CloseOutcome
  var traffic: Traffic

  init(
    hears: [Heard], says: [WireFrame], demand: TransportDemand? = nil,
    outcome: CloseOutcome? = nil, role: Role
  ) {
    self.hears = hears
    self.says = says
    let derived: (TransportDemand, CloseOutcome)
    switch hears.last {
    case .violation(let violation):
      derived = (.closeOutput, .failed(violation))
    case .close(let frame):
      derived = (role == .server ? .closeOutput : .awaitEnd, .closed(frame: frame, by: .peer))
    default:
      derived = (.keepOpen, .lost(.endOfStream))
    }
    self.demand = demand ?? derived.0
    self.outcome = outcome ?? derived.1
    traffic = Traffic()
    let received = hears.compactMap(\.messageSize)
    traffic.messagesIn = UInt64(received.count)
    traffic.payloadIn = UInt64(received.reduce(0, +))
    let sent = says.filter { $0.opcode == 1 || $0.opcode == 2 }
    traffic.messagesOut = UInt64(sent.count)
    traffic.payloadOut = UInt64(sent.map(\.payload.count).reduce(0, +))
  }

  init(_ listener: Listener) {
    hears = listener.heard
    says = listener.said
    demand = listener.machine.demand
    outcome = listener.machine.outcome(.endOfStream)
    traffic = listener.machine.traffic
    // How much of a bad frame was still looked at depends on the cuts; all bytes are accounted for in
    // `Listener.feed`.
    traffic.discarded = 0
    traffic.wireIn = 0
    traffic.framesIn = 0
    traffic.wireOut = 0
    traffic.framesOut = 0
  }

  var description: String {
    "hears \(hears), says \(says.map { "\($0)" } ?? "no frames"), \(demand), \(outcome), \(traffic)"
  }
}

typealias Before = @Sendable (inout ConnectionMachine) throws -> Void

/// Feeds `bytes` to machines of `role`: whole, byte by byte, cut at every point, and, when the end
/// of the connection is heard, with junk behind. Every time the same must be heard, said, counted
/// and demanded.
///
/// `before` is done to the machine first, and what that says is part of `says`, for which nil
/// stands for the pongs and the Close that `hears` asks for. `last` is how many of the bytes have
/// come when the last thing is heard.
func check(
  _ bytes: [UInt8], to role: Role, limits: Limits = Listener.limits, before: Before = { _ in },
  hears: [Heard], says: [WireFrame]? = nil, demand: TransportDemand? = nil,
  outcome: CloseOutcome? = nil, last: Int? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let expected = Expected(
    hears: hears, says: says ?? answers(to: hears), demand: demand, outcome: outcome, role: role)

  func run(_ pieces: [ArraySlice<UInt8>], _ cut: @autoclosure () -> String) -> Listener {
    var listener = Listener(role, limits: limits)
    do {
      try before(&listener.machine)
    } catch {
      Issue.record("before: \(error)", sourceLocation: sourceLocation)
    }
    for piece in pieces { listener.feed(piece, sourceLocation: sourceLocation) }
    let came = Expected(listener)
    if came != expected {
      Issue.record(
        "to a \(role), \(cut()):\n  came: \(came)\n  expected: \(expected)",
        sourceLocation: sourceLocation)
    }
    return listener
  }

  _ = run([bytes[...]], "whole")
  let slow = run(bytes.indices.map { bytes[$0...$0] }, "byte by byte")
  if let last { #expect(slow.offsets.last == last, sourceLocation: sourceLocation) }
  for cut in cuts(of: bytes.count) {
    _ = run([bytes[..<cut], bytes[cut...]], "cut at \(cut)")
  }
  guard hears.last?.isLast == true else { return }
  let junk = (0..<40).map { UInt8($0 &* 37 & 255) } + WireFrame.wire([.text("late")], to: role)
  _ = run([(bytes + junk)[...]], "with junk behind")
  let behind = run([bytes[...], junk[...]], "then junk")
  #expect(
    behind.machine.traffic.discarded >= UInt64(junk.count), sourceLocation: sourceLocation)
  let slowJunk = run((bytes + junk).indices.map { (bytes + junk)[$0...$0] }, "junk byte by byte")
  let end = slowJunk.offsets.last ?? 0
  #expect(
    slowJunk.machine.traffic.discarded == UInt64(bytes.count + junk.count - end),
    sourceLocation: sourceLocation)
}

/// `check` for both roles, with frames as the peer of each must send them.
func check(
  _ frames: [WireFrame], limits: Limits = Listener.limits, before: Before = { _ in },
  hears: [Heard], says: [WireFrame]? = nil, demand: TransportDemand? = nil,
  outcome: CloseOutcome? = nil, sourceLocation: SourceLocation = #_sourceLocation
) {
  for role in [Role.client, .server] {
    check(
      WireFrame.wire(frames, to: role), to: role, limits: limits, before: before, hears: hears,
      says: says, demand: demand, outcome: outcome, sourceLocation: sourceLocation)
  }
}

/// The pong to each ping, and the Close that answers a Close or a violation.
private func answers(to heard: [Heard]) -> [WireFrame] {
  heard.compactMap { step in
    switch step {
    case .ping(let payload): WireFrame(opcode: 10, payload: payload)
    case .close(let frame): .close(frame.code?.rawValue)
    case .violation(let violation): .close(violation)
    case .text, .binary, .pong: nil
    }
  }
}

/// Every point at which to cut; of long inputs both ends and some in between.
private func cuts(of count: Int) -> [Int] {
  guard count > 600 else { return Array(0...count) }
  let inner = stride(from: 30, to: count - 30, by: max(61, count / 24))
  return Array(0..<30) + inner + Array(count - 30...count)
}
