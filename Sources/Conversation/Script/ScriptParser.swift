import WebSocketProtocol

extension Script {
  /// The maximum size of a script in bytes.
  package static let maxSize = 1 << 20
  package static let maxRules = 10_000
  package static let maxRuleActions = 64

  /// Parses a script.
  ///
  /// - Throws: the problem of the first invalid line.
  package static func parse(
    _ bytes: [UInt8], context: ScriptContext = .send
  ) throws(ScriptError) -> Script {
    guard bytes.count <= maxSize else {
      throw ScriptError(line: 0, problem: "larger than 1 MiB", text: "")
    }
    if let offset = bytes.withUnsafeBytes({ UTF8Validator.firstInvalid(in: $0) }) {
      let lines = bytes[..<offset].split(separator: 0x0A, omittingEmptySubsequences: false)
      throw ScriptError(
        line: lines.count,
        problem: "not valid UTF-8: byte \(String(bytes[offset], radix: 16)) at byte "
          + "\(lines.last?.count ?? 0) of the line",
        text: String(decoding: lines.last ?? [], as: UTF8.self))
    }
    let text = String(decoding: bytes, as: UTF8.self)
    var parser = ScriptParser(context)
    // Split as bytes: a carriage return and a newline together are one Character.
    let lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let line = line.last == 0x0D ? line.dropLast() : line
      try parser.read(String(Substring(line)), number: index + 1)
    }
    return try parser.script()
  }
}

/// The problem in a part of a line.
struct ScriptProblem: Error {
  var message: String
}

private struct ScriptParser {
  private let context: ScriptContext
  private var steps: [Script.Step] = []
  private var rules: [Script.Rule] = []
  private var isAfterRule = false
  /// The connections opened so far; nil is the unnamed one.
  private var opened: Set<String?> = []

  init(_ context: ScriptContext) { self.context = context }

  func script() throws(ScriptError) -> Script {
    guard !steps.isEmpty || context == .listenRules else {
      throw ScriptError(line: 0, problem: "the script has no steps", text: "")
    }
    guard !rules.isEmpty || context != .listenRules else {
      throw ScriptError(line: 0, problem: "the file has no rules", text: "")
    }
    try checkThatStepsCanBeMet()
    if context.isListening { try checkFileNames() }
    return Script(steps: steps, rules: rules)
  }

  /// A server reads the files when it starts, so their names must be known then.
  private func checkFileNames() throws(ScriptError) {
    let captured = Set(
      steps.compactMap(\.action.capture) + rules.compactMap(\.event.capture)
        + context.predefined)
    let actions =
      steps.map { ($0.action, $0.line, $0.text) }
      + rules.flatMap(\.actions).map { ($0.action, $0.line, $0.text) }
    for (action, line, text) in actions {
      guard case .sendFile(let name) = action else { continue }
      let isKnown = name.parts.allSatisfy { part in
        switch part {
        case .text: true
        case .variable(let name): !captured.contains(name)
        case .group, .member, .query: false
        }
      }
      guard isKnown else {
        throw ScriptError(
          line: line, problem: "the file name of >@ must not come from a peer", text: text)
      }
    }
  }

  /// Rules take messages before steps do.
  private func checkThatStepsCanBeMet() throws(ScriptError) {
    guard
      let greedy = rules.first(where: { $0.event.isAnyMessage && $0.scope == nil && !$0.isOnce })
    else { return }
    let waiting = steps.filter { if case .expect = $0.action { true } else { false } }.map(\.line)
    guard !waiting.isEmpty else { return }
    let lines =
      waiting.count == 1
      ? "step in line \(waiting[0])"
      : "steps in lines \(waiting.dropLast().map(String.init).joined(separator: ", "))"
        + " and \(waiting[waiting.count - 1])"
    throw ScriptError(
      line: greedy.line, problem: "this rule takes every message: the \(lines) can never be met",
      text: greedy.text)
  }

  mutating func read(_ text: String, number: Int) throws(ScriptError) {
    let line = text.drop { $0 == " " || $0 == "\t" }
    guard let first = line.first, first != "#" else { return }
    do throws(ScriptProblem) {
      if line.hasPrefix("=>") {
        try addAction(line, number)
      } else if try !readRule(line, number) {
        try readStep(line, number)
      }
    } catch {
      throw ScriptError(line: number, problem: error.message, text: String(line))
    }
  }

  // MARK: Steps

  private mutating func readStep(_ line: Substring, _ number: Int) throws(ScriptProblem) {
    guard context != .listenRules else {
      throw ScriptProblem(message: "a rules file takes no steps: write EVENT => ACTION")
    }
    isAfterRule = false
    var connection: String?
    var rest = line
    if line.first == "@" {
      let name = Template.name(at: line.dropFirst())
      rest = line.dropFirst(name.count + 1)
      guard !name.isEmpty, rest.first == " " else {
        throw ScriptProblem(message: "@ requires the name of a connection and a space after it")
      }
      guard context == .send else {
        throw ScriptProblem(message: "@\(name) is not available in listen: it has one connection")
      }
      connection = name
      rest = rest.drop { $0 == " " || $0 == "\t" }
    }
    let action = try ActionParser(context: context, isRule: false).action(rest)
    let step = Script.Step(
      line: number, text: String(line), connection: connection, action: action)
    if let last = steps.last, case .status = last.action {
      throw ScriptProblem(message: "status must be the only step, or follow upgrade =>")
    }
    if case .status = action, !steps.isEmpty {
      throw ScriptProblem(message: "status must be the only step, or follow upgrade =>")
    }
    if context == .send { try open(for: step) }
    steps.append(step)
  }

  /// The unnamed connection is opened by its first step, others by `connect`.
  private mutating func open(for step: Script.Step) throws(ScriptProblem) {
    switch step.action {
    case .connect:
      opened.insert(step.connection)
      return
    case .wait where step.connection == nil: return
    default: break
    }
    guard opened.insert(step.connection).inserted else { return }
    if let name = step.connection {
      throw ScriptProblem(message: "@\(name) is not open: open it with @\(name) connect")
    }
    steps.append(Script.Step(line: step.line, text: "connect", action: .connect(nil)))
  }

  // MARK: Rules

  /// - Returns: false if the line is a step.
  private mutating func readRule(
    _ line: Substring, _ number: Int
  ) throws(ScriptProblem) -> Bool {
    guard let head = try RuleHead(line, context) else { return false }
    guard rules.count < Script.maxRules else {
      throw ScriptProblem(message: "more than \(Script.maxRules) rules")
    }
    let event = try RuleParser(context: context).event(head)
    rules.append(
      Script.Rule(
        line: number, text: head.text, scope: head.scope, isOnce: head.isOnce, event: event,
        actions: []))
    isAfterRule = true
    try append(head.action, line, number)
    return true
  }

  private mutating func addAction(
    _ line: Substring, _ number: Int
  ) throws(ScriptProblem) {
    guard isAfterRule else {
      throw ScriptProblem(message: "=> continues a rule, but the line above is not a rule")
    }
    let rest = line.dropFirst(2)
    guard rest.first == " " || rest.first == "\t" else {
      throw ScriptProblem(message: "a space is required after =>")
    }
    try append(rest, line, number)
  }

  private mutating func append(
    _ action: Substring, _ text: Substring, _ number: Int
  ) throws(ScriptProblem) {
    let last = rules.count - 1
    guard rules[last].actions.count < Script.maxRuleActions else {
      throw ScriptProblem(message: "more than \(Script.maxRuleActions) actions in one rule")
    }
    rules[last].actions.append(
      try RuleParser(context: context).action(
        action, of: rules[last], line: number, text: String(text)))
  }
}

extension Script.Event {
  fileprivate var isAnyMessage: Bool {
    if case .message(.any, _) = self { true } else { false }
  }
}
