import WebSocketProtocol

/// The rules of a script, prepared once: one look-up finds the first rule for an exact text, and
/// patterns without variables are compiled.
struct RuleTable: Sendable {
  private let rules: [Script.Rule]
  /// The rules that are not for an exact text, in file order.
  private var others: [(index: Int, expectation: ScriptExpectation?)] = []
  /// Rules for an exact text or exact bytes, in file order.
  private var exact: [Exact: [Int]] = [:]
  /// The size in bytes of the longest of these: a longer message is not hashed.
  private var longestExact = -1

  private struct Exact: Hashable, Sendable {
    var isText: Bool
    var payload: [UInt8]
  }

  /// A rule that takes a message.
  struct Found {
    var index: Int
    /// The value that the rule captures.
    var value: JSONValue
    var groups: [String?]
  }

  init(_ rules: [Script.Rule], _ variables: ScriptVariables) {
    self.rules = rules
    for (index, rule) in rules.enumerated() {
      guard case .message(let want, _) = rule.event else { continue }
      switch want {
      case .text(let template) where template.constant != nil:
        let payload = Array((template.constant ?? "").utf8)
        longestExact = max(longestExact, payload.count)
        exact[Exact(isText: true, payload: payload), default: []].append(index)
      case .binary(let bytes):
        longestExact = max(longestExact, bytes.count)
        exact[Exact(isText: false, payload: bytes), default: []].append(index)
      default:
        let isConstant = want.templates.allSatisfy { $0.constant != nil }
        others.append((index, isConstant ? try? ScriptExpectation(want, variables) : nil))
      }
    }
  }

  var isEmpty: Bool { rules.isEmpty }

  /// Whether a rule applies to connections of this name.
  func applies(_ index: Int, to name: String?) -> Bool {
    guard case .connection(let scope) = rules[index].scope else { return true }
    return scope == name
  }

  /// The first rule that matches, except rules in `fired`, which fire once and have fired. Regular
  /// expressions and JSON expressions apply to messages of up to `limit` bytes; `skipped` receives
  /// the rules whose regular expression takes too many steps.
  ///
  /// - Returns: nil if no rule takes the message.
  func first(
    _ message: inout IncomingMessage, _ name: String?, _ variables: ScriptVariables,
    without fired: Set<Int>, limit: Int, skipped: inout [Int]
  ) -> Found? {
    var hit: Int?
    if message.payload.count <= longestExact {
      let key = Exact(isText: message.kind == .text, payload: message.payload)
      hit = exact[key]?.first { applies($0, to: name) && !fired.contains($0) }
    }
    for (index, prepared) in others {
      if let hit, hit < index { break }
      guard applies(index, to: name), !fired.contains(index),
        case .message(let want, _) = rules[index].event
      else { continue }
      switch want {
      case .pattern, .json: if message.payload.count > limit { continue }
      case .text, .binary, .any: break
      }
      guard let expectation = prepared ?? (try? ScriptExpectation(want, variables)) else {
        continue
      }
      let (answer, groups) = expectation.answer(to: &message)
      switch answer {
      case .fits(let value): return Found(index: index, value: value, groups: groups)
      case .differs(.tooManySteps): skipped.append(index)
      case .differs: break
      }
    }
    guard let hit else { return nil }
    return Found(
      index: hit, value: .string(ScriptExpectation.text(of: message)), groups: [])
  }
}

/// A script whose rules are prepared for matching, once for all machines that execute it.
package struct PreparedScript: Sendable {
  package let script: Script
  let table: RuleTable
  /// Those of `$NOW`, `$MS` and `$UUID` that steps and events use; rules request them when they
  /// fire.
  let momentary: [String]

  package init(_ script: Script, _ variables: ScriptVariables) {
    self.script = script
    table = RuleTable(script.rules, variables)
    let names = Set(
      (script.steps.flatMap(\.action.templates) + script.rules.flatMap(\.event.templates))
        .flatMap(\.names))
    momentary = ["NOW", "MS", "UUID"].filter(names.contains)
  }

  /// Whether an action, a step or an event uses the variable.
  package func uses(_ name: String) -> Bool {
    (script.steps.flatMap(\.action.templates) + script.rules.flatMap(\.event.templates)
      + script.rules.flatMap(\.actions).flatMap(\.action.templates))
      .contains { $0.names.contains(name) }
  }
}

/// The pending actions of the rules of one connection. Actions never overtake each other: during a
/// `wait` later ones queue.
struct RuleRuns: Sendable {
  enum Item: Sendable {
    case work(ScriptMachine.Effect)
    /// In ns.
    case wait(Int64)
  }

  private var queue: [[Item]] = []
  private var head = 0
  /// The position in the run at the head.
  private var position = 0
  private var resumeAt: Int64?
  private var timers: [(rule: Int, interval: Int64, due: Int64)] = []
  /// Rules that fire once and have fired.
  var fired: Set<Int> = []

  /// The number of pending runs.
  var count: Int { queue.count - head }

  /// In ns, monotonic.
  var nextDeadline: Int64? {
    let due = timers.map(\.due).min()
    guard let resumeAt else { return due }
    return due.map { min($0, resumeAt) } ?? resumeAt
  }

  mutating func start(_ rules: [(rule: Int, interval: Int64)], at now: Int64) {
    timers = rules.map { ($0.rule, $0.interval, now + $0.interval) }
  }

  /// The timers that are due; missed ticks are not repeated.
  mutating func ticks(at now: Int64) -> [Int] {
    var due: [Int] = []
    for index in timers.indices where timers[index].due <= now {
      due.append(timers[index].rule)
      let late = now - timers[index].due
      let interval = timers[index].interval
      timers[index].due += (late / interval + 1) * interval
    }
    return due
  }

  mutating func append(_ run: [Item]) {
    if !run.isEmpty { queue.append(run) }
  }

  /// The next effect; nil if there is none or a wait is in progress.
  mutating func next(at now: Int64) -> ScriptMachine.Effect? {
    if let resumeAt {
      guard resumeAt <= now else { return nil }
      self.resumeAt = nil
    }
    while head < queue.count {
      guard position < queue[head].count else {
        (head, position) = (head + 1, 0)
        if head > 1024 {
          queue.removeFirst(head)
          head = 0
        }
        continue
      }
      let item = queue[head][position]
      position += 1
      switch item {
      case .work(let effect): return effect
      case .wait(let duration):
        resumeAt = now + duration
        if duration > 0 { return nil }
      }
    }
    queue.removeAll(keepingCapacity: true)
    head = 0
    return nil
  }
}
