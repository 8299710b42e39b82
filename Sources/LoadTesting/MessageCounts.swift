/// What became of the messages, in numbers that must add up.
///
/// Of one connection, of one loop, or of a run: they are added with `merge`. All but `answeredInWindow`
/// count by the message, wherever its answer fell; messages of the warm-up are not among them.
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
  /// Replies to messages that were answered or given up before.
  package var stale = 0
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
    stale &+= other.stale
    unknown &+= other.unknown
  }

  /// Messages that the schedule asked for and that were either sent or held back by the limit.
  package var attempted: Int { sent &+ unsent }

  /// Checks sent = answered + unanswered + failed + in flight at end.
  ///
  /// - Returns: Messages sent of which nobody knows what became; negative when more ended than were
  ///   sent. Anything but 0 means that the counting is wrong and the measurement with it.
  package func accounting() -> Int {
    sent &- answered &- unanswered &- failed &- inFlightAtEnd
  }
}
