import NIOHTTP1
import TestPeers
import Testing

@testable import WebSocketProtocol

/// RFC 9110 sections 5.5 and 5.6: what may stand in a header field, and how lists are read.
@Suite struct HeaderSyntaxTests {
  @Test func everyCharacterOfAToken() {
    let token =
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    #expect(HeaderSyntax.isToken(token))
    for value in UInt32(0)...0x180 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let isOne = token.unicodeScalars.contains(scalar)
      #expect(HeaderSyntax.isToken(String(scalar)) == isOne)
      #expect(HeaderSyntax.isToken("a" + String(scalar)) == isOne)
    }
    #expect(!HeaderSyntax.isToken(""))
    #expect(!HeaderSyntax.isToken("a\u{301}"))
    #expect(!HeaderSyntax.isToken("\u{212A}"))
  }

  /// SECURITY R9: a value cannot begin a field of its own.
  @Test func everyByteOfAValue() {
    for value in UInt32(0)...0x180 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let isForbidden = value < 0x20 && value != 0x09 || (0x7F...0x9F).contains(value)
      let found = HeaderSyntax.firstForbiddenByte(inValue: "é\(scalar)x")
      #expect((found != nil) == isForbidden)
      guard let found else { continue }
      // Of a character of two bytes it is the second that says so.
      #expect(found.offset == (value < 0x80 ? 2 : 3))
      #expect(UInt32(found.byte) == value)
    }
    #expect(HeaderSyntax.firstForbiddenByte(inValue: "") == nil)
    // A line break is one Character and two bytes.
    let crlf = HeaderSyntax.firstForbiddenByte(inValue: "a\r\nX: y")
    #expect(crlf?.offset == 1)
    #expect(crlf?.byte == 0x0D)
    #expect(HeaderSyntax.firstForbiddenByte(inValue: "a\u{301}\n")?.offset == 3)
  }

  /// RFC 9110 section 5.5: white space around a value is no part of it; inside it is.
  @Test func spaceAroundValues() {
    let headers: HTTPHeaders = ["A": " \t x y \t", "B": "z", "C": "  ", "D": "w ", "E": "\tv"]
    let trimmed: HTTPHeaders = ["A": "x y", "B": "z", "C": "", "D": "w", "E": "v"]
    #expect(headers.withoutOuterSpace == trimmed)
    #expect(trimmed.withoutOuterSpace == trimmed)
  }

  @Test func lists() {
    func check(_ fields: [String], _ elements: [String]) {
      let headers = HTTPHeaders(fields.map { ("x-list", $0) } + [("Other", "no")])
      #expect(HeaderTokens.list("X-List", in: headers) == elements, "\(fields)")
    }
    check([], [])
    check([""], [])
    check([" \t"], [])
    check([","], [])
    check([" , ,,\t"], [])
    check(["a"], ["a"])
    check([" a\t"], ["a"])
    check(["a,b"], ["a", "b"])
    check(["a , b,,c"], ["a", "b", "c"])
    check(["a b"], ["a b"])
    check(["a", "b, c", "", "a"], ["a", "b", "c", "a"])
    check(["é, ü\u{301},\u{301}x"], ["é", "ü\u{301}", "\u{301}x"])
    // Only spaces and tabs are white space here.
    check(["\u{A0}a\u{A0},\nb"], ["\u{A0}a\u{A0}", "\nb"])
  }

  @Test func tokensAreFoundWhateverTheirCase() {
    func check(_ value: String, _ token: String, _ isThere: Bool) {
      let headers = HTTPHeaders([("Connection", value)])
      #expect(HeaderTokens.contains(token, in: "connection", of: headers) == isThere, "\(value)")
    }
    check("Upgrade", "upgrade", true)
    check("keep-alive, UPGRADE", "upgrade", true)
    check("upgrade", "UPGRADE", true)
    check("upgraded", "upgrade", false)
    check("", "upgrade", false)
    check("[upgrade", "{upgrade", false)
    check("@", "`", false)
    check("\u{212A}", "k", false)
    check("ÄB", "äb", false)
    check("ÄB", "Äb", true)
  }

  @Test func aMegabyteIsReadInLinearTime() {
    let count = 1 << 20
    for (piece, elements) in [(" ", 0), (",", 0), (", ", 0), ("a,", count / 2), ("a ", 1)] {
      let value = String(repeating: piece, count: count / piece.utf8.count)
      let headers = HTTPHeaders([("X", value)])
      let time = cpuTime {
        #expect(HeaderTokens.list("X", in: headers).count == elements)
        #expect(!HeaderTokens.contains("b", in: "X", of: headers))
      }
      #expect(time < .seconds(20))
    }
  }
}
