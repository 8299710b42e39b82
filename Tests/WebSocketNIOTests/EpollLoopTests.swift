import Dispatch
import NIOCore
import Synchronization
import TestPeers
import Testing
import WebSocketNIO

/// The event loop itself, as everything that lives on it uses it.
@Suite(.blocking) struct EpollLoopTests {
  private final class Log: Sendable {
    private let words = Mutex<[String]>([])

    func add(_ word: String) { words.withLock { $0.append(word) } }
    var all: [String] { words.withLock { $0 } }
  }

  private func withLoop<Value>(_ body: (EpollLoop) async throws -> Value) async throws -> Value {
    let loop = try EpollLoop()
    defer { loop.stop() }
    return try await body(loop)
  }

  @Test func tasksRunInOrderOnItsThread() async throws {
    try await withLoop { loop in
      let log = Log()
      #expect(!loop.inEventLoop)
      for number in 0..<100 {
        loop.execute {
          log.add("\(number)")
          loop.execute { log.add("and \(number)") }
        }
      }
      let isInside = try await loop.submit { loop.inEventLoop }.get()
      #expect(isInside)
      try await loop.submit {}.get()
      #expect(log.all.filter { !$0.hasPrefix("and") } == (0..<100).map(String.init))
      #expect(log.all.count == 200)
    }
  }

  @Test func timersRunInOrderAndNeverEarly() async throws {
    try await withLoop { loop in
      let log = Log()
      let start = NIODeadline.now()
      let delays = [30, 5, 20, 5, 0]
      let tasks = delays.enumerated().map { number, delay in
        loop.scheduleTask(in: .milliseconds(Int64(delay))) {
          #expect(NIODeadline.now() >= start + .milliseconds(Int64(delay)))
          #expect(loop.inEventLoop)
          log.add("\(number)")
          return number
        }
      }
      for (number, task) in tasks.enumerated() {
        let value = try await task.futureResult.get()
        #expect(value == number)
      }
      #expect(log.all == ["4", "1", "3", "2", "0"])
    }
  }

  @Test func aCancelledTimerDoesNotRun() async throws {
    try await withLoop { loop in
      let log = Log()
      let cancelled = loop.scheduleTask(in: .milliseconds(10)) { log.add("cancelled") }
      cancelled.cancel()
      await #expect(throws: EventLoopError.self) { try await cancelled.futureResult.get() }
      try await loop.scheduleTask(in: .milliseconds(30)) { log.add("kept") }.futureResult.get()
      #expect(log.all == ["kept"])
      let failing = loop.scheduleTask(in: .zero) { throw ChannelError.eof }
      await #expect(throws: ChannelError.self) { try await failing.futureResult.get() }
    }
  }

  /// Who is behind with what it has to do sets its next timer for the past: tasks, other timers and what
  /// the sockets have to tell come all the same.
  @Test func aTimerForThePastLeavesTheOthersTheirTurn() async throws {
    final class Behind: NIOScheduledCallbackHandler, Sendable {
      let log: Log
      let rounds = Mutex(0)
      let done: EventLoopPromise<Void>
      init(_ log: Log, _ done: EventLoopPromise<Void>) {
        self.log = log
        self.done = done
      }
      func handleScheduledCallback(eventLoop: some EventLoop) {
        let round = rounds.withLock { rounds in
          rounds += 1
          return rounds
        }
        log.add("\(round)")
        guard round < 4 else { return done.succeed() }
        if round == 2 {
          eventLoop.execute { self.log.add("task") }
          eventLoop.scheduleTask(in: .zero) { self.log.add("timer") }
        }
        do {
          let past = NIODeadline.now() - .seconds(1)
          try eventLoop.scheduleCallback(at: past, handler: self)
        } catch {
          done.fail(error)
        }
      }
    }
    try await withLoop { loop in
      let log = Log()
      let behind = Behind(log, loop.makePromise())
      loop.execute { behind.handleScheduledCallback(eventLoop: loop) }
      try await behind.done.futureResult.get()
      #expect(log.all == ["1", "2", "task", "3", "timer", "4"])
    }
  }

  @Test func callbacksRunAndCanBeCancelled() async throws {
    final class Callback: NIOScheduledCallbackHandler, Sendable {
      let log: Log
      init(_ log: Log) { self.log = log }
      func handleScheduledCallback(eventLoop: some EventLoop) { log.add("called") }
    }
    try await withLoop { loop in
      let log = Log()
      loop.scheduleCallback(at: .now() + .milliseconds(5), handler: Callback(log)).cancel()
      loop.scheduleCallback(at: .now() + .milliseconds(5), handler: Callback(log))
      try await loop.scheduleTask(in: .milliseconds(20)) {}.futureResult.get()
      #expect(log.all == ["called"])
    }
  }

  /// Runs timers that are each due before a sleep of the loop could be trusted to end.
  ///
  /// - Returns: The CPU that was spent on staying awake, and how long it all took, in nanoseconds.
  private func runCloseTimers(on loop: EpollLoop) async throws -> (awake: Int64, elapsed: Int64) {
    let start = NIODeadline.now()
    for _ in 0..<100 {
      let task = loop.flatSubmit {
        loop.scheduleTask(in: .microseconds(40)) {}.futureResult
      }
      try await task.get()
    }
    let elapsed = (NIODeadline.now() - start).nanoseconds
    return (try await loop.submit { loop.timeAwake }.get(), elapsed)
  }

  @Test func itStaysAwakeOnlyWhereItIsToBePunctual() async throws {
    try await withLoop { loop in
      let asleep = try await runCloseTimers(on: loop)
      #expect(asleep.awake == 0)
      try await loop.submit { loop.isPunctual = true }.get()
      let punctual = try await runCloseTimers(on: loop)
      #expect(punctual.awake > 0)
      #expect(punctual.awake < punctual.elapsed)
    }
  }

  @Test func aLoopThatIsToBePunctualSleepsWhereNothingIsDueSoon() async throws {
    try await withLoop { loop in
      try await loop.submit { loop.isPunctual = true }.get()
      try await loop.scheduleTask(in: .milliseconds(300)) {}.futureResult.get()
      let awake = try await loop.submit { loop.timeAwake }.get()
      #expect(awake < 1_000_000)
    }
  }

  @Test func aLoopThatStaysAwakeHearsOfTasks() async throws {
    try await withLoop { loop in
      let log = Log()
      try await loop.submit { loop.isPunctual = true }.get()
      // There is always something due within 40 µs.
      let busy = loop.scheduleRepeatedTask(initialDelay: .zero, delay: .microseconds(40)) { _ in }
      for number in 0..<50 {
        loop.execute { log.add("\(number)") }
        try await loop.submit {}.get()
      }
      busy.cancel()
      #expect(log.all == (0..<50).map(String.init))
    }
  }

  @Test func itEndsWhenAskedTo() async throws {
    let loop = try EpollLoop()
    await withCheckedContinuation { done in
      loop.shutdownGracefully(queue: .global()) { error in
        #expect(error == nil)
        done.resume()
      }
    }
  }
}
