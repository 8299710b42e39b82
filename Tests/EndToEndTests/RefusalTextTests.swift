import TestPeers
import Testing

@testable import wscope

/// What is shown of the body of a refusal.
@Suite(.blocking) struct RefusalTextTests {
  @Test(arguments: [
    ("", ""), (" \r\n\t\n", ""), ("token expired\nmore", "token expired"),
    ("\n  {\"error\":1}  \n", "{\"error\":1}"),
    ("<html>\r\n<head><title>400 No certificate</title></head>\r\n<body>x", "400 No certificate"),
    ("<HTML><TITLE lang=en>\n a\n</TITLE>", "a"),
    ("<!doctype html><title></title><h1>Not <b>here</b></h1>", "Not here"),
    ("<p>\n\n<i>first</i>\nsecond", "first"), ("<title>never closed", "never closed"),
    ("<title", ""), ("< a > b", "b"), ("a < b", "a < b"),
    // In lower case this letter is longer: the title is not looked for.
    ("<b>İ</b><title>x</title>", "İx"),
  ])
  func oneLine(body: String, line: String) {
    #expect(RefusalText.line(of: Array(body.utf8)) == line)
  }

  @Test func bytesThatAreNoText() {
    #expect(RefusalText.line(of: [0xFF, 0x0A, 0x61]) == "\u{FFFD}")
    #expect(RefusalText.line(of: Array("<".utf8) + [0xFF, 0xC3]).isEmpty)
  }
}
