import Testing

@testable import Conversation

/// Regular expressions: what is found, and that every search ends.
@Suite struct PatternTests {
  static let rows: [(String, String, String?)] = [
    ("^h.l+o$", "hello", "hello"), ("b", "abc", "b"), ("x(.)z", "wxyz", "y"), ("^e", "hello", nil),
    ("a|(b)", "a", ""), ("", "abc", ""), ("(?i)ÄÖ", "äö", "äö"), ("\\w+", "été!", "été"),
    (".", "😀", "😀"), ("\\x{1F600}", "a😀", "😀"), ("(a)(b)(c)(d)", "abcd", "a"), ("^$", "", ""),
    ("a{2,}", "aaa", "aaa"), ("(?<n>\\d+)\\.", "v12.", "12"), ("(*UCP)(?x) a b # c", "ab", "ab"),
    ("(?<=x)y\\K(?=z)", "xyz", ""), ("(a)|(b)", "b", ""), ("(a)?b", "b", ""),
  ]

  @Test(arguments: rows) func whatIsFound(_ pattern: String, _ text: String, _ found: String?)
    throws
  {
    switch try Pattern(pattern).find(in: text) {
    case .found(let range):
      #expect(String(decoding: Array(text.utf8)[range], as: UTF8.self) == found)
    case .notFound: #expect(found == nil)
    case .tooManySteps: Issue.record("too many steps")
    }
  }

  static let grouped: [(String, String, [String?]?)] = [
    ("(a)|(b)", "b", ["b", nil, "b"]), ("(a)|(b)", "a", ["a", "a", nil]), ("a|(b)", "c", nil),
    ("^40(/\\w+,)?(\\{.*\\})?$", "40{}", ["40{}", nil, "{}"]), ("b?(b)?()", "a", ["", nil, ""]),
    (
      "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", "abcdefghijk",
      ["abcdefghijk", "a", "b", "c", "d", "e", "f", "g", "h", "i"]
    ),
  ]

  /// A group that takes no part in the match, before one that does, once ended the process.
  @Test(arguments: grouped) func groups(_ pattern: String, _ text: String, _ groups: [String?]?)
    throws
  {
    let found = try Array(text.utf8).withUnsafeBytes { bytes throws in
      try Pattern(pattern).groups(in: bytes)
    }
    #expect(found == groups)
  }

  static let endless: [(String, String)] = [
    ("(a+)+$", String(repeating: "a", count: 34) + "!"),
    // Each start of a match is within the limit of steps; all of them together are not.
    ("(a+)+$", String(repeating: String(repeating: "a", count: 20) + "!", count: 50_000)),
    ("x.*x.*y$", String(repeating: "x", count: 1 << 20) + "yz"),
    ("(?:(?=.*+)x)*y", String(repeating: "x", count: 1 << 20) + "zy"),
  ]

  /// One core at work for ever was the fault; each of these takes hours without a limit.
  @Test(arguments: endless) func anEndlessSearchEnds(_ pattern: String, _ text: String) throws {
    let pattern = try Pattern(pattern)
    #expect(pattern.find(in: text) == .tooManySteps)
    // What it has left behind does not disturb the next search.
    #expect(pattern.find(in: "") != .tooManySteps)
  }

  /// A search that reads each byte a few times is not taken for an endless one.
  @Test func aLongMessageIsSearchedToItsEnd() throws {
    let text = String(repeating: "abcdefghi ", count: 50_000) + "42"
    for pattern in ["[a-z ]+(\\d\\d)", "(\\d+)$", "(?:\\w|\\s)*?(42)", "\\bfoo\\b|(42)"] {
      let finding = try Pattern(pattern).find(in: text)
      #expect(finding == .found(500_000..<500_002), "\(pattern)")
    }
  }

  static let invalid: [(String, Int)] = [
    ("(", 1), ("a{2,1}", 5), ("[z-a]", 3), ("*", 0), ("a\\", 2),
  ]

  @Test(arguments: invalid) func whatIsNoRegularExpression(_ text: String, _ offset: Int) {
    do throws(Pattern.Failure) {
      _ = try Pattern(text)
      Issue.record("\(text) is taken for one")
    } catch {
      #expect(error.offset == offset)
      #expect(!error.problem.isEmpty)
    }
  }

  /// One pattern may be used by several connections at once.
  @Test func searchesAtOnce() async throws {
    let pattern = try Pattern("(\\d+)$")
    await withTaskGroup(of: Bool.self) { group in
      for number in 0..<50 {
        group.addTask { pattern.find(in: "n\(number + 10)") == .found(1..<3) }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
