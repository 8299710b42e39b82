import NIOCore
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// Puts the report together when a run is over.
struct ReportAssembly {
  private let run: LoadRun
  private let figures: LoopFigures
  private let roundTrips: LatencyHistogram
  private let origin: LoadOrigin
  private let levels: [PercentileLevel]

  init(
    _ run: LoadRun, _ loops: [LoopFigures], origin: LoadOrigin, levels: [PercentileLevel]
  ) {
    self.run = run
    self.origin = origin
    self.levels = levels
    var sum = LoopFigures(run.setting)
    for loop in loops { sum.merge(loop) }
    figures = sum
    var roundTrips = run.record.roundTrips
    roundTrips.merge(sum.roundTrips)
    self.roundTrips = roundTrips
  }

  private var plan: LoadPlan { run.setting.plan }
  private var record: RunRecord { run.record }

  var report: LoadReport {
    let host = HostFacts.current()
    var report = LoadReport(
      tool: origin.tool, run: identity, target: target, plan: plan, phases: run.phases,
      verdict: Verdict(reasons: []), connections: connections, messages: figures.counts,
      metrics: metrics(PercentileLevel.standard), rates: rates, payload: traffic(\.payload),
      wire: traffic(\.wire), errors: figures.errors.entries, closes: figures.closes.entries,
      intervals: record.warmUp.intervals + record.window.intervals, selfCheck: selfCheck(host),
      host: host)
    // Judged by the standard percentiles, whichever are to be shown.
    let counts = figures.counts
    report.judge(targetMessages: counts.attempted &+ figures.dropped)
    report.metrics = metrics(levels)
    return report
  }

  // MARK: Who and what

  private var identity: LoadReport.Run {
    var random = SystemRandomNumberGenerator()
    let elapsed = MonotonicClock.now() &- run.setting.runStart
    return LoadReport.Run(
      id: String(UInt64.random(in: 1 << 60...UInt64.max, using: &random), radix: 16),
      started: WallClock.now() &- elapsed, seed: plan.seed, argv: origin.argv, shard: plan.shard)
  }

  private var target: LoadReport.Target {
    let target = run.setting.target
    let handshake = run.handshake
    return LoadReport.Target(
      url: target.configuration.url.description,
      addresses: target.route.addresses.compactMap { $0.ipAddress ?? $0.pathname },
      tls: handshake?.tls.map { LoadReport.TLS(version: $0.version.name, cipher: $0.cipher) },
      extensions: [handshake?.deflate?.text].compactMap { $0 },
      subprotocol: handshake?.subprotocol, server: handshake?.headers["server"].first)
  }

  private var connections: LoadReport.Connections {
    LoadReport.Connections(
      asked: plan.ownConnections, opened: run.opened, failed: run.failed, lost: run.lost)
  }

  // MARK: What was measured

  private func metrics(
    _ levels: [PercentileLevel]
  ) -> [LoadReport.Metric: LatencySummary] {
    var lookUp = LatencyHistogram()
    if let duration = run.setting.target.lookUp { lookUp.record(duration) }
    var all: [LoadReport.Metric: LatencyHistogram] = [
      .connect: figures.connect, .dns: lookUp, .tcp: figures.tcp, .tls: figures.tls,
      .upgrade: figures.upgrade, .roundTrip: roundTrips, .close: figures.close,
    ]
    switch plan.model {
    case .open:
      all[.service] = figures.service
      all[.late] = figures.late
    case .closed:
      // A message is intended when it is sent.
      all[.service] = roundTrips
    }
    return all.filter { $0.value.count > 0 || $0.value.censored > 0 }.mapValues {
      $0.summary(levels)
    }
  }

  private var window: Double {
    Double(run.phases.first { $0.name == .measure }?.duration ?? 0) / 1e9
  }

  private var rates: LoadReport.Rates {
    var rates = LoadReport.Rates(sent: 0, answered: 0)
    rates.target = plan.ownRate
    guard window > 0 else { return rates }
    rates.sent = Double(figures.counts.sent) / window
    rates.answered = Double(figures.counts.answeredInWindow) / window
    return rates
  }

  private func traffic(
    _ part: KeyPath<LoopTraffic, LoadReport.Traffic>
  ) -> LoadReport.Traffic {
    var sum = LoadReport.Traffic()
    for (begin, end) in zip(record.marks.begin, record.marks.end) {
      sum.sent &+= end.traffic[keyPath: part].sent &- begin.traffic[keyPath: part].sent
      sum.received &+= end.traffic[keyPath: part].received &- begin.traffic[keyPath: part].received
    }
    return sum
  }

  private func selfCheck(_ host: HostFacts) -> SelfCheck {
    var check = SelfCheck(
      latency: record.window.latencySteadiness, throughput: record.window.throughputSteadiness)
    var awake: Int64 = 0
    for (begin, end) in zip(record.marks.begin, record.marks.end) {
      var load = ThreadLoad(wall: begin.wall, cpu: begin.cpu)
      var waiting = ThreadLoad(wall: begin.wall, cpu: begin.awake)
      if let share = load.sample(wall: end.wall, cpu: end.cpu),
        share >= check.busiestLoop ?? 0
      {
        check.busiestLoop = share
        check.awake = waiting.sample(wall: end.wall, cpu: end.awake) ?? 0
      }
      awake &+= end.awake &- begin.awake
      if let delay = end.delay { check.loopDelayP99 = max(check.loopDelayP99 ?? 0, delay) }
    }
    if let begin = record.host.begin {
      check.host = record.host.end?.share(since: begin, without: awake)
    }
    if let used = record.openFiles, let limit = host.fileLimit {
      check.files = SelfCheck.Files(used: used, limit: limit)
    }
    return check
  }
}

extension LoopFigures {
  /// Adds the figures of another loop; what is kept of the warm-up and of the window's moments is
  /// left alone.
  mutating func merge(_ other: LoopFigures) {
    counts.merge(other.counts)
    dropped &+= other.dropped
    outstanding &+= other.outstanding
    roundTrips.merge(other.roundTrips)
    service.merge(other.service)
    late.merge(other.late)
    connect.merge(other.connect)
    tcp.merge(other.tcp)
    tls.merge(other.tls)
    upgrade.merge(other.upgrade)
    close.merge(other.close)
    errors.merge(other.errors)
    closes.merge(other.closes)
  }
}
