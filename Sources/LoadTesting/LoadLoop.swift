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
  }

  /// Where the connections of one loop are made and where they live.
  struct Place: Sendable {
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

  /// What a reply must be to count as an answer.
  enum Replies {
    /// It carries the id of its message, and has its size.
    case identified
    /// It has the size of its message.
    case ofSize
    /// Any: for a fixed message, which may be a question to something that is no echo.
    case any
  }

  private enum State {
    case connecting
    case sending
    case draining
    case closing
  }

  let place: Place
  let setting: Setting
  let index: Int
  let kind: MessageKind
  let payload: MessagePayload
  let replies: Replies
  /// Messages that the closed model keeps outstanding on each connection; 0 in the open model.
  let wanted: Int
  let mostInFlight: Int
  let delay = LoopDelay()
  var figures: LoopFigures
  /// By slot: nil where no connection is open.
  private(set) var probes: [Probe?] = []
  private(set) var open = 0

  private var state = State.connecting
  private var timeline = Timeline(start: .max, measureFrom: .max, until: .max)
  private var now: Int64 = 0
  private var hasToldIdle = false
  /// What the connections of the closed model may still send of a count of messages.
  private var quota = 0
  private var sender: ScheduledSender?
  private var connector: Connector?
  private var sweeper: LoopTimer?
  private var lostTraffic = LoopTraffic()

  var plan: LoadPlan { setting.plan }
  var eventLoop: any EventLoop { place.eventLoop }
  /// CPU that the thread has spent on staying awake, in nanoseconds.
  var timeAwake: Int64 { place.destination?.timeAwake ?? 0 }

  init(_ setting: Setting, index: Int, in place: Place) {
    self.setting = setting
    self.index = index
    self.place = place
    let plan = setting.plan
    kind = plan.kind == .text ? .text : .binary
    payload = MessagePayload(plan)
    figures = LoopFigures(setting)
    replies =
      switch (plan.matching, plan.content) {
      case (.sequence, _): .identified
      case (.fifo, .generated): .ofSize
      case (.fifo, .fixed): .any
      }
    switch plan.model {
    case .open: wanted = 0
    case .closed(let inflight): wanted = max(1, inflight)
    }
    mostInFlight = max(plan.maximumInFlight, wanted)
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
    probes = Array(repeating: nil, count: Connector.share(of: plan, loop: index))
    let connector = Connector(self, start: start)
    self.connector = connector
    connector.begin()
  }

  /// Begins no more of them, and returns how many it has begun.
  func leaveOffConnecting() -> Int {
    defer { connector = nil }
    return connector?.next ?? 0
  }

  func opened(_ probe: Probe) {
    probes[probe.slot] = probe
    open &+= 1
    if state == .closing { probe.close(at: MonotonicClock.now()) }
  }

  func closed(_ probe: Probe, _ outcome: CloseOutcome) {
    let now = MonotonicClock.now()
    probes[probe.slot] = nil
    open &-= 1
    sender?.remove(probe)
    if quota != Int.max { quota &-= probe.quota }
    if let handler = probe.handler { lostTraffic.add(handler) }
    figures.closes.record(outcome)
    if let failure = ConnectionFailure(outcome, isClosing: probe.closeSent != 0) {
      figures.record(failure, at: now)
      if state != .closing { setting.post.yield(.lost(outcome)) }
    } else {
      figures.close.record(now &- probe.closeSent)
    }
    tellIfIdle()
    if open == 0, state == .closing { setting.post.yield(.emptied(loop: index)) }
  }

  // MARK: Sending

  /// Begins to send at the start of the timeline.
  func begin(_ timeline: Timeline) {
    connector = nil
    self.timeline = timeline
    figures.measuredFrom = timeline.measureFrom
    figures.measuredUntil = timeline.until
    state = .sending
    hasToldIdle = false
    if case .messages = plan.length {
      quota = probes.reduce(0) { $0 &+ ($1?.quota ?? 0) }
    } else {
      quota = Int.max
    }
    delay.restart(on: eventLoop)
    let sweeper = LoopTimer(on: eventLoop) { [weak self] in self?.sweep() }
    self.sweeper = sweeper
    sweeper.set(timeline.start &+ sweepPeriod)
    if let schedule = plan.schedule() {
      sender = ScheduledSender(self, schedule, timeline)
      sender?.begin()
    } else {
      for probe in probes { probe?.refill(at: MonotonicClock.now()) }
    }
    tellIfIdle()
  }

  /// Whether the closed model sends on.
  @inline(__always)
  func maySend(at now: Int64) -> Bool { state == .sending && now < timeline.until }

  /// The closed model has sent messages that are counted.
  @inline(__always)
  func used(_ count: Int, of probe: Probe) {
    guard quota != Int.max else { return }
    probe.quota &-= count
    quota &-= count
  }

  private var sweepPeriod: Int64 { min(max(plan.timeout / 20, 5_000_000), 250_000_000) }

  /// Gives up what has waited too long, some times a second.
  private func sweep() {
    let now = MonotonicClock.now()
    for probe in probes {
      guard let probe else { continue }
      probe.expire(sentBefore: now &- plan.timeout, at: now)
      if wanted > 0 { probe.refill(at: now) }
    }
    tellIfIdle()
    if state == .sending || figures.outstanding > 0 { sweeper?.set(now &+ sweepPeriod) }
  }

  /// Says once that nothing is left to be sent or waited for.
  @inline(__always)
  func tellIfIdle() {
    if figures.outstanding == 0, !hasToldIdle { tellIdle() }
  }

  @inline(never)
  private func tellIdle() {
    switch state {
    case .connecting, .closing: return
    case .sending:
      guard case .messages = plan.length, sender?.isFinished ?? (quota <= 0) else { return }
    case .draining: break
    }
    hasToldIdle = true
    setting.post.yield(.idle(loop: index))
  }

  // MARK: Ending

  /// Sends no more.
  ///
  /// - Parameter moment: Where the window ends, if it has not ended before.
  func drain(at moment: Int64) {
    figures.measuredUntil = min(figures.measuredUntil, moment)
    timeline.until = figures.measuredUntil
    sender?.finish(at: moment)
    state = .draining
    hasToldIdle = false
    tellIfIdle()
  }

  /// Closes every connection.
  func close() {
    state = .closing
    connector = nil
    sender = nil
    sweeper?.cancel()
    delay.stop()
    let now = MonotonicClock.now()
    for probe in probes { probe?.close(at: now) }
    if open == 0 { setting.post.yield(.emptied(loop: index)) }
  }

  /// Ends what is left of the connections at once.
  func abandon() {
    for probe in probes { probe?.abandon() }
  }

  /// Bytes of all connections so far.
  var traffic: LoopTraffic {
    var traffic = lostTraffic
    for probe in probes { if let handler = probe?.handler { traffic.add(handler) } }
    return traffic
  }
}
