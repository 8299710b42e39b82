/// The outcomes of the window messages of a loop or a run, in numbers that must add up.
///
/// Warm-up messages are not included. All counts but `answeredInWindow` include answers that came
/// after the window.
package struct MessageCounts: Sendable, Equatable {
  /// Sent on a connection.
  package var sent = 0
  /// Answered, in the window or later while draining.
  package var answered = 0
  /// The part of `answered` that was answered before the window ended; the basis of throughput.
  package var answeredInWindow = 0
  /// Given up after the timeout.
  package var unanswered = 0
  /// Outstanding when their connection was lost, or answered wrongly.
  package var failed = 0
  /// Outstanding when the run ended.
  package var inFlightAtEnd = 0
  /// Not sent because too many were outstanding; not part of `sent`.
  package var unsent = 0
  /// Not sent because their connection was lost or never opened; not part of `sent`.
  package var missing = 0
  /// Not sent because the generator was so far behind that the window was over; not part of `sent`.
  package var dropped = 0
  /// Replies to messages that had been given up after the timeout.
  package var late = 0
  /// Replies to messages that had been answered already.
  package var duplicate = 0
  /// Replies that match no message that was sent.
  package var unknown = 0

  package init() {}

  /// Adds the counts of another loop.
  package mutating func merge(_ other: MessageCounts) {
    sent &+= other.sent
    answered &+= other.answered
    answeredInWindow &+= other.answeredInWindow
    unanswered &+= other.unanswered
    failed &+= other.failed
    inFlightAtEnd &+= other.inFlightAtEnd
    unsent &+= other.unsent
    missing &+= other.missing
    dropped &+= other.dropped
    late &+= other.late
    duplicate &+= other.duplicate
    unknown &+= other.unknown
  }

  /// Messages that were sent and whose outcome is still unknown.
  var waiting: Int { sent &- answered &- unanswered &- failed &- inFlightAtEnd }

  /// Messages that were sent, or not sent because too many were outstanding.
  package var attempted: Int { sent &+ unsent }

  /// Messages that the plan asked for, sent or not.
  package var planned: Int { sent &+ unsent &+ missing &+ dropped }

  /// Messages that got no answer and have a lower bound of their round trip instead.
  package var censored: Int { unanswered &+ failed &+ inFlightAtEnd &+ unsent &+ missing }

  /// Checks that sent = answered + unanswered + failed + in flight at end.
  ///
  /// - Returns: Sent messages without an outcome; negative if there are more outcomes than
  ///   messages. After a run, any value but 0 means that the counts, and so the measurement, are
  ///   wrong.
  package func accounting() -> Int {
    waiting
  }
}
