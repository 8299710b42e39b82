import Conversation
import TestPeers
import Testing

@testable import LoadTesting

@Suite(.blocking) struct VerdictTests {
  private static func counts(sent: Int = 100_000, unsent: Int = 0) -> MessageCounts {
    var counts = MessageCounts()
    counts.sent = sent
    counts.answered = sent
    counts.unsent = unsent
    return counts
  }

  private static func evidence(
    _ change: (inout Verdict.Evidence) -> Void
  ) -> Verdict.Evidence {
    var evidence = Verdict.Evidence(messages: counts())
    change(&evidence)
    return evidence
  }

  private static let ms: Int64 = 1_000_000

  private static let rows: [(Verdict.Evidence, [Verdict.Reason])] = [
    (evidence { _ in }, []),
    (
      evidence { $0.messages.answered -= 3 },
      [
        .init(.invalid, .accounting(difference: 3)), .init(.suspect, .unanswered(3, of: 100_000)),
      ]
    ),
    (evidence { $0.contradictions = 2 }, [.init(.invalid, .contradiction(sums: 2))]),
    (evidence { $0.messages = MessageCounts() }, [.init(.invalid, .nothingMeasured)]),
    (evidence { $0.target = 100_500 }, []),
    (
      evidence {
        $0.messages = counts(sent: 992)
        $0.target = 1_000
      }, [.init(.suspect, .belowTarget(share: 0.992, missing: 0, dropped: 0))]
    ),
    (
      evidence {
        $0.messages = counts(sent: 980)
        $0.target = 1_000
      }, [.init(.invalid, .belowTarget(share: 0.98, missing: 0, dropped: 0))]
    ),
    (
      evidence {
        $0.messages = counts(sent: 600, unsent: 400)
        $0.target = 1_000
      }, [.init(.suspect, .overloaded(unsent: 400))]
    ),
    (
      evidence {
        $0.lateP99 = .value(ms)
        $0.roundTripP50 = .value(100_000)
      }, []
    ),
    (
      evidence {
        $0.lateP99 = .value(2 * ms)
        $0.roundTripP50 = .value(5 * ms)
      }, [.init(.suspect, .late(p99: 2 * ms, roundTrip: 5 * ms))]
    ),
    (
      evidence {
        $0.lateP99 = .value(2 * ms)
        $0.roundTripP50 = .value(100 * ms)
      }, []
    ),
    (
      evidence {
        $0.lateP99 = .value(3 * ms)
        $0.roundTripP50 = .value(5 * ms)
      }, [.init(.invalid, .late(p99: 3 * ms, roundTrip: 5 * ms))]
    ),
    (
      evidence { $0.lateP99 = .value(3 * ms) },
      [.init(.suspect, .late(p99: 3 * ms, roundTrip: nil))]
    ),
    (evidence { $0.lateP99 = .tooFewSamples(needed: 1000) }, []),
    (evidence { $0.loopDelayP99 = 2 * ms }, [.init(.suspect, .loopDelay(p99: 2 * ms))]),
    (
      evidence {
        $0.isOpenModel = true
        $0.loopDelayP99 = 11 * ms
      }, [.init(.invalid, .loopDelay(p99: 11 * ms))]
    ),
    (evidence { $0.loopDelayP99 = 11 * ms }, [.init(.suspect, .loopDelay(p99: 11 * ms))]),
    (evidence { $0.busiestLoop = 0.7 }, []),
    (evidence { $0.busiestLoop = 0.78 }, [.init(.suspect, .busyLoop(share: 0.78))]),
    (
      evidence {
        $0.isOpenModel = true
        $0.busiestLoop = 0.99
      }, [.init(.invalid, .busyLoop(share: 0.99))]
    ),
    (evidence { $0.busiestLoop = 0.99 }, [.init(.suspect, .busyLoop(share: 0.99))]),
    (evidence { $0.host = 0.9 }, [.init(.suspect, .busyHost(share: 0.9))]),
    (
      evidence {
        $0.isOpenModel = true
        $0.host = 0.98
      }, [.init(.invalid, .busyHost(share: 0.98))]
    ),
    (evidence { $0.host = 0.98 }, [.init(.suspect, .busyHost(share: 0.98))]),
    (evidence { $0.throttling = .init(periods: 68, throttled: 0) }, []),
    (
      evidence { $0.throttling = .init(periods: 68, throttled: 3) },
      [.init(.suspect, .throttled(3, of: 68))]
    ),
    (
      evidence { $0.throttling = .init(periods: 68, throttled: 65) },
      [.init(.invalid, .throttled(65, of: 68))]
    ),
    (evidence { $0.connectedShare = 0.996 }, []),
    (
      evidence { $0.connectedShare = 0.992 }, [.init(.suspect, .fewerConnections(share: 0.992))]
    ),
    (evidence { $0.connectedShare = 0.9 }, [.init(.invalid, .fewerConnections(share: 0.9))]),
    (
      evidence {
        $0.isOpenModel = true
        $0.connectedShare = 0.9
      }, []
    ),
    (evidence { $0.isCutShort = true }, [.init(.suspect, .cutShort)]),
    (evidence { $0.unmatched = 1 }, [.init(.invalid, .matching(replies: 1))]),
    (
      evidence {
        $0.messages.unanswered = 100_000
        $0.messages.answered = 0
      }, [.init(.suspect, .noAnswers)]
    ),
    (
      evidence {
        $0.messages.missing = 1
        $0.target = 100_001
      },
      [
        .init(
          .suspect, .belowTarget(share: 100_000.0 / 100_001, missing: 1, dropped: 0))
      ]
    ),
    (
      evidence {
        $0.messages.dropped = 1
        $0.target = 100_001
      }, [.init(.suspect, .belowTarget(share: 100_000.0 / 100_001, missing: 0, dropped: 1))]
    ),
    (
      evidence {
        $0.backlog = 0.38
        $0.latency = .drifting(3)
        $0.throughput = .drifting(-0.5)
      }, [.init(.suspect, .backlog(answered: 0.38))]
    ),
    (evidence { $0.latency = .steady }, []),
    (
      evidence { $0.latency = .drifting(0.3) }, [.init(.suspect, .latencyDrift(change: 0.3))]
    ),
    (
      evidence { $0.throughput = .drifting(-0.3) },
      [.init(.suspect, .throughputDrift(change: -0.3))]
    ),
    (evidence { $0.files = .init(used: 80, limit: 100) }, []),
    (
      evidence { $0.files = .init(used: 81, limit: 100) },
      [.init(.suspect, .files(used: 81, limit: 100))]
    ),
    (
      evidence { $0.files = .init(used: 100, limit: 100) },
      [.init(.invalid, .files(used: 100, limit: 100))]
    ),
  ]

  @Test(arguments: rows.indices)
  func row(index: Int) {
    let (evidence, reasons) = Self.rows[index]
    let verdict = Verdict.judge(evidence)
    #expect(verdict.reasons == reasons)
    #expect(verdict.state == reasons.first?.state ?? .valid)
  }

  @Test func theWorstComesFirst() {
    let verdict = Verdict.judge(
      Self.evidence {
        $0.isOpenModel = true
        $0.latency = .drifting(0.5)
        $0.host = 0.99
        $0.loopDelayP99 = 2 * Self.ms
      })
    #expect(verdict.state == .invalid)
    #expect(
      verdict.reasons == [
        .init(.invalid, .busyHost(share: 0.99)), .init(.suspect, .loopDelay(p99: 2 * Self.ms)),
        .init(.suspect, .latencyDrift(change: 0.5)),
      ])
  }
}

@Suite(.blocking) struct SteadinessTests {
  private func judge(_ figures: [Double]) -> Steadiness {
    Steadiness.judge(figures.map { Steadiness.Figure($0) })
  }

  /// Of `rate` messages a second in even gaps, and of independent arrivals, by interval.
  private static func series(_ counts: [Int]) -> IntervalSeries {
    var series = IntervalSeries()
    for (second, count) in counts.enumerated() {
      var rtt = LatencyHistogram()
      for _ in 0..<count { rtt.record(100_000) }
      let (summary, error) = rtt.summaryAndMedianError()
      series.append(
        .init(
          start: Int64(second) * 1_000_000_000, duration: 1_000_000_000, sent: count,
          received: count, open: 1, rtt: summary, medianError: error, errors: 0))
    }
    return series
  }

  @Test("row 8: few messages a second are steady", arguments: 2...23)
  func row08_countingNoiseIsNoTrend(rate: Int) {
    // The answers of even gaps, one of them now on this, now on that side of a boundary.
    for pattern in 0..<32 {
      let counts = (0..<5).map { rate + (pattern >> $0 & 1) - (pattern >> (4 - $0) & 1) }
      #expect(Self.series(counts).throughputSteadiness == .steady, "\(counts)")
    }
    // A rest at the end is no interval to compare with.
    var series = Self.series([Int](repeating: rate, count: 5))
    series.append(
      .init(
        start: 5_000_000_000, duration: 100_000_000, sent: 0, received: 0, open: 1,
        rtt: LatencyHistogram().summary(), errors: 0))
    #expect(series.throughputSteadiness == .steady)
  }

  @Test("row 8: independent arrivals are steady, and a fall is at most 100 %")
  func row08_arrivalsByChance() {
    var random = SeededGenerator(seed: 8)
    var alarms = 0
    for _ in 0..<40 {
      let counts = (0..<10).map { _ in (0..<200).count { _ in random.unit() < 0.1 } }
      if Self.series(counts).throughputSteadiness != .steady { alarms += 1 }
    }
    #expect(alarms <= 4)
    guard
      case .drifting(let fall) = Self.series([900, 500, 100, 0, 0, 0]).throughputSteadiness
    else {
      Issue.record("a server that died is not steady")
      return
    }
    #expect(fall == -1)
  }

  @Test("row 10: ever more messages wait")
  func row10_theBacklogIsSeen() {
    func backlog(_ pairs: [(Int, Int)]) -> Double? {
      var series = IntervalSeries()
      var waiting = 0
      for (second, pair) in pairs.enumerated() {
        waiting += pair.0 - pair.1
        series.append(
          .init(
            start: Int64(second) * 1_000_000_000, duration: 1_000_000_000, sent: pair.0,
            received: pair.1, open: 1, waiting: waiting, rtt: LatencyHistogram().summary(),
            errors: 0))
      }
      return series.backlog
    }
    #expect(backlog([(1000, 500), (1000, 500), (1000, 500), (1000, 500)]) == 0.5)
    // A long round trip, and a server that keeps up.
    #expect(backlog([(1000, 0), (1000, 900), (1000, 1000), (1000, 1000)]) == nil)
    #expect(backlog([(1000, 1000), (1000, 990), (1000, 1010), (1000, 999)]) == nil)
    #expect(backlog([(1000, 500)]) == nil)
    #expect(backlog([]) == nil)
  }

  @Test func aLevelWithNoiseIsSteady() {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<20 {
      let figures = (0..<60).map { _ in 1000 + 20 * random.unit() }
      #expect(judge(figures) == .steady)
    }
  }

  @Test func aTrendIsFound() {
    var random = SeededGenerator(seed: 3)
    let figures = (0..<30).map { 1000 + 20 * Double($0) + 30 * random.unit() }
    guard case .drifting(let change) = judge(figures) else {
      Issue.record("not found")
      return
    }
    #expect(abs(change - 0.57) < 0.05)
    guard case .drifting(let fall) = judge(figures.reversed()) else {
      Issue.record("not found")
      return
    }
    #expect(abs(fall + 0.36) < 0.05)
  }

  @Test func aTrendTooSmallToMatterIsNone() {
    #expect(judge((0..<30).map { 1000 + Double($0) }) == .steady)
  }

  @Test func aTrendThatMayBeChanceIsNone() {
    // The line rises by 31 %, through figures that jump by more.
    #expect(judge([100, 60, 140, 80, 130]) == .steady)
  }

  @Test(arguments: [[], [1, 2, 3, 4], [0, 0, 0, 0, 0, 0], [.nan, 1, 1, 1, 1]] as [[Double]])
  func tooLittleToSay(figures: [Double]) { #expect(judge(figures) == .unknown) }

  @Test func intervalsAreJudged() {
    var series = IntervalSeries()
    for second in 0..<10 {
      var rtt = LatencyHistogram()
      let figures = second == 4 ? 3 : 50
      for _ in 0..<figures { rtt.record(100_000 + Int64(second) * 10_000) }
      series.append(
        .init(
          start: Int64(second) * 1_000_000_000, duration: 1_000_000_000, sent: 100, received: 100,
          open: 1, rtt: rtt.summary(), errors: 0))
    }
    #expect(series.throughputSteadiness == .steady)
    guard case .drifting(let change) = series.latencySteadiness else {
      Issue.record("the rise was not seen")
      return
    }
    #expect(change > 0.4)
    #expect(series.intervals.last?.receivedRate == 100)
  }
}
