package import NIOCore
import NIOPosix
package import WebSocketNIO
package import WebSocketProtocol

/// The server under test.
package struct LoadTarget: Sendable {
  /// How each connection is opened.
  package var configuration: ClientConfiguration
  /// The way to it, as `Resolver` gives it.
  package var route: ResolvedRoute
  /// How long the look-up of the name took, in nanoseconds; nil when there was none.
  package var lookUp: Int64?
  /// The addresses to connect from, in turn; none leaves it to the kernel, but for a great number of
  /// connections to loopback, which are spread over 127.0.0.0/24.
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

/// The program and the command that measured, for the report.
package struct LoadOrigin: Sendable {
  package var tool: LoadReport.Tool
  /// A name of the run, different for every run.
  package var id: String
  /// The command line, with secrets taken out.
  package var argv: [String]

  package init(tool: LoadReport.Tool, id: String, argv: [String] = []) {
    self.tool = tool
    self.id = id
    self.argv = argv
  }
}

/// The state of a run, reported once a second and at the start of each phase.
package struct LoadProgress: Sendable {
  package var phase: LoadReport.Phase.Name
  /// Nanoseconds since the phase began.
  package var elapsed: Int64
  /// How long the phase will take in nanoseconds, where that is known.
  package var planned: Int64?
  /// Connections asked for, and open.
  package var asked: Int
  package var open: Int
  /// Messages per second that the schedule asks for; nil in the closed model.
  package var targetRate: Double?
  /// The last second, once messages are sent.
  package var interval: IntervalSeries.Interval?
  /// Messages that wait for an answer.
  package var inFlight: Int
  /// Failures so far.
  package var errors: Int
}

/// What came of a run.
package struct LoadResult: Sendable {
  /// Why the run was over.
  package enum Ending: Sendable {
    /// All that was planned has been done.
    case completed
    /// `interrupt()` was called.
    case interrupted
    /// Too few connections came to be; the commonest failure, or the latest of two equals.
    case notOpened(ConnectError)
    /// Every connection was lost before the end; how the last one ended.
    case allLost(CloseOutcome)
    /// A threshold that may end the run was broken.
    case aborted
  }

  package var report: LoadReport
  package var ending: Ending
}

/// A load test: runs a plan against a target and reports. It prints nothing.
package final class LoadTest: Sendable {
  private let plan: LoadPlan
  private let target: LoadTarget
  private let origin: LoadOrigin
  private let levels: [PercentileLevel]
  private let wallClock: @Sendable () -> Int64
  private let events: AsyncStream<LoadEvent>
  private let post: AsyncStream<LoadEvent>.Continuation

  /// A test that has not begun.
  ///
  /// - Parameters:
  ///   - plan: What to do.
  ///   - target: The server under test.
  ///   - origin: The program and the command, for the report.
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

  /// Runs the plan to its end; to be called once.
  ///
  /// - Parameter progress: Receives the state of the run; must not block.
  /// - Returns: The report, whatever went wrong, and why the run was over.
  package func run(
    progress: @escaping @Sendable (LoadProgress) -> Void
  ) async -> LoadResult {
    let started = wallClock()
    let setting = LoadLoop.Setting(
      plan: plan, target: target, runStart: MonotonicClock.now(), post: post,
      staysAwake: plan.staysAwake(on: .current()), quotas: plan.quotas())
    let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, plan.threads))
    // Connections are made in the group; those without TLS then go where a message costs least.
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
    let run = LoadRun(setting, loops: loops, events: events, progress: progress)
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

  /// Stops measuring; `run` then drains and closes in at most two seconds and returns its report.
  package func interrupt() { post.yield(.interrupted) }
}

/// What the event loops report to the run.
enum LoadEvent: Sendable {
  case opened(HandshakeInfo)
  case failed(ConnectError)
  /// A connection ended that we had not closed.
  case lost(CloseOutcome)
  /// Nothing is left to send on this loop and nothing is waited for.
  case idle(loop: Int)
  /// No connection is left on this loop.
  case emptied(loop: Int)
  case interrupted
  /// Time has passed.
  case woken
}
