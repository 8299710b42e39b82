import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// One event loop's share of a load test: its connections, timestamps and figures. Everything
/// runs on that loop, and nothing is shared with the others.
final class LoadLoop {
  /// The settings that all loops of a run share.
  struct Setting: Sendable {
    var plan: LoadPlan
    var target: LoadTarget
    /// When the run started, in nanoseconds of `MonotonicClock`, like every timestamp here.
    var runStart: Int64
    var post: AsyncStream<LoadEvent>.Continuation
    /// Whether loops that support it poll until a message is due instead of sleeping.
    var staysAwake: Bool
    /// Messages that each connection of the run may send in the window, by connection number; nil
    /// for no limit.
    var quotas: [Int]?

    /// Messages that one connection may send in the window; `Int.max` without a limit.
    func quota(ofConnection number: Int) -> Int {
      guard let quotas else { return Int.max }
      return quotas.indices.contains(number) ? quotas[number] : 0
    }
  }

  /// The event loops that open the connections of one loop and run them once they are open.
  struct EventLoops: Sendable {
    var opening: any EventLoop
    /// nil if connections stay on the event loop that opened them.
    var destination: EpollLoop?

    var eventLoop: any EventLoop { destination ?? opening }
  }

  /// The times of warm-up and window, in nanoseconds of `MonotonicClock`.
  struct Timeline: Sendable {
    /// The warm-up and sending begin.
    var start: Int64
    /// The window begins.
    var measureFrom: Int64
    /// The window ends; `Int64.max` if a message count ends it instead.
    var until: Int64
  }

  private enum State {
    case connecting
    case sending
    case draining
    case closing
  }

  let eventLoops: EventLoops
  let setting: Setting
  let index: Int
  let mode: any LoadMode
  /// Messages that the closed model keeps outstanding on each connection; 0 in the open model.
  let wanted: Int
  let maxInFlight: Int
  let delay = LoopDelay()
  var figures: LoopFigures
  /// By slot; nil where no connection is open.
  private(set) var connections: [(any LoadConnection)?] = []
  private(set) var open = 0

  private var state = State.connecting
  private var timeline = Timeline(start: .max, measureFrom: .max, until: .max)
  private var now: Int64 = 0
  private var hasReportedIdle = false
  /// Messages that the open connections may still send in the closed model; `Int.max` if the run
  /// has no message count.
  private var quota = 0
  private var sender: ScheduledSender?
  private var connector: Connector?
  private var sweeper: LoopTimer?
  private var windowTimer: LoopTimer?
  private var lostTraffic = LoopTraffic()
  /// Planned connections that are not open in the window, and the sum of the times since when.
  private var absent: (count: Int, since: Int64) = (0, 0)
  /// Taken at the beginning and at the end of the window; nil until then.
  private(set) var marks: (begin: LoopMark?, end: LoopMark?)

  var plan: LoadPlan { setting.plan }
  var eventLoop: any EventLoop { eventLoops.eventLoop }
  /// CPU time that the thread has spent polling to stay awake, in nanoseconds.
  var timeAwake: Int64 { eventLoops.destination?.timeAwake ?? 0 }

  init(_ setting: Setting, index: Int, in eventLoops: EventLoops) {
    self.setting = setting
    self.index = index
    self.eventLoops = eventLoops
    mode = setting.plan.mode.mode.init(setting)
    figures = LoopFigures(setting)
    wanted = setting.plan.pacing.inflight ?? 0
    maxInFlight = max(setting.plan.maxInFlight, wanted)
  }

  // MARK: Stamps

  /// The time of everything that one read brought in: the clock is read once per burst.
  @inline(__always)
  func stamp() -> Int64 {
    if now == 0 { now = MonotonicClock.now() }
    return now
  }

  /// Ends a burst and returns its timestamp; 0 if it brought no message.
  @inline(__always)
  func endBurst() -> Int64 {
    let ended = now
    now = 0
    return ended
  }

  // MARK: Connecting

  /// Opens this loop's share of the connections, each when it is due.
  func connect(from start: Int64) {
    connections = Array(repeating: nil, count: Connector.share(of: plan, loop: index))
    let connector = Connector(self, start: start)
    self.connector = connector
    connector.begin()
  }

  /// Starts no further attempts and returns how many were started.
  func stopConnecting() -> Int {
    defer { connector = nil }
    return connector?.next ?? 0
  }

  func opened(_ connection: any LoadConnection) {
    connections[connection.slot] = connection
    open &+= 1
    if state == .closing { connection.close(at: MonotonicClock.now()) }
  }

  func closed(_ connection: any LoadConnection, _ outcome: CloseOutcome) {
    let now = MonotonicClock.now()
    connections[connection.slot] = nil
    open &-= 1
    if case .sending = state {
      absent.count &+= 1
      absent.since &+= max(now, timeline.measureFrom)
      if quota != Int.max {
        quota &-= connection.quota
        if wanted > 0 { figures.missing(connection.quota) }
      }
    }
    if let handler = connection.handler { lostTraffic.add(handler) }
    figures.closes.record(outcome)
    if let failure = ConnectionFailure(outcome, isClosing: connection.closeSent != 0) {
      figures.record(failure, at: now)
      if state != .closing { setting.post.yield(.lost(outcome)) }
    } else {
      figures.metrics.record(now &- connection.closeSent, .close)
    }
    reportIfIdle()
    if open == 0, state == .closing { setting.post.yield(.emptied(loop: index)) }
  }

  // MARK: Sending

  /// Starts sending when the timeline starts.
  func begin(_ timeline: Timeline) {
    connector = nil
    self.timeline = timeline
    figures.measuredFrom = timeline.measureFrom
    figures.measuredUntil = timeline.until
    figures.errorMarks.start = figures.errors
    state = .sending
    hasReportedIdle = false
    let unopened = connections.count { $0 == nil }
    absent = (unopened, Int64(unopened) &* timeline.measureFrom)
    if setting.quotas != nil {
      quota = connections.reduce(0) { $0 &+ ($1?.quota ?? 0) }
      if wanted > 0 { figures.missing(ownQuota &- quota) }
    } else {
      quota = Int.max
    }
    delay.restart(on: eventLoop)
    let sweeper = LoopTimer(on: eventLoop) { [weak self] in self?.sweep() }
    self.sweeper = sweeper
    sweeper.set(timeline.start &+ sweepPeriod)
    if timeline.measureFrom > timeline.start {
      let timer = LoopTimer(on: eventLoop) { [weak self] in self?.windowBegins() }
      windowTimer = timer
      timer.set(timeline.measureFrom)
    } else {
      windowBegins()
    }
    if let schedule = plan.schedule() {
      sender = ScheduledSender(self, schedule, timeline)
      sender?.begin()
    } else {
      for connection in connections { connection?.refill(at: MonotonicClock.now()) }
    }
    reportIfIdle()
  }

  /// The connection in a slot of this loop, as its number in the whole run.
  func number(slot: Int) -> Int {
    plan.number(ofOwn: index &+ slot &* max(1, plan.threads))
  }

  /// Messages that all connections of this loop may send, including those that never opened.
  private var ownQuota: Int {
    connections.indices.reduce(0) { $0 &+ setting.quota(ofConnection: number(slot: $1)) }
  }

  /// Starts the window. A schedule calls this before it sends the first window message.
  func windowBegins() {
    guard marks.begin == nil else { return }
    windowTimer?.cancel()
    windowTimer = nil
    figures.errorMarks.begin = figures.errors
    marks.begin = mark()
  }

  /// Whether the closed model still sends.
  @inline(__always)
  func maySend(at now: Int64) -> Bool { state == .sending && now < timeline.until }

  /// Deducts messages that the closed model has sent from the message count of the run.
  func used(_ count: Int) { quota &-= count }

  private var sweepPeriod: Int64 { min(max(plan.timeout / 20, 5_000_000), 250_000_000) }

  /// Gives up messages that have waited longer than the timeout; runs 4 to 200 times a second.
  private func sweep() {
    let now = MonotonicClock.now()
    for connection in connections {
      guard let connection else { continue }
      connection.expire(sentBefore: now &- plan.timeout, at: now)
      if wanted > 0 { connection.refill(at: now) }
    }
    reportIfIdle()
    if state == .sending || figures.outstanding > 0 { sweeper?.set(now &+ sweepPeriod) }
  }

  /// Reports, once per phase, that nothing is left to send or to wait for.
  @inline(__always)
  func reportIfIdle() {
    if figures.outstanding == 0, !hasReportedIdle { reportIdle() }
  }

  @inline(never)
  private func reportIdle() {
    switch state {
    case .connecting, .closing: return
    case .sending:
      guard case .messages = plan.length, sender?.isFinished ?? (quota <= 0) else { return }
    case .draining: break
    }
    hasReportedIdle = true
    setting.post.yield(.idle(loop: index))
  }

  // MARK: Ending

  /// Ends the window: stops sending and waits for outstanding answers.
  ///
  /// - Parameters:
  ///   - moment: When the window ends, unless it has ended already.
  ///   - planned: When the window should have ended if all connections were lost; else `moment`.
  func drain(at moment: Int64, planned: Int64) {
    figures.measuredUntil = min(figures.measuredUntil, moment)
    timeline.until = figures.measuredUntil
    sender?.finish(at: moment, planned: planned)
    let end = planned == Int64.max ? moment : planned
    figures.timeWithoutConnection = max(0, Int64(absent.count) &* end &- absent.since)
    windowBegins()
    figures.errorMarks.end = figures.errors
    marks.end = mark()
    state = .draining
    hasReportedIdle = false
    reportIfIdle()
  }

  /// Closes every connection.
  func close() {
    state = .closing
    connector = nil
    sender = nil
    sweeper?.cancel()
    windowTimer?.cancel()
    delay.stop()
    let now = MonotonicClock.now()
    for connection in connections { connection?.close(at: now) }
    if open == 0 { setting.post.yield(.emptied(loop: index)) }
  }

  /// Ends the remaining connections at once, without a closing handshake.
  func abandon() {
    for connection in connections { connection?.abandon() }
  }

  /// Bytes transferred so far on all connections, including closed ones.
  var traffic: LoopTraffic {
    var traffic = lostTraffic
    for connection in connections { if let handler = connection?.handler { traffic.add(handler) } }
    return traffic
  }
}
