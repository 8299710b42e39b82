import Conversation
import Synchronization

/// `/unstable`: rejects some of the upgrades, for clients that try again.
enum UnstablePath {
  static let entry = TestPathEntry(
    pattern: "/unstable", query: ["failure_rate", "seed"],
    summary:
      "Rejects this share of the upgrades (0.5) with 503, and echoes; a seed repeats the order."
  ) { arguments throws(InvalidArgument) in
    let rate = try arguments.share("failure_rate") ?? 0.5
    let fails: Bool
    if let seed = try arguments.number("seed", in: 0...Int.max) {
      fails = draws.next(UInt64(seed)) < rate
    } else {
      fails = Double.random(in: 0..<1) < rate
    }
    guard !fails else { return .reply(try StatusPath.reply(503, nil)) }
    return .accept(PathConnection(behaviour: Echo.Maker()))
  }

  private static let draws = Draws()

  /// The next random number of each seed.
  private final class Draws: Sendable {
    private let generators = Mutex<[UInt64: SeededGenerator]>([:])
    /// Seeds come from clients: beyond this many, the oldest order begins again.
    private static let maxSeeds = 1000

    func next(_ seed: UInt64) -> Double {
      generators.withLock { generators in
        if generators.count >= Self.maxSeeds, generators[seed] == nil { generators = [:] }
        var generator = generators[seed] ?? SeededGenerator(seed: seed)
        defer { generators[seed] = generator }
        return Double.random(in: 0..<1, using: &generator)
      }
    }
  }
}
