import Terminal
import TestPeers
import Testing

@Suite(.blocking) struct LayoutTests {
  @Test func columns() {
    #expect(DisplayWidth.columns(of: "abc") == 3)
    #expect(DisplayWidth.columns(of: "\u{1b}[31mabc\u{1b}[0m") == 3)
    #expect(DisplayWidth.columns(of: "你好") == 4)
    #expect(DisplayWidth.columns(of: "e\u{301}") == 1)
    #expect(DisplayWidth.columns(of: "😀±€") == 4)
  }

  @Test func cutToColumns() {
    #expect(DisplayWidth.cut("abcdef", toColumns: 3) == "abc")
    #expect(DisplayWidth.cut("abc", toColumns: 3) == "abc")
    #expect(DisplayWidth.cut("a你b", toColumns: 2) == "a")
    #expect(DisplayWidth.cut("\u{1b}[1mabc\u{1b}[0m", toColumns: 1) == "\u{1b}[1ma\u{1b}[0m")
  }

  @Test func cursorRow() {
    func row(_ line: String, width: Int) -> Int {
      PromptLayout.cursorRow(prompt: "\u{1}\u{1b}[32m\u{2}p> ", line: line, width: width)
    }
    #expect(row("", width: 10) == 0)
    #expect(row("123456", width: 10) == 0)
    #expect(row("1234567", width: 10) == 1)
    #expect(row("12345678", width: 10) == 1)
    #expect(row("123456你", width: 10) == 1)
    #expect(row("a\nb", width: 10) == 1)
    #expect(row("\u{1}\u{1}\u{1}\u{1}", width: 10) == 1)
  }

  @Test(arguments: [
    (["TERM": "xterm-256color"], true), (["TERM": "linux"], false), ([:], false),
    (["TERM": "xterm", "XTERM_VERSION": "XTerm(379)"], false),
    (["TERM": "screen", "STY": "1.pts"], false),
    (["TERM": "screen", "XTERM_VERSION": "XTerm(379)", "TMUX": "/tmp/x"], true),
  ])
  func terminalsThatWrapAgain(environment: [String: String], wrapsAgain: Bool) {
    #expect(PromptLayout.wrapsAgain { environment[$0] } == wrapsAgain)
  }

  @Test func completionsInColumns() {
    let words = ["/close", "/file", "/headers", "/help", "/ping"]
    #expect(
      CompletionList.text(words, width: 22) == """
        /close    /help
        /file     /ping
        /headers

        """)
    #expect(CompletionList.text(["a\u{1b}b"], width: 5) == "a\\x1bb\n")
    let many = (0..<CompletionList.maxShown + 5).map { "\($0)" }
    #expect(CompletionList.text(many, width: 80).hasSuffix("... 5 more\n"))
  }
}
