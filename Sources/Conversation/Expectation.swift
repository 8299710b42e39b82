package import WebSocketProtocol

/// A condition for a message.
package enum MessageTest: Sendable, Hashable {
  /// Exactly these bytes, as text or as binary.
  case payload([UInt8])
  /// Text that matches a regular expression.
  case pattern(Pattern)
  /// JSON that satisfies a condition.
  case json(JSONCondition)
  /// A binary message of exactly these bytes.
  case binary([UInt8])
}

/// Why a message does not match, if that is not evident from the message itself.
package enum MismatchReason: Sendable, Hashable {
  /// The condition requires JSON.
  case notJSON(JSONError)
  /// The regular expression takes too many steps on this message.
  case tooManySteps
  /// The regular expression requires text; `offset` is that of the first invalid byte.
  case notText(offset: Int)
}

/// A condition that must be met during a conversation. Durations in ns.
package enum Expectation: Sendable, Hashable {
  /// A message. Several are met in order, each by the first message that matches it.
  case message(MessageTest)
  /// A message that ends the conversation.
  case until(MessageTest)
  /// No message for this long after the last message sent or expected.
  case silence(Int64)
  /// Exactly this many messages.
  case count(Int)
  /// The peer closes, with one of these codes; 1005 means a Close without a code, 1006 no Close at
  /// all.
  case close(CloseCodes)
  /// The status of the reply to the handshake.
  case status(Int)
  case subprotocol(String)
  /// Every message arrives within this time of the last message sent.
  case roundTrip(Int64)

  /// Whether the conversation waits for it.
  var isAwaited: Bool {
    switch self {
    case .message, .until, .silence, .count, .close: true
    case .status, .subprotocol, .roundTrip: false
    }
  }

  var isMessage: Bool {
    if case .message = self { true } else { false }
  }
}

/// The result of an expectation.
package struct ExpectationResult: Sendable, Hashable {
  package enum State: Sendable, Hashable {
    case pending
    case met
    case failed
  }

  /// What happened instead.
  package enum Mismatch: Sendable, Hashable {
    /// The last message that did not match while this was pending, and why if that is not obvious.
    case message(MessageKind, [UInt8], MismatchReason?)
    /// An expectation before it was not met.
    case notReached
    case count(Int)
    /// The subprotocol defines the meaning of codes from 4000 on.
    case close(CloseCode, reason: String, subprotocol: String?)
    case stillOpen
    /// The status of the handshake; nil if there was no reply.
    case status(Int?)
    case subprotocol(String?)
    /// The slowest reply, in ns.
    case roundTrip(Int64)
    case noReply
  }

  package var expectation: Expectation
  package var state = State.pending
  package var instead: Mismatch?
  /// When it was decided; nil while pending.
  package var time: Int64?

  package var isMet: Bool { state == .met }
}
