import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// The outputs of `bench` for CI: the summary in Markdown, and annotations.
@Suite(.blocking) struct MarkdownSummaryTests {
  private static func report() throws -> LoadReport {
    var report = BenchFixture.ill()
    report.thresholds = try ["rtt.p99<50ms", "rtt.p50<1s", "tls.p99<1s"].map { try Threshold($0) }
    return report
  }

  @Test func aSummaryBeginsWithTheVerdict() throws {
    let report = try Self.report()
    let lines = MarkdownSummary(report).text.split(
      separator: "\n", omittingEmptySubsequences: false)
    #expect(lines[0] == "### ! SUSPECT: wscope bench ws&#58;//10.0.0.7&#58;8080/echo")
    #expect(lines[2] == ReportSentence(report).text)
    #expect(lines[4] == "**✗ 1 of 3 thresholds failed**")
    #expect(
      lines.contains {
        $0.hasPrefix("| ✗ fail | `rtt.p99 < 50ms` | ") && $0.contains(" | 50 ms | ")
      })
    #expect(lines.contains("| ? undecided | `tls.p99 < 1s` | – | 1 s | not measured |"))
    #expect(lines.suffix(3) == ["</details>", "", ""])
  }

  /// Every row of a table has as many cells as its head, whatever is in them.
  @Test func hostileTextStaysInItsCell() throws {
    var report = try Self.report()
    let hostile = "a|b`c\u{1B}\u{202E}\n</details><img src=x>[x](http://y) @z **w** www.v.x"
    report.errors[0].sample = hostile
    report.target.url = "ws://h/" + hostile
    report.target.server = hostile
    report.run.tags = [hostile: hostile]
    report.run.argv.append(hostile)
    let text = MarkdownSummary(report).text
    var width = 0
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      guard line.hasPrefix("| ") else {
        width = 0
        continue
      }
      let bars = line.replacing("\\|", with: "").count { $0 == "|" }
      if width > 0 { #expect(bars == width, "\(line)") }
      width = bars
    }
    for word in ["<img", "[x](", "@z", "**w", "http://", "www.", "\u{1B}", "\u{202E}"] {
      #expect(!text.contains(word), "\(word)")
    }
    #expect(text.components("<details>") == 1 && text.components("</details>") == 1)
  }

  @Test func aSummaryIsCutAt64KiB() throws {
    var report = try Self.report()
    var errors = ErrorTally()
    let sample = String(repeating: "<", count: 40)
    for code in 0..<2000 { errors.record(.open, .closed, code: code, at: 0, sample: sample) }
    report.errors = errors.entries
    let text = MarkdownSummary(report).text
    #expect(text.utf8.count <= 64 * 1024)
    #expect(text.contains("\n*Cut at 64 KiB; "))
    #expect(text.hasSuffix("\n</details>\n\n"))
  }

  @Test func aSummaryIsAddedToItsFile() throws {
    let directory = try Wscope.scratch("summary")
    let (json, summary) = ("\(directory)/r.json", "\(directory)/summary.md")
    try FileContents.write(JSONReport(try Self.report()).text, to: json)
    try Wscope.write("# Before\n\n", to: summary)
    for _ in 0..<2 {
      let made = try Wscope.run(["bench", "report", json, "--summary-md", summary])
      #expect(made.exitCode == 99, "\(made.errorText)")
      #expect(made.errorText.isEmpty, "annotations are for GitHub alone")
    }
    let text = MarkdownSummary(try Self.report()).text
    #expect(try Wscope.read(summary) == "# Before\n\n" + text + text)
    let printed = try Wscope.run(["bench", "report", json, "--format", "md"])
    #expect(printed.outputText == text)
  }

  @Test func gitHubGetsAnnotations() throws {
    let report = try Self.report()
    let lines = GitHubAnnotations(report).lines
    #expect(lines.count == 2)
    #expect(
      lines[0].hasPrefix("::error title=wscope bench::rtt.p99 ")
        && lines[0].hasSuffix(", limit 50 ms"))
    #expect(lines[1] == "::warning title=wscope bench::tls.p99 undecided: not measured")
    let path = try Wscope.scratch("summary") + "/annotated.json"
    try FileContents.write(JSONReport(report).text, to: path)
    let run = try Wscope.run(
      ["bench", "report", path], environment: ["GITHUB_ACTIONS": "true"])
    #expect(run.errorText == lines.map { $0 + "\n" }.joined())
  }

  @Test func annotationsAreEscapedAndFew() throws {
    var report = BenchFixture.open()
    report.thresholds = try (1...12).map { try Threshold("errors.rate>\($0)%") }
    let lines = GitHubAnnotations(report).lines
    #expect(lines.count == 10)
    #expect(lines[0] == "::error title=wscope bench::errors.rate 0.00 %25, limit 1 %25")
  }
}

extension String {
  fileprivate func components(_ part: String) -> Int { ranges(of: part).count }
}
