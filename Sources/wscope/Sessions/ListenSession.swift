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
  /// The certificate created for this run; nil if the user specified one, or without TLS.
  var certificate: SelfSignedCertificate?
  var threads: Int
  var portFile: String?
  var isQuiet: Bool
  /// A ready line about faults; nil if there are none.
  var faultSummary: String?
  /// Scripts and rules; nil if there are none.
  var scripts: ServerScriptConfiguration?
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
  private let droppedEvents = Atomic<Int>(0)
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
    // If nobody reads the log, it must neither block the server nor grow without bound.
    let (events, log) = AsyncStream.makeStream(
      of: ServerEvent.self, bufferingPolicy: .bufferingOldest(4096))
    let (ends, end) = AsyncStream.makeStream(of: End.self)
    let server: TestServer
    do {
      server = try await TestServer.start(
        at: configuration.address, group: group, configuration: configuration.server
      ) { [served] event in
        if served?.add(event) == true { end.yield(.served) }
        if case .dropped = log.yield(event) { self.droppedEvents.add(1, ordering: .relaxed) }
      }
      try printReadyLines(server)
    } catch let failure as CommandFailure {
      context.explain(Diagnosis(cause: failure.message, details: failure.details))
      return failure.status
    } catch {
      explain(error)
      return .cannotListen
    }
    let logging = Task { await self.log(events) }
    let watch = Task { [scripts] in await scripts?.followChanges(of: server) }
    let feeding = Task { [configuration, context] in
      guard let feed = configuration.feed else { return }
      await SourceFeed(feed, context).run(to: server)
      if feed.endsAtEnd { end.yield(.inputEnded) }
    }
    let waiting = [Task { await self.passOnSignals(to: end) }, Task { await self.passTime(end) }]
    defer {
      watch.cancel()
      feeding.cancel()
      for task in waiting { task.cancel() }
    }
    var isStopping = false
    for await reason in ends {
      if isStopping {
        guard case .signal(let signal) = reason else { continue }
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
      Task {
        await server.stop()
        log.finish()
        await logging.value
        let isWritten = self.scripts?.finish() ?? true
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

  private func log(_ events: AsyncStream<ServerEvent>) async {
    let lines = ServerLog(
      style: context.style, scriptName: configuration.scripts?.scriptName ?? "")
    for await event in events {
      if case .script(let client, let summary) = event { scripts?.add(client, summary) }
      let missed = droppedEvents.exchange(0, ordering: .relaxed)
      if missed > 0 {
        context.inform("\(missed) events dropped from the log: the reader is too slow")
      }
      if configuration.isQuiet, !Self.isWrong(event) { continue }
      if let line = lines.line(event) { context.console.note(line) }
    }
  }

  private static func isWrong(_ event: ServerEvent) -> Bool {
    switch event {
    case .refused, .malformed, .acceptFailed, .ruleSkipped, .dropped: true
    case .script(_, let summary): summary.result != .done
    case .opened, .message, .sent, .closed, .linted, .fault, .more, .published, .rejectedByScript:
      false
    }
  }

  // MARK: Words

  private func printReadyLines(_ server: TestServer) throws {
    let secure = configuration.server.tls != nil
    let mode = configuration.scripts?.behaviour ?? configuration.server.mode.text
    if let port = server.localAddresses.first?.port, let file = configuration.portFile {
      try FileContents.write("\(port)\n", to: file, context.console)
    }
    let (ws, http) = secure ? ("wss", "https") : ("ws", "http")
    let places = server.localAddresses.flatMap(Self.connectable).map { Diagnostician.text($0) }
    switch configuration.address {
    case .unixSocket(let path):
      context.console.note("listening on \(ws)+unix:\(path):/  \(mode)")
    case .loopback, .host:
      let urls = places.map { "\(ws)://\($0)/" }.joined(separator: " and ")
      context.console.note("listening on \(context.style(.bold, urls))  \(mode)")
      context.inform("page for browsers: \(http)://\(places.first ?? "")/")
    }
    if let rules = scripts?.rulesLine { context.inform(rules) }
    for warning in configuration.scripts?.warnings ?? [] { context.warn(warning) }
    if let summary = configuration.faultSummary { context.inform(summary) }
    if configuration.server.hasTransports, !secure, let address = places.first {
      context.inform("to compare transports: wscope bench transports http://\(address)")
    }
    warnAboutExposure(server)
    if let certificate = configuration.certificate, let address = places.first {
      context.inform(
        "certificate for localhost, made for this run, SHA-256 \(certificate.fingerprint)")
      // A client that pins the key does not need a trusted certificate.
      let pin = certificate.tls.pin.map { " --pin \($0)" } ?? ""
      context.inform("try: wscope connect --insecure\(pin) \(ws)://\(address)/")
    }
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
