import Conversation
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Terminal
import TestServer
import WebSocketNIO

/// The configuration of `listen`.
struct ListenConfiguration: Sendable {
  var address: ListeningAddress
  var server: TestServerConfiguration
  /// The time from which the events are counted.
  var start: NIODeadline
  /// The certificate created for this run; nil if the user specified one, or without TLS.
  var certificate: RunCertificate?
  var threads: Int
  var portFile: String?
  var log: ServerLogLook
  /// Whether events go to standard output as JSON Lines, in place of the log.
  var isJSONLines: Bool
  /// A ready line about faults; nil if there are none.
  var faultSummary: String?
  /// Scripts and rules; nil if there are none.
  var scripts: ServerScriptConfiguration?
  /// The program of the connections, or of the feed; nil if there is none.
  var program: ServedProgram?
  /// How clients are answered by hand; nil if the mode answers them.
  var manual: ManualSession.Configuration?
  /// The time limit in nanoseconds; nil for none.
  var timeLimit: Int64?
  /// How to publish standard input; nil if the mode does not publish it.
  var feed: SourceFeed.Configuration?
}

/// `listen`: binds, prints the ready lines, and logs until a signal, the last connection or the
/// time limit ends the run; then closes all clients.
final class ListenSession: Sendable {
  private let configuration: ListenConfiguration
  private let context: CommandContext
  private let scripts: ServerScriptRun?
  /// Counts the served connections; nil if their number is not limited.
  private let served: ServedConnections?

  init(
    _ configuration: ListenConfiguration, _ served: ServedConnections?, _ context: CommandContext
  ) {
    self.configuration = configuration
    self.served = served
    self.context = context
    scripts = configuration.scripts.map { ServerScriptRun($0, context) }
  }

  func run() async -> ExitStatus {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
    let events = ServerEventQueue(configuration.isJSONLines ? .pauseReading : .drop)
    var output = eventOutput()
    let (ends, end) = AsyncStream.makeStream(of: End.self)
    let server: TestServer
    var feed: SourceFeed?
    do {
      server = try await TestServer.start(
        at: configuration.address, group: group, configuration: configuration.server
      ) { [served] event in
        if served?.add(event) == true { end.yield(.served) }
        events.add(event)
      }
      events.attach(server)
      try printReadyLines(server)
      feed = try configuration.feed.map {
        try SourceFeed($0, context) { events.add(.program(client: nil, $0)) }
      }
    } catch let failure as ProgramFailure {
      context.explain(Diagnosis(cause: "cannot run the program: \(failure.reason)"))
      return .usage
    } catch let failure as CommandFailure {
      context.explain(Diagnosis(cause: failure.message, details: failure.details))
      return failure.status
    } catch {
      explain(error)
      return .cannotListen
    }
    output.begin(
      urls: urls(server), behaviour: behaviour,
      seed: configuration.faultSummary == nil ? nil : configuration.server.faults.seed)
    let logging = Task { [output] in await self.log(events, output) }
    let watch = Task { [scripts] in await scripts?.followChanges(of: server) }
    let feeding = Task { [feed, endsAtEnd = configuration.feed?.endsAtEnd ?? false] in
      guard let feed else { return }
      await feed.run(to: server)
      if endsAtEnd { end.yield(.inputEnded) }
    }
    let manual = configuration.manual.map { ManualSession($0, context) }
    let answering = Task {
      if await manual?.run(on: server) == true { end.yield(.inputEnded) }
    }
    let showsRates =
      configuration.server.mode.entry.onlyCounts && context.console.standardErrorIsTerminal
      && !configuration.log.isQuiet && !configuration.isJSONLines
    let rating = Task { [context] in
      if showsRates { await SinkRates.print(of: server, context) }
    }
    let waiting = [Task { await self.passOnSignals(to: end) }, Task { await self.passTime(end) }]
    defer {
      watch.cancel()
      feeding.cancel()
      answering.cancel()
      rating.cancel()
      for task in waiting { task.cancel() }
    }
    var isStopping = false
    for await reason in ends {
      if isStopping {
        guard case .signal(let signal) = reason else { continue }
        TerminalState.restore()
        Process.exit(Self.status(signal))
      }
      isStopping = true
      if reason == .timeLimit {
        context.explain(
          Diagnosis(
            cause:
              "timed out after \(Figures.shortDuration(configuration.timeLimit ?? 0)) (--max-time)")
        )
      }
      let status = status(reason)
      Task { [feed] in
        events.detach()
        await server.stop()
        await feed?.stop()
        events.finish()
        let isPrinted = await logging.value
        manual?.stop()
        let isWritten = self.scripts?.finish() ?? true && isPrinted
        Process.exit(status == .ok && !isWritten ? .outputFailed : status)
      }
    }
    return .ok
  }

  /// The reason why the run ends.
  private enum End: Sendable, Equatable {
    case signal(TerminalSignal)
    /// The requested number of connections has ended.
    case served
    case inputEnded
    case timeLimit
  }

  private func passOnSignals(to end: AsyncStream<End>.Continuation) async {
    for await signal in context.signals.events
    where [.interrupt, .terminate, .hangup].contains(signal) {
      end.yield(.signal(signal))
    }
  }

  private func passTime(_ end: AsyncStream<End>.Continuation) async {
    guard let limit = configuration.timeLimit else { return }
    guard (try? await Task.sleep(for: .nanoseconds(limit))) != nil else { return }
    end.yield(.timeLimit)
  }

  private func status(_ reason: End) -> ExitStatus {
    switch reason {
    case .served: served?.status ?? .ok
    case .inputEnded: .ok
    case .timeLimit: .timeout
    // The requested number of connections was not reached.
    case .signal(let signal): served == nil ? .ok : Self.status(signal)
    }
  }

  private static func status(_ signal: TerminalSignal) -> ExitStatus {
    signal == .interrupt ? .interrupted : .terminated
  }

  private func eventOutput() -> ServerEventOutput {
    let start = configuration.start
    let log = ServerLog(
      context.style, configuration.log, scriptName: configuration.scripts?.scriptName ?? "",
      start: start, startOfClock: UTCTime.now)
    return ServerEventOutput(
      log, configuration.isJSONLines ? ServerJSONLines(start: start) : nil,
      isQuiet: configuration.log.isQuiet,
      printsPayloads: configuration.manual.map { $0.prompt == nil && !configuration.isJSONLines }
        ?? false,
      context)
  }

  /// Prints the events until no more follow.
  ///
  /// - Returns: false if standard output could not be written.
  private func log(_ events: ServerEventQueue, _ output: ServerEventOutput) async -> Bool {
    var output = output
    for await entry in events.entries {
      if case .script(let client, let summary) = entry.event { scripts?.add(client, summary) }
      output.show(entry, dropped: events.takeDropped())
      events.took(entry)
    }
    return !output.hasFailed
  }

  // MARK: Words

  private func printReadyLines(_ server: TestServer) throws {
    if let port = server.localAddresses.first?.port, let file = configuration.portFile {
      try FileContents.write("\(port)\n", to: file, context.console)
    }
    let urls = urls(server)
    let places = places(server)
    switch configuration.address {
    case .unixSocket:
      context.console.note("listening on \(urls.joined())  \(behaviour)")
    case .loopback, .host:
      let text = urls.joined(separator: " and ")
      context.console.note("listening on \(context.style(.bold, text))  \(behaviour)")
      let http = configuration.server.tls == nil ? "http" : "https"
      context.inform("page for browsers: \(http)://\(places.first ?? "")/")
    }
    if let rules = scripts?.rulesLine { context.inform(rules) }
    for warning in configuration.scripts?.warnings ?? [] { context.warn(warning) }
    if let summary = configuration.faultSummary { context.inform(summary) }
    if configuration.server.hasTransports, configuration.server.tls == nil,
      let address = places.first
    {
      context.inform("to compare transports: wscope bench transports http://\(address)")
    }
    warnAboutExposure(server)
    if let control = configuration.server.control {
      let http = configuration.server.tls == nil ? "http" : "https"
      if let address = places.first { context.inform("control: \(http)://\(address)/_/clients") }
      if let token = control.token { context.inform("control token: \(token)") }
    }
    if let certificate = configuration.certificate, let address = places.first {
      context.inform(
        "certificate for localhost, made for this run, SHA-256 \(certificate.fingerprint)")
      // A client that pins the key does not need a trusted certificate.
      let pin = certificate.tls.pin.map { " --pin \($0)" } ?? ""
      context.inform("try: wscope connect --insecure\(pin) wss://\(address)/")
    }
  }

  /// What answers a connection.
  private var behaviour: String {
    configuration.server.program.map {
      "exec \(ControlCharacters.escaped($0.text, keepingNewlines: false, highlight: false))"
    } ?? configuration.scripts?.behaviour ?? configuration.server.mode.text
  }

  private func urls(_ server: TestServer) -> [String] {
    let ws = configuration.server.tls == nil ? "ws" : "wss"
    return switch configuration.address {
    case .unixSocket(let path): ["\(ws)+unix:\(path):/"]
    case .loopback, .host: places(server).map { "\(ws)://\($0)/" }
    }
  }

  /// The addresses, with the ports, that a client on this machine can connect to.
  private func places(_ server: TestServer) -> [String] {
    server.localAddresses.flatMap(Self.connectable).map { Diagnostician.text($0) }
  }

  /// Addresses that a client on this machine can connect to, in place of the unspecified address.
  private static func connectable(_ address: SocketAddress) -> [SocketAddress] {
    let addresses: [String]
    switch address.ipAddress {
    case "0.0.0.0": addresses = ["127.0.0.1"]
    case "::": addresses = ["127.0.0.1", "::1"]
    default: return [address]
    }
    return addresses.compactMap { try? SocketAddress(ipAddress: $0, port: address.port ?? 0) }
  }

  private func warnAboutExposure(_ server: TestServer) {
    guard case .host = configuration.address else { return }
    let addresses = server.localAddresses.flatMap(LocalAddress.reachable)
    guard !addresses.isEmpty else { return }
    let list = addresses.map { Diagnostician.text($0) }.joined(separator: ", ")
    context.warn("reachable from other machines at \(list)")
  }

  private func explain(_ error: any Error) {
    let address: String =
      switch configuration.address {
      case .loopback(let port): "port \(port)"
      case .host(let name, let port): "\(name):\(port)"
      case .unixSocket(let path): path
      }
    switch (error as? IOError)?.errnoCode {
    case EADDRINUSE:
      context.explain(
        Diagnosis(cause: "\(address) is in use", details: ["try: wscope listen 0"]))
    case EACCES:
      context.explain(
        Diagnosis(
          cause: "not permitted to listen on \(address)",
          details: ["hint: ports below 1024 need privileges"]))
    case EADDRNOTAVAIL:
      context.explain(Diagnosis(cause: "\(address) is not an address of this machine"))
    case let errno?:
      context.explain(
        Diagnosis(cause: "cannot listen on \(address): \(String(cString: strerror(errno)))"))
    case nil:
      if case ConnectError.unresolved(let host, let reason) = error {
        context.explain(Diagnosis(cause: "cannot resolve \(host): \(reason)"))
      } else {
        context.explain(Diagnosis(cause: "cannot listen on \(address): \(error)"))
      }
    }
  }
}
