import Conversation
import Synchronization

/// Which faults a connection has: a function of the rules, the seed and the number of its upgrade request.
/// The same seed and the same order of requests give the same faults, with any number of threads.
package struct FaultPlan: Sendable {
  package var rules: [FaultRule]
  package var seed: UInt64

  package init(rules: [FaultRule] = [], seed: UInt64 = 0) {
    self.rules = rules
    self.seed = seed
  }

  /// The faults of one connection.
  struct Draw: Sendable {
    var rules: [FaultRule]
    /// What the faults draw from while the connection lives.
    var random: SeededGenerator

    var isEmpty: Bool { rules.isEmpty }
  }

  /// Draws the faults of a connection.
  ///
  /// - Parameters:
  ///   - request: Its numbers.
  ///   - path: Its path, without the query.
  ///   - others: Faults that are for this connection only, as those of its URL.
  /// - Returns: Its faults, in the order of the rules.
  func draw(_ request: UpgradeNumber, path: String, and others: [FaultRule] = []) -> Draw {
    var random = SeededGenerator(seed: seed, stream: request.total)
    var drawn: [FaultRule] = []
    for (index, rule) in rules.enumerated() {
      // Always drawn: whether one rule fits moves no other's chance.
      let chance = random.fraction()
      guard rule.fits(path: path), chance < rule.share,
        rule.connections?.contains(request.fitting[index]) ?? true
      else { continue }
      drawn.append(rule)
    }
    drawn += others.filter { random.fraction() < $0.share }
    return Draw(rules: drawn, random: random)
  }
}

/// The numbers of an upgrade request.
struct UpgradeNumber: Sendable, Hashable {
  /// Among all, from 1.
  var total: UInt64
  /// Among those that fit the path of each rule, from 1.
  var fitting: [Int]
}

/// Numbers the upgrade requests of a server, over all event loops.
final class UpgradeCounter: Sendable {
  private let plan: FaultPlan
  private let last: Mutex<UpgradeNumber>

  init(_ plan: FaultPlan) {
    self.plan = plan
    last = Mutex(UpgradeNumber(total: 0, fitting: plan.rules.map { _ in 0 }))
  }

  func next(path: String) -> UpgradeNumber {
    let fits = plan.rules.map { $0.fits(path: path) }
    return last.withLock { number in
      number.total += 1
      for (index, fits) in fits.enumerated() where fits { number.fitting[index] += 1 }
      return number
    }
  }
}
