import Conversation
import Synchronization

/// Decides which faults a connection has, by the rules, the seed and the number of its upgrade
/// request. The same seed and order of requests give the same faults, with any number of threads.
package struct FaultPlan: Sendable {
  package var rules: [FaultRule]
  /// The seed of all random decisions.
  package var seed: UInt64

  package init(rules: [FaultRule] = [], seed: UInt64 = 0) {
    self.rules = rules
    self.seed = seed
  }

  /// The faults of one connection.
  struct Draw: Sendable {
    var rules: [FaultRule]
    /// The random numbers of the faults while the connection is open.
    var random: SeededGenerator

    var isEmpty: Bool { rules.isEmpty }
  }

  /// Draws the faults of a connection.
  ///
  /// - Parameters:
  ///   - request: The numbers of its upgrade request.
  ///   - path: Its path, without the query.
  ///   - others: Faults for this connection only, from its URL.
  /// - Returns: Its faults, in the order of the rules.
  func draw(_ request: UpgradeNumber, path: String, and others: [FaultRule] = []) -> Draw {
    var random = SeededGenerator(seed: seed, stream: request.total)
    var drawn: [FaultRule] = []
    for (index, rule) in rules.enumerated() {
      // Draw for every rule, so whether one rule fits does not change the numbers of the others.
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
  /// Its number among all requests, from 1.
  var total: UInt64
  /// For each rule, its number among the requests that fit the path of the rule, from 1.
  var fitting: [Int]
}

/// Numbers the upgrade requests of a server, across all event loops.
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
