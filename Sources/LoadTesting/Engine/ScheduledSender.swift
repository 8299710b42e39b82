import WebSocketNIO

/// The open model on one event loop: sends what is due, with one timer for all connections.
final class ScheduledSender {
  private unowned let loop: LoadLoop
  private let schedule: SendSchedule
  private let timeline: LoadLoop.Timeline
  private var queue: ScheduleQueue
  /// When the schedule of the queue began.
  private var origin: Int64
  /// Messages due from here on belong to what comes after.
  private var end: Int64
  private var timer: LoopTimer?
  /// The event loop, if it stays awake until a message is due.
  private let awake: EpollLoop?
  private var batch: [ScheduleQueue.Due] = []

  /// Messages sent before the loop gets to read again. While the generator keeps up it is the shortest: a
  /// generator that is behind must not add to the lateness of the replies. In this many, what is due after a
  /// pause of some milliseconds goes out with several messages in one write.
  private var longestBatch = shortestLimit
  private static let shortestLimit = 1024
  /// While more is due than fits into a batch, each is twice as long as the last, up to this many messages
  /// for each connection: a write costs more than a message, so an overloaded generator sends the most with
  /// several messages in each write.
  private static let maxPerConnection = 16
  private static let maxLimit = 32_768
  /// Between two batches an event loop that sleeps until a message is due reads replies, in nanoseconds.
  /// At rates where messages are due closer together than this, one waking of the thread sends several,
  /// each late by less than this: a waking for each would take more of the core than the message itself.
  /// It is also what a generator that is behind, and has always something due, reads in.
  private static let breath: Int64 = 50_000
  /// How long after the end messages are sent that were due before it.
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

  /// Whether a count of messages has been sent.
  var isFinished: Bool { origin == timeline.measureFrom && queue.count == 0 }

  func begin() {
    awake?.isPunctual = true
    if origin < timeline.measureFrom { fill(quota: false) } else { enterWindow() }
    timer = LoopTimer(on: loop.eventLoop) { [weak self] in self?.sendDue() }
    sendDue()
  }

  /// The window has a schedule of its own, so that the warm-up takes nothing from its messages.
  private func enterWindow() {
    loop.windowBegins()
    origin = timeline.measureFrom
    end = timeline.until
    fill(quota: true)
  }

  /// Takes up every connection of the plan, whether it is open or not: a message that is due on one that
  /// is not there is counted when it is due.
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
    // One that is awake looks at its sockets between any two timers.
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

  /// Warm-up messages that have not been sent by the end of the warm-up take no time of the window.
  private func dropBacklog() {
    loop.figures.warmUp.counts.dropped &+= queue.count(dueBefore: end &- origin)
    queue = ScheduleQueue(schedule: schedule)
  }

  /// Sends what is due, at most a batch.
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
    // Behind by more than a message for each connection: then one write carries several.
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

  /// Sends what was due before the end. A generator that is too far behind drops the rest, and the
  /// report says so: sending it all would only stretch the run.
  ///
  /// - Parameters:
  ///   - moment: Where the window ends.
  ///   - planned: Where it would have ended if the connections had not all been lost; else `moment`.
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
