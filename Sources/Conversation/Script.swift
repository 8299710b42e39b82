package import WebSocketProtocol

/// A script of `send --script` (PRODUCT 4): steps, one a line, of one connection or of several.
package struct Script: Sendable, Hashable {
  package var steps: [Step]

  /// One step and where it stands.
  package struct Step: Sendable, Hashable {
    /// The line, from 1 on.
    package var line: Int
    /// As it was written, without the spaces around it.
    package var text: String
    /// The name of its connection; nil for the one without a name.
    package var connection: String?
    package var action: Action
  }

  package enum Action: Sendable, Hashable {
    /// Opens the connection; nil: where the command says.
    case connect(Template?)
    /// Text, or what the command sends its messages as.
    case send(Template)
    /// A binary message.
    case sendBytes([UInt8])
    /// Sends the contents of a file, which is looked for beside the script.
    case sendFile(Template)
    case expect(Want, capture: String?)
    /// No message for so long, in ns.
    case expectNone(Int64)
    /// The peer closes; nil: with any code.
    case expectClose(CloseCodes?)
    /// ns.
    case wait(Int64)
    /// Sends a ping and waits for its pong.
    case ping(Template)
    case close(CloseCode, reason: Template)
  }

  /// What a message must be, with its variables to be filled in.
  package enum Want: Sendable, Hashable {
    case text(Template)
    case pattern(Template)
    case json(Template)
    case binary([UInt8])
  }

  /// Whether this can fail because of the peer, and so belongs into a report.
  package static func isTest(_ action: Action) -> Bool {
    switch action {
    case .connect, .expect, .expectNone, .expectClose, .ping: true
    case .send, .sendBytes, .sendFile, .wait, .close: false
    }
  }

  /// The names of the variables that nothing in the script sets before they are used, each with the step
  /// that uses it first.
  package var free: [(name: String, step: Step)] {
    var known: Set<String> = []
    var free: [(name: String, step: Step)] = []
    for step in steps {
      for name in step.action.templates.flatMap(\.names) where known.insert(name).inserted {
        free.append((name, step))
      }
      if case .expect(_, let capture?) = step.action { known.insert(capture) }
    }
    return free
  }

  /// How many connections it opens.
  package var connectionCount: Int {
    steps.count { if case .connect = $0.action { true } else { false } }
  }
}

extension Script.Action {
  var templates: [Template] {
    switch self {
    case .connect(let template): template.map { [$0] } ?? []
    case .send(let template), .sendFile(let template), .ping(let template): [template]
    case .close(_, let template): [template]
    case .expect(.text(let template), _), .expect(.pattern(let template), _),
      .expect(.json(let template), _):
      [template]
    case .sendBytes, .expect(.binary, _), .expectNone, .expectClose, .wait: []
    }
  }
}

/// Why a text is no script.
package struct ScriptError: Error, Sendable, Hashable {
  /// From 1 on; 0 for the whole.
  package var line: Int
  package var problem: String
  /// The line, or the part of it that is wrong.
  package var text: String
}
