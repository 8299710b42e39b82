import LoadTesting

/// The reports that the output tests print.
enum BenchFixture {
  static let ms: Int64 = 1_000_000
  static let second: Int64 = 1_000_000_000

  /// A summary with the four usual percentiles and the largest value, in microseconds.
  static func summary(
    _ count: Int, _ p50: Int64, _ p90: Int64, _ p99: Int64, _ p999: Int64?, _ max: Int64
  ) -> LatencySummary {
    let last = p999.map { Percentile.value($0 * 1000) } ?? .tooFewSamples(needed: 10_000)
    return LatencySummary(
      count: count, censored: 0, min: 1000, max: max * 1000,
      percentiles: [
        .init(.p50, .value(p50 * 1000)), .init(.p90, .value(p90 * 1000)),
        .init(.p99, .value(p99 * 1000)), .init(.p999, last),
      ])
  }

  /// An interval whose round trips are all in one bucket.
  static func interval(_ interval: IntervalSeries.Interval) -> LoadReport.Interval {
    LoadReport.Interval(
      interval, heat: HeatBuckets([.init(bucket: -75, count: interval.rtt.count)]))
  }

  /// The only interval of `closed`.
  static func closedInterval(_ rtt: LatencySummary) -> LoadReport.Interval {
    interval(
      .init(
        start: 0, duration: 10 * second, sent: 955, received: 907, open: 98, rtt: rtt, errors: 0))
  }

  /// An open-loop run in which nothing went wrong.
  static func open(shard: LoadReport.Shard? = nil) -> LoadReport {
    let plan = LoadPlan(
      pacing: .open(rate: 20_000, arrival: .constant), connections: 1000,
      length: .duration(60 * second), warmUp: 2 * second, seed: UInt64.max)
    var counts = MessageCounts()
    counts.sent = 1_200_000
    counts.answered = 1_200_000
    counts.answeredInWindow = 1_199_940
    let rtt = summary(1_200_000, 412, 780, 2310, 9100, 23_100)
    let inWindow = summary(1_199_940, 412, 780, 2310, 9100, 23_100)
    var closes = CloseTally()
    closes.record(code: 1000, by: .ours, count: 1000)
    var host = HostFacts()
    host.system = "Linux"
    host.cores = 4
    host.portRange = 32768...60999
    return LoadReport(
      tool: .init(version: "0.1.0", build: "release"),
      run: .init(
        id: "r1", started: 1_795_421_700_250 * ms, seed: plan.seed,
        argv: ["wscope", "bench", "ws://10.0.0.7:8080/echo", "-R", "20k"],
        tags: ["b": "2", "a": "1"],
        shard: shard),
      target: .init(
        url: "ws://10.0.0.7:8080/echo", addresses: ["10.0.0.7"], extensions: ["permessage-deflate"]),
      configuration: .init(plan),
      phases: [
        .init(.connect, start: 0, duration: 2 * second),
        .init(.warmUp, start: 2 * second, duration: 2 * second),
        .init(.measure, start: 4 * second, duration: 60 * second),
      ],
      verdict: Verdict(reasons: []),
      connections: .init(asked: 1000, opened: 1000, failed: 0, lost: 0), messages: counts,
      metrics: [
        .connect: summary(1000, 920, 1310, 4020, nil, 5800),
        .tcp: summary(1000, 210, 300, 900, nil, 1000),
        .upgrade: summary(1000, 660, 800, 3000, nil, 4000),
        .dns: LatencySummary(
          count: 1, censored: 0, min: 1_200_000, max: 1_200_000,
          percentiles: [.init(.p50, .tooFewSamples(needed: 20))]),
        .roundTrip: rtt,
        .service: summary(1_200_000, 401, 760, 2240, 8900, 22_700),
        .late: summary(1_200_000, 11, 30, 122, 400, 1100),
      ],
      rates: .init(target: 20_000, sent: 20_000, answered: 19_999),
      payload: .init(sent: 76_800_000, received: 76_800_000),
      wire: .init(sent: 84_000_000, received: 79_200_000), closes: closes.entries,
      intervals: [
        interval(
          .init(
            start: 0, duration: 60 * second, sent: 1_200_000, received: 1_199_940, open: 1000,
            rtt: inWindow, errors: 0, cpu: 0.34, loopDelay: 200_000))
      ],
      selfCheck: SelfCheck(
        busiestLoop: 0.34, awake: 0.121, host: 0.41, loopDelayP99: 200_000,
        files: .init(used: 1024, limit: 65_536), latency: .steady, throughput: .drifting(-0.02)),
      host: host)
  }

  /// 1 to 907 ms, and 48 unanswered messages.
  static var roundTrips: LatencyHistogram {
    var rtt = LatencyHistogram()
    for sample in 1...907 { rtt.record(Int64(sample) * ms) }
    rtt.recordCensored(48, atLeast: 5 * second)
    return rtt
  }

  /// A closed-loop run with the histogram of `roundTrips` in it.
  static func withHistogram() -> LoadReport {
    var report = closed()
    let rtt = roundTrips
    report.metrics = [.roundTrip: rtt.summary()]
    report.metrics[.roundTrip]?.hdr = HistogramCodec.encode(rtt)
    return report
  }

  /// A closed-loop run of a server that fell ill.
  static func closed() -> LoadReport {
    var report = open()
    let plan = LoadPlan(
      pacing: .closed(inflight: 1), connections: 100, length: .duration(10 * second),
      content: .generated(size: 16_384), seed: 1, threads: 2)
    report.configuration = .init(plan)
    report.rates = .init(sent: 95.5, answered: 90.7)
    report.phases = [.init(.measure, start: 0, duration: 10 * second)]
    report.wire = .init()
    report.connections = .init(asked: 100, opened: 98, failed: 2, lost: 1)
    report.messages.sent = 955
    report.messages.answered = 907
    report.messages.answeredInWindow = 907
    report.messages.unanswered = 47
    report.messages.failed = 1
    report.planned = report.messages.planned
    var rtt = LatencyHistogram()
    for _ in 0..<907 { rtt.record(1_500 * 1000) }
    rtt.recordCensored(48, atLeast: 5 * second)
    report.metrics = [.roundTrip: rtt.summary()]
    report.payload = .init(sent: 955 * 16_384, received: 907 * 16_384)
    report.intervals = [
      closedInterval(summary(907, 1500, 1500, 1500, nil, 1500))
    ]
    var errors = ErrorTally()
    errors.record(.open, .unanswered, count: 47, at: 5_310 * ms)
    errors.record(.tcp, .refused, code: 111, count: 2, at: 20 * ms, sample: "no\u{1B}[2J\nthanks")
    report.errors = errors.entries
    var closes = CloseTally()
    closes.record(code: 1000, by: .ours, count: 97)
    closes.record(code: 1006, by: .peer)
    closes.record(code: 4001, by: .peer)
    report.closes = closes.entries
    report.selfCheck = SelfCheck(busiestLoop: 0.78)
    report.judge()
    return report
  }
}
