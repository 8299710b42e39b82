import TestPeers
import Testing

@testable import wscope

/// `wscope help`: the manual pages inside the binary.
@Suite(.blocking) struct ManualTests {
  @Test(arguments: ["wscope", "connect", "listen", "send", "bench", "wscope-send"])
  func aCommandIsAPage(_ command: String) throws {
    let text = try Manual.text([command])
    #expect(text.hasPrefix("NAME\n"))
    #expect(text.contains("EXIT STATUS\n"))
    #expect(text.split(separator: "\n").allSatisfy { !$0.contains("\u{8}") })
  }

  @Test(arguments: [
    (["exit", "status"], "wscope(1)\n\nEXIT STATUS\n"),
    (["exit-status"], "wscope(1)\n\nEXIT STATUS\n"),
    (["Expectations"], "wscope-send(1)\n\n   Expectations\n"),
    (["listen", "test", "paths"], "wscope-listen(1)\n\n   Test paths\n"),
    (["send", "SCRIPTS"], "wscope-send(1)\n\nSCRIPTS\n   Steps\n"),
  ])
  func aSectionIsFound(_ words: [String], _ start: String) throws {
    let text = try Manual.text(words)
    #expect(text.hasPrefix(start))
    #expect(text.split(separator: "\n").count > 5)
  }

  /// The list of steps belongs to it, the next section does not.
  @Test func aSectionEndsWhereTheNextBegins() throws {
    let steps = try Manual.text(["send", "steps"])
    #expect(!steps.contains("   Rules\n"))
    #expect(try Manual.text(["send", "scripts"]).contains("   Rules\n"))
  }

  /// One describes the expectations, one lists the options.
  @Test func sectionsOfOneNameAreAllPrinted() throws {
    let text = try Manual.text(["send", "expectations"])
    #expect(text.components(separatedBy: "   Expectations\n") == 3)
  }

  @Test func everyTopicThatIsListedIsFound() throws {
    for page in Manual.pages {
      #expect(page.uniqueTitles.count > 8, "\(page.name)")
      for title in page.uniqueTitles {
        let words = [page.name] + title.split(separator: " ").map(String.init)
        #expect(throws: Never.self, "\(words)") { try Manual.text(words) }
      }
    }
    for line in try Manual.text([]).split(separator: "\n") { #expect(line.count <= 78, "\(line)") }
  }

  @Test(arguments: [
    (["snd"], "wscope: no topic \"snd\" in the manual\n  did you mean \"send\"?\n"),
    (
      ["send", "expectation"],
      "wscope: no topic \"expectation\" in wscope-send(1)\n  did you mean \"expectations\"?\n"
    ),
    (["frobnication"], "wscope: no topic \"frobnication\" in the manual\n  topics: wscope help\n"),
  ])
  func anUnknownTopicIsNamed(_ words: [String], _ message: String) throws {
    let finished = try Wscope.run(["help"] + words)
    #expect(finished.exitCode == 2)
    #expect(finished.errorText == message)
    #expect(finished.outputText.isEmpty)
  }

  @Test func thePageIsPayload() throws {
    let finished = try Wscope.run(["help", "send"])
    #expect(finished.exitCode == 0)
    #expect(finished.outputText == (try Manual.text(["send"])) + "\n")
    #expect(finished.errorText.isEmpty)
  }
}

extension String {
  fileprivate func components(separatedBy piece: String) -> Int {
    var count = 1
    var rest = self[...]
    while let range = rest.firstRange(of: piece) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
