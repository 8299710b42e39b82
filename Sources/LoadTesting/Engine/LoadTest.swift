package import NIOCore
import NIOPosix
package import WebSocketNIO
package import WebSocketProtocol

/// The server under test.
package struct LoadTarget: Sendable {
  /// How each connection is opened.
  package var configuration: ClientConfiguration
  /// The resolved route to the server, from `Resolver`.
  package var route: ResolvedRoute
  /// Duration of the host name lookup in nanoseconds; nil if no lookup was needed.
  package var lookUp: Int64?
  /// Source addresses, used in turn. If empty, the kernel chooses; only runs with more than 8000
  /// connections to loopback are then spread over 127.0.0.1 to 127.0.0.250.
  package var sources: [SocketAddress]

  package init(
    configuration: ClientConfiguration, route: ResolvedRoute, lookUp: Int64? = nil,
    sources: [SocketAddress] = []
  ) {
    self.configuration = configuration
    self.route = route
    self.lookUp = lookUp
    self.sources = sources
  }
}

/// The program and command line that produced a result, for the report.
package struct LoadOrigin: Sendable {
  /// The name, version and build of the program.
  package var tool: LoadReport.Tool
  /// Unique identifier of the run.
  package var id: String
  /// The command line with secrets redacted.
  package var argv: [String]

  package init(tool: LoadReport.Tool, id: String, argv: [String] = []) {
    self.tool = tool
    self.id = id
    self.argv = argv
  }
}

/// The state of a run, reported once a second and at the start of each phase.
package struct LoadProgress: Sendable {
  /// The phase that is running.
  package var phase: LoadReport.Phase.Name
  /// Nanoseconds since the phase began.
  package var elapsed: Int64
  /// Planned duration of the phase in nanoseconds; nil if unknown.
  package var planned: Int64?
  /// Connections that the plan asks for.
  package var asked: Int
  /// Connections that are open now.
  package var open: Int
  /// Messages per second that the schedule asks for; nil in the closed model.
  package var targetRate: Double?
  /// The last interval of at least 250 ms; nil before the first one has ended.
  package var interval: IntervalSeries.Interval?
  /// Messages waiting for an answer.
  package var inFlight: Int
  /// The number of failures so far, of messages and of connections.
  package var errors: Int
}

/// The outcome of a run.
package struct LoadResult: Sendable {
  /// Why the run ended.
  package enum Ending: Sendable {
    /// The plan was carried out.
    case completed
    /// `interrupt()` was called.
    case interrupted
    /// Too few connections opened. The value is the first failure of the most common kind; on a
    /// tie, of the kind that occurred first.
    case notOpened(ConnectError)
    /// Every connection was lost before the end. The value is how the last one ended.
    case allLost(CloseOutcome)
    /// A broken threshold ended the run early.
    case aborted
  }

  package var report: LoadReport
  package var ending: Ending
}

/// A load test: runs a plan against a target and returns a report. It prints nothing.
package final class LoadTest: Sendable {
  private let plan: LoadPlan
  private let target: LoadTarget
  private let origin: LoadOrigin
  private let levels: [PercentileLevel]
  private let wallClock: @Sendable () -> Int64
  private let events: AsyncStream<LoadEvent>
  private let post: AsyncStream<LoadEvent>.Continuation

  /// Creates a test without starting it.
  ///
  /// - Parameters:
  ///   - plan: The load to generate.
  ///   - target: The server under test.
  ///   - origin: The program and command line, for the report.
  ///   - levels: The percentiles that the report shows.
  ///   - wallClock: Nanoseconds since 1970, UTC; read once, when the run starts.
  package init(
    _ plan: LoadPlan, target: LoadTarget, origin: LoadOrigin,
    levels: [PercentileLevel] = PercentileLevel.standard,
    wallClock: @escaping @Sendable () -> Int64 = WallClock.now
  ) {
    self.plan = plan
    self.target = target
    self.origin = origin
    self.levels = levels
    self.wallClock = wallClock
    (events, post) = AsyncStream.makeStream(of: LoadEvent.self)
  }

  /// Runs the plan to its end. Call it once only.
  ///
  /// - Parameters:
  ///   - progress: Receives the state of the run; must not block.
  ///   - observer: Receives the figures of each interval, and of the phases around the window; must
  ///     not block. nil spares the loops the work.
  /// - Returns: The report, even if the run failed, and why the run ended.
  package func run(
    progress: @escaping @Sendable (LoadProgress) -> Void, observer: LoadObserver? = nil
  ) async -> LoadResult {
    let started = wallClock()
    observer?.began?(started)
    let setting = LoadLoop.Setting(
      plan: plan, target: target, runStart: MonotonicClock.now(), post: post,
      staysAwake: plan.staysAwake(on: .current()), quotas: plan.quotas())
    let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, plan.threads))
    // Connections open in the group. Those without TLS then move to epoll loops, where a message
    // costs far less CPU.
    let sockets =
      target.configuration.staysInChannel ? nil : try? EpollLoops(count: max(1, plan.threads))
    var loops: [NIOLoopBound<LoadLoop>] = []
    for opening in group.makeIterator() {
      let index = loops.count
      let eventLoops = LoadLoop.EventLoops(opening: opening, destination: sockets?.all[index])
      let loop = try? await eventLoops.eventLoop.submit {
        NIOLoopBound(
          LoadLoop(setting, index: index, in: eventLoops), eventLoop: eventLoops.eventLoop)
      }.get()
      if let loop { loops.append(loop) }
    }
    let run = LoadRun(
      setting, loops: loops, events: events, progress: progress, observer: observer)
    let ending = await run.perform()
    let figures = await run.collect()
    sockets?.stop()
    try? await group.shutdownGracefully()
    let report = ReportAssembly(
      run, figures, ending: ending, origin: origin, started: started, levels: levels
    ).report
    assert(report.contradictions().isEmpty, "\(report.contradictions())")
    return LoadResult(report: report, ending: ending)
  }

  /// Stops measuring. `run` then drains and closes within about 3.5 seconds and returns.
  package func interrupt() { post.yield(.interrupted) }
}

/// An event that a loop, a timer or `LoadTest.interrupt` posts to the run.
enum LoadEvent: Sendable {
  case opened(HandshakeInfo)
  case failed(ConnectError)
  /// A connection ended before the run closed its connections.
  case lost(CloseOutcome)
  /// This loop has nothing left to send or to wait for.
  case idle(loop: Int)
  /// All connections of this loop have ended.
  case emptied(loop: Int)
  case interrupted
  /// The timer of `LoadRun.wait` has fired.
  case woken
}
