/// What became of the messages, in numbers that must add up.
///
/// Of one connection, of one loop, or of a run: they are added with `merge`. All but `answeredInWindow`
/// count by the message, wherever its answer fell; warm-up messages are not among them.
package struct MessageCounts: Sendable, Equatable {
  /// Handed to a connection.
  package var sent = 0
  /// Answered, in the window or later while draining.
  package var answered = 0
  /// Of the answered, those answered before the window ended: what throughput counts.
  package var answeredInWindow = 0
  /// Given up after the timeout.
  package var unanswered = 0
  /// Outstanding when their connection was lost, or answered by something else.
  package var failed = 0
  /// Outstanding when the run ended.
  package var inFlightAtEnd = 0
  /// Never sent, for too many were outstanding; not part of `sent`.
  package var unsent = 0
  /// Never sent, for their connection was lost or never opened; not part of `sent`.
  package var missing = 0
  /// Never sent, for the generator was so late that the window was over; not part of `sent`.
  package var dropped = 0
  /// Replies to messages that were given up before.
  package var late = 0
  /// Replies to messages that were answered before.
  package var duplicate = 0
  /// Replies to nothing that was ever sent.
  package var unknown = 0

  package init() {}

  /// Adds the counts of another connection or loop.
  ///
  /// - Parameter other: Left unchanged.
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

  /// Messages that were sent and whose end is not known yet.
  var waiting: Int { sent &- answered &- unanswered &- failed &- inFlightAtEnd }

  /// Messages that were either sent or held back by the limit.
  package var attempted: Int { sent &+ unsent }

  /// Messages that the plan asked for: those sent, and those not sent for whatever reason.
  package var planned: Int { sent &+ unsent &+ missing &+ dropped }

  /// Messages that got no answer and have a lower bound of their round trip instead.
  package var censored: Int { unanswered &+ failed &+ inFlightAtEnd &+ unsent &+ missing }

  /// Checks sent = answered + unanswered + failed + in flight at end.
  ///
  /// - Returns: Messages sent whose outcome is unknown; negative when more ended than were sent. Anything
  ///   but 0 means that the counting is wrong and the measurement with it.
  package func accounting() -> Int {
    waiting
  }
}
