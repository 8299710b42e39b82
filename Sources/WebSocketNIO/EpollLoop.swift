import CEpoll
package import Dispatch
import Glibc
import HeapModule
package import NIOCore
import WebSocketProtocol
import Synchronization

/// An event loop for plain connections after their handshake only: a thread, an epoll instance,
/// timers. A message costs one `recv`, one `send` and very little else here, whereas a channel
/// costs some fifty reference count updates (PERFORMANCE.md). NIO handles names, addresses, TLS and
/// HTTP.
package final class EpollLoop: EventLoop, @unchecked Sendable {
  private struct Inbox {
    var tasks: [@Sendable () -> Void] = []
    /// Whether the loop has been woken for these tasks.
    var isWoken = false
  }

  private struct Deadline: Comparable {
    var nanoseconds: Int64
    var id: UInt64

    static func < (one: Deadline, other: Deadline) -> Bool {
      one.nanoseconds != other.nanoseconds
        ? one.nanoseconds < other.nanoseconds : one.id < other.id
    }
  }

  private struct Timer {
    var action: () -> Void
    /// Called instead of `action` if the loop ends first.
    var dropped: () -> Void
  }

  private let thread = Atomic<UInt>(0)
  private let inbox = Mutex(Inbox())
  private let lastTimer = Atomic<UInt64>(0)
  private let epoll: Int32
  private let wake: Int32

  // The members below are used on the loop's thread only.

  /// The buffer for `recv`. The connections of a loop share it, since they read one after the
  /// other.
  let receiveBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 * 1024, alignment: 64)
  private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 256)
  /// Indexed by descriptor.
  private var sockets: [EpollSocket?] = []
  /// Watchers of descriptors that are not connections: listening and pending sockets.
  private var watchers: [Int32: any DescriptorWatcher] = [:]
  private var deadlines = Heap<Deadline>()
  /// The timers by ID. A deadline whose ID is missing here has been cancelled.
  private var timers: [UInt64: Timer] = [:]
  /// IDs of the timers whose deadline has passed.
  private var due: [UInt64] = []
  private var own: [() -> Void] = []
  private var isStopped = false
  /// Whether the kernel has epoll_pwait2 (Linux 5.11).
  private var waitsExactly = true
  private var lateness = WakingLateness()
  /// The duration in nanoseconds of the shortest poll that found nothing. If a poll takes more than
  /// twice as long, the excess was spent in other threads.
  private var shortestLook: Int64 = 1_000

  /// Whether the loop polls shortly before a deadline instead of sleeping, because it might
  /// oversleep. Use only on the loop.
  package var isPunctual = false
  /// CPU time spent polling to stay awake, in nanoseconds. Read only on the loop.
  package private(set) var timeAwake: Int64 = 0

  /// Starts a loop, which runs until `stop()`.
  ///
  /// - Throws: An `IOError` if the kernel provides no descriptor or no thread.
  package init() throws(IOError) {
    epoll = epoll_create1(EPOLL_CLOEXEC.asInt32)
    guard epoll >= 0 else { throw IOError(errnoCode: errno, reason: "epoll_create1") }
    wake = eventfd(0, (EFD_CLOEXEC | EFD_NONBLOCK).asInt32)
    guard wake >= 0 else {
      let code = errno
      Glibc.close(epoll)
      throw IOError(errnoCode: code, reason: "eventfd")
    }
    try watch(wake, for: EPOLLIN.rawValue, isNew: true)
    try startThread()
  }

  deinit {
    receiveBuffer.deallocate()
    events.deallocate()
  }

  private func startThread() throws(IOError) {
    var identity = pthread_t()
    let loop = Unmanaged.passRetained(self)
    let code = pthread_create(
      &identity, nil,
      { argument in
        if let argument { Unmanaged<EpollLoop>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, loop.toOpaque())
    guard code == 0 else {
      loop.release()
      Glibc.close(wake)
      Glibc.close(epoll)
      throw IOError(errnoCode: code, reason: "pthread_create")
    }
    pthread_detach(identity)
  }

  // MARK: The loop

  private func run() {
    thread.store(pthread_self().asUInt, ordering: .relaxed)
    // The default timer slack of the kernel would delay messages that are due.
    wscope_setTimerSlack(1)
    while !isStopped {
      let count = wait(untilNextOf: deadlines.min?.nanoseconds)
      for index in 0..<max(0, count) {
        let event = events[index]
        let descriptor = event.data.fd.asInt
        if descriptor < sockets.count, let socket = sockets[descriptor] {
          socket.ready(event.events)
        } else if event.data.fd == wake {
          takeInbox()
        } else {
          watchers[event.data.fd]?.ready(event.events)
        }
      }
      if !own.isEmpty { runTasks() }
      if !deadlines.isEmpty { runTimers() }
    }
    end()
  }

  private func wait(untilNextOf deadline: Int64?) -> Int {
    guard own.isEmpty else { return look(for: 0) }
    guard let deadline else { return look(for: .max) }
    let now = Self.now
    return isPunctual ? wait(until: deadline, from: now) : look(for: max(0, deadline &- now))
  }

  /// Sleeps until shortly before `deadline`, early enough to wake in time, and then polls.
  private func wait(until deadline: Int64, from start: Int64) -> Int {
    var now = start
    let sleep = deadline &- now &- lateness.expected
    if sleep > 0 {
      let count = look(for: sleep)
      guard count == 0 else { return count }
      let woken = Self.now
      lateness.add(woken &- now &- sleep)
      now = woken
    }
    while true {
      let count = look(for: 0)
      guard count == 0, now < deadline else { return count }
      // Yield, because the server under test may have only this core.
      sched_yield()
      let next = Self.now
      shortestLook = min(shortestLook, next &- now)
      timeAwake &+= min(next &- now, 2 &* shortestLook)
      now = next
    }
  }

  /// Waits for epoll events for at most `nanoseconds`.
  private func look(for nanoseconds: Int64) -> Int {
    let most = events.count.asInt32
    guard nanoseconds > 0, nanoseconds < .max, waitsExactly else {
      let milliseconds =
        nanoseconds == .max ? -1 : min((nanoseconds &+ 999_999) / 1_000_000, 60_000)
      return epoll_wait(epoll, events.baseAddress, most, Int32(clamping: milliseconds)).asInt
    }
    var timeout = timespec(
      tv_sec: (nanoseconds / 1_000_000_000).asInt, tv_nsec: (nanoseconds % 1_000_000_000).asInt)
    let count = epoll_pwait2(epoll, events.baseAddress, most, &timeout, nil)
    if count < 0, errno == ENOSYS { waitsExactly = false }
    return count.asInt
  }

  private static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

  private func takeInbox() {
    var count = eventfd_t()
    eventfd_read(wake, &count)
    let tasks = inbox.withLock { inbox in
      inbox.isWoken = false
      var taken: [@Sendable () -> Void] = []
      swap(&taken, &inbox.tasks)
      return taken
    }
    for task in tasks { task() }
  }

  /// Runs the tasks queued so far; tasks that they add run after the next poll of the sockets.
  private func runTasks() {
    var tasks: [() -> Void] = []
    swap(&tasks, &own)
    for task in tasks { task() }
  }

  /// Runs the timers that are due; timers that they set, even for the past, run after the next poll
  /// of the sockets.
  private func runTimers() {
    let now = Self.now
    while let next = deadlines.min, next.nanoseconds <= now {
      deadlines.removeMin()
      due.append(next.id)
    }
    for id in due { timers.removeValue(forKey: id)?.action() }
    due.removeAll(keepingCapacity: true)
  }

  private func end() {
    for socket in sockets { socket?.close() }
    takeInbox()
    while !own.isEmpty { runTasks() }
    for watcher in watchers.values { watcher.close() }
    for timer in timers.values { timer.dropped() }
    timers = [:]
    Glibc.close(epoll)
    Glibc.close(wake)
  }

  // MARK: Sockets

  /// Takes over a connected socket and the bytes already read from it. `descriptor` may be a
  /// negative `errno` instead: the connection then fails as soon as it is open. Call on the loop.
  func adopt(
    _ descriptor: Int32, _ connection: OpenedConnection, early: ByteBuffer,
    from address: SocketAddress?
  ) {
    var code = -descriptor
    if descriptor >= 0 {
      do throws(IOError) {
        try watch(descriptor, for: EPOLLIN.rawValue, isNew: true)
        return start(descriptor, connection, early, address)
      } catch {
        Glibc.close(descriptor)
        code = error.errnoCode
      }
    }
    let handler = connection.makeHandler(on: self, resources: .current)
    EpollSocket(descriptor, on: self, handler: handler).startEnded(early: early, errno: code)
  }

  /// Takes over a descriptor that a watcher of this loop has watched so far.
  func promote(
    _ descriptor: Int32, _ connection: OpenedConnection, early: ByteBuffer,
    from address: SocketAddress?
  ) {
    watchers[descriptor] = nil
    start(descriptor, connection, early, address)
  }

  private func start(
    _ descriptor: Int32, _ connection: OpenedConnection, _ early: ByteBuffer,
    _ address: SocketAddress?
  ) {
    let handler = connection.makeHandler(on: self, resources: .current)
    let socket = EpollSocket(descriptor, on: self, handler: handler)
    while sockets.count <= descriptor.asInt { sockets.append(nil) }
    sockets[descriptor.asInt] = socket
    socket.start(with: connection.reply, early: early, from: address)
  }

  /// Reports events of a descriptor that is not a connection, or not yet one, to `watcher`.
  func watch(
    _ descriptor: Int32, for events: UInt32, by watcher: any DescriptorWatcher
  ) throws(IOError) {
    try watch(descriptor, for: events, isNew: true)
    watchers[descriptor] = watcher
  }

  /// Stops watching a descriptor, which moves elsewhere or is about to be closed.
  func dismiss(_ descriptor: Int32) {
    epoll_ctl(epoll, EPOLL_CTL_DEL.asInt32, descriptor, nil)
    watchers[descriptor] = nil
  }

  func watch(_ descriptor: Int32, for events: UInt32, isNew: Bool) throws(IOError) {
    var event = epoll_event()
    event.events = events
    event.data.fd = descriptor
    let operation = isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
    guard epoll_ctl(epoll, operation.asInt32, descriptor, &event) == 0 else {
      throw IOError(errnoCode: errno, reason: "epoll_ctl")
    }
  }

  /// Closes a socket.
  func forget(_ descriptor: Int32) {
    // `close` is not enough: the former channel of the socket may keep it open a little longer.
    epoll_ctl(epoll, EPOLL_CTL_DEL.asInt32, descriptor, nil)
    Glibc.close(descriptor)
    sockets[descriptor.asInt] = nil
  }

  // MARK: EventLoop

  package var inEventLoop: Bool { thread.load(ordering: .relaxed) == pthread_self().asUInt }

  package func execute(_ task: @escaping @Sendable () -> Void) {
    if inEventLoop { return own.append(task) }
    let mustWake = inbox.withLock { inbox in
      inbox.tasks.append(task)
      defer { inbox.isWoken = true }
      return !inbox.isWoken
    }
    guard mustWake else { return }
    eventfd_write(wake, 1)
  }

  package func scheduleTask<T>(
    deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    let promise = makePromise(of: T.self)
    let id = schedule(deadline) {
      do {
        promise.assumeIsolated().succeed(try task())
      } catch {
        promise.fail(error)
      }
    } dropped: {
      promise.fail(EventLoopError.shutdown)
    }
    return Scheduled(promise: promise) { self.cancel(id) }
  }

  package func scheduleTask<T>(
    in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    scheduleTask(deadline: .now() + delay, task)
  }

  @discardableResult
  package func scheduleCallback(
    at deadline: NIODeadline, handler: some (NIOScheduledCallbackHandler & Sendable)
  ) -> NIOScheduledCallback {
    let id = schedule(deadline) { handler.handleScheduledCallback(eventLoop: self) }
    return NIOScheduledCallback(self, id: id)
  }

  package func cancelScheduledCallback(_ callback: NIOScheduledCallback) {
    if let id = callback.customCallbackID { cancel(id) }
  }

  private func schedule(
    _ deadline: NIODeadline, _ action: @escaping @Sendable () -> Void,
    dropped: @escaping @Sendable () -> Void = {}
  ) -> UInt64 {
    let id = lastTimer.add(1, ordering: .relaxed).newValue
    let nanoseconds = Int64(clamping: deadline.uptimeNanoseconds)
    onLoop {
      self.deadlines.insert(Deadline(nanoseconds: nanoseconds, id: id))
      self.timers[id] = Timer(action: action, dropped: dropped)
    }
    return id
  }

  private func cancel(_ id: UInt64) {
    onLoop { self.timers[id] = nil }
  }

  private func onLoop(_ body: @escaping @Sendable () -> Void) {
    if inEventLoop { body() } else { execute(body) }
  }

  /// Ends the loop and its remaining connections. Later tasks are not run.
  package func stop() {
    execute { self.isStopped = true }
  }

  package func shutdownGracefully(
    queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void
  ) {
    execute {
      self.isStopped = true
      queue.async { callback(nil) }
    }
  }
}

/// The owner of a descriptor on an `EpollLoop` that is not a connection.
protocol DescriptorWatcher: AnyObject {
  /// Handles the events that epoll reported for the descriptor.
  func ready(_ events: UInt32)
  /// The loop is ending.
  func close()
}

/// The event loops of one server or one load test.
package struct EpollLoops: Sendable {
  /// All loops.
  package let all: [EpollLoop]
  private let turn: Turn

  private final class Turn: Sendable {
    let count = Atomic<Int>(0)
  }

  /// - Throws: as `EpollLoop.init` does.
  package init(count: Int) throws(IOError) {
    var loops: [EpollLoop] = []
    do throws(IOError) {
      while loops.count < max(1, count) { loops.append(try EpollLoop()) }
    } catch {
      for loop in loops { loop.stop() }
      throw error
    }
    all = loops
    turn = Turn()
  }

  /// The loops in turn.
  func next() -> EpollLoop {
    let number = turn.count.add(1, ordering: .relaxed).oldValue
    return all[(UInt(bitPattern: number) % UInt(bitPattern: all.count)).asInt]
  }

  package func stop() {
    for loop in all { loop.stop() }
  }
}
