import Conversation
import TestPeers
import Testing

@testable import LoadTesting

/// The results of the shards of one run, made from one list of round trips.
struct ShardedRun {
  let whole: LoadReport
  let shards: [LoadReport]

  /// - Parameters:
  ///   - count: Number of shards.
  ///   - seed: Of the round trips, and of which shard has each.
  ///   - samples: Messages of all shards.
  init(_ count: Int, seed: UInt64, samples: Int = 4000) {
    var random = SeededGenerator(seed: seed, stream: 0)
    let trips = (0..<samples).map { _ in
      Trip(
        shard: Int.random(in: 0..<count, using: &random),
        second: Int.random(in: 0..<3, using: &random),
        duration: Int64.random(in: 100_000...90_000_000, using: &random),
        isAnswered: Int.random(in: 0..<50, using: &random) > 0)
    }
    whole = Self.report(trips, nil)
    shards = (0..<count).map { index in
      Self.report(
        trips.filter { $0.shard == index }, LoadReport.Shard(index: index, count: count))
    }
  }

  private struct Trip {
    var shard: Int
    var second: Int
    var duration: Int64
    var isAnswered: Bool
  }

  private static func report(_ trips: [Trip], _ shard: LoadReport.Shard?) -> LoadReport {
    let plan = LoadPlan(
      pacing: .open(rate: 1000, arrival: .poisson), connections: 64,
      length: .duration(3_000_000_000),
      warmUp: 0, seed: 7, shard: shard)
    var histogram = LatencyHistogram()
    var late = LatencyHistogram()
    var messages = MessageCounts()
    for trip in trips {
      messages.sent += 1
      late.record(trip.duration / 1000)
      if trip.isAnswered {
        messages.answered += 1
        messages.answeredInWindow += 1
        histogram.record(trip.duration)
      } else {
        messages.unanswered += 1
        histogram.recordCensored(1, atLeast: 5_000_000_000)
      }
    }
    var answered = LatencyHistogram()
    for trip in trips where trip.isAnswered { answered.record(trip.duration) }
    func summary(_ histogram: LatencyHistogram) -> LatencySummary {
      var summary = histogram.summary()
      summary.hdr = HistogramCodec.encode(histogram)
      return summary
    }
    // Intervals end when a thread wakes: those of no two shards are alike.
    let offset = Int64(shard?.index ?? 0) * 1_000_000
    let bounds = [0, 1_000_000_000 + offset, 2_000_000_000 - offset, 3_000_000_000]
    let intervals = (0..<3).map { second in
      let part = trips.filter { $0.second == second }
      var histogram = LatencyHistogram()
      for trip in part where trip.isAnswered { histogram.record(trip.duration) }
      return LoadReport.Interval(
        IntervalSeries.Interval(
          start: bounds[second], duration: bounds[second + 1] - bounds[second], sent: part.count,
          received: histogram.count, open: plan.ownConnections,
          unanswered: part.count - histogram.count, rtt: histogram.summary(),
          errors: part.count - histogram.count),
        heat: HeatBuckets(histogram.buckets))
    }
    var errors = ErrorTally()
    errors.record(.open, .unanswered, count: messages.unanswered, at: 9 + offset, sample: "a")
    var entries = errors.entries
    for index in entries.indices { entries[index].inWindow = entries[index].count }
    var closes = CloseTally()
    closes.record(code: 1000, by: .ours, count: plan.ownConnections)
    var report = LoadReport(
      tool: .init(version: "1", build: "release"),
      run: .init(
        id: "r", started: 1_800_000_000_000_000_000 + offset, seed: 7, argv: ["wscope"],
        shard: shard),
      target: .init(url: "ws://host/", addresses: ["10.0.0.\(1 + (shard?.index ?? 0) % 2)"]),
      configuration: .init(plan), phases: [.init(.measure, start: 5, duration: 3_000_000_000)],
      verdict: Verdict(reasons: []),
      connections: .init(
        asked: plan.ownConnections, opened: plan.ownConnections, failed: 0, lost: 0),
      messages: messages,
      metrics: [
        .roundTrip: summary(histogram), .late: summary(late), .service: summary(answered),
      ],
      rates: .init(target: plan.ownRate, sent: Double(messages.sent), answered: 1),
      payload: .init(sent: messages.sent * 64, received: messages.answered * 64),
      wire: .init(sent: 70, received: 66), errors: entries, closes: closes.entries,
      intervals: intervals)
    report.judge()
    return report
  }
}

@Suite(.blocking) struct ShardMergeTests {
  private static func merged(
    _ reports: [LoadReport], isForced: Bool = false
  ) throws(ShardMerge.Failure) -> LoadReport {
    try merge(reports, isForced: isForced).report
  }

  private static func merge(
    _ reports: [LoadReport], isForced: Bool = false
  ) throws(ShardMerge.Failure) -> ShardMerge {
    let parts = reports.enumerated().map { ShardMerge.Part(name: "\($0)", report: $1) }
    return try ShardMerge(parts, isForced: isForced)
  }

  @Test(arguments: 1...16)
  func theSumOfTheShardsIsTheWholeRun(_ count: Int) throws {
    let run = ShardedRun(count, seed: UInt64(count))
    let merged = try Self.merged(run.shards.shuffled())
    #expect(merged.contradictions() == [])
    #expect(merged.messages == run.whole.messages)
    #expect(merged.connections == run.whole.connections)
    for metric in [Metric.roundTrip, .late, .service] {
      let (one, other) = (merged.metrics[metric], run.whole.metrics[metric])
      // The same buckets to the bit, and therefore the same percentiles.
      #expect(one?.hdr == other?.hdr)
      #expect(one?.percentiles == other?.percentiles)
      #expect(one?.censored == other?.censored)
      #expect(one?.min == other?.min)
      #expect(one?.max == other?.max)
    }
    #expect(merged.intervals.map(\.heat) == run.whole.intervals.map(\.heat))
    #expect(merged.intervals.map(\.sent) == run.whole.intervals.map(\.sent))
    #expect(merged.closes == run.whole.closes)
    #expect(merged.errors.map(\.count) == run.whole.errors.map(\.count))
    #expect(merged.shards.map(\.shard.index) == Array(0..<count))
    #expect(merged.missingShards == [])
    #expect(merged.run.shard == nil)
  }

  @Test(arguments: 1...20)
  func theOrderOfMergingDoesNotShow(_ seed: UInt64) throws {
    let shards = ShardedRun(4, seed: seed).shards
    let all = try Self.merged(shards)
    #expect(try Self.merged(shards.reversed()) == all)
    let left = try Self.merged([Self.merged(Array(shards[..<2])), shards[2], shards[3]])
    let right = try Self.merged([shards[0], Self.merged(Array(shards[1...]))])
    #expect(left == all)
    #expect(right == all)
  }

  @Test func aMergedResultIsReadBack() throws {
    let merged = try Self.merged(ShardedRun(3, seed: 1).shards)
    var json = JSONWriter()
    merged.write(to: &json) { "\($0)" }
    #expect(try LoadReport(json: json.bytes) == merged)
  }

  @Test func aMissingShardIsNamedAndItsCountsDecideNothing() throws {
    var shards = ShardedRun(4, seed: 2).shards
    shards.remove(at: 2)
    var merged = try Self.merged(shards)
    #expect(merged.missingShards == [2])
    #expect(merged.verdict.reasons.contains { $0.finding == .missingShards(1, of: 4) })
    merged.thresholds = try ["messages.sent>1", "rtt.p50<1s"].map { try Threshold($0) }
    #expect(merged.outcomes.map(\.state) == [.undecided, .pass])
    #expect(merged.outcomes.first?.reason == .missingShards)
  }

  @Test func theSameResultCountsOnce() throws {
    let shards = ShardedRun(2, seed: 3).shards
    let merge = try Self.merge(shards + [shards[1]])
    #expect(merge.notes == [.repeated(name: "2")])
    #expect(merge.report == (try Self.merged(shards)))
  }

  @Test func aRestartedShardIsReplacedByTheCompleteOne() throws {
    let shards = ShardedRun(2, seed: 4).shards
    var cut = shards[0]
    cut.run.ended = .interrupted
    let merge = try Self.merge([cut] + shards)
    #expect(merge.notes == [.incomplete(index: 0, name: "0")])
    #expect(merge.report == (try Self.merged(shards)))
  }

  @Test func twoResultsOfOneShardAreRejected() throws {
    let shards = ShardedRun(2, seed: 5).shards
    var other = shards[0]
    other.messages.answered -= 1
    let all = [shards[0], shards[1], other]
    #expect(throws: ShardMerge.Failure.duplicate(index: 0, names: ["0", "2"])) {
      try Self.merged(all, isForced: true)
    }
  }

  @Test func aWholeRunIsNotAShard() {
    let whole = ShardedRun(2, seed: 6).whole
    #expect(throws: ShardMerge.Failure.notAShard(name: "0")) { try Self.merged([whole]) }
    #expect(throws: ShardMerge.Failure.nothing) { try Self.merged([]) }
  }

  @Test func whatDiffersIsNamed() throws {
    var shards = ShardedRun(3, seed: 7).shards
    shards[1].run.seed = 8
    shards[1].configuration.pacing = .open(rate: 2000, arrival: .poisson)
    shards[2].run.started += 61_000_000_000
    shards[2].configuration.threads = 9
    let expected = [
      "run.seed: 7 and 8", "config.rate: 1000 and 2000",
      "run.started: 2027-01-15T08:00:00.000Z and 2027-01-15T08:01:01.002Z, over 60 s apart",
    ]
    #expect(throws: ShardMerge.Failure.differing(expected)) { try Self.merged(shards) }
    #expect(try Self.merged(shards, isForced: true).messages.sent == 4000)
  }

  @Test func differentMessagesAreNeverMerged() throws {
    var shards = ShardedRun(2, seed: 9).shards
    shards[1].configuration.payloadSize = 65
    #expect(throws: ShardMerge.Failure.incompatible(["config.size: 64 and 65"])) {
      try Self.merged(shards, isForced: true)
    }
  }

  @Test func aShardWithoutItsHistogramIsRejected() throws {
    var shards = ShardedRun(2, seed: 8).shards
    shards[1].metrics[.roundTrip]?.hdr = nil
    #expect(
      throws: ShardMerge.Failure.unreadable(
        name: "1",
        ResultError(path: "metrics.rtt.hdr", problem: "missing, so it cannot be merged"))
    ) { try Self.merged(shards) }
  }

  // MARK: Findings

  private static func row(_ index: Int, of count: Int = 4) -> LoadReport.ShardRow {
    var row = LoadReport.ShardRow(
      ShardedRun(1, seed: 1, samples: 1).whole, .init(index: index, count: count))
    row.p99 = 1000
    return row
  }

  private static func findings(_ rows: [LoadReport.ShardRow]) -> [Verdict.Reason] {
    Verdict.ofParts(rows, .init(LoadPlan(length: .duration(3_000_000_000), seed: 1)))
  }

  @Test func shardsThatAgreeHaveNoFinding() {
    #expect(Self.findings((0..<4).map { Self.row($0) }) == [])
  }

  @Test(arguments: [
    (Int64(140_000_000), Verdict.State?.none), (180_000_000, .suspect), (700_000_000, .invalid),
    (9_000_000_000, .invalid),
  ])
  func windowsThatDoNotOverlapAreFound(_ offset: Int64, _ state: Verdict.State?) {
    var rows = (0..<4).map { Self.row($0) }
    rows[3].windowStart += offset
    let overlap = Double(max(0, 3_000_000_000 - offset)) / 3e9
    #expect(
      Self.findings(rows) == (state.map { [.init($0, .windowsApart(overlap: overlap))] } ?? []))
  }

  @Test func aShardThatTookTooLongIsFound() {
    var rows = (0..<4).map { Self.row($0) }
    for index in rows.indices { rows[index].windowLength = 4_600_000_000 }
    #expect(
      Self.findings(rows) == [
        .init(.suspect, .slowShard(measured: 4_600_000_000, planned: 3_000_000_000))
      ])
  }

  @Test func aLimitOfTheGeneratorsIsFound() {
    var rows = (0..<4).map { Self.row($0) }
    for index in rows.indices { rows[index].asked = 5000 }
    for index in 1..<4 { rows[index].opened = 4096 }
    rows[0].opened = 5000
    #expect(Self.findings(rows) == [.init(.suspect, .sameCeiling(shards: 3, opened: 4096))])
    rows[1].opened = 4095
    #expect(Self.findings(rows) == [])
  }

  @Test func oneSlowShardIsNamed() {
    var rows = (0..<4).map { Self.row($0) }
    rows[2].p99 = 3001
    #expect(Self.findings(rows) == [.init(.suspect, .oneShard(index: 2, p99: 3001, median: 1000))])
    #expect(Self.findings(rows.suffix(2)).count == 1, "of two nobody can tell which one is off")
  }
}

@Suite(.blocking) struct ResultStreamTests {
  private static func texts(_ text: String) -> [String] {
    ResultStream(Array(text.utf8)).results.map { String(decoding: $0, as: UTF8.self) }
  }

  private static let one = #"{"schema":"bench/1","a":"}{\"\\"}"#
  private static let two = "{ \n  \"schema\": \"bench/1\",\n  \"b\": {}\n}"

  @Test func resultsAreFoundAmongOtherText() {
    let (one, two) = (Self.one, Self.two)
    #expect(Self.texts("") == [])
    #expect(Self.texts(one) == [one])
    #expect(Self.texts(two + "\n" + one + "\n") == [two, one])
    #expect(Self.texts(one + one + " " + one) == [one, one, one])
    #expect(Self.texts("[pod/bench-3] \(one)\n3: \(one)\r\nnoise {\"schem\":1}\n") == [one, one])
    #expect(Self.texts("<script type=\"application/json\">\(one)</script>\n") == [one])
    #expect(Self.texts("{\n" + one) == [one])
    #expect(Self.texts("<style>a{b:c}</style>" + one + "<script>f(){}</script>") == [one])
  }

  @Test(arguments: [
    ("", 0), ("\n\n \r\n", 0), ("one", 1), ("one\n{\"a\":1}\n", 2),
    (one + "\n" + one, 0), (one + "\nnoise\n" + one + "\n", 1), (two + "\n\n", 0),
  ])
  func otherLinesAreCounted(_ text: String, _ count: Int) {
    #expect(ResultStream(Array(text.utf8)).skippedLines == count)
  }

  @Test func aResultWithoutItsEndIsFoundByItsLine() {
    let stream = ResultStream(Array((Self.two + "\nx\nlog " + Self.one.dropLast()).utf8))
    #expect(stream.results.count == 1)
    #expect(stream.unfinished == 6)
  }

  @Test func anyBytesAreTaken() {
    var random = SeededGenerator(seed: 1, stream: 0)
    let alphabet = Array("{}\"\\\n schema:".utf8)
    for _ in 0..<2000 {
      let length = Int.random(in: 0...60, using: &random)
      let noise = (0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 }
      let text = noise + [0x0A] + Array(Self.one.utf8)
      let stream = ResultStream(text)
      #expect(stream.unfinished != nil || stream.results.last == Array(Self.one.utf8))
    }
  }
}
