import Conversation
import Glibc
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// `bench compare`: two groups of results, in words and as JSON.
@Suite(.serialized, .blocking) struct BenchCompareTests {
  /// A file with one result a line.
  private static func file(_ name: String, _ reports: [LoadReport]) throws -> String {
    let path = try Wscope.scratch("bench-compare") + "/" + name
    let lines = reports.map { report in
      var json = JSONWriter(layout: .compact)
      report.write(to: &json) { "\($0)" }
      return json.text + "\n"
    }
    try FileContents.write(lines.joined(), to: path)
    return path
  }

  private static func runs(_ factor: Double, _ count: Int) -> [LoadReport] {
    (0..<count).map { index in
      var report = BenchFixture.open()
      var rtt = LatencyHistogram()
      let median = 1e6 * factor * (1 + Double(index) / 1000)
      for sample in 0..<1000 { rtt.record(Int64(median) + Int64(sample)) }
      report.metrics[.roundTrip] = rtt.summary()
      report.verdict = Verdict(reasons: [])
      report.run.id = "\(factor)-\(index)"
      return report
    }
  }

  @Test func aSlowerGroupFails() throws {
    let a = try Self.file("a.jsonl", Self.runs(1, 6))
    let b = try Self.file("b.jsonl", Self.runs(1.5, 6))
    let compared = try Wscope.run(["bench", "compare", a, "--vs", b])
    #expect(compared.exitCode == 99, "\(compared.errorText)")
    #expect(compared.errorText.isEmpty)
    let lines = compared.outputText.split(separator: "\n")
    let row = try #require(lines.first { $0.hasPrefix("rtt.p50") })
    #expect(row.hasSuffix("SLOWER") && row.contains("+50 %"), "\(row)")
    #expect(lines.allSatisfy { $0.count <= 100 }, "\(compared.outputText)")
    let ignored = try Wscope.run(["bench", "compare", a, "--vs", b, "--fail-on", "never"])
    #expect(ignored.exitCode == 0)
    let same = try Wscope.run(["bench", "compare", a, "--vs", a])
    #expect(same.exitCode == 0)
    #expect(same.outputText.contains("~ equal within 5 %"), "\(same.outputText)")
  }

  @Test func theJSONHasTheNumbers() throws {
    let a = try Self.file("a6.jsonl", Self.runs(1, 6))
    let b = try Self.file("b6.jsonl", Self.runs(1.5, 7))
    let compared = try Wscope.run(
      ["bench", "compare", a, "--vs", b, "--compare-format", "json", "--metric", "rtt.p50"])
    let json = try JSONReader.read(compared.outputText)
    #expect(json["schema"] == .string("bench-compare/1"))
    #expect(json["a", "runs"]?.elements?.count == 6)
    #expect(json["b", "runs"]?.elements?.count == 7)
    let row = try #require(json["metrics"]?.elements?.first)
    #expect(row["name"] == .string("rtt.p50"))
    #expect(row["word"] == .string("worse"))
    #expect(row["b"]?.elements?.count == 7)
  }

  @Test func oneRunASideHasNoVerdict() throws {
    let a = try Self.file("a1.json", Self.runs(1, 1))
    let b = try Self.file("b1.json", Self.runs(2, 1))
    let compared = try Wscope.run(["bench", "compare", a, "--vs", b])
    #expect(compared.exitCode == 0)
    #expect(compared.outputText.contains("? needs 6 runs a side"))
    #expect(
      compared.outputText.contains("one run a side: no verdict; bench --repeat 8 --vs gives one"))
    let strict = try Wscope.run(["bench", "compare", a, "--vs", b, "--fail-on", "unknown"])
    #expect(strict.exitCode == 98)
  }

  @Test func whatDiffersIsNamedAndCanBeForced() throws {
    var other = Self.runs(1, 6)
    for index in other.indices { other[index].configuration.connections += 1 }
    let a = try Self.file("a-same.jsonl", Self.runs(1, 6))
    let b = try Self.file("b-other.jsonl", other)
    let refused = try Wscope.run(["bench", "compare", a, "--vs", b])
    #expect(refused.exitCode == 2)
    let connections = other[0].configuration.connections
    #expect(
      refused.errorText
        == "wscope: the runs differ in more than their figures; --force compares them all the same\n"
        + "  connections: \(connections - 1) and \(connections)\n")
    let forced = try Wscope.run(["bench", "compare", a, "--vs", b, "--force"])
    #expect(forced.exitCode == 0)
    #expect(forced.outputText.contains("differs  connections: "), "\(forced.outputText)")
  }

  @Test func anInvalidRunIsRejected() throws {
    var runs = Self.runs(1, 6)
    runs[0].verdict = Verdict(reasons: [.init(.invalid, .loopDelay(p99: 99_000_000))])
    let file = try Self.file("invalid.jsonl", runs)
    let refused = try Wscope.run(["bench", "compare", file, "--vs", file])
    #expect(refused.exitCode == 2)
    #expect(refused.errorText.contains("2 of 12 results are invalid"), "\(refused.errorText)")
  }

  @Test func mistakesAreAnsweredInOneLine() throws {
    let file = try Self.file("mistakes.jsonl", Self.runs(1, 6))
    let rows: [([String], String)] = [
      ([file], "nothing to compare with: --vs FILE names the results of group B"),
      ([file, "--vs", file, "--metric", "rtt.p5x"], "--metric: unknown statistic"),
      ([file, "--vs", file, "--metric", "a,,b"], "--metric"),
      ([file, "--vs", "/nonexistent/b"], "cannot read /nonexistent/b"),
      ([file, "--vs", file, "--noise", "x"], "--noise"),
      ([file, "--vs", file, "--fail-on", "sometimes"], "--fail-on"),
    ]
    for (options, message) in rows {
      let refused = try Wscope.run(["bench", "compare"] + options)
      #expect(refused.exitCode == 2, "\(options)")
      #expect(refused.errorText.contains(message), "\(refused.errorText)")
      #expect(refused.outputText.isEmpty)
    }
  }

  @Test func groupsMeasuredFarApartAreNamed() throws {
    var later = Self.runs(1, 6)
    for index in later.indices { later[index].run.started += 900_000_000_000 }
    let a = try Self.file("early.jsonl", Self.runs(1, 6))
    let b = try Self.file("late.jsonl", later)
    let compared = try Wscope.run(["bench", "compare", a, "--vs", b])
    #expect(compared.outputText.contains("apart: machine drift is part of this difference"))
  }
}
