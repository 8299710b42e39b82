import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// One event loop's share of a load test: its connections, its clock stamps, its figures. All of it
/// happens on that loop; nothing is shared with the others.
final class LoadLoop {
  /// What all loops of a run have in common.
  struct Setting: Sendable {
    var plan: LoadPlan
    var target: LoadTarget
    /// On `MonotonicClock`, as all stamps.
    var runStart: Int64
    var post: AsyncStream<LoadEvent>.Continuation
    /// Whether loops that can stay awake until a message is due do so.
    var staysAwake: Bool
    /// By connection of the run, how many messages it may send in the window; nil for no end.
    var quotas: [Int]?

    /// Messages that one connection may send in the window.
    func quota(ofConnection number: Int) -> Int {
      guard let quotas else { return Int.max }
      return quotas.indices.contains(number) ? quotas[number] : 0
    }
  }

  /// Where the connections of one loop are made and where they live.
  struct EventLoops: Sendable {
    var opening: any EventLoop
    /// nil when they stay where they were made.
    var destination: EpollLoop?

    var eventLoop: any EventLoop { destination ?? opening }
  }

  /// When what happens, in nanoseconds of `MonotonicClock`.
  struct Timeline: Sendable {
    /// The warm-up begins, and with it sending.
    var start: Int64
    /// The window.
    var measureFrom: Int64
    /// `Int64.max` when messages are counted instead.
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
  /// By slot: nil where no connection is open.
  private(set) var connections: [(any LoadConnection)?] = []
  private(set) var open = 0

  private var state = State.connecting
  private var timeline = Timeline(start: .max, measureFrom: .max, until: .max)
  private var now: Int64 = 0
  private var hasReportedIdle = false
  /// What the connections of the closed model may still send of a count of messages.
  private var quota = 0
  private var sender: ScheduledSender?
  private var connector: Connector?
  private var sweeper: LoopTimer?
  private var windowTimer: LoopTimer?
  private var lostTraffic = LoopTraffic()
  /// Planned connections that are not open in the window, and since when, summed up.
  private var absent: (count: Int, since: Int64) = (0, 0)
  /// At the beginning and the end of the window, once they have come.
  private(set) var marks: (begin: LoopMark?, end: LoopMark?)

  var plan: LoadPlan { setting.plan }
  var eventLoop: any EventLoop { eventLoops.eventLoop }
  /// CPU that the thread has spent on staying awake, in nanoseconds.
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

  /// The time of what one read has brought: the clock is read once for all of it.
  @inline(__always)
  func stamp() -> Int64 {
    if now == 0 { now = MonotonicClock.now() }
    return now
  }

  /// The stamp of the burst that is over; 0 if it brought no message.
  @inline(__always)
  func endBurst() -> Int64 {
    let ended = now
    now = 0
    return ended
  }

  // MARK: Connecting

  /// Opens this loop's share of the connections, each at its moment.
  func connect(from start: Int64) {
    connections = Array(repeating: nil, count: Connector.share(of: plan, loop: index))
    let connector = Connector(self, start: start)
    self.connector = connector
    connector.begin()
  }

  /// Begins no more of them, and returns how many it has begun.
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

  /// Begins to send at the start of the timeline.
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

  /// The number in the run of the connection in a slot.
  func number(slot: Int) -> Int {
    plan.number(ofOwn: index &+ slot &* max(1, plan.threads))
  }

  /// Messages that all connections of this loop may send, those that never opened included.
  private var ownQuota: Int {
    connections.indices.reduce(0) { $0 &+ setting.quota(ofConnection: number(slot: $1)) }
  }

  /// The window begins: before the first of its messages is sent, where a schedule sends them.
  func windowBegins() {
    guard marks.begin == nil else { return }
    windowTimer?.cancel()
    windowTimer = nil
    figures.errorMarks.begin = figures.errors
    marks.begin = mark()
  }

  /// Whether the closed model sends on.
  @inline(__always)
  func maySend(at now: Int64) -> Bool { state == .sending && now < timeline.until }

  /// The closed model has sent messages of a total that is counted.
  func used(_ count: Int) { quota &-= count }

  private var sweepPeriod: Int64 { min(max(plan.timeout / 20, 5_000_000), 250_000_000) }

  /// Gives up what has waited too long, some times a second.
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

  /// Reports once that nothing is left to be sent or waited for.
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

  /// Sends no more.
  ///
  /// - Parameters:
  ///   - moment: Where the window ends, if it has not ended before.
  ///   - planned: Where it would have ended if the connections had not all been lost; else `moment`.
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

  /// Ends what is left of the connections at once.
  func abandon() {
    for connection in connections { connection?.abandon() }
  }

  /// Bytes of all connections so far.
  var traffic: LoopTraffic {
    var traffic = lostTraffic
    for connection in connections { if let handler = connection?.handler { traffic.add(handler) } }
    return traffic
  }
}
