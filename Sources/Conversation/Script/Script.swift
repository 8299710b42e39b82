package import WebSocketProtocol

/// A script (LISTEN.md 2): steps, executed in order, on one connection or on several, and rules,
/// which react to messages at any time.
package struct Script: Sendable, Hashable {
  package var steps: [Step]
  /// In file order: the first rule that matches takes a message.
  package var rules: [Rule] = []

  package init(steps: [Step], rules: [Rule] = []) { (self.steps, self.rules) = (steps, rules) }

  /// One step and its position.
  package struct Step: Sendable, Hashable {
    /// The line number, from 1.
    package var line: Int
    /// The line as written, without the spaces around it.
    package var text: String
    /// The name of its connection; nil for the unnamed connection.
    package var connection: String?
    package var action: Action
  }

  package enum Action: Sendable, Hashable {
    /// Opens the connection; nil uses the URL of the command.
    case connect(Template?)
    /// Sends a message of the kind that the command uses.
    case send(Template)
    /// Sends a binary message.
    case sendBytes([UInt8])
    /// Sends the contents of a file, relative to the script.
    case sendFile(Template)
    case expect(Want, capture: String?)
    /// Expects no message for this time, in ns.
    case expectNone(Int64)
    /// Expects the peer to close; nil accepts any code.
    case expectClose(CloseCodes?)
    /// Waits, in ns.
    case wait(Int64)
    /// Sends a ping; a step waits for its pong.
    case ping(Template)
    case close(CloseCode, reason: Template)
    /// Rejects the upgrade: an HTTP status from 200 to 599, and the body, or the Location of a
    /// redirect.
    case status(Int, Template)
    /// Resets the TCP connection.
    case reset
    /// Sends nothing more and discards received data.
    case stall
    /// Takes the message and does nothing.
    case nothing
  }

  /// The condition for a message, with variables still to be filled in.
  package enum Want: Sendable, Hashable {
    case text(Template)
    case pattern(Template)
    case json(Template)
    case binary([UInt8])
    case any
  }

  /// Whether the action can fail because of the peer, and therefore belongs in a report.
  package static func isTest(_ action: Action) -> Bool {
    switch action {
    case .connect, .expect, .expectNone, .expectClose, .ping: true
    case .send, .sendBytes, .sendFile, .wait, .close, .status, .reset, .stall, .nothing: false
    }
  }

  /// The number of connections that the script opens.
  package var connectionCount: Int {
    steps.count { if case .connect = $0.action { true } else { false } }
  }
}

// MARK: Rules

extension Script {
  /// An event and the actions to execute when it happens.
  package struct Rule: Sendable, Hashable {
    /// The line number, from 1; negative for a rule given outside a file, the first of which is -1.
    package var line: Int
    /// The event as written, with its scope.
    package var text: String
    package var scope: Scope?
    /// Whether it fires at most once per connection.
    package var isOnce: Bool
    package var event: Event
    package var actions: [RuleAction]
  }

  /// The name of a rule in logs, by its line: `7`, or `on1`.
  package static func ruleName(_ line: Int) -> String { line < 0 ? "on\(-line)" : "\(line)" }

  package enum Scope: Sendable, Hashable {
    /// A connection of `send`.
    case connection(String)
    /// Clients of `listen` whose path matches the glob.
    case path(String)
  }

  package enum Event: Sendable, Hashable {
    case message(Want, capture: String?)
    /// An interval in ns.
    case every(Int64)
    /// The numbers of the upgrades, counted from 1.
    case open(ClosedRange<Int>)
    case closed
    case upgrade(ClosedRange<Int>)
  }

  package struct RuleAction: Sendable, Hashable {
    package var line: Int
    /// The line as written, without the spaces around it.
    package var text: String
    /// nil: the connection of the event.
    package var target: Target?
    package var action: Action
  }

  package enum Target: Sendable, Hashable {
    /// A connection of `send`.
    case connection(String)
    /// All clients in the scope of the rule.
    case all
    /// All clients in the scope of the rule except this one.
    case others
    /// Clients whose path matches the glob.
    case path(String)
    /// One client, by its number.
    case client(Int)
  }
}

// MARK: Variables

extension Script {
  /// The names that are used without being set, each with the line of its first use: a step
  /// requires a capture above it, a rule any capture in the file.
  package var free: [(name: String, line: Int, text: String)] {
    let captured = Set(steps.compactMap(\.action.capture) + rules.compactMap(\.event.capture))
    var known = Set(rules.compactMap(\.event.capture))
    var free: [(name: String, line: Int, text: String)] = []
    for step in steps {
      for name in step.action.templates.flatMap(\.names) where known.insert(name).inserted {
        free.append((name, step.line, step.text))
      }
      if let capture = step.action.capture { known.insert(capture) }
    }
    known.formUnion(captured)
    for rule in rules {
      let own = rule.event.templates.flatMap(\.names).map { ($0, rule.line, rule.text) }
      let done = rule.actions.flatMap { action in
        action.action.templates.flatMap(\.names).map { ($0, action.line, action.text) }
      }
      for (name, line, text) in own + done
      where name != "MESSAGE" && known.insert(name).inserted {
        free.append((name, line, text))
      }
    }
    return free
  }
}

extension Script.Action {
  var templates: [Template] {
    switch self {
    case .connect(let template): template.map { [$0] } ?? []
    case .send(let template), .sendFile(let template), .ping(let template),
      .status(_, let template):
      [template]
    case .close(_, let template): [template]
    case .expect(let want, _): want.templates
    case .sendBytes, .expectNone, .expectClose, .wait, .reset, .stall, .nothing: []
    }
  }

  var capture: String? {
    if case .expect(_, let capture) = self { capture } else { nil }
  }
}

extension Script.Event {
  var templates: [Template] {
    if case .message(let want, _) = self { want.templates } else { [] }
  }

  var capture: String? {
    if case .message(_, let capture) = self { capture } else { nil }
  }
}

extension Script.Want {
  var templates: [Template] {
    switch self {
    case .text(let template), .pattern(let template), .json(let template): [template]
    case .binary, .any: []
    }
  }
}

/// Why a text is not a valid script.
package struct ScriptError: Error, Sendable, Hashable {
  /// The line number, from 1; 0 for the whole script.
  package var line: Int
  package var problem: String
  /// The line, or the part of it that is wrong.
  package var text: String
}
