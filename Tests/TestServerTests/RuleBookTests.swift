import Conversation
import Testing

@testable import TestServer

/// Which rules are for which upgrade.
@Suite struct RuleBookTests {
  private func book(_ rules: String) throws -> RuleBook {
    RuleBook(
      try Script.parse(Array(rules.utf8), context: .listenRules).rules, files: [:],
      environment: [:])
  }

  @Test func aScopeIsAPathAndCountsItsOwnUpgrades() throws {
    let book = try book(
      "open 2 => > all\n@/chat open 1 => > chat\n@/chat upgrade 2- => status 503")
    let first = book.upgrade(path: "/x")
    #expect(first.prepared?.script.rules.count == 1)
    #expect(first.openings.isEmpty && first.actions.isEmpty)
    let second = book.upgrade(path: "/chat")
    #expect(second.prepared?.script.rules.count == 3)
    #expect(second.openings == [0, 1] && second.actions.isEmpty)
    let third = book.upgrade(path: "/chat")
    #expect(third.openings.isEmpty)
    #expect(third.actions.map(\.line) == [3])
  }

  @Test func aPathWithoutRulesHasNone() throws {
    #expect(try book("@/chat < a => > b").upgrade(path: "/").prepared == nil)
  }

  @Test func otherRulesCountAnew() throws {
    let book = try book("open 1 => > a")
    #expect(book.upgrade(path: "/").openings == [0])
    let before = book.currentVersion
    let rules = try Script.parse(Array("open 1 => > b\n< c => > d".utf8), context: .listenRules)
    book.replace(rules.rules, files: ["f": [1]])
    #expect(book.currentVersion != before)
    #expect(book.file("f") == [1])
    let visit = book.upgrade(path: "/")
    #expect(visit.openings == [0] && visit.prepared?.script.rules.count == 2)
  }
}
