import NIOCore
import WebSocketProtocol

/// A step with its payload copied.
enum HeardStep: Equatable {
  case message(MessageKind, [UInt8])
  case ping([UInt8])
  case pong([UInt8])
  case close(CloseFrame)
  case violation(ProtocolViolation)

  init(_ step: Step) {
    switch step {
    case .message(let kind, let payload): self = .message(kind, Array(payload))
    case .ping(let payload): self = .ping(Array(payload))
    case .pong(let payload): self = .pong(Array(payload))
    case .close(let frame): self = .close(frame)
    case .violation(let violation): self = .violation(violation)
    }
  }
}

/// What came of some bytes that a machine was fed.
struct MachineRun: Equatable {
  var heard: [HeardStep] = []
  var said: [UInt8] = []
  var demand = TransportDemand.keepOpen
  var outcome = CloseOutcome.lost(.endOfStream)
  var traffic = Traffic()
  /// Bytes that the machine knows of; must be all.
  var bytesAccountedFor: UInt64 = 0

  /// How messages are sent back.
  enum Echo {
    case no
    case byMessage
    /// By `ConnectionMachine.echo`: these messages are not heard.
    case byRun
  }

  /// Feeds the pieces to `machine`, which may have something in its output already.
  init(
    _ pieces: [ArraySlice<UInt8>], to machine: inout ConnectionMachine, echo: Echo = .no
  ) {
    for piece in pieces {
      // Memory of exactly the size: an address sanitizer sees every step over its end.
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
      defer { memory.deallocate() }
      memory.copyBytes(from: piece)
      var window = ByteWindow(memory)
      if echo == .byRun { _ = machine.echo(&window) }
      while let step = machine.next(&window) {
        heard.append(HeardStep(step))
        if echo != .no, case .message(let kind, let payload) = step {
          try? machine.send(kind, payload)
        }
        if echo == .byRun { _ = machine.echo(&window) }
      }
      precondition(window.isEmpty, "bytes left in the window")
      memory.initializeMemory(as: UInt8.self, repeating: 0xEE)
    }
    said = Array(machine.output.readableBytesView)
    demand = machine.demand
    outcome = machine.outcome(.endOfStream)
    traffic = machine.traffic
    bytesAccountedFor = traffic.wireIn &+ traffic.discarded
    // How much of a bad frame was still looked at depends on the cuts.
    traffic.discarded = 0
    traffic.wireIn = 0
  }
}

/// Both sides of an agreement on permessage-deflate.
struct AgreedDeflate {
  var client: DeflateAgreement
  var server: DeflateAgreement

  init(serverForgets: Bool, clientForgets: Bool, windowBits: Int? = nil) {
    var offer = DeflateParameters()
    offer.clientMaxWindowBits = .understood
    var answer = DeflateParameters()
    answer.serverNoContextTakeover = serverForgets
    answer.clientNoContextTakeover = clientForgets
    answer.serverMaxWindowBits = windowBits
    answer.clientMaxWindowBits = windowBits.map { .atMost($0) }
    client = DeflateAgreement(client: offer, answer: answer)
    server = DeflateAgreement(serverAnswering: answer)
  }
}

extension ConnectionMachine {
  /// A machine whose masking keys, if it has any, are 1, 2, 3 and so on: the same in every run.
  init(_ role: Role, limits: Limits, deflate: AgreedDeflate?) {
    switch role {
    case .server:
      self.init(serverWith: limits, deflate: deflate?.server)
    case .client:
      var next: UInt32 = 0
      let keys = MaskingKeys { space in
        for offset in stride(from: 0, to: space.count, by: 4) {
          next &+= 1
          space.storeBytes(of: next.bigEndian, toByteOffset: offset, as: UInt32.self)
        }
      }
      self.init(clientWith: keys, limits: limits, deflate: deflate?.client)
    }
  }
}

extension Role {
  var other: Role { self == .client ? .server : .client }
}
