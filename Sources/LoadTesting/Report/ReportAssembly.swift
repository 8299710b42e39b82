import NIOCore
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// Assembles the report after a run.
struct ReportAssembly {
  private let run: LoadRun
  private let figures: LoopFigures
  private let roundTrips: LatencyHistogram
  private let ending: LoadResult.Ending
  /// The shortest window, in nanoseconds, for which loop delay is reported: in a shorter one its
  /// p99 would be the largest of a few samples.
  private static let shortestForDelay: Int64 = 500_000_000
  private let origin: LoadOrigin
  private let levels: [PercentileLevel]
  private let started: Int64

  init(
    _ run: LoadRun, _ loops: [LoopFigures], ending: LoadResult.Ending, origin: LoadOrigin,
    started: Int64, levels: [PercentileLevel]
  ) {
    self.run = run
    self.ending = ending
    self.origin = origin
    self.started = started
    self.levels = levels
    var sum = LoopFigures(run.setting)
    for var loop in loops {
      if let begin = loop.errorMarks.begin, let end = loop.errorMarks.end {
        loop.errors.setWindow(from: begin, to: end)
      }
      sum.merge(loop)
    }
    sum.metrics.merge(run.record.samples)
    figures = sum
    var roundTrips = run.record.roundTrips
    roundTrips.merge(sum.roundTrips)
    if let after = sum.metrics[.roundTrip] { roundTrips.merge(after) }
    self.roundTrips = roundTrips
  }

  private var plan: LoadPlan { run.setting.plan }
  private var record: RunRecord { run.record }

  var report: LoadReport {
    let host = HostFacts.current()
    let summaries = summaries
    var report = LoadReport(
      tool: origin.tool, run: identity, target: target,
      configuration: LoadReport.Configuration(plan), phases: run.phases,
      verdict: Verdict(reasons: []), connections: connections, messages: figures.counts,
      metrics: summaries.mapValues(\.standard), rates: rates, payload: payload, wire: wire,
      errors: figures.errors.entries, closes: figures.closes.entries,
      intervals: intervals, selfCheck: selfCheck(host),
      host: host)
    report.compression = compression
    report.warmUp = figures.warmUp.counts
    report.cutShort = cutShort
    report.planned = planned ?? figures.counts.planned
    report.connectedShare = connectedShare
    report.unmatched = figures.unmatched
    report.thresholds = plan.thresholds
    report.isChecked = plan.checksItself
    // The verdict needs the standard percentiles, regardless of the levels to show.
    report.judge()
    report.metrics = summaries.mapValues(\.shown)
    return report
  }

  // MARK: The run and its target

  private var identity: LoadReport.Run {
    LoadReport.Run(
      id: origin.id, started: started, seed: plan.seed, argv: origin.argv, shard: plan.shard,
      ended: ended)
  }

  private var ended: LoadReport.Run.Ending {
    switch ending {
    case .completed: .completed
    case .interrupted: .interrupted
    case .notOpened: .notOpened
    case .allLost: .allLost
    case .aborted: .aborted
    }
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

  /// The histograms of the metrics that were measured.
  private var table: MetricTable {
    var table = figures.metrics
    table[.roundTrip] = roundTrips
    // In the closed model intended and actual send time are the same.
    if !plan.pacing.isOpen { table[.service] = roundTrips }
    if let duration = run.setting.target.lookUp { table.record(duration, .dns) }
    return table
  }

  /// Summaries of a metric with the percentiles for the verdict, and with those to show.
  private typealias Summaries = (standard: LatencySummary, shown: LatencySummary)

  private var summaries: [Metric: Summaries] {
    let table = table
    var summaries: [Metric: Summaries] = [:]
    for metric in plan.mode.metrics {
      guard let histogram = table[metric], histogram.count > 0 || histogram.censored > 0 else {
        continue
      }
      // All summaries of a metric share one pass over its counts.
      let buckets = histogram.buckets
      var shown = histogram.summary(levels, known: buckets)
      shown.hdr = HistogramCodec.encode(buckets)
      summaries[metric] = (
        histogram.summary(PercentileLevel.standard, known: buckets), shown
      )
    }
    return summaries
  }

  private var intervals: [LoadReport.Interval] {
    [record.warmUp, record.window].flatMap { series in
      series.intervals.enumerated().map { LoadReport.Interval($1, heat: series.heat($0)) }
    }
  }

  private var window: LoadReport.Phase? { run.phases.first { $0.name == .measure } }

  /// The messages of this process in a run with a message count; nil in other runs.
  private var ownTotal: Int? {
    run.setting.quotas.map { quotas in
      (0..<plan.ownConnections).reduce(0) { $0 &+ quotas[plan.number(ofOwn: $1)] }
    }
  }

  /// The number of messages planned for the window, computed independently of those sent; nil for
  /// Poisson arrival, the closed model and interrupted runs.
  private var planned: Int? {
    guard window != nil else { return nil }
    switch ending {
    case .interrupted, .aborted: return nil
    case .completed, .notOpened, .allLost: break
    }
    if let ownTotal { return ownTotal }
    guard let schedule = plan.schedule(), schedule.arrival == .constant else { return nil }
    return (0..<plan.ownConnections).reduce(0) { sum, own in
      let cursor = schedule.cursor(connection: plan.number(ofOwn: own))
      return sum &+ schedule.count(from: cursor, dueBefore: run.windowPlanned)
    }
  }

  private var connectedShare: Double {
    let planned = Double(run.windowPlanned) * Double(plan.ownConnections)
    // In a run with a message count, `missing` covers connections that were not open.
    guard window != nil, planned > 0, run.setting.quotas == nil else { return 1 }
    return max(0, 1 - Double(figures.timeWithoutConnection) / planned)
  }

  private var cutShort: LoadReport.CutShort? {
    let measured = window?.duration ?? 0
    if case .duration(let duration) = plan.length, measured >= duration { return nil }
    if let ownTotal, figures.counts.attempted >= ownTotal { return nil }
    switch ending {
    case .interrupted: return LoadReport.CutShort(.interrupted, measured: measured)
    case .allLost: return LoadReport.CutShort(.allLost, measured: measured)
    case .aborted: return LoadReport.CutShort(.aborted, measured: measured)
    case .completed, .notOpened: return nil
    }
  }

  private var rates: LoadReport.Rates {
    var rates = LoadReport.Rates(sent: 0, answered: 0)
    rates.target = plan.ownRate
    var seconds = Double(window?.duration ?? 0) / 1e9
    // The last of n messages is sent n - 1 gaps after the first, but the rate counts n gaps.
    if let rate = plan.ownRate, let ownTotal, rate > 0, figures.counts.attempted >= ownTotal {
      seconds = max(seconds, Double(ownTotal) / rate)
    }
    guard seconds > 0 else { return rates }
    rates.sent = Double(figures.counts.sent) / seconds
    rates.answered = Double(figures.counts.answeredInWindow) / seconds
    return rates
  }

  private var payload: LoadReport.Traffic {
    LoadReport.Traffic(
      sent: figures.counts.sent &* plan.payloadSize, received: figures.payloadReceived)
  }

  private var wire: LoadReport.Traffic {
    var sum = LoadReport.Traffic()
    for (begin, end) in record.marks {
      sum.sent &+= end.traffic.wire.sent &- begin.traffic.wire.sent
      sum.received &+= end.traffic.wire.received &- begin.traffic.wire.received
    }
    return sum
  }

  private var compression: LoadReport.Compression? {
    guard run.handshake?.deflate != nil else { return nil }
    var sum = LoadReport.Compression(sentFrom: 0, sentTo: 0, receivedFrom: 0, receivedTo: 0)
    for (begin, end) in record.marks {
      let (first, last) = (begin.traffic.compression, end.traffic.compression)
      sum.sentFrom &+= Int(truncatingIfNeeded: last.deflatedFrom &- first.deflatedFrom)
      sum.sentTo &+= Int(truncatingIfNeeded: last.deflatedTo &- first.deflatedTo)
      sum.receivedFrom &+= Int(truncatingIfNeeded: last.inflatedTo &- first.inflatedTo)
      sum.receivedTo &+= Int(truncatingIfNeeded: last.inflatedFrom &- first.inflatedFrom)
    }
    return sum
  }

  private func selfCheck(_ host: HostFacts) -> SelfCheck {
    var check = SelfCheck(
      latency: record.window.latencySteadiness, throughput: record.window.throughputSteadiness,
      backlog: record.window.backlog)
    var awake: Int64 = 0
    let isLongEnough = window?.duration ?? 0 >= Self.shortestForDelay
    for (begin, end) in record.marks {
      var load = ThreadLoad(wall: begin.wall, cpu: begin.cpu)
      var waiting = ThreadLoad(wall: begin.wall, cpu: begin.awake)
      if let share = load.sample(wall: end.wall, cpu: end.cpu),
        share >= check.busiestLoop ?? 0
      {
        check.busiestLoop = share
        check.awake = waiting.sample(wall: end.wall, cpu: end.awake) ?? 0
      }
      awake &+= end.awake &- begin.awake
      if isLongEnough, let delay = end.delay {
        check.loopDelayP99 = max(check.loopDelayP99 ?? 0, delay)
      }
    }
    if let begin = record.host.begin {
      check.host = record.host.end?.share(since: begin, without: awake)
    }
    if let begin = record.throttling.begin, let end = record.throttling.end {
      check.throttling = SelfCheck.Throttling(
        periods: end.periods &- begin.periods, throttled: end.throttled &- begin.throttled)
    }
    if let used = record.openFiles, let limit = host.fileLimit {
      check.files = SelfCheck.Files(used: used, limit: limit)
    }
    return check
  }
}

extension LoopFigures {
  /// Adds the figures of another loop, except warm-up round trips, error marks and window times.
  mutating func merge(_ other: LoopFigures) {
    counts.merge(other.counts)
    warmUp.counts.merge(other.warmUp.counts)
    outstanding &+= other.outstanding
    payloadReceived &+= other.payloadReceived
    unmatched &+= other.unmatched
    timeWithoutConnection &+= other.timeWithoutConnection
    roundTrips.merge(other.roundTrips)
    metrics.merge(other.metrics)
    errors.merge(other.errors)
    closes.merge(other.closes)
  }
}
