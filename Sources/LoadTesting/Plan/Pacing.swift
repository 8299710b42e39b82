/// The load model: what decides when the next message is sent.
package enum Pacing: Sendable, Equatable {
  /// A clock: `rate` messages per second on all connections together, no matter how many are
  /// outstanding.
  case open(rate: Double, arrival: Arrival)
  /// The answers: each connection keeps `inflight` messages outstanding.
  case closed(inflight: Int)

  /// How messages are distributed over time.
  package enum Arrival: String, Sendable {
    /// Even gaps.
    case constant
    /// Exponential gaps, as with independent users.
    case poisson
  }

  /// The name of the load model in a result.
  package enum Name: String, Sendable {
    case open
    case closed
  }

  /// The name of the load model.
  package var name: Name {
    switch self {
    case .open: .open
    case .closed: .closed
    }
  }

  /// Whether a clock decides, not the answers.
  package var isOpen: Bool { name == .open }

  /// Messages per second on all connections together; nil in the closed model.
  package var rate: Double? {
    switch self {
    case .open(let rate, _): rate
    case .closed: nil
    }
  }

  /// How messages are distributed over time; nil in the closed model.
  package var arrival: Arrival? {
    switch self {
    case .open(_, let arrival): arrival
    case .closed: nil
    }
  }

  /// Messages that each connection keeps outstanding, at least 1; nil in the open model.
  package var inflight: Int? {
    switch self {
    case .open: nil
    case .closed(let inflight): max(1, inflight)
    }
  }
}
