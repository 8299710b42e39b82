/// A result of processing received bytes.
///
/// A payload points into the window or into the machine's own memory. It is valid until the machine
/// is asked for the next step; a caller that wants to keep it copies it. A message therefore needs
/// no allocation.
package enum Step {
  /// A complete message. Text has been validated.
  case message(MessageKind, UnsafeRawBufferPointer)
  /// A ping; the pong to it is already in the output, unless a Close precludes it.
  case ping(UnsafeRawBufferPointer)
  case pong(UnsafeRawBufferPointer)
  /// The peer's Close; our answer, if required, is already in the output.
  case close(CloseFrame)
  /// The peer violated the protocol; our Close, if it could still be sent, is already in the
  /// output.
  case violation(ProtocolViolation)
}

/// The action that the machine requires of the transport, once its output is written.
package enum TransportDemand: Sendable, Hashable {
  case keepOpen
  /// Our Close has been sent, the peer's has not arrived. Limited by the close timeout.
  case awaitClose
  /// Both Closes are exchanged, and "the server MUST close the connection immediately, the client
  /// SHOULD wait for the server" (RFC 6455 section 7.1.1). Limited by the close timeout.
  case awaitEnd
  /// Close our direction, and keep reading until the peer's end: closing a socket with unread bytes
  /// makes the kernel send a reset that can overtake our Close.
  case closeOutput
}

/// How the transport ended, as observed by the layer that owns it.
package enum TransportEnd: Sendable, Hashable {
  /// An orderly end of the byte stream (TCP FIN).
  case endOfStream
  /// The connection was reset or otherwise broken; `errno` is the cause.
  case reset(errno: Int32)
  /// One of our timeouts expired.
  case timedOut(Timer)
  /// We closed it without waiting for the peer.
  case abandoned

  package enum Timer: Sendable, Hashable {
    /// No Close arrived in time.
    case closingHandshake
    /// No pong arrived in time.
    case ping
  }
}

/// How a connection ended. Exit codes and messages depend on this value alone.
package enum CloseOutcome: Sendable, Hashable {
  /// The closing handshake was completed; `frame` is the Close of the peer.
  case closed(frame: CloseFrame, by: Initiator)
  /// The peer broke the protocol.
  case failed(ProtocolViolation)
  /// The transport ended without the peer's Close (code 1006, RFC 6455 section 7.1.5).
  case lost(TransportEnd)

  /// The side that sent the first Close.
  package enum Initiator: Sendable, Hashable {
    case us
    case peer
  }
}

/// Counters of one connection. Every received byte is in `wireIn` or `discarded`, and every byte of
/// output is in `wireOut`.
package struct Traffic: Sendable, Hashable {
  /// Messages delivered, and their payload in bytes, after inflating.
  package var messagesIn: UInt64 = 0
  package var payloadIn: UInt64 = 0
  /// Messages sent, and their payload in bytes, before compression.
  package var messagesOut: UInt64 = 0
  package var payloadOut: UInt64 = 0
  /// Complete frames received, including control frames.
  package var framesIn: UInt64 = 0
  /// Bytes of frames received, headers included; also the received part of the current frame, and
  /// the processed part of a frame that violated a rule.
  package var wireIn: UInt64 = 0
  /// Frames sent, including control frames, and their bytes, headers included.
  package var framesOut: UInt64 = 0
  package var wireOut: UInt64 = 0
  /// Bytes received after a Close or a violation, which were not processed.
  package var discarded: UInt64 = 0

  package init() {}

  package static func += (sum: inout Self, other: Self) {
    sum.messagesIn &+= other.messagesIn
    sum.payloadIn &+= other.payloadIn
    sum.messagesOut &+= other.messagesOut
    sum.payloadOut &+= other.payloadOut
    sum.framesIn &+= other.framesIn
    sum.wireIn &+= other.wireIn
    sum.framesOut &+= other.framesOut
    sum.wireOut &+= other.wireOut
    sum.discarded &+= other.discarded
  }

  /// Counts a run of echoed messages.
  mutating func echoed(_ run: EchoRun) {
    messagesIn &+= run.messages.asUInt64
    framesIn &+= run.messages.asUInt64
    payloadIn &+= run.payload.asUInt64
    wireIn &+= run.taken.asUInt64
    messagesOut &+= run.messages.asUInt64
    framesOut &+= run.messages.asUInt64
    payloadOut &+= run.payload.asUInt64
    wireOut &+= run.written.asUInt64
  }
}
