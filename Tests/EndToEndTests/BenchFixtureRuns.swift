@testable import LoadTesting

/// Reports with intervals, histograms and heat, whose sums agree.
extension BenchFixture {
  /// An open-loop run against a server that stalls for a second, drops messages, and closes a connection.
  static func ill() -> LoadReport {
    run(intervals: 10, messages: 1000) { index, random in
      let base = 400_000 + random.below(600_000)
      let slow = random.below(50) == 0 ? 20_000_000 : 0
      // Those of the stall wait for its end.
      let stall = index == 5 ? 1_000_000_000 - Int64(random.below(1_000_000_000)) : 0
      return Int64(base + slow) + stall
    }
  }

  /// A healthy run of so many seconds, whose durations take up many buckets.
  static func long(_ intervals: Int) -> LoadReport {
    run(intervals: intervals, messages: 400) { index, random in
      // About three decades.
      var value = 200_000.0
      for _ in 0..<10 { value *= 1 + Double(random.below(1000)) / 1400 }
      return Int64(value) + Int64(index % 7) * 10_000
    }
  }

  private static func run(
    intervals: Int, messages: Int, _ duration: (Int, inout Random) -> Int64
  ) -> LoadReport {
    var report = open()
    var random = Random()
    let plan = LoadPlan(
      pacing: .open(rate: Double(messages), arrival: .constant), connections: 20,
      length: .duration(Int64(intervals) * second), warmUp: 2 * second, seed: 7)
    report.configuration = .init(plan)
    var (rtt, service, late) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
    var counts = MessageCounts()
    report.intervals = []
    for index in -2..<intervals {
      var part = LatencyHistogram()
      // Two are dropped in the first seconds, and given up in the seventh.
      let lost = intervals == 10 && [1, 2].contains(index) ? 100 : 0
      let givenUp = intervals == 10 && [6, 7].contains(index) ? 100 : 0
      for _ in 0..<(messages - lost) {
        let ns = duration(index, &random)
        part.record(ns)
        guard index >= 0 else { continue }
        rtt.record(ns)
        service.record(min(ns, 2_000_000))
      }
      if index >= 0 {
        for _ in 0..<messages { late.record(Int64(5000 + random.below(40_000))) }
        counts.sent += messages
        counts.answered += messages - lost
        counts.unanswered += lost
      }
      report.intervals.append(
        LoadReport.Interval(
          .init(
            start: Int64(index) * second, duration: second, sent: messages,
            received: messages - lost, open: index < 4 ? 20 : 19, unanswered: givenUp,
            rtt: part.summary(), errors: givenUp, cpu: 0.2 + Double(random.below(100)) / 1000,
            loopDelay: Int64(80_000 + random.below(90_000))),
          heat: HeatBuckets(part.buckets)))
    }
    counts.answeredInWindow = counts.answered
    rtt.recordCensored(counts.unanswered, atLeast: 5 * second)
    report.messages = counts
    report.planned = counts.sent
    report.metrics[.roundTrip] = stored(rtt)
    report.metrics[.service] = stored(service)
    report.metrics[.late] = stored(late)
    report.phases = [
      .init(.connect, start: 0, duration: second),
      .init(.warmUp, start: second, duration: 2 * second),
      .init(.measure, start: 3 * second, duration: Int64(intervals) * second),
    ]
    report.connections = .init(asked: 20, opened: 20, failed: 0, lost: 1)
    report.rates = .init(
      target: Double(messages), sent: Double(messages),
      answered: Double(counts.answered) / Double(intervals))
    report.payload = .init(sent: counts.sent * 64, received: counts.answered * 64)
    var errors = ErrorTally()
    errors.record(.open, .unanswered, count: counts.unanswered, at: 9 * second)
    var marked = errors
    marked.setWindow(from: ErrorTally(), to: errors)
    report.errors = marked.entries
    if intervals == 10 {
      report.errors.append(
        .init(phase: .open, class: .closed, code: 1011, count: 1, first: 8 * second, sample: "oops")
      )
    } else {
      report.connections.lost = 0
    }
    var closes = CloseTally()
    closes.record(code: 1000, by: .ours, count: 19)
    closes.record(code: 1011, by: .peer)
    report.closes = closes.entries
    report.judge()
    return report
  }

  private static func stored(_ histogram: LatencyHistogram) -> LatencySummary {
    var summary = histogram.summary()
    summary.hdr = HistogramCodec.encode(histogram)
    return summary
  }

  /// The same numbers in every run.
  private struct Random {
    private var state: UInt64 = 88_172_645_463_325_252

    mutating func below(_ limit: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(limit))
    }
  }
}
