import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// The course of a run as rows and as a log of histograms.
@Suite(.serialized, .blocking) struct BenchCourseTests {
  private static let second: Int64 = 1_000_000_000
  private static let head =
    "t_s,dur_s,phase,target,sent,received,open,errors,unanswered,p50_ms,p99_ms,max_ms,cpu,loop_delay_ms"

  private static func rows(_ text: String) -> [[String: String]] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    let names = lines.first?.split(separator: ",").map(String.init) ?? []
    return lines.dropFirst().map { line in
      let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      #expect(fields.count == names.count, "\(line)")
      return Dictionary(uniqueKeysWithValues: zip(names, fields))
    }
  }

  @Test func aRowHasWhatWasMeasured() {
    var report = BenchFixture.open()
    var rtt = LatencyHistogram()
    for sample in 1...2000 { rtt.record(Int64(sample) * 1500) }
    report.intervals = [
      BenchFixture.interval(
        .init(
          start: -2 * Self.second, duration: Self.second / 2, sent: 3, received: 0, open: 1000,
          rtt: LatencyHistogram().summary(), errors: 1)),
      BenchFixture.interval(
        .init(
          start: 1, duration: Self.second + 1, sent: 2100, received: 2000, open: 999,
          unanswered: 7, rtt: rtt.summary(), errors: 8, cpu: 0.34567, loopDelay: 200_000)),
    ]
    let text = IntervalFormat.csv.text(report)
    let p50 = rtt.percentile(.p50).bound ?? 0
    #expect(
      text == """
        \(Self.head)
        -2,0.5,warm-up,20000,3,0,1000,1,0,,,,,
        0.000000001,1.000000001,measure,20000,2100,2000,999,8,7,\
        \(Double(p50) / 1e6),\(Double(rtt.percentile(.p99).bound ?? 0) / 1e6),3,0.3457,0.2

        """)
    report.configuration.pacing = .closed(inflight: 1)
    #expect(Self.rows(IntervalFormat.csv.text(report)).map { $0["target"] } == ["", ""])
    #expect(ReportFormats.csv.render(report) == IntervalFormat.csv.text(report))
  }

  @Test func aLineHasItsTagTimesAndLargestValue() throws {
    var rtt = LatencyHistogram()
    rtt.record(1_234_567)
    var summary = rtt.summary([])
    summary.hdr = HistogramCodec.encode(rtt)
    let stretch = LoadStretch(
      start: 1_500_000_000, duration: Self.second, samples: [.late: summary, .roundTrip: summary])
    let hdr = try #require(summary.hdr)
    let format = IntervalFormat.histogramLog
    #expect(
      format.lines(stretch, targetRate: nil)
        == "Tag=rtt,1.5,1,1.234567,\(hdr)\nTag=late,1.5,1,1.234567,\(hdr)\n")
    #expect(
      format.header(started: 1_795_421_700_250_000_000)
        == """
        #[Histogram log format version 1.3]
        #[StartTime: 1795421700.250 (seconds since epoch), 2026-11-23T08:15:00.250Z]
        "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"

        """)
  }

  @Test func theFilesOfARunAgreeWithItsResult() throws {
    let directory = try Wscope.scratch("course")
    let (csv, log, json) = ("\(directory)/r.csv", "\(directory)/r.hlog", "\(directory)/r.json")
    try Wscope.write("old", to: csv)
    let listener = try Listener()
    let run = try Wscope.run([
      "bench", listener.url, "-c3", "-R2000", "-d1500ms", "--warmup=0", "--csv", csv, "--hdr", log,
      "--out", json, "-q",
    ])
    #expect(run.exitCode == 0, "\(run.errorText)")
    let result = try JSONReader.read(try Wscope.read(json))
    let rows = Self.rows(try Wscope.read(csv))
    #expect(rows.count == 2)
    let sent = rows.reduce(0) { $0 + (Int($1["sent"] ?? "") ?? 0) }
    #expect(result["messages", "sent"] == .number(Double(sent)))
    let lines = try Wscope.read(log).split(separator: "\n").dropFirst(3)
    var sums: [String: LatencyHistogram] = [:]
    for line in lines {
      let fields = line.split(separator: ",")
      let tag = String(try #require(fields.first).dropFirst("Tag=".count))
      sums[tag, default: LatencyHistogram()].merge(
        try HistogramCodec.decode(String(try #require(fields.last))))
    }
    for (name, sum) in sums {
      #expect(result["metrics", name, "count"] == .number(Double(sum.count)), "\(name)")
      #expect(result["metrics", name, "hdr"] == HistogramCodec.encode(sum).map { .string($0) })
    }
    #expect(Set(sums.keys) == Set(result["metrics"]?.names ?? []))
    // The stored result gives the same rows, and the log of the whole run.
    let again = try Wscope.run(
      ["bench", "report", json, "--format", "csv", "--hdr", log, "--csv", "\(directory)/2.csv"])
    #expect(again.exitCode == 0, "\(again.errorText)")
    #expect(again.outputText == (try Wscope.read(csv)))
    #expect(try Wscope.read("\(directory)/2.csv") == again.outputText)
    let whole = try Wscope.read(log).split(separator: "\n").dropFirst(3)
    #expect(whole.count == sums.count)
    for line in whole {
      let fields = line.split(separator: ",").map(String.init)
      let name = String(fields[0].dropFirst("Tag=".count))
      #expect(result["metrics", name, "hdr"] == .string(fields[4]), "\(name)")
    }
  }

  /// Nothing listens there: a file that cannot be opened is found out before anything is.
  @Test(arguments: [
    (["--csv", "/nonexistent/x"], 23, "cannot write /nonexistent/x: No such file or directory"),
    (["--hdr", "/nonexistent/x"], 23, "cannot write /nonexistent/x: No such file or directory"),
    (["--csv", "-"], 2, "--csv does not write to standard output; use --format csv"),
    (["--hdr", "-"], 2, "--hdr does not write to standard output; name a file"),
    (["--csv", "x", "--repeat", "2"], 2, "--csv and --repeat cannot be used together"),
    (["--hdr", "x", "--vs", "ws://h"], 2, "--hdr and --vs cannot be used together"),
  ])
  func badFilesAreRejected(_ words: [String], _ code: Int32, _ message: String) throws {
    let run = try Wscope.run(["bench", "ws://127.0.0.1:1"] + words)
    #expect(run.exitCode == code)
    #expect(run.errorText.contains(message), "\(run.errorText)")
    #expect(run.errorText.split(separator: "\n").count == 1)
  }

  @Test func aFullDiskDoesNotEndTheRun() throws {
    let listener = try Listener()
    let run = try Wscope.run([
      "bench", listener.url, "-c1", "-n50", "--csv", "/dev/full", "--format", "json",
    ])
    #expect(run.exitCode == 23)
    #expect(
      run.errorText.contains(
        "cannot write /dev/full: No space left on device; the run goes on without it"),
      "\(run.errorText)")
    #expect(try JSONReader.read(run.outputText)["messages", "answered"] == .number(50))
  }
}
