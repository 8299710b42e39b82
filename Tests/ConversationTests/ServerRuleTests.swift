import Testing
import WebSocketProtocol

@testable import Conversation

/// Rules of a server, which have no steps: what the step machine does with them, without a server.
@Suite struct ServerRuleTests {
  /// Plays the rules on connection 1, at times in ms.
  private struct Play {
    var machine: ScriptMachine
    var moment = ScriptMachine.Moment(monotonic: 0) { name in
      name == "MS" ? .number("1700") : .string(name.lowercased())
    }
    var effects: [ScriptMachine.Effect] = []

    init(_ rules: String) throws {
      machine = ScriptMachine(
        try Script.parse(Array(rules.utf8), context: .listenRules),
        variables: ScriptVariables(environment: [:]), limits: .init(wait: 1_000_000_000))
    }

    mutating func text(_ text: String) { handle(.message(1, .text, Array(text.utf8))) }

    mutating func handle(_ event: ScriptMachine.Event, at milliseconds: Int64 = 0) {
      moment.monotonic = milliseconds * 1_000_000
      machine.handle(event, at: &moment, into: &effects)
    }

    /// What was sent to the client since the last call.
    mutating func sent() -> [String] {
      defer { effects = [] }
      return effects.compactMap { effect in
        guard case .send(.connection(1), .text, let payload) = effect.work else { return nil }
        return String(decoding: payload, as: UTF8.self)
      }
    }
  }

  @Test func aMessageIsTakenOrIsNot() throws {
    var play = try Play("< ping => > pong")
    play.handle(.opened(1))
    play.text("ping")
    #expect(play.machine.fate == .taken(rule: 1))
    #expect(play.sent() == ["pong"])
    play.text("pin")
    #expect(play.machine.fate == .unmatched)
    #expect(play.sent().isEmpty && play.machine.result == nil)
  }

  @Test func openingsFireOnlyIfTheyAreFor() throws {
    var play = try Play("open 2 => > second\nopen => > hello $MS $UUID")
    play.handle(.opened(1, openings: [1]))
    #expect(play.sent() == ["hello 1700 uuid"])
  }

  @Test func aClosedRuleOutlivesItsConnection() throws {
    var play = try Play("@/a closed => @all > gone\n=> wait 50ms\n=> @others > really")
    play.handle(.opened(1))
    play.handle(.ended(1, .lost(.endOfStream)))
    let scope = Script.Scope.path("/a")
    #expect(
      play.effects.map(\.work) == [
        .send(.clients(.all, scope: scope, from: 1), .text, Array("gone".utf8))
      ])
    #expect(play.machine.nextDeadline == 50_000_000)
    play.effects = []
    play.handle(.due, at: 50)
    #expect(
      play.effects.map(\.work) == [
        .send(.clients(.others, scope: scope, from: 1), .text, Array("really".utf8))
      ])
    #expect(play.machine.nextDeadline == nil)
  }

  @Test func predefinedValuesChange() throws {
    var play = try Play("<* => > $N")
    play.handle(.opened(1))
    play.machine.define("N", .number("1"))
    play.text("x")
    play.machine.define("N", .number("2"))
    play.text("x")
    #expect(play.sent() == ["1", "2"])
  }

  @Test func otherRulesKeepWhatWasCaptured() throws {
    var play = try Play("<~ ^i am (.*) -> WHO => wait 10ms\n=> > late\nonce < a => > one")
    play.handle(.opened(1))
    play.text("a")
    play.text("i am ann")
    #expect(play.sent() == ["one"])
    let other = try Script.parse(
      Array("<~ ^i am (.*) -> WHO => > ok\nonce < a => > again $WHO\nevery 20ms => > tick".utf8),
      context: .listenRules)
    play.machine = play.machine.replacing(
      rules: PreparedScript(other, ScriptVariables(environment: [:])), at: 5_000_000)
    play.text("a")
    // Its turn comes after the actions that wait.
    play.handle(.due, at: 10)
    #expect(play.sent() == ["late", "again ann"])
    play.handle(.due, at: 25)
    #expect(play.sent() == ["tick"])
  }

  @Test(arguments: [
    ("(a+)+$", true), ("(a*)*", true), ("(?:x|(y{2,}z)+)", true), ("((a+)b)*", true),
    ("(a+)?", false), ("(a)+", false), ("a+b*", false), ("([+*])+", false), ("([]+])*", false),
    ("(\\+)*", false), ("(a{2})+", false), ("(a+)++", false), ("(a+){2,3}", false),
  ]) func nestedQuantifiers(_ pattern: String, _ isSlow: Bool) {
    #expect(Script.hasNestedQuantifiers(pattern) == isSlow)
  }

  @Test func slowPatternsAreFoundByTheirLines() throws {
    let rules = try Script.parse(
      Array("< a => > b\n<~ (x+x+)+y => > z\n<~ x+ => > z".utf8), context: .listenRules)
    #expect(Script.slowPatterns(in: rules) == [2])
  }

  @Test(arguments: [
    "<~ (.*) => >@ $1", "<json .f -> F => >@ $F", "<* => >@ ${.name}", "<* => >@ $MESSAGE",
    "open => >@ ${?file}", "open => >@ $PATH",
  ]) func noFileIsNamedByAPeer(_ rule: String) {
    #expect {
      _ = try Script.parse(Array(rule.utf8), context: .listenRules)
    } throws: { error in
      (error as? ScriptError)?.problem == "the file name of >@ must not come from a peer"
    }
  }

  @Test func globs() {
    for (pattern, text, fits) in [
      ("/*", "/a/b", true), ("/a*c", "/abc", true), ("/a*c", "/abd", false), ("*", "", true),
      ("/a", "/a/", false), ("/*/x", "/1/2/x", true), ("", "a", false),
    ] {
      #expect(Glob.matches(pattern, text) == fits, "\(pattern) \(text)")
    }
  }
}
