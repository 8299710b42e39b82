import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Controls a run: starts each phase on the loops and handles their events.
final class LoadRun {
  let setting: LoadLoop.Setting
  /// The figures collected from the loops during the run.
  private(set) var record: RunRecord
  private(set) var phases: [LoadReport.Phase] = []
  private(set) var opened = 0
  private(set) var failed = 0
  private(set) var lost = 0
  /// Planned length of the window in nanoseconds; the actual length if the run was interrupted.
  private(set) var windowPlanned: Int64 = 0
  /// The handshake of the first connection that opened.
  private(set) var handshake: HandshakeInfo?

  private let loops: [NIOLoopBound<LoadLoop>]
  private var events: AsyncStream<LoadEvent>.Iterator
  private let progress: (LoadProgress) -> Void
  private let observer: LoadObserver?
  /// What was last reported to the observer.
  private var totals: LoadTotals?
  private var phase = LoadReport.Phase(.connect, start: 0, duration: 0)
  private var planned: Int64?
  private var nextTick = Int64.max
  private var failures = FailureCount()
  private var lastLoss: CloseOutcome?
  private var idle: Set<Int> = []
  private var emptied: Set<Int> = []
  private var isInterrupted = false
  /// Whether a broken threshold interrupted the run.
  private var isAborted = false

  private var plan: LoadPlan { setting.plan }
  private static let second: Int64 = 1_000_000_000
  /// Pause before sending, in nanoseconds, in which work left over from the handshakes finishes.
  private static let settling: Int64 = 200_000_000

  init(
    _ setting: LoadLoop.Setting, loops: [NIOLoopBound<LoadLoop>], events: AsyncStream<LoadEvent>,
    progress: @escaping (LoadProgress) -> Void, observer: LoadObserver? = nil
  ) {
    self.setting = setting
    self.loops = loops
    self.events = events.makeAsyncIterator()
    self.progress = progress
    self.observer = observer
    record = RunRecord(loops: loops.count, takesSamples: observer != nil)
  }

  /// Runs all phases and returns why the run ended.
  func perform() async -> LoadResult.Ending {
    await connect()
    guard isGateOpen else {
      await close()
      if isInterrupted { return .interrupted }
      if let error = failures.commonest { return .notOpened(error) }
      return lastLoss.map { .allLost($0) } ?? .interrupted
    }
    // Shards that began to connect together begin to send together.
    let settling = max(
      Self.settling,
      (plan.opening ?? 0) &- (MonotonicClock.now() &- setting.runStart))
    begin(.settle, planned: settling)
    await wait(until: MonotonicClock.now() &+ settling)
    end()
    await send()
    await drain()
    await close()
    if isInterrupted { return isAborted ? .aborted : .interrupted }
    if let lastLoss, lost >= opened { return .allLost(lastLoss) }
    return .completed
  }

  // MARK: Phases

  private func connect() async {
    begin(.connect, planned: nil)
    let start = MonotonicClock.now()
    await each { $0.connect(from: start) }
    await wait(until: .max) { opened + failed >= plan.ownConnections || !isGateReachable }
    if !isGateReachable, !isInterrupted { await stopConnecting() }
    end()
    await reportRest()
  }

  /// Stops connecting after too many failures. Waits up to a second for attempts in progress, so
  /// the report can count those that succeed.
  private func stopConnecting() async {
    var begun = 0
    for loop in loops {
      begun += (try? await loop.eventLoop.submit { loop.value.stopConnecting() }.get()) ?? 0
    }
    await wait(until: MonotonicClock.now() &+ Self.second) { opened + failed >= begun }
  }

  /// Connections that must be open before anything is sent.
  private var required: Int {
    let share = (Double(plan.ownConnections) * plan.minimumOpen).rounded(.up)
    return min(plan.ownConnections, max(1, Int(exactly: share) ?? plan.ownConnections))
  }

  private var isGateReachable: Bool { failed <= plan.ownConnections - required }
  private var isGateOpen: Bool { !isInterrupted && opened >= required && lost < opened }

  private func send() async {
    let now = MonotonicClock.now()
    // The first messages of a schedule must not be late because the loops start on another thread.
    let start = plan.pacing.isOpen ? now &+ 2_000_000 : now
    let from = start &+ plan.effectiveWarmUp
    var timeline = LoadLoop.Timeline(start: start, measureFrom: from, until: .max)
    var planned: Int64?
    if case .duration(let duration) = plan.length {
      timeline.until = from &+ max(1, duration)
      planned = duration
    }
    let agreed = timeline
    let warmsUp = plan.effectiveWarmUp > 0
    if !warmsUp { record.begin() }
    await each { $0.begin(agreed) }
    if warmsUp {
      begin(.warmUp, at: start, planned: plan.effectiveWarmUp)
      await wait(until: from) { lost >= opened }
      let warmUpEnd = min(from, max(MonotonicClock.now(), start))
      end(at: warmUpEnd)
      await collectInterval(.warmUp, from: start, windowFrom: from, until: warmUpEnd)
      guard !isInterrupted, lost < opened else { return }
      record.begin()
    }
    begin(.measure, at: from, planned: planned)
    await wait(until: timeline.until) { lost >= opened || idle.count == loops.count }
    let moment = max(from, min(timeline.until, MonotonicClock.now()))
    // If all connections are lost, the rest of the plan counts as missed. An interrupt shortens the
    // plan instead, so nothing is missed.
    let isLost = lost >= opened && !isInterrupted
    let plannedEnd = isLost ? timeline.until : moment
    await each { $0.drain(at: moment, planned: plannedEnd) }
    windowPlanned = plannedEnd == .max ? moment &- from : plannedEnd &- from
    await record.end(loops)
    await collectInterval(.window, from: from, windowFrom: from, until: moment)
    end(at: moment)
  }

  private func drain() async {
    guard phases.last?.name == .measure else { return }
    let most = isInterrupted ? min(plan.timeout, Self.second) : plan.timeout
    begin(.drain, planned: most)
    idle = []
    await each { $0.reportIfIdle() }
    // Sweeps are at most a quarter of a second apart, so half a second more is enough.
    await wait(
      until: MonotonicClock.now() &+ most &+ Self.second / 2, evenIfInterrupted: true
    ) {
      idle.count == loops.count
    }
    end()
    await reportRest()
  }

  private func close() async {
    begin(.close, planned: nil)
    await each { $0.close() }
    let limit = setting.target.configuration.closeTimeout.nanoseconds &+ 3 * Self.second / 2
    let most = isInterrupted ? min(limit, Self.second) : limit
    let isClosed = { [unowned self] in emptied.count == loops.count }
    await wait(until: MonotonicClock.now() &+ most, evenIfInterrupted: true, unless: isClosed)
    if !isClosed() {
      await each { $0.abandon() }
      await wait(
        until: MonotonicClock.now() &+ Self.second, evenIfInterrupted: true, unless: isClosed)
    }
    end()
    await reportRest()
  }

  /// Takes the figures of all loops after the run.
  func collect() async -> [LoopFigures] {
    var figures: [LoopFigures] = []
    for loop in loops {
      if let taken = try? await loop.eventLoop.submit({ loop.value.figures }).get() {
        figures.append(taken)
      }
    }
    return figures
  }

  private func each(_ body: @escaping @Sendable (LoadLoop) -> Void) async {
    for loop in loops { try? await loop.eventLoop.submit { body(loop.value) }.get() }
  }

  // MARK: Time

  private func begin(
    _ name: LoadReport.Phase.Name, at moment: Int64 = MonotonicClock.now(), planned: Int64?
  ) {
    phase = LoadReport.Phase(name, start: moment &- setting.runStart, duration: 0)
    self.planned = planned
    nextTick = moment &+ Self.second
    reportPhase()
    reportProgress()
  }

  /// Reports to the observer that a phase begins; the loops are asked at the next tick.
  private func reportPhase() {
    guard let counted = observer?.counted else { return }
    var totals = totals ?? LoadTotals(before: plan)
    totals.phase = phase.name
    totals.connections.opened = opened
    totals.connections.failed = failed
    totals.connections.lost = lost
    totals.open = opened - lost
    self.totals = totals
    counted(totals)
  }

  private func end(at moment: Int64 = MonotonicClock.now()) {
    phase.duration = max(0, moment &- setting.runStart &- phase.start)
    phases.append(phase)
  }

  /// Waits until the deadline or until `isDone`, handling loop events and ticking every second.
  private func wait(
    until deadline: Int64, evenIfInterrupted: Bool = false, unless isDone: () -> Bool = { false }
  ) async {
    while !isDone(), evenIfInterrupted || !isInterrupted {
      let now = MonotonicClock.now()
      // The caller ticks at the end of a stretch.
      guard now < deadline else { return }
      if now >= nextTick { await tick(at: now) }
      let pause = max(1, min(deadline, nextTick) &- now)
      let alarm = Task { [post = setting.post] in
        guard (try? await Task.sleep(for: .nanoseconds(pause))) != nil else { return }
        post.yield(.woken)
      }
      guard let event = await events.next() else { return }
      alarm.cancel()
      take(event)
    }
  }

  private func take(_ event: LoadEvent) {
    switch event {
    case .opened(let info):
      opened += 1
      if handshake == nil { handshake = info }
    case .failed(let error):
      failed += 1
      failures.add(error)
    case .lost(let outcome):
      lost += 1
      lastLoss = outcome
    case .idle(let loop): idle.insert(loop)
    case .emptied(let loop): emptied.insert(loop)
    case .interrupted: isInterrupted = true
    case .woken: break
    }
  }

  private func tick(at now: Int64) async {
    // Ticks that a busy machine missed are skipped: the interval is longer instead.
    repeat {
      nextTick = nextTick &+ Self.second
    } while nextTick < now &+ IntervalSeries.Interval.shortest
    let start = phase.start &+ setting.runStart
    switch phase.name {
    case .warmUp:
      await collectInterval(
        .warmUp, from: start, windowFrom: start &+ plan.effectiveWarmUp, until: now)
    case .measure:
      await collectInterval(.window, from: start, windowFrom: start, until: now)
      judge(at: now &- start)
    case .connect, .settle, .drain, .close: break
    }
    await reportTotals()
    reportProgress()
  }

  /// Collects the interval that ends now, and reports it to the observer.
  private func collectInterval(
    _ stretch: LoadLoop.Stretch, from start: Int64, windowFrom: Int64, until end: Int64
  ) async {
    let (interval, samples) = await record.tick(
      stretch, loops, from: start, windowFrom: windowFrom, until: end)
    report(samples, start: windowFrom &+ interval.start, interval.duration, interval)
  }

  /// Reports the samples of the phase that has just ended to the observer, after its last interval.
  private func reportRest() async {
    guard observer != nil, let ended = phases.last else { return }
    var samples = await record.takeSamples(loops)
    if ended.name == .connect, let duration = setting.target.lookUp {
      samples.record(duration, .dns)
    }
    report(samples, start: ended.start &+ setting.runStart, ended.duration, nil)
    await reportTotals()
  }

  private func report(
    _ samples: MetricTable, start: Int64, _ duration: Int64, _ interval: LoadReport.Interval?
  ) {
    guard let ended = observer?.ended else { return }
    let samples = completed(samples)
    var summaries: [Metric: LatencySummary] = [:]
    for metric in plan.mode.metrics {
      guard let histogram = samples[metric], histogram.count > 0 else { continue }
      var summary = histogram.summary([])
      summary.hdr = HistogramCodec.encode(histogram)
      summaries[metric] = summary
    }
    ended(
      LoadStretch(
        start: start &- setting.runStart, duration: duration, interval: interval,
        samples: summaries))
  }

  /// In the closed model intended and actual send time are the same.
  private func completed(_ samples: MetricTable) -> MetricTable {
    var samples = samples
    if !plan.pacing.isOpen { samples[.service] = samples[.roundTrip] }
    return samples
  }

  /// Reports to the observer what has been counted so far.
  private func reportTotals() async {
    guard observer?.counted != nil else { return }
    var sum = LoopTotals()
    for loop in loops {
      if let own = try? await loop.eventLoop.submit({ loop.value.totals }).get() { sum.merge(own) }
    }
    var samples = record.samples
    samples.merge(record.roundTrips, .roundTrip)
    if let duration = setting.target.lookUp { samples.record(duration, .dns) }
    samples = completed(samples)
    var totals = LoadTotals(before: plan)
    totals.messages = sum.messages
    totals.payload = .init(
      sent: sum.messages.sent &* plan.payloadSize, received: sum.payloadReceived)
    totals.wire = sum.wire
    totals.errors = sum.errors.entries
    totals.closes = sum.closes.entries
    for metric in plan.mode.metrics { totals.samples[metric] = samples[metric] }
    totals.cpu = record.latest?.cpu
    totals.loopDelay = record.latest?.loopDelay
    if let last = record.window.intervals.last, let rate = plan.ownRate, rate > 0 {
      let due = rate * Double(last.start &+ last.duration) / 1e9
      totals.sentShare = due > 0 ? min(1, Double(sum.messages.sent) / due) : nil
    }
    self.totals = totals
    reportPhase()
  }

  /// Interrupts the run if a threshold with an abort time that has passed is broken.
  private func judge(at elapsed: Int64) {
    let due = plan.thresholds.filter { $0.abortAfter.map { $0 <= elapsed } ?? false }
    guard !due.isEmpty, !isInterrupted else { return }
    var roundTrips = record.roundTrips
    roundTrips.recordCensored(record.unanswered, atLeast: plan.timeout)
    let figures = EarlyFigures(
      roundTrips: roundTrips, errors: record.errors, failed: failed, lost: lost)
    isAborted = due.contains(where: figures.breaks)
    isInterrupted = isAborted
  }

  private func reportProgress() {
    progress(
      LoadProgress(
        phase: phase.name, elapsed: MonotonicClock.now() &- setting.runStart &- phase.start,
        planned: planned, asked: plan.ownConnections, open: opened - lost, targetRate: plan.ownRate,
        interval: record.latest, inFlight: record.outstanding,
        errors: max(record.errors, failed + lost)))
  }
}
