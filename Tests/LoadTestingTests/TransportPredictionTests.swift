import Testing

@testable import LoadTesting

/// What follows from the exchanges under `/t/` before a measurement, and what is made of one.
@Suite struct TransportPredictionTests {
  private static let prediction = TransportPrediction(host: "127.0.0.1:8080", digits: 6)
  private static let ms: Int64 = 1_000_000

  /// The numbers that the design states for 64 bytes, IPv4 with timestamps and six-digit numbers.
  @Test(arguments: [
    (TransportArm.webSocket, 5.0, 170.0), (.eventStream, 5, 191), (.longPoll, 5, 362),
    (.poll(every: 100_000_000), 1, 2660), (.poll(every: 100_000_000), 5, 606),
    (.poll(every: 100_000_000), 10, 344), (.poll(every: 1_000_000_000), 5, 124),
    (.webSocketEcho, 0, 292), (.postEcho, 0, 416), (.freshPostEcho, 0, 744),
  ])
  func bytesAreThoseOfTheExchange(_ arm: TransportArm, _ updates: Double, _ bytes: Double) {
    #expect(Self.prediction.bytes(arm, updates: updates).rounded() == bytes)
  }

  @Test func aPollHasAHitOrAMiss() {
    #expect(Self.prediction.poll(isFresh: false) == (358, 256))
    #expect(Self.prediction.poll(isFresh: true) == (686, 584))
    // With hardly any updates every poll is a miss, except for the one that brings the update.
    let rare = Self.prediction.bytes(.freshPoll(every: 100 * Self.ms), updates: 0.001)
    #expect((rare - (584 * 10_000 + 102)).magnitude < 1)
    #expect(Self.prediction.bytes(.poll(every: 1), updates: 0) == .infinity)
  }

  @Test(arguments: [(Int64(100), 27.7), (1000, 2.77)])
  func pollingNeedsFewerBytesAboveARate(interval: Int64, rate: Double) {
    let even = Self.prediction.breakEven(every: interval * Self.ms)
    #expect((even / rate - 1).magnitude < 0.02, "\(even)")
    let arm = TransportArm.poll(every: interval * Self.ms)
    #expect(Self.prediction.bytes(arm, updates: even * 0.9) > 170)
    #expect(Self.prediction.bytes(arm, updates: even * 1.1) < 170)
  }

  @Test func anAgeIsHalfAnInterval() {
    #expect(TransportPrediction.age(.webSocket) == 0)
    #expect(TransportPrediction.age(.freshPoll(every: 100 * Self.ms)) == 50e6)
  }

  @Test(arguments: [
    (Int64(1_000_000_000), "1s"), (1_500_000_000, "1500ms"), (250_000, "250us"), (7, "7ns"),
  ])
  func intervalsAreNamed(_ interval: Int64, _ text: String) {
    #expect(TransportArm.text(interval) == text)
    #expect(TransportArm.poll(every: interval).key == "poll-\(text)")
  }

  // MARK: The plan

  @Test func blocksAlternate() {
    let plan = TransportPlan(seed: 1)
    #expect(
      plan.arms.map(\.key) == [
        "ws", "sse", "longpoll", "poll-100ms", "poll-1s", "poll-new-1s", "rtt-ws", "rtt-post",
        "rtt-post-new",
      ])
    #expect(Set(plan.arms.map(\.name)).count == plan.arms.count)
    #expect(plan.arms(ofBlock: 0) == plan.arms && plan.arms(ofBlock: 1) == plan.arms.reversed())
    #expect(plan.expectedDuration < 61_000_000_000)
  }

  @Test func updatesComeAtRandom() {
    var plan = TransportPlan(seed: 7)
    plan.duration = 2_001_000_000_000
    let times = plan.schedule(ofBlock: 0)
    #expect(times == plan.schedule(ofBlock: 0) && times != plan.schedule(ofBlock: 1))
    #expect(times == times.sorted() && times.contains { $0 < 0 })
    #expect(times.allSatisfy { -plan.warmUp <= $0 && $0 < plan.measured })
    let measured = times.filter { $0 >= 0 }
    // 10 000 are expected; five standard deviations are 500.
    #expect((9500...10_500).contains(measured.count))
    // The gaps of a Poisson process: a share of 1/e is longer than the mean.
    let gaps = zip(measured, measured.dropFirst()).map { $1 - $0 }
    let long = Double(gaps.count { $0 > 200 * Self.ms }) / Double(gaps.count)
    #expect((long - 0.3679).magnitude < 0.025, "\(long)")
  }

  /// Kolmogorov-Smirnov: the largest distance from the uniform distribution.
  @Test func phasesAreUniform() {
    let plan = TransportPlan(seed: 3)
    let phases = (0..<2000).map { plan.phase(of: $0, block: 1, interval: 1000 * Self.ms) }.sorted()
    let distance =
      phases.enumerated().map { index, phase in
        (Double(phase) / 1e9 - (Double(index) + 0.5) / 2000).magnitude
      }.max() ?? 1
    // 1.63 / sqrt(n) is exceeded once in a hundred seeds.
    #expect(distance < 1.63 / Double(2000).squareRoot(), "\(distance)")
  }

  // MARK: Receipts

  @Test func receiptsCountEachUpdateOnceAClient() {
    var receipts = UpdateReceipts(clients: 2, tag: "a")
    func text(_ time: Int64, _ measured: Bool) -> Substring {
      Substring(decoding: receipts.publish(at: time, measured: measured), as: UTF8.self)
    }
    let (early, one, two) = (text(0, false), text(100, true), text(200, true))
    #expect([early, one, two].allSatisfy { $0.utf8.count == TransportPlan.payload })
    #expect(receipts.published == 2 && receipts.expected == 4)
    receipts.receive([early], client: 0, at: 50)
    receipts.receive([one, two], client: 0, at: 300)
    receipts.receive([two, one, "b 1 ...", "a 3 ...", "a x ...", ""], client: 1, at: 400)
    receipts.receive([one], client: 0, at: 500)
    #expect(receipts.delivered == 4 && receipts.batches == 2)
    #expect(receipts.duplicates == 1 && receipts.foreign == 4)
    #expect(receipts.age.count == 4 && receipts.age.min == 100 && receipts.age.max == 300)
  }

  // MARK: Claims

  private static func result(
    _ arm: TransportArm, _ block: Int = 0, p50: Int64 = 1, bytes: Double?, time: Double? = nil,
    delivered: Int = 10
  ) -> ArmResult {
    var histogram = LatencyHistogram()
    for _ in 0..<100 { histogram.record(p50) }
    var result = ArmResult(
      arm, block: block, latency: histogram.summary([.p50, .p99]),
      predictedBytes: prediction.bytes(arm, updates: 5))
    (result.expected, result.delivered, result.batches) = (10, delivered, delivered)
    (result.wireBytes, result.serverTime) = (bytes, time)
    return result
  }

  private static func claims(_ results: [ArmResult]) -> [String] {
    TransportClaim.all(results, TransportPlan(seed: 1)).map { claim in
      let predicted = claim.predictedWord.map { " (\($0.rawValue))" } ?? ""
      return "\(claim.quantity.rawValue) \(claim.other.key): \(claim.word.rawValue)\(predicted)"
    }
  }

  @Test func oneBlockIsJudgedByItsValues() {
    let (fast, slow) = (
      TransportArm.poll(every: 100_000_000), TransportArm.poll(every: 1_000_000_000)
    )
    #expect(
      Self.claims([
        Self.result(.webSocket, p50: 400_000, bytes: 171, time: 10),
        Self.result(.eventStream, p50: 800_000, bytes: 190, time: 10.4),
        Self.result(.longPoll, p50: 400_000, bytes: nil, time: 30, delivered: 9),
        Self.result(fast, p50: 50 * Self.ms, bytes: 600, time: 20),
        Self.result(slow, p50: 500 * Self.ms, bytes: 125, time: 5),
        Self.result(.webSocketEcho, p50: 100_000, bytes: 292),
        Self.result(.postEcho, p50: 590_000, bytes: 300),
      ]) == [
        "age sse: no_difference (no_difference)", "age longpoll: unknown (no_difference)",
        "age poll-100ms: holds (holds)", "age poll-1s: holds (holds)",
        "bytes sse: holds (holds)", "bytes poll-100ms: holds (holds)",
        "bytes poll-1s: does_not_hold (does_not_hold)",
        "round_trip rtt-post: no_difference (no_difference)",
        "round_trip_bytes rtt-post: no_difference (holds)",
        "server_time sse: no_difference", "server_time longpoll: unknown",
        "server_time poll-100ms: holds", "server_time poll-1s: does_not_hold",
      ])
  }

  @Test(arguments: [(5, "holds"), (6, "holds"), (8, "holds")])
  func blocksThatAgreeDecide(_ blocks: Int, _ word: String) {
    let results = (0..<blocks).flatMap { block in
      [
        Self.result(.webSocket, block, bytes: 170 + Double(block)),
        Self.result(.longPoll, block, bytes: 360 + Double(block)),
      ]
    }
    let claim = TransportClaim.all(results, TransportPlan(seed: 1)).first { $0.quantity == .bytes }
    #expect(claim?.word.rawValue == word)
    #expect((claim?.p == nil) == (blocks < 6))
  }

  /// The medians differ, but not in every block.
  @Test func blocksThatDisagreeDecideNothing() {
    let results = (0..<8).flatMap { block in
      [
        Self.result(.webSocket, block, bytes: block < 5 ? 100 : 400),
        Self.result(.longPoll, block, bytes: 200),
      ]
    }
    let claim = TransportClaim.all(results, TransportPlan(seed: 1)).first { $0.quantity == .bytes }
    #expect(claim?.word == .unknown && claim?.p != nil)
  }
}
