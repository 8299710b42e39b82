import Conversation
import LoadTesting
import NIOCore
import NIOPosix
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The configuration of `bench`.
struct BenchConfiguration: Sendable {
  /// The server under test.
  enum Target: Sendable {
    case endpoint(ClientConfiguration)
    /// An echo server in this process, whose port is set in the URL when it has started.
    case embedded(ClientConfiguration)
  }

  var plan: LoadPlan
  var target: Target
  /// The source addresses, used in turn; empty lets the kernel choose.
  var sources: [SocketAddress] = []
  var levels: [PercentileLevel]
  var outputs: ReportOutputs
  /// What an invalid measurement means; nil if the thresholds decide that.
  var selfCheck: SelfCheckAction?
  /// Where to serve the figures during the run, and for how many nanoseconds after it at most; nil for
  /// nowhere.
  var monitoring: (address: PrometheusEndpoint.Address, linger: Int64)?
  /// The name of the run; nil for a random one, or for shards one that they have in common.
  var runID: String?
  /// The command line with secrets redacted.
  var argv: [String]
  var showsProgress: Bool
  var isQuiet: Bool
}

/// `bench`: runs a load test, shows its progress, prints the report and returns the exit status.
final class BenchSession: Sendable {
  private let configuration: BenchConfiguration
  private let context: CommandContext
  private let signals: BenchSignals
  private let embedded: EmbeddedServer

  /// Descriptors needed besides those of the connections: streams, event loops, and files that a
  /// library opens temporarily.
  private static let otherFiles = 100
  /// Seconds between two progress lines if standard error is not a terminal.
  private static let plainLineEvery = 10

  init(
    _ configuration: BenchConfiguration, _ context: CommandContext,
    signals: BenchSignals = BenchSignals(), embedded: EmbeddedServer = EmbeddedServer()
  ) {
    self.configuration = configuration
    self.context = context
    self.signals = signals
    self.embedded = embedded
  }

  /// Measures, and prints the report.
  func run() async -> ExitStatus {
    let watching = Task { await signals.watch(context) }
    defer { watching.cancel() }
    let (files, endpoint): (IntervalFiles, PrometheusEndpoint?)
    do {
      endpoint = try await serve()
      files = try IntervalFiles(
        configuration.outputs.intervalFiles, targetRate: configuration.plan.ownRate, context)
    } catch {
      let failure = CommandFailure(.cannotListen, "the embedded server cannot listen: \(error)")
      return fail(error as? CommandFailure ?? failure)
    }
    var observer = configuration.outputs.intervalFiles.isEmpty ? nil : files.observer
    if let endpoint {
      observer = observer ?? LoadObserver()
      observer?.counted = { endpoint.update($0) }
    }
    let (report, status) = await measure(observer: observer)
    let written = await files.finish()
    if let report { endpoint?.finish(report) }
    let printed = report.map { configuration.outputs.write($0, context) } ?? .ok
    if let endpoint {
      if report != nil { await waitForLastScrape(endpoint) }
      await endpoint.stop()
    }
    guard report != nil else { return status }
    return [status, printed, written].first { $0 != .ok } ?? .ok
  }

  /// Serves the figures of the run, if that was asked for.
  private func serve() async throws -> PrometheusEndpoint? {
    guard let address = configuration.monitoring?.address else { return nil }
    let url =
      switch configuration.target {
      case .endpoint(let client): Redaction.url("\(client.url)")
      // Its port is known once it runs.
      case .embedded: "\(try await target().url)"
      }
    let plan = configuration.plan
    let endpoint = try await PrometheusEndpoint(
      address, plan,
      PrometheusText.Subject(
        version: Version.number, mode: plan.mode, shard: plan.shard, url: url,
        thresholds: plan.thresholds))
    let addresses = endpoint.localAddresses
    if !configuration.isQuiet, let first = addresses.first {
      context.inform("metrics at http://\(Diagnostician.text(first))/metrics")
    }
    let reachable = address.host == nil ? [] : addresses.flatMap(LocalAddress.reachable)
    if !reachable.isEmpty {
      let list = reachable.map { Diagnostician.text($0) }.joined(separator: ", ")
      context.warn("reachable from other machines at \(list)")
    }
    return endpoint
  }

  /// Keeps the figures of the whole run until they have been read, unless a signal ended the run.
  private func waitForLastScrape(_ endpoint: PrometheusEndpoint) async {
    guard let linger = configuration.monitoring?.linger, linger > 0, signals.stopped == nil else {
      return
    }
    if !configuration.isQuiet {
      context.inform("waiting for a last scrape, \(Figures.shortDuration(linger)) at most")
    }
    let waiting = Task { await endpoint.lastScrape(within: linger) }
    signals.begin(waiting)
    await waiting.value
  }

  /// Runs the load test.
  ///
  /// - Parameter observer: Follows the run.
  /// - Returns: The report with secrets redacted, nil if nothing could be measured, and the exit status of
  ///   the run alone.
  func measure(
    observer: LoadObserver? = nil
  ) async -> (report: LoadReport?, status: ExitStatus) {
    if let problem = tooFewFiles() ?? unusableSourceAddress() ?? missedStart() {
      return (nil, fail(problem))
    }
    let client: ClientConfiguration
    do {
      client = try await target()
    } catch {
      let failure = CommandFailure(.cannotListen, "the embedded server cannot listen: \(error)")
      return (nil, fail(failure))
    }
    let test: LoadTest
    do throws(ConnectError) {
      test = try await prepare(client)
    } catch {
      return (nil, explain(error, client))
    }
    let waiting = waitForStart()
    signals.begin(test, waiting)
    await waiting.value
    if let signal = signals.stopped {
      context.warn("interrupted before the run began")
      return (nil, signal == .interrupt ? .interrupted : .terminated)
    }
    let shown = Atomic<Int>(0)
    let result = await test.run(
      progress: { progress in self.show(progress, shown) }, observer: observer)
    context.console.status(nil)
    warnAboutLateWindow(result.report)
    let status = explain(result, client)
    var report = result.report
    report.target.url = Redaction.url(report.target.url)
    return (report, status)
  }

  private func fail(_ failure: CommandFailure) -> ExitStatus {
    context.explain(Diagnosis(cause: failure.message, details: failure.details))
    return failure.status
  }

  // MARK: Preparing

  private func tooFewFiles() -> CommandFailure? {
    let limit = OpenFiles.raiseLimit()
    var ends = 1
    // The embedded server also needs a descriptor for each connection.
    if case .embedded = configuration.target { ends = 2 }
    let needed = configuration.plan.ownConnections * ends + Self.otherFiles
    guard needed > limit else { return nil }
    return CommandFailure(
      .usage,
      "need \(Figures.count(needed)) files, limit \(Figures.count(limit)): ulimit -n \(needed)")
  }

  /// Checks that the source addresses belong to this machine. During the run, the kernel reports
  /// the same error for such an address and for one without a free port.
  private func unusableSourceAddress() -> CommandFailure? {
    for source in configuration.sources where !LocalAddress.isOfThisMachine(source) {
      return CommandFailure(
        .usage, "--local-ips: \(source.ipAddress ?? "?") is not an address of this machine")
    }
    return nil
  }

  /// A shard that begins late would measure beside the others: a missing one is better.
  private func missedStart() -> CommandFailure? {
    guard let startAt = configuration.plan.startAt else { return nil }
    let late = WallClock.now() - startAt
    guard late > 1_000_000_000 else { return nil }
    return CommandFailure(.usage, "--start-at is \(Figures.shortDuration(late)) in the past")
  }

  /// The server to connect to; starts the embedded server if no URL was given.
  private func target() async throws -> ClientConfiguration {
    switch configuration.target {
    case .endpoint(let client):
      if let proxy = client.proxy, !configuration.isQuiet {
        context.inform("every connection goes through the proxy \(proxy), which is measured too")
      }
      return client
    case .embedded(var client):
      let (port, isNew) = try await embedded.start()
      client.url.endpoint = .host("127.0.0.1", port: port)
      if isNew, !configuration.isQuiet {
        context.inform(
          "no URL: measuring an echo server inside this process at \(client.url), on the same machine"
        )
      }
      return client
    }
  }

  /// Follows redirects with a single connection before the measurement, and returns the
  /// configuration for their target.
  private func redirected(
    _ client: ClientConfiguration
  ) async throws(ConnectError) -> ClientConfiguration {
    guard client.redirects != nil else { return client.withCookies }
    let endpoint = RedirectedEndpoint(client)
    do {
      let connection = try await Connection.open(
        endpoint.watching(client), on: MultiThreadedEventLoopGroup.singleton.next())
      await connection.close(CloseFrame(.normal))
      for await _ in connection.events {}
    } catch let error as ConnectError {
      throw error
    } catch {
      throw .unresolved(host: client.url.hostField, message: "\(error)")
    }
    return endpoint.configuration.withCookies
  }

  private func prepare(_ client: ClientConfiguration) async throws(ConnectError) -> LoadTest {
    let client = try await redirected(client)
    let began = MonotonicClock.now()
    let route = try await Resolver.route(of: client)
    var lookUp: Int64?
    if case .host(let name, let port) = client.proxy?.endpoint ?? client.endpoint,
      (try? SocketAddress(ipAddress: name, port: port)) == nil
    {
      lookUp = MonotonicClock.now() - began
    }
    return LoadTest(
      configuration.plan,
      target: LoadTarget(
        configuration: client, route: route, lookUp: lookUp, sources: configuration.sources),
      origin: LoadOrigin(
        tool: LoadReport.Tool(version: Version.number, build: Version.build),
        id: runID(client), argv: configuration.argv),
      levels: configuration.levels)
  }

  private func runID(_ client: ClientConfiguration) -> String {
    if let name = configuration.runID { return name }
    let plan = configuration.plan
    let number =
      plan.shard == nil
      ? UInt64.random(in: 1 << 60...UInt64.max)
      : plan.fingerprint("\(client.url)\nseed=\(plan.seed)") | 1 << 60
    return String(number, radix: 16)
  }

  /// Waits for the time of `--start-at`, or until the task is cancelled.
  private func waitForStart() -> Task<Void, Never> {
    let pause = configuration.plan.startAt.map { $0 - WallClock.now() } ?? 0
    if let startAt = configuration.plan.startAt, pause > 0, !configuration.isQuiet {
      context.inform("waiting until \(UTCTime(startAt).text), \(Figures.shortDuration(pause))")
    }
    return Task { if pause > 0 { try? await Task.sleep(for: .nanoseconds(pause)) } }
  }

  /// Warns if connecting took longer than a run with a start time has for it.
  private func warnAboutLateWindow(_ report: LoadReport) {
    guard let late = report.lateStart(configuration.plan), late > 100_000_000 else { return }
    context.warn(
      "the window started \(Figures.seconds(late)) late: connecting took longer than planned")
  }

  // MARK: Output

  private func show(_ progress: LoadProgress, _ shown: borrowing Atomic<Int>) {
    guard configuration.showsProgress else { return }
    let line = BenchProgress(progress)
    guard !context.console.standardErrorIsTerminal else {
      return context.console.status(line.line(columns: TerminalSize.of(2).columns - 1))
    }
    // Ignore the calls at the beginning of a phase: only the others are a second apart.
    guard progress.elapsed >= 900_000_000 else { return }
    let seconds = shown.add(1, ordering: .relaxed).newValue
    if seconds % Self.plainLineEvery == 0 { context.console.note(line.plainLine) }
  }

  /// Warns about failures of this machine, which must not be blamed on the server (SECURITY R20).
  private func reportLocalFailures(_ report: LoadReport) {
    func count(_ class: ErrorTally.Class) -> Int {
      report.errors.reduce(0) { $1.class == `class` ? $0 + $1.count : $0 }
    }
    let (ports, files) = (count(.ports), count(.files))
    if ports > 0 {
      context.warn(
        "\(Figures.count(ports)) connections found no free source port on this machine, which is not "
          + "the server's doing; connect from more addresses (--local-ips), or wait until TIME-WAIT "
          + "has passed")
    }
    if files > 0 {
      context.warn(
        "\(Figures.count(files)) connections found no free file descriptor, which is not the "
          + "server's doing; raise the limit: ulimit -n")
    }
  }

  private func explain(_ result: LoadResult, _ client: ClientConfiguration) -> ExitStatus {
    reportLocalFailures(result.report)
    let status = status(of: result, client)
    // Contradictory numbers make the result worthless, regardless of everything else.
    return result.report.contradictions().isEmpty ? status : .measurementInvalid
  }

  private func status(of result: LoadResult, _ client: ClientConfiguration) -> ExitStatus {
    switch result.ending {
    case .interrupted:
      return signals.stopped == .interrupt ? .interrupted : .terminated
    case .notOpened(let error):
      let status = explain(error, client)
      let counts = result.report.connections
      if counts.opened > 0 {
        context.warn(
          "\(Figures.count(counts.opened)) of \(Figures.count(counts.asked)) connections opened; "
            + "--min-open measures with those")
      }
      return status
    case .allLost(let outcome):
      context.warn("all connections were lost before the end")
      let status = ExitStatus(outcome)
      return status == .ok ? .connectionLost : status
    case .completed:
      return ExitStatus(thresholdsOf: result.report, selfCheck: configuration.selfCheck)
    case .aborted:
      // Answers received after the abort may have changed the value, so it no longer breaks the
      // limit.
      let status = ExitStatus(thresholdsOf: result.report, selfCheck: configuration.selfCheck)
      return status == .ok ? .thresholdBroken : status
    }
  }

  private func explain(_ error: ConnectError, _ client: ClientConfiguration) -> ExitStatus {
    let diagnostician = Diagnostician(
      command: "bench", configuration: client)
    context.explain(diagnostician.diagnose(error))
    return ExitStatus(error)
  }
}

extension BenchProgress {
  init(_ progress: LoadProgress) {
    self.init(
      phase: progress.phase, elapsed: progress.elapsed, planned: progress.planned,
      asked: progress.asked, open: progress.open, targetRate: progress.targetRate,
      interval: progress.interval, inFlight: progress.inFlight, errors: progress.errors)
  }
}
