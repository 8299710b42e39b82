import Conversation
import Synchronization

/// The rules of a server, shared by all event loops. They can be replaced while connections are
/// open.
final class RuleBook: Sendable {
  private let environment: [String: String]
  private let state: Mutex<State>
  private let version = Atomic<Int>(0)

  private struct State: Sendable {
    var rules: [Script.Rule]
    /// The contents of the files that `>@` sends, by name.
    var files: [String: [UInt8]]
    /// The number of upgrades that fit each scope.
    var upgrades: [Script.Scope?: Int] = [:]
    /// Scripts prepared once for all paths with the same rules; the key tells which rules apply.
    var prepared: [[Bool]: PreparedScript] = [:]
  }

  /// The rules that apply to one upgrade.
  struct Visit: Sendable {
    /// Incremented whenever the rules are replaced.
    var version: Int
    /// The rules for the path; nil if there are none.
    var prepared: PreparedScript?
    /// Indexes of the prepared `open` rules whose range includes the upgrade.
    var openings: [Int] = []
    /// The actions to perform before the 101 response.
    var actions: [Script.RuleAction] = []
  }

  init(_ rules: [Script.Rule], files: [String: [UInt8]], environment: [String: String]) {
    state = Mutex(State(rules: rules, files: files))
    self.environment = environment
  }

  /// Incremented whenever the rules are replaced.
  var currentVersion: Int { version.load(ordering: .acquiring) }

  /// Replaces the rules and restarts the counts of their ranges.
  func replace(_ rules: [Script.Rule], files: [String: [UInt8]]) {
    state.withLock { state in
      state = State(rules: rules, files: files)
      version.add(1, ordering: .releasing)
    }
  }

  /// The contents of a file that the rules send.
  func file(_ name: String) -> [UInt8]? { state.withLock { $0.files[name] } }

  /// Counts an upgrade.
  ///
  /// - Parameter path: The path without the query.
  /// - Returns: The rules that apply to it.
  func upgrade(path: String) -> Visit {
    state.withLock { state in
      for scope in Set(state.rules.map(\.scope)) where Self.fits(scope, path) {
        state.upgrades[scope, default: 0] += 1
      }
      var visit = Visit(
        version: currentVersion, prepared: Self.prepared(path, environment, &state))
      for (index, rule) in (visit.prepared?.script.rules ?? []).enumerated() {
        let number = state.upgrades[rule.scope] ?? 0
        switch rule.event {
        case .open(let range) where range.contains(number): visit.openings.append(index)
        case .upgrade(let range) where range.contains(number) && visit.actions.isEmpty:
          visit.actions = rule.actions
        default: break
        }
      }
      return visit
    }
  }

  /// The current rules for a path; nil if there are none.
  func rules(for path: String) -> (version: Int, PreparedScript?) {
    state.withLock { (currentVersion, Self.prepared(path, environment, &$0)) }
  }

  private static func prepared(
    _ path: String, _ environment: [String: String], _ state: inout State
  ) -> PreparedScript? {
    let fitting = state.rules.map { fits($0.scope, path) }
    guard fitting.contains(true) else { return nil }
    if let prepared = state.prepared[fitting] { return prepared }
    let rules = zip(state.rules, fitting).compactMap { rule, fits in fits ? rule : nil }
    let prepared = PreparedScript(
      Script(steps: [], rules: rules), ScriptVariables(environment: environment))
    state.prepared[fitting] = prepared
    return prepared
  }

  /// Whether a path is in a scope.
  static func fits(_ scope: Script.Scope?, _ path: String) -> Bool {
    guard case .path(let glob) = scope else { return true }
    return Glob.matches(glob, path)
  }
}
