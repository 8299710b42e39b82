package import WebSocketProtocol

/// What a message must be.
package enum MessageTest: Sendable, Hashable {
  /// Exactly these bytes, as text or as binary.
  case payload([UInt8])
  /// Text in which a regular expression is found.
  case pattern(Pattern)
  /// JSON of which a condition holds.
  case json(JSONCondition)
  /// A binary message of exactly these bytes.
  case binary([UInt8])
}

/// Why a message does not fit, where the message itself does not show it.
package enum MismatchReason: Sendable, Hashable {
  /// JSON was asked for.
  case notJSON(JSONError)
  /// The regular expression takes too many steps on this message.
  case tooManySteps
  /// A regular expression was asked for, which sees text; the offset is that of the first wrong byte.
  case notText(offset: Int)
}

/// Something that must come true while a conversation goes on. Durations in ns.
package enum Expectation: Sendable, Hashable {
  /// A message. Several are met in their order, each by the first message that fits it.
  case message(MessageTest)
  /// A message that ends the conversation.
  case until(MessageTest)
  /// No message for as long as this, behind the last one that was sent or expected.
  case silence(Int64)
  /// So many messages, no more and no fewer.
  case count(Int)
  /// The peer closes, with one of these codes; 1005 is a Close without one, 1006 none at all.
  case close(CloseCodes)
  /// The status of the reply to the handshake.
  case status(Int)
  case subprotocol(String)
  /// Every message comes at most so long after what was sent last.
  case roundTrip(Int64)

  /// Whether the conversation goes on for its sake.
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

/// What became of an expectation.
package struct ExpectationResult: Sendable, Hashable {
  package enum State: Sendable, Hashable {
    case pending
    case met
    case failed
  }

  /// What came instead.
  package enum Instead: Sendable, Hashable {
    /// The last message that did not fit while this was waited for, and why if that is not obvious.
    case message(MessageKind, [UInt8], MismatchReason?)
    /// Something before it was not met.
    case notReached
    case count(Int)
    /// The subprotocol gives the codes from 4000 on a meaning.
    case close(CloseCode, reason: String, subprotocol: String?)
    case stillOpen
    /// The status of the handshake; nil if there was no reply to it.
    case status(Int?)
    case subprotocol(String?)
    /// The slowest reply, in ns.
    case roundTrip(Int64)
    case noReply
  }

  package var expectation: Expectation
  package var state = State.pending
  package var instead: Instead?
  /// When it was decided; nil until then.
  package var time: Int64?

  package var isMet: Bool { state == .met }
}
