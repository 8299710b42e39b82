import WebSocketProtocol

/// The parts of the line of a rule: `[scope] [once] event => action`.
struct RuleHead {
  let scope: Script.Scope?
  let isOnce: Bool
  /// The event, without trailing spaces.
  let event: Substring
  let action: Substring
  /// Everything before the arrow, as written.
  let text: String

  /// - Returns: nil if the line is a step.
  init?(_ line: Substring, _ context: ScriptContext) throws(ScriptProblem) {
    var rest = line
    var scope: Script.Scope?
    var isRule = false
    if rest.first == "@" {
      let word = rest.prefix { $0 != " " && $0 != "\t" }
      if word.hasPrefix("@/") {
        guard context == .listenRules else {
          throw ScriptProblem(message: "\(word) is only available in a rules file")
        }
        (scope, isRule) = (.path(String(word.dropFirst())), true)
      } else if word == "@up", context.isListening {
        throw ScriptProblem(message: "@up requires --tap")
      } else {
        scope = .connection(String(word.dropFirst()))
      }
      rest = rest.dropFirst(word.count).drop { $0 == " " || $0 == "\t" }
    }
    var isOnce = false
    if rest.hasPrefix("once "), !rest.dropFirst(5).allSatisfy({ $0 == " " }) {
      (isOnce, isRule) = (true, true)
      rest = rest.dropFirst(5).drop { $0 == " " || $0 == "\t" }
    }
    let word = rest.prefix { $0 != " " && $0 != "\t" }
    isRule = isRule || ScriptEventWord(rawValue: String(word)) != nil
    let arrow = Self.arrow(in: rest)
    guard isRule || word.first == "<" && arrow != nil else { return nil }
    guard let arrow else {
      throw ScriptProblem(message: "a rule needs => and an action, as in: open => > hello")
    }
    if case .connection(let name) = scope {
      guard context == .send else {
        throw ScriptProblem(message: "@\(name) is not available in listen")
      }
      guard Template.name(at: name[...]) == name else {
        throw ScriptProblem(message: "@ requires the name of a connection and a space after it")
      }
    }
    var event = rest[..<arrow.start]
    while event.last == " " || event.last == "\t" { event.removeLast() }
    (self.scope, self.isOnce, self.event) = (scope, isOnce, event)
    action = rest[arrow.end...]
    text = String(line[..<event.endIndex])
  }

  /// The first ` => `. An arrow at the end of the line counts too, so that the missing action is
  /// reported.
  private static func arrow(in text: Substring) -> (start: Substring.Index, end: Substring.Index)? {
    var rest = text
    while let space = rest.firstIndex(of: " ") {
      let after = rest[space...].dropFirst()
      if after.hasPrefix("=> ") || after == "=>" {
        return (space, text.index(after.startIndex, offsetBy: 2))
      }
      rest = after
    }
    return nil
  }
}

/// Parses events and the actions of their rules (LISTEN.md 2.3).
struct RuleParser {
  let context: ScriptContext

  /// In ns.
  private static let minInterval: Int64 = 10_000_000

  func event(_ head: RuleHead) throws(ScriptProblem) -> Script.Event {
    let word = head.event.prefix { $0 != " " && $0 != "\t" }
    let rest = head.event.dropFirst(word.count).dropFirst()
    if let known = ScriptWord(rawValue: String(word)), known.isMessage {
      let (want, capture) = try ActionParser(context: context, isRule: false).want(known, rest)
      return .message(want, capture: capture)
    }
    guard let known = ScriptEventWord(rawValue: String(word)) else {
      let words = ScriptEventWord.allCases.filter { $0.isAvailable(in: context) }.map(\.rawValue)
      if let near = Nearest.word(to: String(word), among: words) {
        throw ScriptProblem(message: "unknown event \"\(word)\"; did you mean \(near)?")
      }
      throw ScriptProblem(message: "unknown event \"\(word)\"")
    }
    guard known.isAvailable(in: context) else {
      throw ScriptProblem(message: "\(word) is only available in a rules file")
    }
    guard !head.isOnce else {
      throw ScriptProblem(message: "once is for messages: \(word) has ranges, as in open 1")
    }
    switch known {
    case .every:
      let interval = try ActionParser.duration(rest)
      guard interval >= Self.minInterval else {
        throw ScriptProblem(message: "every must be at least 10ms")
      }
      return .every(interval)
    case .open: return .open(try range(rest))
    case .upgrade: return .upgrade(try range(rest))
    case .closed:
      guard ActionParser.trimmed(rest).isEmpty else {
        throw ScriptProblem(message: "closed takes nothing after it")
      }
      return .closed
    }
  }

  /// `N`, `N-M` or `N-`; all numbers if empty.
  private func range(_ text: Substring) throws(ScriptProblem) -> ClosedRange<Int> {
    let text = ActionParser.trimmed(text)
    guard !text.isEmpty else { return 1...Int.max }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    let first = Int(ends[0]), last = ends.last.flatMap { $0.isEmpty ? Int.max : Int($0) }
    guard ends.count <= 2, let first, let last, first >= 1, last >= first else {
      throw ScriptProblem(message: "invalid range \"\(text)\" (expected 3, 1-3 or 4-)")
    }
    return first...last
  }

  // MARK: Actions

  func action(
    _ action: Substring, of rule: Script.Rule, line: Int, text: String
  ) throws(ScriptProblem) -> Script.RuleAction {
    var rest = action.drop { $0 == " " || $0 == "\t" }
    guard !rest.isEmpty else {
      throw ScriptProblem(message: "a rule needs => and an action, as in: open => > hello")
    }
    var target: Script.Target?
    if rest.first == "@" {
      let word = rest.prefix { $0 != " " && $0 != "\t" }
      target = try self.target(word.dropFirst())
      rest = rest.dropFirst(word.count).drop { $0 == " " || $0 == "\t" }
      guard !rest.isEmpty else {
        throw ScriptProblem(message: "an action is missing after \(word)")
      }
    }
    let action: Script.Action
    do throws(ScriptProblem) {
      action = try ActionParser(context: context, isRule: true).action(rest)
    } catch {
      throw explained(error, rest, of: rule)
    }
    try check(action, target, of: rule)
    return Script.RuleAction(line: line, text: text, target: target, action: action)
  }

  /// Explains how to wait for a text with an arrow in it: such a step was valid before rules were
  /// introduced.
  private func explained(
    _ problem: ScriptProblem, _ action: Substring, of rule: Script.Rule
  ) -> ScriptProblem {
    guard problem.message.hasPrefix("unknown action"), rule.actions.isEmpty, rule.scope == nil,
      !rule.isOnce, rule.text.hasPrefix("< ")
    else { return problem }
    let word = action.prefix { $0 != " " && $0 != "\t" }
    return ScriptProblem(
      message: "unknown action \"\(word)\" after =>; to wait for a text that contains \" => \" "
        + "write <e \(rule.text.dropFirst(2)) \\u{3d}> \(action)")
  }

  private func target(_ name: Substring) throws(ScriptProblem) -> Script.Target {
    guard context.isListening else {
      guard !name.isEmpty, Template.name(at: name) == name else {
        throw ScriptProblem(message: "@ requires the name of a connection and a space after it")
      }
      return .connection(String(name))
    }
    switch name {
    case "all": return .all
    case "others": return .others
    case "up": throw ScriptProblem(message: "@up requires --tap")
    default: break
    }
    if name.first == "/" { return .path(String(name)) }
    guard let number = Int(name), number >= 1 else {
      throw ScriptProblem(message: "unknown target @\(name) (expected @all, @others, @3 or @/PATH)")
    }
    return .client(number)
  }

  private func check(
    _ action: Script.Action, _ target: Script.Target?, of rule: Script.Rule
  ) throws(ScriptProblem) {
    switch (rule.event, action) {
    case (.upgrade, .status), (.upgrade, .wait), (.upgrade, .reset), (.upgrade, .stall): break
    case (.upgrade, _):
      throw ScriptProblem(message: "upgrade takes the actions status, wait, reset and stall")
    case (_, .status):
      throw ScriptProblem(message: "status must be the only step, or follow upgrade =>")
    case (.closed, .wait), (.closed, .nothing): break
    case (.closed, _) where target == nil:
      throw ScriptProblem(message: "name a target: the client of a closed rule is gone")
    default: break
    }
    for part in action.templates.flatMap(\.parts) { try check(part, of: rule) }
  }

  private func check(_ part: Template.Part, of rule: Script.Rule) throws(ScriptProblem) {
    let event = rule.event.word
    switch part {
    case .text: return
    case .variable(let name):
      guard name == "MESSAGE", event != "<" else { return }
      throw ScriptProblem(message: "$MESSAGE requires a message: \(event) has none")
    case .group(let number):
      if case .message(.pattern, _) = rule.event { return }
      throw ScriptProblem(message: "$\(number) requires a regular expression (<~) before =>")
    case .member(let path):
      guard event != "<" else { return }
      throw ScriptProblem(message: "${\(path.text)} requires a message: \(event) has none")
    case .query(let name):
      guard !context.isListening else { return }
      throw ScriptProblem(message: "${?\(name)} is only available in listen")
    }
  }
}

extension Script.Event {
  /// `<` for a message.
  var word: String {
    switch self {
    case .message: "<"
    case .every: "every"
    case .open: "open"
    case .closed: "closed"
    case .upgrade: "upgrade"
    }
  }
}
