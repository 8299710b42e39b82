import ArgumentParser
import Conversation
import Glibc
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// `bench merge`, and the options of a run that several processes share.
@Suite(.serialized, .blocking) struct BenchMergeTests {
  private static func folder(_ name: String) throws -> String {
    let path = try Wscope.scratch("bench-merge") + "/" + name
    mkdir(path, 0o755)
    return path
  }

  /// A log as `kubectl logs --prefix` writes it, of a run of two shards.
  private static func log(_ listener: Listener, _ options: [String] = []) throws -> String {
    try (0..<2).map { index in
      let run = try Wscope.run(
        [
          "bench", listener.url, "-c4", "-n400", "-R2k", "--format", "json", "-q",
          "--shard", "\(index)/2", "--run-id", "drill",
        ] + options)
      #expect(run.exitCode == 0, "\(run.errorText)")
      #expect(run.outputText.split(separator: "\n").count == 1)
      return "[pod/bench-\(index)] starting\n[pod/bench-\(index)] \(run.outputText)"
    }.joined()
  }

  @Test func theShardsOfARunAreMerged() throws {
    let listener = try Listener()
    let log = try Self.log(listener)
    let merged = try Wscope.run(["bench", "merge", "-", "--format", "json"], input: log)
    #expect(merged.exitCode == 0, "\(merged.errorText)")
    #expect(merged.errorText == "* skipped 2 lines that are not part of a result\n")
    let report = try LoadReport(json: Array(merged.outputText.utf8))
    #expect(report.contradictions() == [])
    #expect(report.messages.answered == 400)
    #expect(report.connections.opened == 4)
    #expect(report.run.id == "drill")
    #expect(report.shards.map(\.shard.index) == [0, 1])
    // They ran one after another, which cannot be taken for one run.
    #expect(report.verdict.reasons.contains { $0.finding.check == .windowsApart })
    let judged = try Wscope.run(
      ["bench", "merge", "-", "-q", "--threshold", "messages.answered==401"], input: log)
    #expect(judged.exitCode == 98)
    #expect(judged.outputText.contains("? messages.answered == 401"), "\(judged.outputText)")
    let schema = SchemaCheck(try JSONValue.parse(LoadReport.schemaDocument))
    #expect(schema.problems(of: try JSONValue.parse(Array(merged.outputText.utf8))) == [])
    // So is a page.
    let page = try Self.folder("page") + "/all.html"
    let written = try Wscope.run(
      ["bench", "report", "-", "--html", page], input: merged.outputText)
    #expect(written.exitCode == 0, "\(written.errorText)")
    let fromPage = try Wscope.run(["bench", "merge", page, "--format", "json"])
    #expect(fromPage.outputText == merged.outputText)
    #expect(fromPage.errorText.isEmpty, "\(fromPage.errorText)")
    // A merged result is a result.
    let again = try Wscope.run(["bench", "report", "-"], input: merged.outputText)
    #expect(again.exitCode == 0)
    #expect(again.outputText.contains("4 of 4 open"), "\(again.outputText)")
  }

  @Test func filesAndFoldersAreRead() throws {
    let listener = try Listener()
    let folder = try Self.folder("files")
    for (index, line) in try Self.log(listener).split(separator: "\n").enumerated() {
      try FileContents.write(String(line), to: "\(folder)/\(index).json")
    }
    unlink("\(folder)/0.json")
    unlink("\(folder)/2.json")
    try FileContents.write("not read", to: folder + "/notes.txt")
    let merged = try Wscope.run(["bench", "merge", folder, "-q"])
    #expect(merged.exitCode == 0, "\(merged.errorText)")
    #expect(merged.errorText.isEmpty)
    #expect(merged.outputText.contains("400 sent, 400 answered"), "\(merged.outputText)")

    let alone = try Wscope.run(["bench", "merge", folder + "/1.json"])
    #expect(alone.exitCode == 98)
    #expect(
      alone.errorText == "wscope: 1 of 2 shards; missing 1\n  --partial merges the rest\n")
    #expect(alone.outputText.isEmpty)
    let partial = try Wscope.run(["bench", "merge", folder + "/1.json", "--partial"])
    #expect(partial.exitCode == 0)
    #expect(partial.outputText.contains("1 of 2 shards; missing 1"), "\(partial.outputText)")

    let twice = try Wscope.run(["bench", "merge", folder, folder + "/1.json"])
    #expect(twice.exitCode == 0)
    #expect(twice.errorText == "* \(folder)/1.json appears twice and is counted once\n")
  }

  @Test func otherRunsAreNotMerged() throws {
    let listener = try Listener()
    let lines = try Self.log(listener).split(separator: "\n")
    let other = try Self.log(listener, ["--seed", "9", "--timeout", "4s"]).split(separator: "\n")
    let input = "\(lines[1])\n\(other[3])"
    let refused = try Wscope.run(["bench", "merge", "-"], input: input)
    #expect(refused.exitCode == 2)
    #expect(
      refused.errorText.contains("the results are from different runs"), "\(refused.errorText)")
    #expect(
      refused.errorText.contains("config.timeout_ns: 5000000000 and 4000000000"),
      "\(refused.errorText)")
    #expect(refused.errorText.contains("run.seed: "), "\(refused.errorText)")
    let forced = try Wscope.run(["bench", "merge", "-", "--force", "-q"], input: input)
    #expect(forced.exitCode == 0)
  }

  @Test(arguments: [
    ("", "standard input: no result of wscope bench found"),
    ("noise\n", "standard input: no result of wscope bench found"),
    ("a {\"schema\":\"bench/1\"", "standard input:1: unterminated result"),
    ("{\"schema\":\"bench/1\"}", "standard input: run: missing"),
    (
      "p {\"schema\":\"bench/1\",\np \"a\":1}",
      "standard input: not JSON: expected a member name at byte 21\n"
        + "  if each line has a prefix, the result must be on one line, as bench --shard writes it"
    ),
  ])
  func whatIsNoResultIsRejected(_ text: String, _ message: String) throws {
    let refused = try Wscope.run(["bench", "merge", "-"], input: text)
    #expect(refused.exitCode == 2)
    #expect(refused.errorText == "wscope: \(message)\n")
  }

  @Test func aWholeRunIsNotMerged() throws {
    let text = JSONReport(BenchFixture.open()).text
    let refused = try Wscope.run(["bench", "merge", "-"], input: text)
    #expect(refused.exitCode == 2)
    #expect(
      refused.errorText
        == "wscope: standard input is not the result of a shard: run bench with --shard\n")
  }

  @Test(arguments: [
    ([0], "0"), (Array(0..<10), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
    (Array(5..<9000), "5, 6, 7, 8, 9, 10, 11, 12, 13, 14 and 8985 more"),
  ])
  func aLongListIsCut(_ numbers: [Int], _ text: String) {
    #expect(MergeText.list(numbers) == text)
  }

  @Test func anEmptyFolderIsRejected() throws {
    let folder = try Self.folder("empty")
    let refused = try Wscope.run(["bench", "merge", folder])
    #expect(refused.exitCode == 2)
    #expect(refused.errorText == "wscope: no *.json file in \(folder)\n")
  }

  // MARK: Options of the run

  @Test(arguments: [
    (["SLURM_PROCID": "1", "SLURM_NTASKS": "3"], "auto", "1/3"),
    (["OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"], "auto", "0/2"),
    (["PMI_RANK": "7", "PMI_SIZE": "8"], "auto", "7/8"),
    (["JOB_COMPLETION_INDEX": "4"], "auto/5", "4/5"),
    ([:], "2/4", "2/4"),
  ])
  func thePartOfALauncherIsTaken(_ environment: [String: String], _ option: String, _ part: String)
    throws
  {
    let options = try ShardingOptions.parse(["--shard", option])
    let shard = try #require(try options.part(environment))
    #expect("\(shard.index)/\(shard.count)" == part)
  }

  @Test(arguments: [
    ([:], "auto", "none of SLURM_PROCID, "),
    (["JOB_COMPLETION_INDEX": "1"], "auto", "JOB_COMPLETION_INDEX is the index only"),
    (["JOB_COMPLETION_INDEX": "5"], "auto/5", "is \"5\" of 5, not a part of a run"),
    (["SLURM_PROCID": "x", "SLURM_NTASKS": "3"], "auto", "is \"x\" of 3, not a part of a run"),
    (["SLURM_PROCID": "1"], "auto", "SLURM_NTASKS is not in the environment"),
  ])
  func aMissingPartIsAUsageError(
    _ environment: [String: String], _ option: String, _ message: String
  ) throws {
    let options = try ShardingOptions.parse(["--shard", option])
    let failure = #expect(throws: CommandFailure.self) { try options.part(environment) }
    #expect(failure?.status == .usage)
    #expect(failure?.message.contains(message) == true, "\(failure?.message ?? "")")
  }

  @Test(arguments: [
    ("2026-12-01T08:00:00Z", "2026-12-01T08:00:00.000Z"),
    ("2026-12-01t08:00:00.25z", "2026-12-01T08:00:00.250Z"),
    ("2026-12-01T08:00:00.123456+01:30", "2026-12-01T06:30:00.123Z"),
    ("2026-12-01T08:00:00-09:00", "2026-12-01T17:00:00.000Z"),
  ])
  func aStartTimeIsRFC3339(_ typed: String, _ time: String) {
    #expect(StartTimeOption(argument: typed)?.time.text == time)
  }

  @Test(arguments: [
    "", "12:00", "2026-12-01", "2026-12-01T08:00:00", "2026-12-01T08:00:00+1",
    "2026-13-01T08:00:00Z",
    "2026-12-01T08:00:00.Z", "2026-12-01T08:00:00+24:00", "2026-12-01T08:00:00Ü",
  ])
  func anythingElseIsNoStartTime(_ typed: String) {
    #expect(StartTimeOption(argument: typed) == nil)
  }

  @Test func aStartInThePastIsRejected() throws {
    let refused = try Wscope.run([
      "bench", "ws://127.0.0.1:9/", "--start-at", "2020-01-01T00:00:00Z",
    ])
    #expect(refused.exitCode == 2)
    #expect(refused.errorText.contains(" in the past"), "\(refused.errorText)")
  }

  @Test func shardsAgreeOnTheirSeed() throws {
    func seed(_ index: Int, _ options: [String] = []) -> UInt64 {
      var plan = LoadPlan(seed: 0, threads: 1 + index, shard: .init(index: index, count: 4))
      plan.connections = 10 + options.count
      return plan.fingerprint()
    }
    #expect(seed(0) == seed(3))
    #expect(seed(0) != seed(0, ["-c11"]))
  }
}
