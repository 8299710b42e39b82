import Testing
import WebSocketProtocol

@testable import Conversation

/// The subset of jq's paths, beside what `jq -e` says of the same rows where it can be asked.
@Suite struct JSONConditionTests {
  private static let document = #"""
    {"op":"pong","n":3,"big":9007199254740993,"f":1.50,"no":false,"yes":true,"nil":null,"s":"3",
     "a":{"b":[3,{"c":"d"},-1]},"odd name":"x","é":"y","list":[],"q":"a\"b","o":{"x":1,"y":[2]},
     "p":{"y":[2.0],"x":1}}
    """#

  static let rows: [(String, Bool)] = [
    (".", true), (".op", true), (".no", false), (".nil", false), (".missing", false),
    (".list", true), (".n", true), (".op == \"pong\"", true), (".op==\"pong\"", true),
    ("  .op  ==  \"pong\"  ", true), ("\"pong\" == .op", true), (".op != \"pong\"", false),
    (".op == \"PONG\"", false), (".n == 3", true), (".n == 3.0", true), (".n == 30e-1", true),
    (".n != 4", true), (".n == \"3\"", false), (".s == 3", false), (".n < 4", true),
    (".n < 3", false), (".n <= 3", true), (".n > -1", true), (".n >= 3", true),
    (".n >= 3.5", false),
    (".big == 9007199254740993", true), (".big == 9007199254740992", false),
    (".big > 9007199254740992", true), (".f == 1.5", true), (".yes == true", true),
    (".no == false", true), (".nil == null", true), (".missing == null", true),
    (".missing.deeper == null", true), (".missing != null", false), (".a.b[0] == 3", true),
    (".a.b[0] != 3", false), (".a.b[1].c == \"d\"", true), (".a.b[-1] == -1", true),
    (".a.b[9] == null", true), (".a[\"b\"][0] == 3", true), (".[\"odd name\"] == \"x\"", true),
    (".\"odd name\" == \"x\"", true), (".[\"é\"] == \"y\"", true), (".q == \"a\\\"b\"", true),
    (".op == \"p\\u006fng\"", true), (".op < \"q\"", true), (".op > \"pon\"", true),
    (".s == .s", true), (".n == .s", false), (".o == .p", true), (".a == .o", false),
    // A path into a value without parts is an error of jq's, and no match, whatever is compared.
    (".op.x == null", false), (".op.x != 3", false), (".n[0]", false), (".a[0]", false),
  ]

  @Test(arguments: rows) func whatHolds(_ text: String, _ holds: Bool) throws {
    let value = try JSONValue.parse(Array(Self.document.utf8))
    #expect(try JSONCondition(text).holds(for: value) == holds)
  }

  /// Numbers are compared by their digits: nothing is rounded, whatever their size.
  static let numbers: [(String, String, Int)] = [
    ("18446744073709551615", "18446744073709551614", 1),
    ("9007199254740993", "9007199254740993.0", 0), ("1e400", "1e401", -1), ("-1e400", "-1e401", 1),
    ("0.1", "0.10000000000000000000000001", -1), ("1E+2", "100", 0), ("100e-2", "1", 0),
    ("0", "-0.0", 0), ("0e99", "0", 0), ("-1", "0", -1), ("-1", "1e-99", -1), ("0.001", "1e-3", 0),
    ("123456789012345678901234567890", "123456789012345678901234567891", -1),
    ("1e99999999999999999999", "1e99999999999999999998", 1), ("12", "9", 1), ("1.2", "1.19", 1),
    ("5", "0", 1), ("0", "1e-400", -1),
  ]

  @Test(arguments: numbers) func numbersAreComparedExactly(
    _ one: String, _ two: String, _ order: Int
  ) throws {
    let document = try JSONValue.parse(Array("[\(one),\(two)]".utf8))
    func holds(_ comparison: String) throws -> Bool {
      try JSONCondition(".[0] \(comparison) \(two)").holds(for: document)
    }
    #expect(try holds("==") == (order == 0))
    #expect(try holds("!=") == (order != 0))
    #expect(try holds("<") == (order < 0))
    #expect(try holds("<=") == (order <= 0))
    #expect(try holds(">") == (order > 0))
    #expect(try holds(">=") == (order >= 0))
    #expect(JSONNumber(two).order(to: JSONNumber(one)) == -order)
  }

  /// Unlike jq, for which `null` and `false` are less than every number.
  @Test(arguments: [".missing < 5", ".nil <= 5", ".no < 1", ".s < 5", ".n > \"2\"", ".list > 3"])
  func whatHasNoOrder(_ text: String) throws {
    let value = try JSONValue.parse(Array(Self.document.utf8))
    #expect(try !JSONCondition(text).holds(for: value))
  }

  @Test(arguments: [
    ("[5,{\"a\":1}]", ".[0] == 5"), ("[5,{\"a\":1}]", ".[1].a == 1"), ("7", ". == 7"),
  ])
  func messagesThatAreNoObjects(_ document: String, _ text: String) throws {
    #expect(try JSONCondition(text).holds(for: try JSONValue.parse(Array(document.utf8))))
  }

  /// Canonically equivalent is not equal: these are other bytes.
  @Test func stringsAreComparedByTheirBytes() throws {
    let value = try JSONValue.parse(Array("{\"a\":\"e\u{301}\"}".utf8))
    #expect(try !JSONCondition(".a == \"\u{E9}\"").holds(for: value))
    #expect(try JSONCondition(".a == \"e\u{301}\"").holds(for: value))
  }

  static let mistakes: [(String, Int, String)] = [
    ("", 0, "expected a path such as .op"), ("op", 0, "expected a path such as .op"),
    ("3", 0, "expected a path such as .op"), ("3 == 3", 2, "one side"),
    (".op = 3", 4, "use =="), (".op =", 4, "use =="), (".op ==", 6, "expected a value"),
    (".op == pong", 7, "expected a value"), (".op == \"pong", 7, "unterminated string"),
    (".op == \"\\x\"", 8, "unknown escape"), (".op == 3 and .n", 9, "expected the end"),
    (".op | length", 4, "one of =="), (".a.", 3, "expected a member name"),
    (".a..b", 3, "expected a member name"), (".a-b", 2, "one of =="),
    (".[x]", 2, "a number or a string"), (".a[1", 4, "expected ]"), (".a[]", 3, "a number"),
    (".3", 1, "expected a member name"), (".n == 3x", 7, "expected the end"),
    (".n == 3.", 8, "expected a digit"), (".n == -", 7, "expected a value"),
    ("..", 1, "expected a member name"), (".a[99999999999999999999]", 3, "a number"),
  ]

  @Test(arguments: mistakes)
  func mistakesAreNamedWithTheirPlace(_ text: String, _ offset: Int, _ problem: String) {
    let error = #expect(throws: JSONConditionError.self) { try JSONCondition(text) }
    #expect(error?.offset == offset)
    #expect(error?.problem.contains(problem) == true, "\(error?.problem ?? "")")
  }

  /// No input makes the parser read beyond its end.
  @Test func everyPrefixOfEveryRowIsAnswered() {
    for (text, _) in Self.rows {
      for length in 0...text.count { _ = try? JSONCondition(String(text.prefix(length))) }
    }
  }
}

/// Lists of close codes, as they are typed.
@Suite struct CloseCodesTests {
  @Test(
    arguments: [
      ("1008", [1008], [1000, 1007, 1009]), ("1000,1001", [1000, 1001], [1002]),
      ("1008,4000-4999", [1008, 4000, 4500, 4999], [1009, 3999]),
      ("1005-1006", [1005, 1006], [1004]),
    ] as [(String, [UInt16], [UInt16])])
  func ranges(_ text: String, _ within: [UInt16], _ beyond: [UInt16]) throws {
    let codes = try #require(CloseCodes(text))
    for code in within { #expect(codes.contains(.init(rawValue: code)), "\(code)") }
    for code in beyond { #expect(!codes.contains(.init(rawValue: code)), "\(code)") }
    #expect(codes.text == text)
  }

  @Test(arguments: [
    "", "x", "999", "5000", "1000,", ",1000", "1000-", "-1000", "1001-1000", "1000-1001-1002",
    "01000",
    "+100", "1000 ", "1000;1001", "99999999",
  ])
  func mistakes(_ text: String) {
    #expect(CloseCodes(text) == nil)
  }
}
