import Conversation
import LoadTesting
import TestPeers
import Testing

@testable import wscope

@Suite(.blocking) struct BenchTextTests {
  @Test func anOpenLoopThatWentWell() {
    #expect(
      TextReport(BenchFixture.open()).text == #"""
        VALID  ws://10.0.0.7:8080/echo
        At 20 000 msg/s over 1000 connections, 99 % of answers came within 2.31 ms;
        nothing was lost.
        echo, open loop, 1000 conns × 20 msg/s, 64 B, constant
        target reached 100.0 %, 60.0 s measured after 2.0 s warm-up

                         p50      p90      p99    p99.9      max
        rtt           412 µs   780 µs  2.31 ms  9.10 ms  23.1 ms  from intended send
        rtt_service   401 µs   760 µs  2.24 ms  8.90 ms  22.7 ms  from actual send
        late         11.0 µs  30.0 µs   122 µs   400 µs  1.10 ms  generator delay
        connect       920 µs  1.31 ms  4.02 ms        –  5.80 ms  at 500/s
          connect p50: tcp 210 µs, upgrade 660 µs; dns 1.20 ms
          p99.9 needs 10 000 samples

        Messages     1 200 000 sent, 1 200 000 answered, 0 unanswered, 19 999/s,
                     frames ↑1.40 ↓1.32 MB/s
        Connections  1000 of 1000 open, 0 failed, 0 lost
        Errors       none
        Close        1000 × 1000 normal (ours)
        Generator    loop 34 % (and 12 % awake before messages are due), host 41 %,
                     loop delay p99 200 µs, fds 1024/65 536

        """#)
  }

  @Test func aClosedLoopThatDidNot() {
    #expect(
      TextReport(BenchFixture.closed()).text == #"""
        SUSPECT  ws://10.0.0.7:8080/echo
        With 100 connections and 1 message in flight on each, the server answered 90.7
        messages a second, 90 % of them within 1.50 ms; 48 of 955 messages were not
        answered, 2 connections did not open, 1 connection was lost.
        SUSPECT: 48 of 955 messages were not answered; percentiles rank them by their
            waiting time
        SUSPECT: busiest loop thread 78 % CPU; results may show this client. Use
            --threads 4
        echo, closed loop, 100 conns × 1 in flight, 16 KiB
        10.0 s measured
        closed loop: latency excludes waiting; use -R for latency

                         p50      p90      p99    p99.9      max
        rtt          1.50 ms  1.50 ms        –        –     >5 s  from actual send
          p99 needs 1000 samples, p99.9 10 000

        Messages     955 sent, 907 answered, 47 unanswered, 1 failed, 90.7/s
        Connections  98 of 100 open, 2 failed, 1 lost
        Errors       47 × open unanswered, first at 5.3 s
                     2 × tcp refused (111), first at 0.0 s: no [2J thanks
        Close        97 × 1000 normal (ours), 1 × 1006 no close frame (peer),
                     1 × 4001 (peer)
        Generator    loop 78 %

        """#)
  }

  @Test("low: no line is wider than 80 columns")
  func lowLinesFitIntoATerminal() {
    for base in [BenchFixture.open(), BenchFixture.closed()] {
      var report = base
      report.verdict = Verdict(reasons: Self.findings.map { .init(.suspect, $0.0) })
      for metric in report.metrics.keys {
        let levels = (1...10).compactMap { PercentileLevel(thousandths: 90_000 + $0 * 999) }
        report.metrics[metric]?.percentiles = levels.map { .init($0, .value(1_234_000)) }
      }
      report.errors[safe: 0]?.sample = String(repeating: "word ", count: 40)
      report.warmUp.dropped = 100
      report.warmUp.failed = 7
      for line in TextReport(report).text.split(separator: "\n") {
        #expect(line.count <= 80, "\(line)")
      }
    }
  }

  @Test func closeCodesOfASubprotocol() {
    var report = BenchFixture.closed()
    report.target.subprotocol = "graphql-transport-ws"
    var closes = CloseTally()
    closes.record(code: 4401, by: .peer, count: 2)
    closes.record(code: 4001, by: .peer)
    report.closes = closes.entries
    let line = TextReport(report).text.split(separator: "\n").first { $0.contains("Close  ") }
    #expect(line == "Close        2 × 4401 unauthorized (peer), 1 × 4001 (peer)")
  }

  @Test func aRunThatNeverBegan() {
    var report = BenchFixture.closed()
    report.configuration.connections = 1
    report.connections = .init(asked: 1, opened: 0, failed: 1, lost: 0)
    report.messages = MessageCounts()
    report.planned = 0
    report.metrics = [.roundTrip: LatencyHistogram().summary()]
    report.rates = .init(sent: 0, answered: 0)
    report.phases = []
    report.intervals = []
    report.payload = .init()
    report.closes = []
    report.errors.removeFirst()
    report.selfCheck = SelfCheck()
    report.judge()
    #expect(
      TextReport(report).text == #"""
        INVALID  ws://10.0.0.7:8080/echo
        Nothing was measured: 0 of 1 connections opened.
        INVALID: nothing was measured: 0 of 1 connections opened
        echo, closed loop, 1 conn × 1 in flight, 16 KiB
        closed loop: latency excludes waiting; use -R for latency

        Messages     0 sent, 0 answered, 0 unanswered, 0/s
        Connections  0 of 1 open, 1 failed, 0 lost
        Errors       2 × tcp refused (111), first at 0.0 s: no [2J thanks

        """#)
  }

  private static let findings: [(Verdict.Finding, String)] = [
    (
      .belowTarget(share: 0.982, missing: 0, dropped: 9),
      "target reached 98.2 %: this client did not keep the rate. Lower -R, or use --threads 2"
    ),
    (
      .belowTarget(share: 0.5, missing: 600_000, dropped: 0),
      "target reached 50.0 %: 600 000 messages were due on connections that were lost or never opened"
    ),
    (
      .fewerConnections(share: 0.9),
      "connections were open for 90.0 % of the planned time; the throughput is that of fewer "
        + "connections"
    ),
    (
      .matching(replies: 12_000),
      "12 000 replies cannot be matched to messages in order: the server pushes, answers twice, or "
        + "loses messages, and round trips are wrong. Use --match seq"
    ),
    (.noAnswers, "no message was answered: does the server echo?"),
    (
      .backlog(answered: 0.38),
      "sent 100 %, answered 38 % in the window: the server does not keep up. Lower -R"
    ),
    (
      .throttled(65, of: 68),
      "throttled in 65 of 68 periods: the container's CPU limit. Raise it, or use fewer connections "
        + "or a lower -R"
    ),
    (
      .contradiction(sums: 2),
      "2 sums of this report do not agree; do not use these numbers, and report this as a bug in "
        + "wscope"
    ),
    (
      .late(p99: 3_100_000, roundTrip: 412_000),
      "sent late, p99 3.10 ms beside rtt p50 412 µs; results may show this client. "
        + "Lower -R, or use --threads 2"
    ),
    (
      .overloaded(unsent: 12_345),
      "overloaded: 12 345 messages unsent, 1024 already in flight on their connection; "
        + "the server does not keep up. Lower -R"
    ),
    (
      .latencyDrift(change: 0.25),
      "not steady: rtt p50 rose by 25 % over the window. Measure longer (-d), "
        + "or warm up longer (--warmup)"
    ),
    (
      .throughputDrift(change: -0.11),
      "not steady: throughput fell by 11 % over the window. Measure longer (-d), "
        + "or warm up longer (--warmup)"
    ),
    (
      .files(used: 960, limit: 1024),
      "960 of 1024 files open; connections may have failed here. Raise it: ulimit -n"
    ),
  ]

  @Test(arguments: findings)
  func findingsNameCauseNumberAndRemedy(finding: Verdict.Finding, words: String) {
    #expect(FindingText(BenchFixture.open()).text(finding) == words)
  }

  @Test("row 11: a run that is cut short names what was measured of what, and why")
  func row11_theReportOfARunThatIsCutShort() throws {
    var report = BenchFixture.open()
    report.configuration.length = .duration(300 * BenchFixture.second)
    report.cutShort = .init(.allLost, measured: 60 * BenchFixture.second)
    report.selfCheck.throughput = .steady
    report.judge()
    #expect(report.verdict.reasons.map(\.finding) == [.cutShort])
    let words = FindingText(report).text(.cutShort)
    #expect(words == "60.0 s measured of 300 s: all connections were lost")
    #expect(TextReport(report).text.contains("SUSPECT: \(words)\n"))
    let json = try JSONReader.read(JSONReport(report).text)
    #expect(json["run", "cut_short", "cause"] == .string("all_lost"))
    #expect(json["run", "cut_short", "measured_ns"] == .number(60e9))
    #expect(json["run", "cut_short", "planned_ns"] == .number(300e9))
    report.configuration.length = .messages(2_000_000)
    report.cutShort?.cause = .interrupted
    #expect(
      FindingText(report).text(.cutShort)
        == "60.0 s measured, 1 200 000 messages sent of 2 000 000: interrupted")
  }

  @Test("row 14: what is wrong when nothing was measured is said as it is")
  func row14_noFalseSentences() {
    var report = BenchFixture.open()
    report.messages = MessageCounts()
    report.planned = 0
    func message() -> String { FindingText(report).text(.nothingMeasured) }
    #expect(
      message()
        == "nothing was measured: no message was due in 60.0 s. Measure longer (-d), or raise -R")
    report.messages.missing = 5
    #expect(message() == "nothing was measured: no connection was left to send on")
    report.phases.removeLast()
    #expect(message() == "nothing was measured: the run ended in its warm-up")
    report.phases.removeLast()
    #expect(message() == "nothing was measured: 1000 of 1000 connections opened")
  }

  @Test("row 15: more threads are no remedy for a CPU limit")
  func row15_aLimitIsNamed() {
    var report = BenchFixture.open()
    report.host.cpuQuota = 0.5
    #expect(
      FindingText(report).text(.busyLoop(share: 0.78)).hasSuffix(
        "Raise the container's CPU limit of 0.5 cores"))
    #expect(
      FindingText(report).text(.throttled(65, of: 68)).hasPrefix(
        "throttled in 65 of 68 periods: the container's CPU limit of 0.5 cores"))
  }

  @Test func moreThreadsThanCoresAreNoRemedy() {
    var report = BenchFixture.open()
    report.configuration.threads = 4
    #expect(
      FindingText(report).text(.busyLoop(share: 0.78))
        == "busiest loop thread 78 % CPU; results may show this client. "
        + "Use a second machine: all 4 cores have a thread")
  }
}

@Suite(.blocking) struct FiguresTests {
  @Test(arguments: [
    (0, "0 ns"), (999, "999 ns"), (1_000, "1.00 µs"), (12_345, "12.3 µs"), (999_499, "999 µs"),
    (999_700, "1.00 ms"), (2_314_000, "2.31 ms"), (9_995_000, "10.0 ms"), (23_149_000, "23.1 ms"),
    (999_500_000, "1.00 s"), (5_000_000_000, "5.00 s"), (3_600_000_000_000, "3600 s"),
    (-1_500, "-1.50 µs"), (Int64.max, "9223372037 s"),
  ])
  func durations(ns: Int64, text: String) { #expect(Figures.duration(ns) == text) }

  @Test(arguments: [(5_000_000_000, "5 s"), (1_500_000, "1.5 ms"), (100, "100 ns"), (0, "0 ns")])
  func shortDurations(ns: Int64, text: String) { #expect(Figures.shortDuration(ns) == text) }

  @Test(arguments: [
    (0, "0"), (-7, "-7"), (9999, "9999"), (10_000, "10 000"), (1_200_000, "1 200 000"),
    (-123_456, "-123 456"), (Int.min, "-9 223 372 036 854 775 808"),
  ])
  func counts(number: Int, text: String) { #expect(Figures.count(number) == text) }

  @Test(arguments: [
    (0, "0"), (0.5, "0.5"), (20, "20"), (33.333, "33.3"), (19_999.4, "19 999"), (.infinity, "–"),
    (1e300, "9 223 372 036 854 775 807"),
  ])
  func rates(rate: Double, text: String) { #expect(Figures.rate(rate) == text) }

  @Test(arguments: [
    (0, "0"), (950, "950"), (999.6, "1.00k"), (20_000, "20.0k"), (999_600, "1.00M"),
    (1_250_000, "1.25M"), (.nan, "–"),
  ])
  func shortRates(rate: Double, text: String) { #expect(Figures.shortRate(rate) == text) }

  @Test(arguments: [
    (0, "0 B"), (64, "64 B"), (1000, "1000 B"), (1536, "1.5 KiB"), (1 << 20, "1 MiB"),
  ])
  func sizes(bytes: Int, text: String) { #expect(Figures.bytes(bytes) == text) }

  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000Z"), (1_795_421_700_250_999_999, "2026-11-23T08:15:00.250Z"),
    (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
  ])
  func times(ns: Int64, text: String) { #expect(UTCTime(ns).text == text) }
}

@Suite(.blocking) struct BenchProgressTests {
  private static func measuring() -> BenchProgress {
    let interval = IntervalSeries.Interval(
      start: 0, duration: BenchFixture.second, sent: 20_000, received: 19_990, open: 1000,
      rtt: BenchFixture.summary(19_990, 412, 780, 2310, 9100, 23_100), errors: 0, cpu: 0.34,
      loopDelay: 200_000)
    return BenchProgress(
      phase: .measure, elapsed: 23_400 * BenchFixture.ms, planned: 60 * BenchFixture.second,
      asked: 1000, open: 1000, targetRate: 20_000, interval: interval,
      inFlight: 11, errors: 0)
  }

  @Test func measuringOpenLoop() {
    #expect(
      Self.measuring().plainLine
        == "measure 23/60s  p50 412 µs  p99 2.31 ms  err 0  sent 20.0k/s 100%  recv 20.0k/s  "
        + "open 1000  max 23.1 ms  inflight 11  cpu 34%  lag 200 µs")
  }

  @Test func connecting() {
    let progress = BenchProgress(
      phase: .connect, elapsed: 0, planned: nil, asked: 1000, open: 480, targetRate: nil,
      interval: nil, inFlight: 0, errors: 3)
    #expect(progress.plainLine == "connect 0s  err 3  open 480/1000")
  }

  @Test func anIntervalWithFewSamples() {
    var progress = Self.measuring()
    progress.targetRate = nil
    var rtt = LatencyHistogram()
    rtt.record(1_000_000)
    progress.interval?.rtt = rtt.summary()
    #expect(progress.plainLine.contains("  p50 –  p99 –  err 0  sent 20.0k/s  recv 20.0k/s  "))
  }

  @Test(arguments: [200, 100, 60, 30, 14, 5, 0, -1])
  func aTerminalIsNeverTooNarrow(columns: Int) {
    let line = Self.measuring().line(columns: columns)
    #expect(line.count <= max(0, columns))
    #expect(Self.measuring().plainLine.contains(line))
  }

  @Test("row 9: percentiles and errors come first")
  func row09_aNarrowTerminalShowsWhatMatters() {
    #expect(Self.measuring().line(columns: 39) == "23/60s  p50 412 µs  p99 2.31 ms  err 0")
    #expect(
      Self.measuring().line(columns: 79)
        == "measure 23/60s  p50 412 µs  p99 2.31 ms  err 0  sent 20.0k/s 100%  recv 20.0k/s")
  }
}

extension Array {
  fileprivate subscript(safe index: Int) -> Element? {
    get { indices.contains(index) ? self[index] : nil }
    set { if indices.contains(index), let newValue { self[index] = newValue } }
  }
}
