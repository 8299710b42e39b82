import Testing

@testable import LoadTesting

@Suite struct VerdictTests {
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
    (evidence { $0.messages.answered -= 3 }, [.init(.invalid, .accounting(difference: 3))]),
    (evidence { $0.messages = MessageCounts() }, [.init(.invalid, .nothingMeasured)]),
    (evidence { $0.target = 100_500 }, []),
    (
      evidence {
        $0.messages = counts(sent: 992)
        $0.target = 1_000
      }, [.init(.suspect, .belowTarget(share: 0.992))]
    ),
    (
      evidence {
        $0.messages = counts(sent: 980)
        $0.target = 1_000
      }, [.init(.invalid, .belowTarget(share: 0.98))]
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
        $0.target = 100_000
        $0.loopDelayP99 = 11 * ms
      }, [.init(.invalid, .loopDelay(p99: 11 * ms))]
    ),
    (evidence { $0.loopDelayP99 = 11 * ms }, [.init(.suspect, .loopDelay(p99: 11 * ms))]),
    (evidence { $0.busiestLoop = 0.7 }, []),
    (evidence { $0.busiestLoop = 0.78 }, [.init(.suspect, .busyLoop(share: 0.78))]),
    (
      evidence {
        $0.target = 100_000
        $0.busiestLoop = 0.99
      }, [.init(.invalid, .busyLoop(share: 0.99))]
    ),
    (evidence { $0.busiestLoop = 0.99 }, [.init(.suspect, .busyLoop(share: 0.99))]),
    (evidence { $0.host = 0.9 }, [.init(.suspect, .busyHost(share: 0.9))]),
    (
      evidence {
        $0.target = 100_000
        $0.host = 0.98
      }, [.init(.invalid, .busyHost(share: 0.98))]
    ),
    (evidence { $0.host = 0.98 }, [.init(.suspect, .busyHost(share: 0.98))]),
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
        $0.target = 100_000
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

@Suite struct SteadinessTests {
  @Test func aLevelWithNoiseIsSteady() {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<20 {
      let figures = (0..<60).map { _ in 1000 + 20 * random.unit() }
      #expect(Steadiness.judge(figures) == .steady)
    }
  }

  @Test func aTrendIsFound() {
    var random = SeededGenerator(seed: 3)
    let figures = (0..<30).map { 1000 + 20 * Double($0) + 30 * random.unit() }
    guard case .drifting(let change) = Steadiness.judge(figures) else {
      Issue.record("not found")
      return
    }
    #expect(abs(change - 0.45) < 0.05)
    guard case .drifting(let fall) = Steadiness.judge(figures.reversed()) else {
      Issue.record("not found")
      return
    }
    #expect(abs(fall + change) < 0.001)
  }

  @Test func aTrendTooSmallToMatterIsNone() {
    #expect(Steadiness.judge((0..<30).map { 1000 + Double($0) }) == .steady)
  }

  @Test func aTrendThatMayBeChanceIsNone() {
    // The line rises by 31 %, through figures that jump by more.
    #expect(Steadiness.judge([100, 60, 140, 80, 130]) == .steady)
  }

  @Test(arguments: [[], [1, 2, 3, 4], [0, 0, 0, 0, 0, 0], [.nan, 1, 1, 1, 1]] as [[Double]])
  func tooLittleToSay(figures: [Double]) { #expect(Steadiness.judge(figures) == .unknown) }

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
