import TestPeers
import Testing

/// The rules of the house, held by tests. Every rule is shown to be breakable by examples.
@Suite(.blocking) struct HouseRulesTests {
  @Test(arguments: HouseRule.all)
  func everySourceKeeps(_ rule: HouseRule) throws {
    let files = try Repository.sources.get()
    #expect(files.count > 50)
    for file in files {
      #expect(rule.breaches(file) == [], "\(file.path): \(rule.name)")
    }
  }

  @Test(arguments: HouseRule.all)
  func theRuleCanBeBroken(_ rule: HouseRule) {
    for example in rule.broken {
      #expect(rule.breaches(example.file) != [], "\(example.path): \(example.text)")
    }
    for example in rule.kept {
      #expect(rule.breaches(example.file) == [], "\(example.path): \(example.text)")
    }
  }

  /// The rows of the table are the folders below Sources: none is left over, none is missing.
  @Test func theTableOfImportsIsTheHouse() throws {
    let folders = Set(try Repository.sources.get().map(\.target))
    #expect(folders == Set(HouseRule.mayImport.keys))
  }

  /// A door that nobody goes through any more is to be walled up.
  @Test(arguments: HouseRule.confined.keys.sorted())
  func everyDoorIsUsed(_ module: String) throws {
    let users = try Repository.sources.get().filter { $0.imports.contains { $0.module == module } }
    for door in HouseRule.confined[module] ?? [] {
      #expect(users.contains { $0.path.hasPrefix(door) }, "\(door) does not import \(module)")
    }
  }

  @Test func testsHaveNamesThatSaySomething() throws {
    for path in try Repository.files(below: "Tests") {
      #expect(HouseRule.emptyName(in: path) == nil, "\(path)")
    }
  }
}

/// What the reader of sources takes for code.
@Suite(.blocking) struct SourceFileTests {
  @Test(arguments: [
    ("a // b", "a     "),
    ("a /* b /* c */ d */ e", "a                   e"),
    ("a(\"b\")", "a(   )"),
    ("\"a \\\"b\" c", "        c"),
    ("\"a\\(b(\"c\"))d\" e", "    b(   )    e"),
    ("#\"a\"b\\(c)\"# d", "            d"),
    ("#\"a\\#(b)\"# d", "      b    d"),
    ("\"\"\"\na\"b\n\"\"\" c", "   \n   \n    c"),
    ("#if os(Linux)", "#if os(Linux)"),
  ])
  func codeWithoutCommentsAndStrings(_ text: String, _ code: String) {
    #expect(SourceFile(path: "", text: text).code == code)
  }

  @Test func importsInAllTheirSpellings() {
    let file = SourceFile(
      path: "Sources/A/B.swift",
      text: """
        import A
        @preconcurrency import B
        @testable package import C
          internal import struct D.E
        let important = 1
        """)
    #expect(
      file.imports.map(\.scope) == ["A", "B", "C", "struct D.E"])
    #expect(file.imports.map(\.module) == ["A", "B", "C", "D"])
    #expect(file.imports.map(\.line) == [1, 2, 3, 4])
  }
}
