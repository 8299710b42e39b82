import Conversation
import Foundation
import FoundationXML
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// The report of `bench` as a page.
@Suite(.blocking) struct HTMLReportTests {
  private static let hostile = "</script><script>alert(1)</script>\"'&\u{1B}[2J\u{202E}]]>"

  /// A run with everything that a page can show.
  private static func report() throws -> LoadReport {
    var report = BenchFixture.ill()
    report.thresholds = try ["rtt.p99<50ms", "rtt.p50<1s", "errors.rate<50%", "tls.p99<1s"]
      .map { try Threshold($0) }
    return report
  }

  @Test func aPageIsWellFormedAndComplete() throws {
    for report in [BenchFixture.open(), BenchFixture.closed(), try Self.report()] {
      let page = try PageReader.read(HTMLReport(report).text)
      #expect(page.headings.first == report.target.url)
      #expect(page.text.contains(report.verdict.state.rawValue.uppercased()))
      #expect(page.text.contains(ReportSentence(report).text))
      #expect(page.description == ReportSentence(report).text)
      for reason in report.verdict.reasons {
        #expect(page.text.contains(FindingText(report).text(reason.finding)))
      }
      for outcome in report.outcomes { #expect(page.text.contains(outcome.threshold.text)) }
      for row in SelfCheckRows(report).all { #expect(page.text.contains(row.name)) }
      for entry in report.errors { #expect(page.text.contains(entry.class.name)) }
    }
  }

  /// A server of archived pages may forbid scripts, style elements and style attributes (Jenkins does), and
  /// a page that is kept must not depend on the network.
  @Test func aPageNeedsNothingElse() throws {
    let page = try PageReader.read(HTMLReport(try Self.report()).text)
    #expect(!page.attributes.contains { $0.name == "style" || $0.name.hasPrefix("on") })
    let loading: Set<String> = ["src", "href", "xlink:href", "data", "srcset", "action", "poster"]
    #expect(!page.attributes.contains { loading.contains($0.name) })
    #expect(!page.attributes.contains { $0.value.contains("://") && $0.name != "content" })
    #expect(!page.elements.contains { ["link", "img", "iframe", "base", "object"].contains($0) })
    #expect(!"\(PageStyle.css.text)\(PageScript.javaScript.text)".contains("http://x"))
    #expect(!PageStyle.css.text.contains("url(") && !PageStyle.css.text.contains("@import"))
    #expect(PageScript.javaScript.text.utf8.count <= 4096)
  }

  /// Each chart has a name, its finding in words, and its numbers in a table.
  @Test func eachChartIsDescribed() throws {
    let page = try PageReader.read(HTMLReport(try Self.report()).text)
    #expect(page.charts.map(\.id) == ["percentiles", "heat", "strips", "connect"])
    for chart in page.charts {
      #expect(chart.title.count > 10, "\(chart)")
      #expect(chart.finding.count > 20, "\(chart)")
      #expect(chart.labels == "\(chart.id)-title \(chart.id)-desc")
      #expect(chart.hasTable, "\(chart)")
    }
    #expect(page.elements.filter { $0 == "table" }.count == page.captions.count)
    #expect(page.captions.allSatisfy { !$0.isEmpty })
  }

  @Test func hostileTextIsText() throws {
    var report = try Self.report()
    report.target.url = "ws://h/" + Self.hostile
    report.target.server = Self.hostile
    report.target.subprotocol = Self.hostile
    report.run.tags = [Self.hostile: Self.hostile]
    report.run.argv.append(Self.hostile)
    report.errors[0].sample = Self.hostile
    let text = HTMLReport(report).text
    let page = try PageReader.read(text)
    #expect(page.elements.filter { $0 == "script" }.count == 2)
    #expect(!text.contains("alert(1)</script>"))
    #expect(!text.unicodeScalars.contains("\u{1B}") && !text.unicodeScalars.contains("\u{202E}"))
    #expect(
      page.headings.first == "ws://h/</script><script>alert(1)</script>\"'&\\x1b[2J\\u{202e}]]>")
    let json = try #require(ResultStream(Array(text.utf8)).results.first)
    #expect(try LoadReport(json: json) == report)
  }

  /// A page is a function of the result: one from a stored result or from another page has the same bytes.
  @Test func thePageOfAStoredResultIsTheSame() throws {
    let report = try Self.report()
    let page = HTMLReport(report).text
    let directory = try Wscope.scratch("html")
    let (json, first) = ("\(directory)/r.json", "\(directory)/first.html")
    try FileContents.write(JSONReport(report).text, to: json)
    let made = try Wscope.run(["bench", "report", json, "--html", first])
    #expect(made.exitCode == 99, "\(made.errorText)")
    #expect(try Wscope.read(first) == page)
    let again = try Wscope.run(["bench", "report", first, "--format", "html"])
    #expect(again.outputText == page)
    let back = try Wscope.run(["bench", "report", "-", "--format", "json"], input: page)
    #expect(back.outputText == JSONReport(report).text)
  }

  @Test func aRunWritesItsPage() throws {
    let listener = try Listener()
    let directory = try Wscope.scratch("html")
    let (json, html) = ("\(directory)/run.json", "\(directory)/run.html")
    let run = try Wscope.run([
      "bench", listener.url + "?token=s3cret", "-c2", "-n2000", "-R5k", "--out", json,
      "--html", html,
    ])
    #expect(run.exitCode == 0, "\(run.errorText)")
    let page = try Wscope.read(html)
    #expect(!page.contains("s3cret"))
    #expect(try PageReader.read(page).charts.count == 4)
    #expect(try Wscope.run(["bench", "report", json, "--format", "html"]).outputText == page)
  }

  @Test(arguments: [
    ("<!DOCTYPE html><p>hello</p>", ": no result of wscope bench found"),
    (
      "<p><script type=\"application/json\" id=\"wscope-result\">{}</script>",
      ": no result of wscope bench found"
    ),
    (
      "<script type=\"application/json\" id=\"wscope-result\">{\"schema\":\"bench/1\"",
      ":1: unterminated result"
    ),
    ("<script type=\"application/json\">{\"schema\":\"bench/1\"}", ": run: missing"),
  ])
  func aPageWithoutAResultIsRejected(_ page: String, _ message: String) throws {
    let refused = try Wscope.run(["bench", "report", "-"], input: page)
    #expect(refused.exitCode == 2)
    #expect(refused.errorText.hasPrefix("wscope: standard input\(message)"), "\(refused.errorText)")
    #expect(refused.errorText.split(separator: "\n").count == 1)
  }

  @Test(arguments: [(60, 150_000), (600, 400_000)])
  func aPageIsSmall(_ intervals: Int, _ limit: Int) throws {
    let report = BenchFixture.long(intervals)
    let page = HTMLReport(report).text
    #expect(page.utf8.count < limit, "\(page.utf8.count) bytes")
    _ = try PageReader.read(page)
  }

  @Test func theShardsOfAMergedRunAreListed() throws {
    var report = BenchFixture.open(shard: .init(index: 1, count: 4))
    report.shards = [.init(report, .init(index: 1, count: 4))]
    report.shards[0].host = "node<7>"
    report.verdict = Verdict(reasons: [.init(.suspect, .missingShards(3, of: 4))])
    let page = try PageReader.read(HTMLReport(report).text)
    #expect(page.captions.contains("Parts of the run"))
    #expect(page.text.contains("node<7>") && page.text.contains("missing_shards"))
    let summary = MarkdownSummary(report).text
    #expect(summary.contains("| 1/4 | node&#60;7&#62; | valid | 1000 of 1000 | "))
  }

  /// A run that never began has a page, too.
  @Test func aPageOfNothing() throws {
    var report = BenchFixture.closed()
    report.connections = .init(asked: 1, opened: 0, failed: 1, lost: 0)
    report.messages = MessageCounts()
    report.planned = 0
    report.metrics = [:]
    report.phases = []
    report.intervals = []
    report.closes = []
    report.judge()
    let page = try PageReader.read(HTMLReport(report).text)
    #expect(page.charts.isEmpty)
    #expect(page.text.contains("Nothing was measured: 0 of 1 connections opened."))
  }
}
