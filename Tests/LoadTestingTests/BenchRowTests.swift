import Conversation
import Synchronization
import TestPeers
import Testing
import WebSocketProtocol

@testable import LoadTesting

/// What a run must say of a server whose behaviour is known: counts, states and reasons. Times are compared
/// with the server's own log in Tests/Benchmarks/verdict.py.
@Suite(.serialized, .blocking) struct BenchRowTests {
  private static let ms: Int64 = 1_000_000

  private static func open(_ rate: Double) -> Pacing {
    .open(rate: rate, arrival: .constant)
  }

  private static func reasons(_ report: LoadReport) -> [Verdict.Finding] {
    report.verdict.reasons.map(\.finding)
  }

  // MARK: High

  @Test("row 2: messages in flight at the end are censored at their age")
  func row02_inFlightAtTheEndIsCensored() async throws {
    // A busy machine may bring the interruption late: until then nothing may time out.
    let plan = LoadTestTests.plan(
      .duration(600_000 * Self.ms), Self.open(2000), timeout: 600_000 * Self.ms)
    let result = try await LoadPeer(.stall(after: 5)).run(plan) { test, progress in
      if progress.phase == .measure, progress.inFlight > 100 { test.interrupt() }
    }
    let report = result.report
    LoadTestTests.checkBooks(report)
    #expect(report.messages.answered == 20)
    #expect(report.messages.inFlightAtEnd == report.messages.sent - 20)
    // Draining takes another second, so the youngest is as old as that.
    guard case .atLeast(let bound)? = report.metrics[.roundTrip]?[.p50],
      case .atLeast? = report.metrics[.service]?[.p50]
    else {
      Issue.record("\(String(describing: report.metrics[.roundTrip]))")
      return
    }
    #expect(bound >= 1000 * Self.ms)
    #expect(report.verdict.state != .valid)
    #expect(
      Self.reasons(report).contains(
        .unanswered(report.messages.sent - 20, of: report.messages.sent)))
  }

  @Test("row 3: the messages of connections that die are part of the plan")
  func row03_messagesOfDeadConnectionsAreMissing() async throws {
    let plan = LoadTestTests.plan(.duration(60_000 * Self.ms), Self.open(1000))
    let seconds = Mutex(0)
    let report = try await LoadPeer(.dropSome(2)).run(plan) { test, progress in
      // From one second to the next some were due on those that are gone.
      guard progress.phase == .measure, progress.open == 2 else { return }
      if seconds.withLock({
        $0 += 1; return $0
      }) == 3 {
        test.interrupt()
      }
    }.report
    LoadTestTests.checkBooks(report)
    #expect(report.messages.missing > 0)
    #expect(
      report.messages.planned == report.messages.attempted + report.messages.missing
        + report.messages.dropped)
    #expect(report.verdict.state == .invalid)
    let isBelow = Self.reasons(report).contains { finding in
      if case .belowTarget(_, let missing, _) = finding { missing > 0 } else { false }
    }
    #expect(isBelow)
  }

  @Test(
    "row 3: a window that all connections leave is measured against its plan",
    arguments: [Behavior.drop(after: 20), .close(.internalError, after: 20)])
  func row03_allConnectionsDie(behavior: Behavior) async throws {
    let plan = LoadTestTests.plan(.duration(60_000 * Self.ms), Self.open(1000))
    let result = try await LoadPeer(behavior).run(plan)
    let report = result.report
    LoadTestTests.checkBooks(report)
    #expect(report.planned == 60_000)
    #expect(report.messages.missing > 30_000)
    #expect(report.cutShort?.cause == .allLost)
    #expect(report.metrics[.roundTrip]?[.p50] == .atLeast(plan.timeout))
    #expect(report.verdict.state == .invalid)
    #expect(Self.reasons(report).contains(.cutShort))
  }

  @Test("row 3: connections that never open are part of the plan")
  func row03_unopenedConnectionsAreMissing() async throws {
    for model in [Self.open(10_000), .closed(inflight: 2)] {
      var plan = LoadTestTests.plan(.messages(1000), model, connections: 10)
      plan.minimumOpen = 0.8
      let report = try await LoadPeer(.echo, most: 9).run(plan).report
      LoadTestTests.checkBooks(report)
      #expect(report.messages.sent == 900)
      #expect(report.messages.missing == 100)
      #expect(report.verdict.state == .invalid)
    }
  }

  @Test("row 3: the closed model has the time of its connections as its plan")
  func row03_theClosedModelCountsTheTimeOfItsConnections() async throws {
    var plan = LoadTestTests.plan(.duration(300 * Self.ms), connections: 10)
    plan.minimumOpen = 0.8
    let report = try await LoadPeer(.echo, most: 9).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(abs(report.connectedShare - 0.9) < 0.000_001)
    #expect(report.verdict.state == .invalid)
  }

  @Test(
    "row 4: replies that match nothing show that fifo does not hold",
    arguments: [
      Behavior.twice, .push(every: 10), .lose(every: 10),
    ])
  func row04_fifoThatDoesNotHold(behavior: Behavior) async throws {
    for content in [LoadPlan.Content.fixed(Array("hello".utf8)), .generated(size: 64)] {
      var plan = LoadTestTests.plan(
        .messages(60), .closed(inflight: 2), connections: 2, timeout: 50 * Self.ms)
      plan.content = content
      plan.requestedMatching = .fifo
      let report = try await LoadPeer(behavior).run(plan).report
      LoadTestTests.checkBooks(report)
      #expect(report.unmatched > 0)
      #expect(report.verdict.state == .invalid)
      #expect(Self.reasons(report).contains(.matching(replies: report.unmatched)))
    }
  }

  @Test("row 4: a lost answer is found in the open model, where every later one takes its place")
  func row04_oneLostAnswerInTheOpenModel() async throws {
    var plan = LoadTestTests.plan(
      .messages(1000), Self.open(10_000), connections: 2, timeout: 200 * Self.ms)
    plan.content = .fixed(Array("hello".utf8))
    let report = try await LoadPeer(.lose(every: 100)).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(report.messages.unanswered >= 10)
    #expect(report.unmatched > 0)
    #expect(report.verdict.state == .invalid)
  }

  @Test("row 4: an id finds its message in any order")
  func row04_reorderedAnswersAreMatchedByID() async throws {
    let plan = LoadTestTests.plan(.messages(400), .closed(inflight: 2))
    let report = try await LoadPeer(.swap).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(report.messages.answered == 400)
    #expect(report.unmatched == 0)
    var inOrder = plan
    inOrder.requestedMatching = .fifo
    let wrong = try await LoadPeer(.swap).run(inOrder).report
    LoadTestTests.checkBooks(wrong)
    #expect(wrong.unmatched == 400)
  }

  @Test("row 6: a Poisson count takes no longer than its stream")
  func row06_aPoissonCountSendsTheFirstOfTheStream() async throws {
    let plan = LoadTestTests.plan(
      .messages(300), .open(rate: 3000, arrival: .poisson), connections: 30)
    let report = try await LoadPeer(.echo).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(report.messages.sent == 300)
    #expect(report.planned == 300)
  }

  // MARK: Middle

  /// Any behaviour, model and length: the books agree, or the run itself stops at its assertion.
  @Test("row 7: every sum of a report is exact", arguments: 0..<14)
  func row07_everySumIsExact(seed: Int) async throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let behaviors: [Behavior] = [
      .echo, .silence, .twice, .lose(every: 7), .push(every: 9), .stall(after: 30), .swap, .alter,
      .asBinary, .delay(20), .dropSome(2), .drop(after: 40), .other("x"),
      .close(.goingAway, after: 25),
    ]
    let models: [Pacing] = [
      .closed(inflight: 1), .closed(inflight: 5), Self.open(900),
      .open(rate: 2000, arrival: .poisson),
    ]
    var plan = LoadTestTests.plan(
      Bool.random(using: &random)
        ? .messages(Int.random(in: 1...300, using: &random))
        : .duration(Int64.random(in: 50...1100, using: &random) * Self.ms),
      models[Int.random(in: 0..<models.count, using: &random)],
      warmUp: Int64.random(in: 0...2, using: &random) * 60 * Self.ms, timeout: 100 * Self.ms)
    plan.threads = Int.random(in: 1...2, using: &random)
    if Bool.random(using: &random) { plan.requestedMatching = .fifo }
    let result = try await LoadPeer(behaviors[seed % behaviors.count]).run(plan)
    LoadTestTests.checkBooks(result.report)
    if result.report.messages.answered < result.report.messages.planned {
      #expect(result.report.verdict.state != .valid)
    }
  }

  @Test("row 7: errors of the warm-up are not errors of the window")
  func row07_theWarmUpHasItsOwnCounts() async throws {
    let plan = LoadTestTests.plan(.messages(40), warmUp: 100 * Self.ms)
    let report = try await LoadPeer(.alter).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(report.warmUp.failed == report.warmUp.sent)
    #expect(report.messages.failed == 40)
    #expect(report.errors.map(\.count) == [40])
  }

  @Test("row 11: a run that is interrupted says so")
  func row11_aRunThatIsCutShort() async throws {
    let plan = LoadTestTests.plan(.duration(60_000 * Self.ms))
    let result = try await LoadPeer(.echo).run(plan) { test, progress in
      if progress.phase == .measure, progress.interval != nil { test.interrupt() }
    }
    let cut = try #require(result.report.cutShort)
    #expect(cut.cause == .interrupted)
    #expect(cut.measured == result.report.phase(.measure)?.duration)
    #expect(Self.reasons(result.report).contains(.cutShort))
  }

  @Test("row 12: bytes and type of a reply are compared", arguments: [Behavior.alter, .asBinary])
  func row12_repliesAreCompared(behavior: Behavior) async throws {
    for size in [8, 17, 64] {
      var plan = LoadTestTests.plan(.messages(40), .closed(inflight: 3))
      plan.content = .generated(size: size)
      let report = try await LoadPeer(behavior).run(plan).report
      LoadTestTests.checkBooks(report)
      #expect(report.messages.answered == 0)
      #expect(report.errors.contains { $0.class == .mismatch })
      #expect(report.verdict.state != .valid)
    }
  }

  @Test("row 13: a server that never answers is not valid")
  func row13_noAnswersAreSuspect() async throws {
    let plan = LoadTestTests.plan(.messages(20), timeout: 100 * Self.ms)
    let report = try await LoadPeer(.silence).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(report.verdict.state != .valid)
    #expect(Self.reasons(report).contains(.noAnswers))
  }

  @Test("row 14: the backlog of the warm-up is dropped where the window begins")
  func row14_theBacklogOfTheWarmUpIsDropped() async throws {
    // Far more than any machine sends in a twentieth of a second.
    var plan = LoadTestTests.plan(
      .duration(50 * Self.ms), Self.open(1e8), connections: 1, warmUp: 50 * Self.ms,
      timeout: 100 * Self.ms)
    plan.maxInFlight = 1_000_000
    let report = try await LoadPeer(.silence).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(report.warmUp.dropped > 0)
    #expect(report.warmUp.sent + report.warmUp.dropped <= 5_000_000)
    #expect(report.planned == 5_000_000)
  }

  @Test("row 16: who is behind sends several messages in one write, and still reads")
  func row16_anOverloadedGeneratorStillSends() async throws {
    var plan = LoadTestTests.plan(.duration(300 * Self.ms), Self.open(1e7), connections: 8)
    plan.maxInFlight = 64
    let report = try await LoadPeer(.echo).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(report.messages.answeredInWindow > 8 * 64)
    #expect(report.verdict.state == .invalid)
  }

  // MARK: Low

  @Test("low: three messages in two gaps are at the rate that was asked for")
  func lowTheRateOfACountHasNoFencePost() async throws {
    let plan = LoadTestTests.plan(.messages(3), Self.open(500), connections: 1)
    let report = try await LoadPeer(.echo).run(plan).report
    LoadTestTests.checkBooks(report)
    #expect(report.rates.sent <= 500)
    #expect(report.selfCheck.host == nil)
    #expect(report.selfCheck.loopDelayP99 == nil)
  }

  @Test("low: compressed payloads differ from message to message, and repeat by seed")
  func lowCompressedPayloadsVary() {
    for size in [16, 17, 64, 5000] {
      let plan = LoadPlan(content: .generated(size: size), seed: 3)
      let payload = MessagePayload(plan, varies: true)
      defer { payload.deallocate() }
      let first = Array(payload.message(connection: 5, sequence: 9))
      let second = Array(payload.message(connection: 5, sequence: 10))
      if size > 20 { #expect(first.dropFirst(16) != second.dropFirst(16)) }
      #expect(first.withUnsafeBytes { payload.equals($0, connection: 5, sequence: 9) })
      #expect(!first.withUnsafeBytes { payload.equals($0, connection: 5, sequence: 10) })
      let other = MessagePayload(plan, varies: true)
      defer { other.deallocate() }
      #expect(first == Array(other.message(connection: 5, sequence: 9)))
    }
  }
}
