package import Conversation
package import NIOCore
import NIOPosix
import WebSocketNIO
import WebSocketProtocol

/// The server of `listen`: listeners on one or more addresses and the behaviour of a mode. It
/// reports events and prints nothing.
package final class TestServer: Sendable {
  private let servers: [Server]
  private let loops: EpollLoops?
  private let registries: [NIOLoopBound<ClientRegistry>]
  private let served: ServedClients
  private let configuration: TestServerConfiguration
  private let handler: RequestHandler
  /// Ends when the first client subscribes to published messages.
  private let joined: AsyncStream<Void>

  /// The bound addresses, with the port that was assigned for port 0.
  package var localAddresses: [SocketAddress] { servers.compactMap(\.localAddress) }

  /// The event loops that run connections, besides those that were given to accept them.
  package var connectionLoops: [any EventLoop] { registries.map(\.eventLoop) }

  private init(
    _ servers: [Server], _ loops: EpollLoops?, _ registries: [NIOLoopBound<ClientRegistry>],
    _ handler: RequestHandler, joined: AsyncStream<Void>, _ configuration: TestServerConfiguration
  ) {
    self.joined = joined
    self.handler = handler
    self.servers = servers
    self.loops = loops
    self.registries = registries
    served = ServedClients(registries: registries)
    self.configuration = configuration
  }

  /// Binds all addresses and starts to serve.
  ///
  /// - Parameters:
  ///   - address: The address or addresses to bind.
  ///   - group: The event loops that accept connections. Plain connections move to as many epoll
  ///     loops after the upgrade.
  ///   - configuration: The settings of the server.
  ///   - observer: Receives events on the event loops; must not block.
  /// - Returns: The server, which already accepts connections.
  /// - Throws: An `IOError` if an address cannot be bound, or a `TLSFailure`.
  package static func start(
    at address: ListeningAddress, group: any EventLoopGroup,
    configuration: TestServerConfiguration,
    report observer: @escaping @Sendable (ServerEvent) -> Void
  ) async throws -> TestServer {
    let counters = EventCounters()
    let log: @Sendable (ServerEvent) -> Void = { event in
      counters.count(event)
      observer(event)
    }
    var configuration = configuration
    let shown = configuration.capture
    let journal = configuration.control.map { _ in Journal() }
    // With a journal everything is reported whole; the log gets of it what it would have got anyway.
    if journal != nil { configuration.capture = .whole }
    let report: @Sendable (ServerEvent) -> Void = { event in
      journal?.add(event)
      log(event)
    }
    var registries: [NIOLoopBound<ClientRegistry>] = []
    let accepting = Array(group.makeIterator())
    // TLS and HTTP/2 need NIO's channels; a plain connection needs them only until the upgrade.
    let staysInChannels = configuration.tls != nil || configuration.http2
    let loops = staysInChannels ? nil : try EpollLoops(count: accepting.count)
    let capture = configuration.capture
    for loop in loops?.all ?? accepting {
      registries.append(
        try await loop.submit {
          var reports = report
          if let journal {
            let journaled = NIOLoopBound(
              JournaledReport(journal, shown, on: loop, report: log), eventLoop: loop)
            reports = { journaled.value.add($0) }
          }
          return NIOLoopBound(
            ClientRegistry(on: loop, capture, report: reports), eventLoop: loop)
        }.get())
    }
    var transport = ServerConfiguration()
    transport.tls = try configuration.tls?.makeContext(http2: configuration.http2)
    transport.requiresClientCertificates = configuration.tls?.clientAuthorities.isEmpty == false
    transport.http2 = configuration.http2
    transport.limits = configuration.limits
    transport.bodies = RequestBodies(
      limit: max(TestServerConfiguration.maxBodies, configuration.limits.messageSize))
    transport.closeTimeout = configuration.closeTimeout
    transport.headTimeout = configuration.headTimeout
    transport.headLimits = configuration.headLimits
    transport.rejected = { report(.malformed(from: $0, status: $1, $2)) }
    transport.loops = loops
    transport.reusesPort = configuration.reusesPort
    let (joined, joining) = AsyncStream.makeStream(of: Void.self)
    let handler = RequestHandler(
      configuration, registries, joined: joining, counters: counters, journal: journal, report)
    let configured = transport
    let servers = try await address.bind { address in
      try await Server.bind(
        address, group: group, configuration: configured,
        acceptFailed: { report(.acceptFailed(errno: $0)) }, answer: { handler.answer($0) })
    }
    return TestServer(servers, loops, registries, handler, joined: joined, configuration)
  }

  /// Replaces the rules of a server with rules, for open connections too. Ranges and rules that
  /// fire once start over; captured values and waiting actions stay.
  ///
  /// - Parameters:
  ///   - rules: The new rules, in order.
  ///   - files: The contents of the files that the rules send, by name.
  package func replaceRules(_ rules: [Script.Rule], files: [String: [UInt8]]) {
    handler.rules?.replace(rules, files: files)
  }

  /// Waits for the first client that subscribes to published messages. Only one task may call it.
  package func firstClient() async {
    for await _ in joined {}
  }

  /// Sends messages to every subscribed client. Returns when the clients have caught up if the
  /// policy for slow clients is to wait for them, or else after a short pause at most.
  package func publish(_ messages: [PublishedMessage]) async {
    guard let loop = registries.first?.eventLoop else { return }
    // A loop that has stopped has no clients.
    _ = try? await handler.channels.broadcast.publish(messages, name: nil, on: loop).get()
  }

  /// Acts on clients, after earlier actions.
  ///
  /// - Returns: The number of clients on which the action was performed; 0 if none of them is open.
  package func perform(_ action: ClientAction, on selection: ClientSelection) async -> Int {
    await served.perform(action, on: selection)
  }

  /// The open clients, by their numbers.
  package var clients: [OpenClient] { get async { await served.open } }

  /// The faults of new connections, as typed.
  package var faults: [String] { handler.faults.lines }

  /// Adds a fault for the upgrade requests that follow; its range counts from the next one.
  package func add(_ fault: FaultRule) { _ = handler.faults.add(fault) }

  /// Removes the faults of new connections; open connections keep theirs.
  ///
  /// - Returns: The number of faults removed.
  package func clearFaults() -> Int { handler.faults.clear() }

  /// Stops reading from all clients, new ones too, or resumes.
  package func pauseReading(_ isPaused: Bool) {
    for registry in registries {
      // A loop that asks for a pause must not read on before its next tasks. It gets the task too, which comes after
      // those that other threads have left.
      if isPaused, registry.eventLoop.inEventLoop { registry.value.pauseReading(true) }
      registry.eventLoop.execute { registry.value.pauseReading(isPaused) }
    }
  }

  /// Stops accepting, sends a Close frame with code 1001 to every client and waits until all have
  /// left, for at most the close timeout plus two seconds.
  package func stop() async {
    handler.stop()
    for server in servers { await server.stopAccepting() }
    let ends = registries.map { registry in
      registry.eventLoop.flatSubmit { registry.value.stop() }
    }
    guard let loop = registries.first?.eventLoop else { return }
    let all = EventLoopFuture.andAllComplete(ends, on: loop)
    let deadline = loop.makePromise(of: Void.self)
    let timer = loop.scheduleTask(in: configuration.closeTimeout + .seconds(2)) {
      deadline.succeed()
    }
    all.whenComplete { _ in deadline.succeed() }
    try? await deadline.futureResult.get()
    timer.cancel()
    // Bounded: what outlives its client is ended with signals.
    await handler.programs.allEnded()
    loops?.stop()
  }
}
