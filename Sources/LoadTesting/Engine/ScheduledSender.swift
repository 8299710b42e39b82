import WebSocketNIO

/// The open model on one event loop: sends due messages, with one timer for all connections.
final class ScheduledSender {
  private unowned let loop: LoadLoop
  private let schedule: SendSchedule
  private let timeline: LoadLoop.Timeline
  private var queue: ScheduleQueue
  /// When the schedule of the queue began, in nanoseconds of `MonotonicClock`.
  private var origin: Int64
  /// When the current stretch ends: messages due from then on do not belong to it.
  private var end: Int64
  private var timer: LoopTimer?
  /// The event loop if it polls until a message is due, else nil.
  private let awake: EpollLoop?
  private var batch: [ScheduleQueue.Due] = []

  /// Maximum number of messages sent before the loop reads again. It stays at `shortestLimit` while
  /// the generator keeps up, so sending hardly delays the reading of replies. That many messages
  /// still let the backlog of a pause of a few milliseconds go out with several messages per write.
  private var longestBatch = shortestLimit
  private static let shortestLimit = 1024
  /// While more messages are due than fit into a batch, the limit doubles, up to this many messages
  /// per connection: a write costs more than a message, so an overloaded generator has the highest
  /// throughput with several messages in each write.
  private static let maxPerConnection = 16
  private static let maxLimit = 32_768
  /// Minimum pause between two batches in nanoseconds, on an event loop that sleeps until a message
  /// is due; the loop reads replies in it. If messages are due closer together than this, one
  /// wake-up sends several, each late by less than this: one wake-up per message would cost more
  /// CPU than the message itself. The pause also lets a generator that is behind read replies.
  private static let breath: Int64 = 50_000
  /// How long after the end of the window overdue messages are still sent, in nanoseconds.
  private static let grace: Int64 = 100_000_000

  init(_ loop: LoadLoop, _ schedule: SendSchedule, _ timeline: LoadLoop.Timeline) {
    self.loop = loop
    self.schedule = schedule
    self.timeline = timeline
    queue = ScheduleQueue(schedule: schedule)
    origin = timeline.start
    end = timeline.measureFrom
    awake = loop.setting.staysAwake ? loop.eventLoops.destination : nil
    batch.reserveCapacity(Self.shortestLimit)
  }

  /// Whether all window messages of a counted run have been taken from the queue.
  var isFinished: Bool { origin == timeline.measureFrom && queue.count == 0 }

  func begin() {
    awake?.isPunctual = true
    if origin < timeline.measureFrom { fill(quota: false) } else { enterWindow() }
    timer = LoopTimer(on: loop.eventLoop) { [weak self] in self?.sendDue() }
    sendDue()
  }

  /// Starts the schedule of the window. It is separate from the warm-up schedule, so warm-up
  /// messages do not count against the quotas of the window.
  private func enterWindow() {
    loop.windowBegins()
    origin = timeline.measureFrom
    end = timeline.until
    fill(quota: true)
  }

  /// Schedules every planned connection, open or not: a message due on a connection that is not
  /// open is counted as missing when it is due.
  private func fill(quota: Bool) {
    queue = ScheduleQueue(schedule: schedule)
    for slot in loop.connections.indices {
      let number = loop.number(slot: slot)
      queue.add(
        slot: slot, connection: number,
        quota: quota ? loop.setting.quota(ofConnection: number) : nil)
    }
  }

  private func sendDue() {
    let hasSent = sendBatch(at: MonotonicClock.now())
    loop.reportIfIdle()
    // A loop that stays awake polls its sockets between timers and needs no pause.
    setTimer(notBefore: hasSent && awake == nil ? MonotonicClock.now() &+ Self.breath : 0)
  }

  private func setTimer(notBefore earliest: Int64) {
    let isWarmUp = origin < timeline.measureFrom
    if isWarmUp, MonotonicClock.now() >= end { dropBacklog() }
    if let due = queue.nextDue, origin &+ due < end {
      timer?.set(max(origin &+ due, earliest))
    } else if isWarmUp {
      enterWindow()
      setTimer(notBefore: earliest)
    }
  }

  /// Drops overdue warm-up messages when the warm-up ends, so they take no time from the window.
  private func dropBacklog() {
    loop.figures.warmUp.counts.dropped &+= queue.count(dueBefore: end &- origin)
    queue = ScheduleQueue(schedule: schedule)
  }

  /// Sends due messages, at most one batch.
  ///
  /// - Returns: Whether anything was due.
  private func sendBatch(at now: Int64) -> Bool {
    if origin < timeline.measureFrom, now >= end { return false }
    let limit = min(now, end &- 1) &- origin
    while batch.count < longestBatch, let due = queue.next(dueBy: limit) { batch.append(due) }
    guard !batch.isEmpty else { return false }
    let longest = min(max(loop.open &* Self.maxPerConnection, Self.shortestLimit), Self.maxLimit)
    longestBatch =
      batch.count == longestBatch ? min(longestBatch &* 2, longest) : Self.shortestLimit
    // More than one message per connection is due: group them so that one write carries several.
    if batch.count > loop.open {
      batch.sort { $0.slot != $1.slot ? $0.slot < $1.slot : $0.intended < $1.intended }
    }
    var first = 0
    while first < batch.count {
      let slot = batch[first].slot
      var last = first &+ 1
      while last < batch.count, batch[last].slot == slot { last &+= 1 }
      if let connection = loop.connections[slot] {
        connection.send(batch[first..<last], origin: origin)
      } else if origin == timeline.measureFrom {
        loop.figures.missing(last &- first)
      }
      first = last
    }
    batch.removeAll(keepingCapacity: true)
    return true
  }

  /// Sends the messages that were due before the end. A generator that is too far behind drops the
  /// rest, and the report counts them: sending them all would only prolong the run.
  ///
  /// - Parameters:
  ///   - moment: When the window ends.
  ///   - planned: When the window should have ended if all connections were lost; else `moment`.
  func finish(at moment: Int64, planned: Int64) {
    timer?.cancel()
    awake?.isPunctual = false
    if origin < timeline.measureFrom, moment > timeline.measureFrom {
      dropBacklog()
      enterWindow()
    }
    end = min(end, moment)
    var now = MonotonicClock.now()
    while now < moment &+ Self.grace, sendBatch(at: now) { now = MonotonicClock.now() }
    if origin == timeline.measureFrom {
      let dropped = queue.count(dueBefore: end &- origin)
      loop.figures.counts.dropped &+= dropped
      loop.figures.missing(queue.count(dueBefore: max(end, planned) &- origin) &- dropped)
    }
    queue = ScheduleQueue(schedule: schedule)
  }
}
