import Conversation
import NIOCore
import WebSocketNIO

/// `slow-open`: the response to the upgrade request is delayed.
enum SlowOpen {
  static let entry = FaultEntry(
    name: "slow-open", kind: .handshake, summary: "Answers the upgrade request this much later.",
    example: "2s", canEnd: false
  ) { value throws(InvalidFaultValue) in
    guard let delay = Duration.nanoseconds(value) else {
      throw InvalidFaultValue(expected: "200ms, 1s or 2m")
    }
    return .handshake { .delayed(by: .nanoseconds(delay), $0) }
  }
}
