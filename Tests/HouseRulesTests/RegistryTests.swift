import Testing

@testable import Conversation
@testable import TestPeers
@testable import wscope

/// What every registry promises: its entries are unique, well-formed, and found where people look.
@Suite(.blocking) struct RegistryTests {
  // MARK: Slash commands

  @Test func slashCommands() throws {
    let entries = CommandRegistry.entries
    #expect(Set(entries.map(\.name)).count == entries.count)
    for entry in entries {
      #expect(entry.name.wholeMatch(of: /[a-z][a-z0-9]*/) != nil, "\(entry.name)")
      #expect(entry.explanation.wholeMatch(of: /[A-Z].*\./) != nil, "\(entry.explanation)")
      // A call that fills its column leaves no room for a summary.
      #expect(!entry.summary.isEmpty || entry.call.count > 23, "\(entry.name)")
      let calls = try Self.texts.get().count { text in
        ["\"/", " /", "\n/"].contains { text.contains("\($0)\(entry.name)") }
      }
      #expect(calls > 0, "/\(entry.name) has no test")
    }
  }

  // MARK: The step language

  @Test func scriptWords() throws {
    let page = try Repository.text("man/wscope-send.1")
    let words = ScriptWord.allCases.filter {
      $0.isStep(in: .send) || $0.isRuleAction(in: .send)
    }
    // An action that only rules have, and a step that only scripts have.
    #expect(words.contains(.nothing) && words.contains(.connect) && !words.contains(.status))
    for word in words {
      #expect(page.contains("\(word.rawValue) ") || page.contains("\(word.rawValue)\n"), "\(word)")
      // At the beginning of a line of a script, in a test of the parser or of the machine.
      let isTested = try Self.scripts.get().contains { text in
        ["\"", "\\n", "      ", "=> "].contains { start in
          [" ", "\n", "\\n", "\""].contains { text.contains(start + word.rawValue + $0) }
        }
      }
      #expect(isTested, "\(word) has no test")
    }
    for word in ScriptEventWord.allCases {
      #expect(ScriptWord(rawValue: word.rawValue) == nil, "\(word) is an action too")
    }
  }

  /// Each context has its own words, and none has a word that it cannot do.
  @Test(arguments: ScriptContext.allCases)
  func aContextHasItsWords(_ context: ScriptContext) {
    let steps = ScriptWord.allCases.filter { $0.isStep(in: context) }
    #expect(steps.isEmpty == (context == .listenRules))
    #expect(!steps.contains(.nothing))
    let actions = ScriptWord.allCases.filter { $0.isRuleAction(in: context) }
    #expect(actions.allSatisfy { !$0.isMessage })
    #expect(actions.contains(.reset) == context.isListening)
  }

  // MARK: Exit codes

  @Test func exitCodes() throws {
    let all = ExitStatus.allCases
    #expect(Set(all.map(\.meaning)).count == all.count)
    for status in all {
      #expect(!status.meaning.isEmpty && !status.meaning.hasSuffix("."), "\(status)")
      // Nothing ends with it yet: thresholds of bench are to come.
      guard status != .thresholdBroken else { continue }
      let tests = try Self.texts.get().count { text in
        ["exitCode: ", "exitCode == "].contains { text.contains("\($0)\(status.rawValue)") }
      }
      #expect(tests > 0, "\(status.rawValue) has no test")
    }
  }

  private static let scripts = Result {
    try ["ScriptTests", "ScriptMachineTests"].map {
      try Repository.text("Tests/ConversationTests/\($0).swift")
    }
  }

  private static let texts = Result {
    try
      (Repository.files(below: "Tests/EndToEndTests")
      + Repository.files(below: "Tests/ConversationTests")).map { try Repository.text($0) }
  }
}
