import Terminal
import TestPeers
import Testing

@Suite(.blocking) struct StyleTests {
  private static let terminal = ["TERM": "xterm"]

  @Test(arguments: [
    // choice, environment, terminal: colour?
    (ColorChoice.auto, terminal, true, true),
    (.auto, terminal, false, false),
    (.auto, [:], true, false),
    (.auto, ["TERM": ""], true, false),
    (.auto, ["TERM": "dumb"], true, false),
    (.auto, ["TERM": "xterm", "NO_COLOR": "1"], true, false),
    (.auto, ["TERM": "xterm", "NO_COLOR": ""], true, true),
    (.auto, ["TERM": "xterm", "CLICOLOR_FORCE": "1"], false, true),
    (.auto, ["TERM": "xterm", "CLICOLOR_FORCE": "0"], false, false),
    (.auto, ["TERM": "dumb", "CLICOLOR_FORCE": "1"], true, true),
    (.auto, ["NO_COLOR": "1", "CLICOLOR_FORCE": "1"], true, false),
    (.always, ["TERM": "dumb", "NO_COLOR": "1"], false, true),
    (.never, ["TERM": "xterm", "CLICOLOR_FORCE": "1"], true, false),
  ])
  func decision(
    choice: ColorChoice, environment: [String: String], isTerminal: Bool, isOn: Bool
  ) {
    #expect(Style(choice, environment: environment, isTerminal: isTerminal).isOn == isOn)
  }

  @Test func textIsDressedOnlyWhereColorIsOn() {
    #expect(Style(isOn: false)(.red, "x") == "x")
    #expect(Style(isOn: true)(.red, "x") == "\u{1b}[31mx\u{1b}[0m")
    #expect(Style(isOn: true)(.red, "") == "")
    #expect(Style(isOn: false).inPrompt(.bold, "x") == "x")
    #expect(Style(isOn: true).inPrompt(.bold, "x") == "\u{1}\u{1b}[1m\u{2}x\u{1}\u{1b}[0m\u{2}")
  }
}
