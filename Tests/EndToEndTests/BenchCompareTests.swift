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
    #expect(lines.dropFirst(2).allSatisfy { $0.count <= 110 }, "\(compared.outputText)")
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
    let json = try JSONValue.parse(Array(compared.outputText.utf8))
    #expect(json["schema"] == .string("bench-compare/1"))
    func list(_ value: JSONValue?) -> [JSONValue] {
      if case .array(let elements)? = value { elements } else { [] }
    }
    #expect(list(json["a"]?["runs"]).count == 6)
    #expect(list(json["b"]?["runs"]).count == 7)
    let row = try #require(list(json["metrics"]).first)
    #expect(row["name"] == .string("rtt.p50"))
    #expect(row["word"] == .string("worse"))
    #expect(list(row["b"]).count == 7)
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
        == "wscope: the runs have different configurations; --force compares them anyway\n"
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

  // MARK: Several runs in one command

  @Test func runsAreRepeated() throws {
    let listener = try Listener()
    let out = try Self.file("repeat.jsonl", [])
    let repeated = try Wscope.run([
      "bench", listener.url, "-c2", "-n200", "--repeat", "3", "--out", out, "--no-progress",
    ])
    #expect(repeated.exitCode == 0, "\(repeated.errorText)")
    let notes = repeated.errorText.split(separator: "\n")
    #expect(notes.first == "* 3 runs")
    #expect(notes.dropFirst().map { $0.prefix(9) } == ["* run 1/3", "* run 2/3", "* run 3/3"])
    #expect(repeated.outputText.contains("3 runs        median        min           max"))
    #expect(repeated.outputText.contains("rtt.p50"))
    let lines = try FileContents.read(out).split(separator: 0x0A)
    #expect(lines.count == 3)
    let seeds = try lines.map { try LoadReport(json: Array($0)).run.seed }
    #expect(Set(seeds).count == 3, "each run has a schedule of its own")
    let shown = try Wscope.run(["bench", "report", out, "--format", "json"])
    #expect(shown.exitCode == 0)
    #expect(ResultStream(Array(shown.outputText.utf8)).results.count == 3)
    let texts = try Wscope.run(["bench", "report", out, "--threshold", "messages.answered==200"])
    #expect(texts.exitCode == 0)
    #expect(texts.outputText.components("✓ messages.answered == 200") == 3)
    let page = try Wscope.run(["bench", "report", out, "--html", "/tmp/never.html"])
    #expect(page.exitCode == 2)
    #expect(page.errorText.contains("has 3 results, and only one can be written to a file"))
  }

  @Test func twoServersAreMeasuredInTurn() throws {
    let listener = try Listener()
    let out = try Self.file("vs.jsonl", [])
    let compared = try Wscope.run([
      "bench", listener.url, "-c2", "-n60", "--repeat", "6", "--out", out, "-q", "--seed", "2",
      "--metric", "rtt.p50", "--vs", listener.url + "echo?fault=delay%3D5ms",
    ])
    #expect(compared.exitCode == 99, "\(compared.errorText)")
    #expect(compared.errorText.isEmpty, "\(compared.errorText)")
    #expect(compared.outputText.contains("SLOWER"), "\(compared.outputText)")
    #expect(compared.outputText.contains("paired, 6 pairs in the order A B B A"))
    let runs = try FileContents.read(out).split(separator: 0x0A)
      .map { try LoadReport(json: Array($0)) }
    #expect(runs.compactMap(\.run.pair?.side.rawValue).joined() == "ABBAABBAABBA")
    let seeds = Dictionary(grouping: runs) { $0.run.pair?.number ?? 0 }.values
      .map { Set($0.map(\.run.seed)) }
    #expect(seeds.allSatisfy { $0.count == 1 }, "both sides of a pair have the same schedule")
    let schema = SchemaCheck(try JSONValue.parse(LoadReport.schemaDocument))
    for line in try FileContents.read(out).split(separator: 0x0A) {
      #expect(schema.problems(of: try JSONValue.parse(Array(line))) == [])
    }
    // The file holds both groups.
    let again = try Wscope.run(["bench", "compare", out, "--metric", "rtt.p50"])
    #expect(again.exitCode == 99)
    #expect(again.outputText == compared.outputText)
  }

  @Test func otherOptionsAreTheOtherSide() throws {
    let listener = try Listener()
    let compared = try Wscope.run([
      "bench", listener.url, "-c2", "-n60", "--repeat", "6", "-q", "--vs=--size 20k --binary",
      "--fail-on", "never",
    ])
    #expect(compared.exitCode == 0, "\(compared.errorText)")
    #expect(compared.outputText.contains("differs  size: 64 and 20480"), "\(compared.outputText)")
    #expect(compared.outputText.contains("differs  type: text and binary"))
  }

  /// An option whose value is optional.
  @Test func compressionIsComparedWithNone() throws {
    let listener = try Listener()
    let out = try Self.file("vs-compress.jsonl", [])
    let compared = try Wscope.run([
      "bench", listener.url, "-c2", "-n20", "--repeat", "6", "-q", "--out", out,
      "--vs=--compress", "--fail-on", "never",
    ])
    #expect(compared.exitCode == 0, "\(compared.errorText)")
    for line in try FileContents.read(out).split(separator: 0x0A) {
      let run = try LoadReport(json: Array(line))
      #expect(run.target.extensions.isEmpty == (run.run.pair?.side == .a))
    }
  }

  @Test func theSecretsOfTheOtherSideAreNotReported() throws {
    let listener = try Listener()
    let out = try Self.file("vs-secret.jsonl", [])
    _ = try Wscope.run([
      "bench", listener.url, "-c1", "-n20", "--repeat", "6", "-q", "--out", out,
      "--vs=--bearer cAnArY7", "--fail-on", "never",
    ])
    let text = String(decoding: try FileContents.read(out), as: UTF8.self)
    #expect(text.contains("--vs") && !text.contains("cAnArY7"))
  }

  @Test(arguments: [
    (["--vs", "ws://127.0.0.1:9/", "--repeat", "5"], "--vs needs at least 6 pairs"),
    (["--repeat", "0"], "--repeat must be from 1 to 1000"),
    (["--repeat", "2", "--html", "/tmp/x.html"], "--html and --repeat cannot be used together"),
    (["--vs", "ws://h/", "--threshold", "rtt.p99<1s"], "--threshold and --vs cannot be used"),
    (["--repeat", "2", "--shard", "0/2"], "--shard and --repeat cannot be used together"),
    (["--metric", "rtt.p50"], "--metric requires --vs"),
    (["--repeat", "2", "--noise", "1%"], "--noise requires --vs"),
    (["--fail-on", "never"], "--fail-on requires --vs"),
    (["--compare-format", "json"], "--compare-format requires --vs"),
    (["--vs=--out x"], "--vs: --out applies to both sides: give it to bench itself"),
    (["--vs=--seed=3 --size 9"], "--vs: --seed applies to both sides"),
    (["--vs=--message 'a b"], "the value '--message 'a b' is invalid for '--vs"),
    (["--vs=--siz 3"], "--vs: "), (["--vs", "ftp://x/"], "unsupported URL scheme"),
  ])
  func aSeriesThatMakesNoSenseIsRejected(_ options: [String], _ message: String) throws {
    let refused = try Wscope.run(["bench", "ws://127.0.0.1:9/"] + options)
    #expect(refused.exitCode == (message.hasPrefix("unsupported") ? 3 : 2), "\(refused.errorText)")
    #expect(refused.errorText.contains(message), "\(refused.errorText)")
  }

  @Test(
    arguments: [
      ("", []), ("--size 3", ["--size", "3"]), ("  -b   --size=3 ", ["-b", "--size=3"]),
      ("-H 'X: a b' -x \"c d\"", ["-H", "X: a b", "-x", "c d"]), ("-x ''", ["-x", ""]),
      ("-x a\\ b -x 'c\\'", ["-x", "a b", "-x", "c\\"]), ("-x \"a\\\"b\"", ["-x", "a\"b"]),
      ("-x 'a", nil), ("-x a\\", nil),
    ] as [(String, [String]?)])
  func optionsAreSplitAsByAShell(_ line: String, _ words: [String]?) {
    #expect(OtherSideOption.words(line) == words)
  }

  /// One server for all runs: a thread and a port each would be lost a thousand times.
  @Test func withoutAURLAllRunsMeasureOneServer() throws {
    let repeated = try Wscope.run(["bench", "-c1", "-n20", "--repeat", "3", "--no-progress"])
    #expect(repeated.exitCode == 0, "\(repeated.errorText)")
    #expect(repeated.errorText.components("no URL: measuring an echo server") == 1)
  }

  /// What was measured before a signal is kept.
  @Test func anInterruptedSeriesKeepsItsRuns() throws {
    let listener = try Listener()
    let out = try Self.file("interrupted.jsonl", [])
    let bench = try Wscope.start([
      "bench", listener.url, "-c1", "-n20", "--repeat", "1000", "--out", out, "--no-progress",
    ])
    _ = try bench.readLine(from: .standardError) { $0.hasPrefix("* run 2/1000") }
    bench.signal(SIGINT)
    let finished = try bench.wait()
    #expect(finished.exitCode == 130)
    let stopped = finished.errorText.split(separator: "\n").last ?? ""
    #expect(stopped.hasPrefix("! stopped in run "), "\(finished.errorText)")
    #expect(stopped.hasSuffix("complete runs; their results are in \(out)"))
    let kept = ResultStream(try FileContents.read(out)).results.count
    #expect(kept >= 2 && stopped.contains(", after \(kept) complete runs;"), "\(stopped)")
    #expect(finished.outputText.contains("\(kept) runs "), "\(finished.outputText)")
  }

  @Test func aServerThatIsNotThereEndsTheSeries() throws {
    let refused = try Wscope.run([
      "bench", "ws://127.0.0.1:9/", "-c1", "-n5", "--repeat", "3", "-q",
    ])
    #expect(refused.exitCode == 7, "\(refused.errorText)")
    #expect(refused.errorText.components("refused") == 1, "\(refused.errorText)")
  }
}

extension String {
  /// How often a text occurs.
  fileprivate func components(_ text: String) -> Int {
    var (count, rest) = (0, self[...])
    while let range = rest.firstRange(of: text) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
