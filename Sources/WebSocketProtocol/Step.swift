/// What the machine has to say about the bytes it was given.
///
/// A payload points into the window or into the machine's own memory. It is valid until the
/// machine is asked for the next step; whoever wants to keep it copies it. That is what keeps a
/// message free of allocations on its way.
package enum Step {
  /// A whole message. Text has been validated.
  case message(MessageKind, UnsafeRawBufferPointer)
  /// A ping; the pong to it is already in the output, unless a Close stands in its way.
  case ping(UnsafeRawBufferPointer)
  case pong(UnsafeRawBufferPointer)
  /// The peer's Close; our answer, if one was due, is already in the output.
  case close(CloseFrame)
  /// The peer broke the protocol; our Close, if one could still be sent, is already in the output.
  case violation(ProtocolViolation)
}

/// What the machine wants done with the transport, once its output is written.
package enum TransportDemand: Sendable, Hashable {
  case keepOpen
  /// Our Close is out and the peer's is not in. Bounded by the close timer.
  case awaitClose
  /// Both Closes are exchanged, and "the server MUST close the connection immediately, the client
  /// SHOULD wait for the server" (RFC 6455 section 7.1.1). Bounded by the close timer.
  case awaitEnd
  /// We are to end it: close our half, and read on until the peer's end comes, since closing a
  /// socket with unread bytes makes the kernel send a reset that can overtake our Close.
  case closeOutput
}

/// How the transport ended, as the layer that owns it saw it.
package enum TransportEnd: Sendable, Hashable {
  /// An orderly end of the byte stream (TCP FIN).
  case endOfStream
  /// The connection was reset or otherwise broken; `errno` says how.
  case reset(errno: Int32)
  /// A timer of ours ran out.
  case timedOut(Timer)
  /// We gave it up without waiting for the peer.
  case abandoned

  package enum Timer: Sendable, Hashable {
    /// No Close came back in time.
    case closingHandshake
    /// No pong came back in time.
    case ping
  }
}

/// How a connection ended. Exit codes and words follow from this value alone.
package enum CloseOutcome: Sendable, Hashable {
  /// The closing handshake was completed; `frame` is the Close of the peer.
  case closed(frame: CloseFrame, by: Initiator)
  /// The peer broke the protocol.
  case failed(ProtocolViolation)
  /// The transport ended without the peer's Close (code 1006, RFC 6455 section 7.1.5).
  case lost(TransportEnd)

  /// Who sent the first Close.
  package enum Initiator: Sendable, Hashable {
    case us
    case peer
  }
}

/// Counters of one connection. Every byte it was fed is in `wireIn` or in `discarded`, and every byte
/// that was put out in `wireOut`.
package struct Traffic: Sendable, Hashable {
  /// Messages that were delivered, and their payload in bytes, inflated if they were compressed.
  package var messagesIn: UInt64 = 0
  package var payloadIn: UInt64 = 0
  /// Messages that were put out, and their payload in bytes before compression.
  package var messagesOut: UInt64 = 0
  package var payloadOut: UInt64 = 0
  /// Frames that came whole, control frames too.
  package var framesIn: UInt64 = 0
  /// Bytes of frames, headers included: of the frame that is still coming too, as far as it has, and
  /// of one that broke a rule, as far as it was looked at.
  package var wireIn: UInt64 = 0
  /// Frames that were put out, control frames too, and their bytes, headers included.
  package var framesOut: UInt64 = 0
  package var wireOut: UInt64 = 0
  /// Bytes that came behind a Close or a violation and were not looked at.
  package var discarded: UInt64 = 0

  package init() {}

  /// A run has been taken in and sent back.
  mutating func echoed(_ run: EchoRun) {
    messagesIn &+= run.messages.unsigned64
    framesIn &+= run.messages.unsigned64
    payloadIn &+= run.payload.unsigned64
    wireIn &+= run.taken.unsigned64
    messagesOut &+= run.messages.unsigned64
    framesOut &+= run.messages.unsigned64
    payloadOut &+= run.payload.unsigned64
    wireOut &+= run.written.unsigned64
  }
}
