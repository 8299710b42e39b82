import Testing
import WebSocketProtocol

@Suite struct PercentEncodingTests {
  @Test(
    arguments: [
      ("", ""), ("a%20b", "a b"), ("%E2%82%ac", "€"), ("%00", "\0"), ("30%", nil), ("%", nil),
      ("%4", nil),
      ("%+f", nil), ("%zz1", nil), ("é", "é"),
    ] as [(String, String?)])
  func strictly(_ text: String, _ decoded: String?) {
    #expect(PercentEncoding.bytes(text[...]) == decoded.map { Array($0.utf8) })
    // What is not an escape stays as it is.
    #expect(PercentEncoding.text(text[...]) == decoded ?? text)
  }

  @Test func bytesThatAreNotUTF8() {
    #expect(PercentEncoding.bytes("%ff") == [0xFF])
    #expect(PercentEncoding.text("a%ff") == "a\u{FFFD}")
    #expect(PercentEncoding.text("%25 is 100%25, %x41%41") == "% is 100%, %x41A")
  }
}
