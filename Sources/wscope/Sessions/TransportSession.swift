import LoadTesting
import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// A run of `bench transports`: the server, the measurement, signals and failures.
struct TransportSession {
  private let plan: TransportPlan
  /// nil for a server of our own.
  private let server: WebSocketURL?
  private let isQuiet: Bool
  private let context: CommandContext
  private let embedded = EmbeddedServer()

  init(_ plan: TransportPlan, _ server: WebSocketURL?, isQuiet: Bool, _ context: CommandContext) {
    self.plan = plan
    self.server = server
    self.isQuiet = isQuiet
    self.context = context
  }

  /// Measures.
  ///
  /// - Returns: The report, also of an interrupted run, and the status; no report if nothing was measured.
  /// - Throws: `CommandFailure` if the own server cannot be started.
  func run() async throws -> (TransportReport?, ExitStatus) {
    let endpoints: TransportEndpoints
    var serverTime: @Sendable () -> Int64? = { nil }
    if let server {
      do throws(ConnectError) {
        let addresses = try await Resolver.addresses(of: server.endpoint)
        endpoints = TransportEndpoints(url: server, addresses: addresses)
      } catch {
        return (nil, explain(error, server))
      }
    } else {
      do {
        let port = try await embedded.start(hasTransports: true).port
        serverTime = try await embedded.processorTime()
        let url = WebSocketURL(security: .plain, endpoint: .host("127.0.0.1", port: port))
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        endpoints = TransportEndpoints(url: url, addresses: [address])
      } catch {
        throw CommandFailure(.cannotListen, "cannot start a server: \(error)")
      }
    }
    return await measure(endpoints, serverTime)
  }

  private func measure(
    _ endpoints: TransportEndpoints, _ serverTime: @escaping @Sendable () -> Int64?
  ) async -> (TransportReport?, ExitStatus) {
    if !isQuiet {
      let target = server == nil ? "a server of its own" : "\(Self.text(endpoints.url))"
      context.inform(
        "\(target), \(plan.arms.count * plan.blocks) parts, about "
          + Figures.shortDuration(plan.expectedDuration / 1_000_000_000 * 1_000_000_000))
    }
    let measuring = Task { [plan, isQuiet, context] () -> Result<[ArmResult], TransportFailure> in
      do throws(TransportFailure) {
        return .success(
          try await TransportTest.run(plan, endpoints, serverTime: serverTime) { step in
            if !isQuiet { context.inform("\(step.number)/\(step.count)  \(step.arm.name)") }
          })
      } catch {
        return .failure(error)
      }
    }
    let signals = Task { [context] () -> TerminalSignal? in
      var first: TerminalSignal?
      for await signal in context.signals.events
      where [.interrupt, .terminate, .hangup].contains(signal) {
        if first != nil {
          TerminalState.restore()
          Process.exit(ExitStatus(signal))
        }
        first = signal
        context.warn("stopping after this part; a second signal stops at once")
        measuring.cancel()
      }
      return first
    }
    let result = await measuring.value
    let isStopped = measuring.isCancelled
    signals.cancel()
    let signal = await signals.value
    switch result {
    case .success(let results):
      let report = TransportReport(
        plan: plan, url: Self.text(endpoints.url), isOwnServer: server == nil,
        version: Version.number, build: Version.build, machine: HostFacts.current(),
        results: results)
      if isStopped { return (results.isEmpty ? nil : report, ExitStatus(signal ?? .interrupt)) }
      return (report, report.isComplete ? .ok : .measurementInvalid)
    case .failure(let failure): return (nil, explain(failure, endpoints.url))
    }
  }

  private static func text(_ url: WebSocketURL) -> String { "http://\(url.hostField)" }

  private func explain(_ failure: TransportFailure, _ url: WebSocketURL) -> ExitStatus {
    switch failure {
    case .connect(let error): return explain(error, url)
    case .answer(let target, let status):
      context.explain(
        Diagnosis(
          cause: "\(Self.text(url)) does not serve \(target)",
          details: (status.map { ["got: status \($0)"] } ?? [])
            + ["try: wscope listen --transports"]))
      return .upgradeRefused
    case .ended(let target):
      context.explain(
        Diagnosis(cause: "\(Self.text(url)) ended the connection of \(target)"))
      return .connectionLost
    }
  }

  private func explain(_ error: ConnectError, _ url: WebSocketURL) -> ExitStatus {
    let diagnosis = Diagnostician(
      command: "bench transports", configuration: ClientConfiguration(url: url), isVerbose: false
    ).diagnose(error)
    context.explain(diagnosis)
    return ExitStatus(error)
  }
}
