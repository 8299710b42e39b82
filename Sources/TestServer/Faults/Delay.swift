import Conversation

/// `delay`: messages arrive late, but in order.
enum Delay {
  static let entry = FaultEntry(
    name: "delay", kind: .message,
    summary: "Sends each message this much later, in order; ~50ms spreads the delay.",
    example: "200ms~50ms", canEnd: true
  ) { value throws(InvalidFaultValue) in
    let parts = Spread.parts(value)
    guard let delay = Duration.nanoseconds(parts.middle),
      let jitter = parts.variation.map({ Duration.nanoseconds($0) }) ?? 0
    else { throw InvalidFaultValue(expected: "200ms or 200ms~50ms") }
    return .message(action(delay, jitter: jitter))
  }

  /// Delays messages by `delay` ± `jitter` nanoseconds, at least 0.
  static func action(
    _ delay: Int64, jitter: Int64
  ) -> @Sendable (inout OutgoingMessage, inout SeededGenerator) -> Void {
    { message, random in
      let spread = jitter > 0 ? Int64.random(in: -jitter...jitter, using: &random) : 0
      message.delay += max(0, delay + spread)
    }
  }
}
