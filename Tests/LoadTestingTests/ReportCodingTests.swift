import Conversation
import TestPeers
import Testing

@testable import LoadTesting

/// Reports with every part filled in or left out at random, from a seed.
struct ReportGenerator {
  private var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed, stream: 0) }

  private mutating func chance() -> Bool { Bool.random(using: &random) }
  private mutating func count(_ most: Int = 1_000_000) -> Int {
    Int.random(in: 0...most, using: &random)
  }
  private mutating func ns() -> Int64 { Int64.random(in: 0...3_600_000_000_000, using: &random) }
  private mutating func share() -> Double { Double.random(in: 0...1, using: &random) }
  private mutating func some<Value>(_ make: (inout Self) -> Value) -> Value? {
    chance() ? make(&self) : nil
  }
  private mutating func list<Value>(_ most: Int = 3, _ make: (inout Self) -> Value) -> [Value] {
    (0..<count(most)).map { _ in make(&self) }
  }
  private mutating func any<Value>(_ values: [Value], or other: Value) -> Value {
    values.randomElement(using: &random) ?? other
  }

  private mutating func text() -> String {
    let pieces = ["", "a", "\u{1B}[2J", "\n", "\"", "\\", "ä€😀", "\u{2028}", "\0", "  "]
    return list(5) { $0.any(pieces, or: "") }.joined()
  }

  private mutating func histogram() -> LatencyHistogram {
    var histogram = LatencyHistogram()
    for _ in 0..<count(40) { histogram.record(Int64(count(2_000_000))) }
    if chance() { histogram.recordCensored(count(5), atLeast: ns()) }
    return histogram
  }

  private mutating func finding() -> Verdict.Finding {
    let all: [Verdict.Finding] = [
      .accounting(difference: count() - 500_000), .contradiction(sums: count()), .nothingMeasured,
      .belowTarget(share: share(), missing: count(), dropped: count()),
      .fewerConnections(share: share()), .cutShort, .matching(replies: count()), .noAnswers,
      .unanswered(count(), of: count()), .backlog(answered: share()),
      .late(p99: ns(), roundTrip: some { $0.ns() }), .loopDelay(p99: ns()),
      .busyLoop(share: share()), .busyHost(share: share()), .throttled(count(), of: count()),
      .overloaded(unsent: count()), .latencyDrift(change: share() - 0.5),
      .throughputDrift(change: share() - 0.5), .files(used: count(), limit: count()),
      .missingShards(count(), of: count()), .windowsApart(overlap: share()),
      .slowShard(measured: ns(), planned: ns()), .sameCeiling(shards: count(), opened: count()),
      .oneShard(index: count(), p99: ns(), median: ns()),
    ]
    return any(all, or: .cutShort)
  }

  private mutating func steadiness() -> Steadiness {
    any([.unknown, .steady, .drifting(share() - 0.5 == 0 ? 1 : share() + 0.1)], or: .unknown)
  }

  private mutating func plan() -> LoadPlan {
    let closed = Pacing.closed(inflight: 1 + count(9))
    let arrival: Pacing.Arrival = chance() ? .poisson : .constant
    return LoadPlan(
      pacing: chance() ? closed : .open(rate: share() * 1e6, arrival: arrival),
      connections: count(), length: chance() ? .duration(ns()) : .messages(count()),
      connectRate: share() * 1000, minimumOpen: share(), warmUp: some { $0.ns() }, timeout: ns(),
      maxInFlight: count(), content: chance() ? .generated(size: count(99)) : .fixed([1, 2]),
      kind: chance() ? .text : .binary, seed: random.next(), threads: count(64))
  }

  private mutating func interval() -> LoadReport.Interval {
    let histogram = histogram()
    return LoadReport.Interval(
      IntervalSeries.Interval(
        start: ns() - 1_000_000_000, duration: ns(), sent: count(), received: count(),
        open: count(), waiting: count(), unanswered: count(), rtt: histogram.summary(),
        errors: count(), cpu: some { $0.share() }, loopDelay: some { $0.ns() }),
      heat: HeatBuckets(histogram.buckets))
  }

  private mutating func counts() -> MessageCounts {
    var counts = MessageCounts()
    let members: [WritableKeyPath<MessageCounts, Int>] = [
      \.sent, \.answered, \.answeredInWindow, \.unanswered, \.failed, \.inFlightAtEnd, \.unsent,
      \.missing, \.dropped, \.late, \.duplicate, \.unknown,
    ]
    for member in members { counts[keyPath: member] = count() }
    return counts
  }

  private mutating func host() -> HostFacts {
    var host = HostFacts()
    host.name = some { $0.text() }
    host.system = some { $0.text() }
    host.kernel = some { $0.text() }
    host.machine = some { $0.text() }
    host.processor = some { $0.text() }
    host.cores = some { $0.count() }
    host.cpuQuota = some { $0.share() }
    host.governor = some { $0.text() }
    host.memory = some { $0.count() }
    host.fileLimit = some { $0.count() }
    host.fileLimitHard = some { $0.count() }
    host.portRange = some { $0.count(9)...(10 + $0.count()) }
    host.listenBacklog = some { $0.count() }
    host.congestionControl = some { $0.text() }
    return host
  }

  private mutating func errors() -> [ErrorTally.Entry] {
    let classes: [ErrorTally.Class] = [
      .refused, .reset, .lost, .timeout, .ports, .files, .certificate, .http(count(999)),
      .violation, .tooBig, .mismatch, .unanswered, .unsent, .closed, .other,
    ]
    return list {
      ErrorTally.Entry(
        phase: $0.any(ErrorTally.Phase.allCases, or: .open), class: $0.any(classes, or: .other),
        code: $0.some { $0.count() }, count: $0.count(), inWindow: $0.count(), first: $0.ns(),
        sample: $0.some { $0.text() })
    }
  }

  mutating func report() -> LoadReport {
    var metrics: [Metric: LatencySummary] = [:]
    let levels = PercentileLevel.standard.shuffled(using: &random)
    for metric in Metric.allCases where chance() && chance() {
      let histogram = histogram()
      metrics[metric] = histogram.summary(levels)
      if chance() { metrics[metric]?.hdr = HistogramCodec.encode(histogram) }
    }
    let shard = LoadReport.Shard(index: count(3), count: 4)
    var report = LoadReport(
      tool: .init(
        name: text(), version: text(), commit: some { $0.text() },
        build: chance() ? "debug" : "release"),
      run: .init(
        id: text(),
        started: Int64.random(in: -9_000_000_000...4_000_000_000_000_000_000, using: &random),
        seed: random.next(), argv: list { $0.text() },
        tags: Dictionary(
          list { ($0.text(), $0.text()) }, uniquingKeysWith: { one, _ in one }),
        shard: chance() ? shard : nil,
        ended: any([.completed, .interrupted, .notOpened, .allLost], or: .completed)),
      target: .init(
        url: text(), addresses: list { $0.text() },
        tls: chance() ? .init(version: text(), cipher: some { $0.text() }) : nil,
        extensions: list { $0.text() }, subprotocol: some { $0.text() },
        server: some { $0.text() }),
      configuration: .init(plan()),
      phases: list {
        .init($0.any(LoadReport.Phase.Name.allCases, or: .close), start: $0.ns(), duration: $0.ns())
      },
      verdict: Verdict(
        reasons: list {
          .init($0.any([.valid, .suspect, .invalid], or: .valid), $0.finding())
        }),
      connections: .init(asked: count(), opened: count(), failed: count(), lost: count()),
      messages: counts(), metrics: metrics,
      rates: .init(target: some { $0.share() * 1e6 }, sent: share() * 1e6, answered: share()),
      payload: .init(sent: count(), received: count()), wire: .init(sent: count()),
      errors: errors(),
      closes: list {
        .init(code: $0.count(4999), by: $0.chance() ? .ours : .peer, count: $0.count())
      },
      intervals: list { $0.interval() },
      selfCheck: SelfCheck(
        busiestLoop: some { $0.share() }, awake: share(), host: some { $0.share() },
        loopDelayP99: some { $0.ns() },
        files: some { .init(used: $0.count(), limit: $0.count()) },
        throttling: some { .init(periods: $0.count(), throttled: $0.count()) },
        latency: steadiness(), throughput: steadiness(), backlog: some { $0.share() }),
      host: host())
    report.compression = some {
      .init(
        sentFrom: $0.count(), sentTo: $0.count(), receivedFrom: $0.count(), receivedTo: $0.count())
    }
    report.warmUp.sent = count()
    report.warmUp.answered = count()
    report.warmUp.failed = count()
    report.warmUp.dropped = count()
    report.cutShort = some { .init($0.chance() ? .interrupted : .allLost, measured: $0.ns()) }
    report.planned = count()
    report.connectedShare = share()
    report.unmatched = count()
    let part = LoadReport.Shard(index: count(3), count: 4)
    if chance() { report.shards = [LoadReport.ShardRow(report, part)] }
    return report
  }
}

@Suite(.blocking) struct ReportCodingTests {
  private static func written(_ report: LoadReport) -> [UInt8] {
    var json = JSONWriter()
    report.write(to: &json) { "\($0)" }
    return json.bytes
  }

  @Test func whatWasWrittenIsReadBack() throws {
    var generator = ReportGenerator(seed: 1)
    for _ in 0..<1000 {
      let report = generator.report()
      let bytes = Self.written(report)
      let read = try LoadReport(json: bytes)
      #expect(read == report)
      #expect(Self.written(read) == bytes)
    }
  }

  private static func report() -> String {
    var generator = ReportGenerator(seed: 5)
    var report = generator.report()
    var rtt = LatencyHistogram()
    for sample in 0..<100 { rtt.record(Int64(sample) * 1000) }
    report.metrics = [.roundTrip: rtt.summary()]
    report.metrics[.roundTrip]?.hdr = HistogramCodec.encode(rtt)
    report.phases = [.init(.measure, start: 0, duration: 1)]
    report.errors = [
      .init(phase: .open, class: .unanswered, code: nil, count: 1, first: 0, sample: nil)
    ]
    report.verdict = Verdict(reasons: [.init(.suspect, .noAnswers)])
    report.configuration.pacing = .closed(inflight: 1)
    return String(decoding: written(report), as: UTF8.self)
  }

  private static func replacing(_ old: String, _ new: String, in text: String) -> String {
    guard let range = text.firstRange(of: old) else { return text }
    return text.replacingCharacters(range, with: new)
  }

  static let damaged: [(old: String, new: String, problem: String)] = [
    ("bench/1", "bench/2", "schema: not bench/1"),
    (#""shard":null"#, #""shard":[0,4611686018427387904]"#, "run.shard: not a part of a run"),
    (#""mode":"echo""#, #""mode":"eco""#, #"config.mode: unknown word "eco""#),
    (#""model":"closed""#, #""model":"shut""#, #"config.model: unknown word "shut""#),
    (#""name":"measure""#, #""name":"sleep""#, #"phases[0].name: unknown word "sleep""#),
    (#""class":"unanswered""#, #""class":"odd""#, #"errors[0].class: unknown word "odd""#),
    (#""check":"no_answers""#, #""check":"x""#, #"verdict.reasons[0].check: unknown word "x""#),
    (#""state":"suspect""#, #""state":"valid""#, "verdict.state: not the worst of the reasons"),
    (#""unit":"ns""#, #""unit":"ms""#, "metrics.rtt.unit: not ns"),
    (#""count":100"#, #""count":99"#, "metrics.rtt.hdr: 100 samples instead of 99"),
    (#""count":100"#, #""count":1.5"#, "metrics.rtt.count: not an integer of 64 bits"),
    ("HISTFAAA", "HISTFAA?", "metrics.rtt.hdr: damaged base64"),
    (#""tool":{"#, #""tooth":{"#, "tool: missing"),
    (#""tool":{"#, #""tool":3,"x":{"#, "tool: not an object"),
    ("{", "[", "not JSON: expected a comma or ] at byte 9"),
  ]

  @Test(arguments: damaged.indices)
  func errorsNameTheMember(_ index: Int) throws {
    let row = Self.damaged[index]
    let text = Self.replacing(row.old, row.new, in: Self.report())
    do throws(ResultError) {
      _ = try LoadReport(json: Array(text.utf8))
      Issue.record("it was read")
    } catch {
      #expect(error.text == row.problem)
    }
  }

  /// The first results of this schema did not have them.
  @Test func membersThatWereAddedLaterMayBeMissing() throws {
    var report = try LoadReport(json: Array(Self.report().utf8))
    report.planned = report.messages.planned
    report.unmatched = 0
    report.connectedShare = 1
    report.warmUp = LoadReport.WarmUp()
    report.run.tags = [:]
    report.cutShort = nil
    report.compression = nil
    var text = String(decoding: Self.written(report), as: UTF8.self)
    for (name, value) in [
      ("planned", "\(report.planned)"), ("unmatched", "0"), ("open_share", "1.0"),
      ("warmup", #"{"sent":0,"answered":0,"failed":0,"dropped":0}"#), ("tags", "{}"),
      ("cut_short", "null"),
    ] {
      let old = text
      text = Self.replacing("\"\(name)\":\(value),", "", in: text)
      if text == old { text = Self.replacing(",\"\(name)\":\(value)", "", in: text) }
      #expect(text != old, "\(name)")
    }
    #expect(try LoadReport(json: Array(text.utf8)) == report)
  }

  @Test func unknownMembersAreIgnored() throws {
    let text = Self.report()
    let more = Self.replacing("{", #"{"later":[1,{"a":null}],"#, in: text)
    let inside = Self.replacing(#""unit""#, #""blocks":{"p50":[1]},"unit""#, in: more)
    #expect(try LoadReport(json: Array(inside.utf8)) == LoadReport(json: Array(text.utf8)))
  }

  @Test(arguments: [
    "[]", "[-75]", "[0,3]", "[-92,3,17,-2,5]", "[-240,1,-334,1]",
  ])
  func heatIsReadAsItIsWritten(text: String) throws {
    let value = try JSONValue.parse(Array(text.utf8))
    let heat = try HeatBuckets(ResultValue(value))
    var json = JSONWriter()
    heat.write(to: &json)
    #expect(json.text == (text == "[-75]" ? "[]" : text))
  }

  @Test(arguments: ["[0,0]", "[96,1]", "[0,-200,1]", "[-241,1]", "[0,1.5]", "{}"])
  func otherHeatIsRejected(text: String) throws {
    let value = try JSONValue.parse(Array(text.utf8))
    #expect(throws: ResultError.self) { try HeatBuckets(ResultValue(value)) }
  }

  @Test(arguments: [
    (Int64(0), "1970-01-01T00:00:00.000Z"), (1_795_421_700_250_000_000, "2026-11-23T08:15:00.250Z"),
    (-1_000_000, "1969-12-31T23:59:59.999Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
  ])
  func timesAreWrittenAndRead(ns: Int64, text: String) {
    #expect(UTCTime(ns).text == text)
    #expect(UTCTime(text)?.nanoseconds == ns)
  }

  @Test(arguments: [
    "", "2026-11-23T08:15:00Z", "2026-02-30T00:00:00.000Z", "2026-11-23T25:00:00.000Z",
    "2026-11-23 08:15:00.250Z", "9026-11-23T08:15:00.250Z",
  ])
  func otherTimesAreRejected(text: String) { #expect(UTCTime(text) == nil) }
}

extension String {
  fileprivate func firstRange(of text: String) -> Range<String.Index>? {
    indices.lazy.compactMap { start in
      self[start...].hasPrefix(text)
        ? start..<self.index(start, offsetBy: text.count) : nil
    }.first
  }

  fileprivate func replacingCharacters(_ range: Range<String.Index>, with text: String) -> String {
    String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
  }
}
