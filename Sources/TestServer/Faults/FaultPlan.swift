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

/// The faults of a server, and the numbers of its upgrade requests, across all event loops.
final class ServerFaults: Sendable {
  private struct State {
    var plan: FaultPlan
    var last: UpgradeNumber
  }

  private let state: Mutex<State>

  init(_ plan: FaultPlan) {
    state = Mutex(
      State(plan: plan, last: UpgradeNumber(total: 0, fitting: plan.rules.map { _ in 0 })))
  }

  /// Draws the faults of the next upgrade request.
  ///
  /// - Parameters:
  ///   - path: The path of the request, without the query.
  ///   - others: Faults for this connection only.
  /// - Returns: Its faults, in the order of the rules.
  func draw(path: String, and others: [FaultRule] = []) -> FaultPlan.Draw {
    let (plan, number) = state.withLock { state in
      state.last.total += 1
      for (index, rule) in state.plan.rules.enumerated() where rule.fits(path: path) {
        state.last.fitting[index] += 1
      }
      return (state.plan, state.last)
    }
    return plan.draw(number, path: path, and: others)
  }

  /// The rules as typed.
  var lines: [String] { state.withLock { $0.plan.rules.map(\.line) } }

  /// Adds a rule for the requests that follow; its range counts from the next one.
  ///
  /// - Returns: The place of the rule, from 1.
  func add(_ rule: FaultRule) -> Int {
    state.withLock { state in
      state.plan.rules.append(rule)
      state.last.fitting.append(0)
      return state.plan.rules.count
    }
  }

  /// Removes all rules.
  ///
  /// - Returns: How many there were.
  func clear() -> Int {
    state.withLock { state in
      let count = state.plan.rules.count
      state.plan.rules = []
      state.last.fitting = []
      return count
    }
  }
}
