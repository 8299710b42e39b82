import WebSocketNIO

/// Counts failures to connect by kind, to find the most common one.
struct FailureCount {
  private var kinds: [(kind: Kind, count: Int, first: ConnectError)] = []

  private struct Kind: Equatable {
    var phase: ErrorTally.Phase
    var `class`: ErrorTally.Class
    var code: Int?
  }

  mutating func add(_ error: ConnectError) {
    let failure = ConnectionFailure(error)
    let kind = Kind(phase: failure.phase, class: failure.class, code: failure.code)
    if let index = kinds.firstIndex(where: { $0.kind == kind }) {
      kinds[index].count += 1
    } else {
      kinds.append((kind, 1, error))
    }
  }

  /// The first error of the most common kind; on a tie, of the kind that occurred first.
  var commonest: ConnectError? {
    kinds.reduce(kinds.first) { best, next in
      next.count > (best?.count ?? 0) ? next : best
    }?.first
  }
}
