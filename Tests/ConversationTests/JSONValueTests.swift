import TestPeers
import Testing

@testable import Conversation

/// RFC 8259: which texts are JSON, and what they mean.
@Suite struct JSONValueTests {
  private func check(
    _ text: String, _ value: JSONValue, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    do throws(JSONError) {
      let parsed = try JSONValue.parse(Array(text.utf8))
      #expect(parsed == value, sourceLocation: sourceLocation)
    } catch {
      Issue.record("\(text): \(error)", sourceLocation: sourceLocation)
    }
  }

  /// Refused, with the offset at which it is wrong.
  private func refuse(
    _ text: String, at offset: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    refuse(Array(text.utf8), at: offset, sourceLocation: sourceLocation)
  }

  private func refuse(
    _ bytes: [UInt8], at offset: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let text = String(decoding: bytes, as: UTF8.self)
    do throws(JSONError) {
      let value = try JSONValue.parse(bytes)
      Issue.record("\(text): \(value)", sourceLocation: sourceLocation)
    } catch {
      #expect(error.offset == offset, "\(text)", sourceLocation: sourceLocation)
    }
  }

  private static func object(_ members: (String, JSONValue)...) -> JSONValue {
    .object(members.map { JSONValue.Member(name: $0, value: $1) })
  }

  @Test func wordsAndStructures() {
    check("null", .null)
    check("true", .bool(true))
    check("false", .bool(false))
    check("\"\"", .string(""))
    check("[]", .array([]))
    check("{}", .object([]))
    check(" \t\r\n[ ] \n", .array([]))
    check("{ \t}", .object([]))
    check("[null]", .array([.null]))
    check(
      "[1,[2,[3]],{}]",
      .array([.number("1"), .array([.number("2"), .array([.number("3")])]), .object([])]))
    check(
      " { \"a\" : 1 , \"b\" : [ true ] } ",
      Self.object(("a", .number("1")), ("b", .array([.bool(true)]))))
    check("{\"\":{\"\":\"\"}}", Self.object(("", Self.object(("", .string(""))))))
  }

  /// Members keep their order, and of those of one name the last counts.
  @Test func members() throws(JSONError) {
    let text = #"{"z":1,"a":2,"z":3,"\u0061":4}"#
    check(
      text,
      Self.object(
        ("z", .number("1")), ("a", .number("2")), ("z", .number("3")), ("a", .number("4"))))
    let value = try JSONValue.parse(Array(text.utf8))
    #expect(value["z"] == .number("3"))
    #expect(value["a"] == .number("4"))
    #expect(value["b"] == nil)
    #expect(JSONValue.array([])["a"] == nil)
    #expect(JSONValue.string("s").string == "s")
    #expect(JSONValue.number("1").string == nil)
  }

  /// Nothing is rounded: the text of a number is kept.
  @Test func numbers() {
    for text in [
      "0", "-0", "1", "-1", "10", "123456789012345678901234567890", "0.1", "-0.0", "1.10", "0e0",
      "0E0", "1e5", "1E+05", "1e-0", "1.5e300000", "9007199254740993",
      "0.1000000000000000055511151231257827",
    ] {
      check(text, .number(text))
      check("[\(text)]", .array([.number(text)]))
      check("{\"n\":\(text) }", Self.object(("n", .number(text))))
    }
    refuse("-", at: 1)
    refuse("--1", at: 1)
    refuse("+1", at: 0)
    refuse("01", at: 1)
    refuse("-01", at: 2)
    refuse("00", at: 1)
    refuse("1.", at: 2)
    refuse(".5", at: 0)
    refuse("-.5", at: 1)
    refuse("1.e5", at: 2)
    refuse("1e", at: 2)
    refuse("1e+", at: 3)
    refuse("1e+-1", at: 3)
    refuse("1e1.5", at: 3)
    refuse("0x10", at: 1)
    refuse("1_000", at: 1)
    refuse("1 2", at: 2)
    refuse("NaN", at: 0)
    refuse("Infinity", at: 0)
    refuse("-Infinity", at: 1)
    refuse("١", at: 0)
  }

  @Test func strings() {
    check(#""a""#, .string("a"))
    check(#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{c}\n\r\t"))
    check(#""\u0041\u00e9\u20AC\uFFFF\u0000""#, .string("Aé€\u{FFFF}\0"))
    check(#""\uD83D\uDE00\ud83d\ude00""#, .string("😀😀"))
    check(#""\uD800\uDC00\uDBFF\uDFFF""#, .string("\u{10000}\u{10FFFF}"))
    check(#""\uD7FF\uE000""#, .string("\u{D7FF}\u{E000}"))
    check("\"é€😀\u{7F}\u{85}\u{2028}\"", .string("é€😀\u{7F}\u{85}\u{2028}"))
    check("\"/\"", .string("/"))
    check(#""\\u0041""#, .string("\\u0041"))
    check("\"e\u{301}\"", .string("e\u{301}"))
  }

  @Test func stringsThatAreNone() {
    refuse("\"", at: 1)
    refuse("\"a", at: 2)
    refuse(#""a\"#, at: 3)
    refuse(#""a\""#, at: 4)
    refuse("'a'", at: 0)
    refuse("a", at: 0)
    for byte in UInt8(0)..<0x20 { refuse([0x22, byte, 0x22], at: 1) }
    for escape in "acdeghijklmopqsvwxyzABFNRTU0'1 \n" { refuse("\"\\\(escape)\"", at: 1) }
    refuse(#""\u""#, at: 3)
    refuse(#""\u004""#, at: 3)
    refuse(#""\u00g0""#, at: 3)
    refuse(#""\u+041""#, at: 3)
    refuse(#""\u 041""#, at: 3)
    refuse(#""\u００４１""#, at: 3)
  }

  /// Read tolerantly, each half as U+FFFD: a language that cuts strings anywhere writes them.
  @Test func halvesOfSurrogatePairs() {
    check(#""\uD800""#, .string("\u{FFFD}"))
    check(#""\ud83dx""#, .string("\u{FFFD}x"))
    check(#""\uD800\n""#, .string("\u{FFFD}\n"))
    refuse(#""\uD800\u""#, at: 9)
    check(#""\uD800\u0041""#, .string("\u{FFFD}A"))
    check(#""\uD800\uD800""#, .string("\u{FFFD}\u{FFFD}"))
    check(#""\uD800\uD83D\uDE00""#, .string("\u{FFFD}😀"))
    check(#""\uD800\uE000""#, .string("\u{FFFD}\u{E000}"))
    check(#""\uDC00""#, .string("\u{FFFD}"))
    check(#""\uDFFF\uD800""#, .string("\u{FFFD}\u{FFFD}"))
    check(#""\uDBFF\\uDC00""#, .string("\u{FFFD}\\uDC00"))
  }

  /// Several records in one message, with the separators of RFC 7464, SignalR and STOMP.
  @Test func recordsOfAMessage() throws(JSONError) {
    func count(_ text: String) throws(JSONError) -> Int {
      try JSONValue.records(Array(text.utf8)).count
    }
    #expect(
      try JSONValue.records(Array("{\"type\":6}\u{1E}".utf8)) == [
        Self.object(("type", .number("6")))
      ])
    for (text, records) in [
      ("{}", 1), ("{}\0", 1), ("\u{1E}{}\n", 1), ("\u{1E}{}\n\u{1E}[]\n", 2), ("{}\n{}\n", 2),
      ("{}{}", 2), ("1 2", 2), ("1\u{1E}\"a\"\u{1E}", 2), ("{}\u{1E}[1]\u{1E}null\u{1E}", 3),
    ] { #expect(try count(text) == records, "\(text)") }
    for (text, offset) in [
      ("", 0), ("\u{1E}", 1), ("{} x", 3), ("1\"a\"", 1), ("{}\u{1E}{", 4), ("12a", 2), ("{}}", 2),
    ] {
      do throws(JSONError) {
        Issue.record("\(text): \(try count(text)) records")
      } catch {
        #expect(error.offset == offset, "\(text)")
      }
    }
  }

  @Test func stringsMustBeUTF8() {
    for bad in [
      [0xFF], [0x80], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
    ]
      as [[UInt8]]
    {
      refuse([0x22] + bad + [0x22], at: 1)
      refuse([0x7B, 0x22] + bad + [0x22, 0x3A, 0x31, 0x7D], at: 2)
      // Outside a string they are nothing at all.
      refuse(bad, at: 0)
    }
  }

  @Test func textsThatAreNone() {
    refuse("", at: 0)
    refuse(" \n", at: 2)
    refuse("nul", at: 0)
    refuse("nulll", at: 4)
    refuse("True", at: 0)
    refuse("tru e", at: 0)
    refuse("undefined", at: 0)
    refuse("null null", at: 5)
    refuse("{} {}", at: 3)
    refuse("[1]]", at: 3)
    refuse("\u{FEFF}1", at: 0)
    refuse("// c\n1", at: 0)
    refuse("1 /* c */", at: 2)
    refuse("\u{A0}1", at: 0)
    refuse("\u{B}1", at: 0)
    refuse("1\0", at: 1)
  }

  @Test func structuresThatAreNone() {
    refuse("[", at: 1)
    refuse("]", at: 0)
    refuse("[1", at: 2)
    refuse("[1,", at: 3)
    refuse("[1,]", at: 3)
    refuse("[,1]", at: 1)
    refuse("[1 2]", at: 3)
    refuse("[1;2]", at: 2)
    refuse("[}", at: 1)
    refuse("[1}", at: 2)
    refuse("{", at: 1)
    refuse("}", at: 0)
    refuse("{\"a\"", at: 4)
    refuse("{\"a\"}", at: 4)
    refuse("{\"a\":", at: 5)
    refuse("{\"a\":}", at: 5)
    refuse("{\"a\":1", at: 6)
    refuse("{\"a\":1,", at: 7)
    refuse("{\"a\":1,}", at: 7)
    refuse("{,}", at: 1)
    refuse("{a:1}", at: 1)
    refuse("{'a':1}", at: 1)
    refuse("{1:1}", at: 1)
    refuse("{null:1}", at: 1)
    refuse("{\"a\" 1}", at: 5)
    refuse("{\"a\"=1}", at: 4)
    refuse("{\"a\":1 \"b\":2}", at: 7)
    refuse("{\"a\":1]", at: 6)
    refuse("{[]:1}", at: 1)
  }

  /// 512 levels are read, 513 are refused before the stack is in danger.
  @Test func nesting() throws(JSONError) {
    func nested(_ depth: Int, _ open: String, _ close: String, _ inside: String = "") -> [UInt8] {
      Array(
        (String(repeating: open, count: depth) + inside + String(repeating: close, count: depth))
          .utf8)
    }
    for (open, close, inside) in [("[", "]", ""), ("{\"a\":", "}", "1"), ("[[],", "]", "1")] {
      var value = try JSONValue.parse(nested(512 - (open == "[[]," ? 1 : 0), open, close, inside))
      var depth = 0
      while true {
        switch value {
        case .array(let elements) where elements.last != nil: value = elements.last ?? .null
        case .object(let members) where members.last != nil: value = members.last?.value ?? .null
        default: break
        }
        depth += 1
        if case .number = value { break }
        if value == .array([]) { break }
      }
      #expect(depth >= 511)
    }
    refuse(nested(513, "[", "]"), at: 512)
    refuse(nested(1_000_000, "[", "]"), at: 512)
    refuse(nested(1_000_000, "[", ""), at: 512)
    refuse(nested(513, "{\"a\":", "}", "1"), at: 512 * 5)
    // Depth counts what is open, not what was.
    _ = try JSONValue.parse(Array("[\(String(repeating: "[],", count: 5_000))1]".utf8))
  }

  /// Reading is linear.
  @Test func longTexts() throws {
    let count = 200_000
    let time = try cpuTime {
      let spaces = String(repeating: " ", count: count)
      check("\(spaces)1\(spaces)", .number("1"))
      let digits = String(repeating: "7", count: count)
      check(digits, .number(digits))
      let letters = String(repeating: "a", count: count)
      check("\"\(letters)\"", .string(letters))
      let array = try JSONValue.parse(Array("[\(String(repeating: "1,", count: count))1]".utf8))
      guard case .array(let elements) = array else {
        Issue.record("\(array)")
        return
      }
      #expect(elements.count == count + 1)
    }
    #expect(time < .seconds(20))
  }
}
