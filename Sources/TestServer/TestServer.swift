package import Conversation
package import NIOCore
import NIOPosix
import WebSocketNIO
import WebSocketProtocol

/// What `listen` runs: listeners on one or more addresses, and the behaviour of the mode. It prints
/// nothing; it reports events.
package final class TestServer: Sendable {
  private let servers: [Server]
  private let loops: EpollLoops?
  private let registries: [NIOLoopBound<ClientRegistry>]
  private let configuration: TestServerConfiguration
  private let handler: RequestHandler
  /// Ends when the first client receives what is published.
  private let joined: AsyncStream<Void>

  package var localAddresses: [SocketAddress] { servers.compactMap(\.localAddress) }

  private init(
    _ servers: [Server], _ loops: EpollLoops?, _ registries: [NIOLoopBound<ClientRegistry>],
    _ handler: RequestHandler, joined: AsyncStream<Void>, _ configuration: TestServerConfiguration
  ) {
    self.joined = joined
    self.handler = handler
    self.servers = servers
    self.loops = loops
    self.registries = registries
    self.configuration = configuration
  }

  /// Binds all addresses of `place` and begins to serve, with as many event loops for connections as
  /// `group` has. `report` is called on the event loops: it must
  /// not block.
  ///
  /// Throws an `IOError` of the bind, or a `TLSFailure`.
  package static func start(
    at address: ListeningAddress, group: any EventLoopGroup,
    configuration: TestServerConfiguration, report: @escaping @Sendable (ServerEvent) -> Void
  ) async throws -> TestServer {
    var registries: [NIOLoopBound<ClientRegistry>] = []
    let accepting = Array(group.makeIterator())
    // TLS and HTTP/2 need NIO's channels; a plain connection needs them only until the upgrade.
    let staysInChannels = configuration.tls != nil || configuration.http2
    let loops = staysInChannels ? nil : try EpollLoops(count: accepting.count)
    for loop in loops?.all ?? accepting {
      registries.append(
        try await loop.submit {
          NIOLoopBound(
            ClientRegistry(
              on: loop, loggedMessagesPerSecond: configuration.loggedMessagesPerSecond,
              report: report),
            eventLoop: loop)
        }.get())
    }
    var transport = ServerConfiguration()
    transport.tls = try configuration.tls?.makeContext(http2: configuration.http2)
    transport.http2 = configuration.http2
    transport.limits = configuration.limits
    transport.closeTimeout = configuration.closeTimeout
    transport.headTimeout = configuration.headTimeout
    transport.headLimits = configuration.headLimits
    transport.rejected = { report(.malformed(from: $0, status: $1, $2)) }
    transport.loops = loops
    transport.reusesPort = configuration.reusesPort
    let (joined, joining) = AsyncStream.makeStream(of: Void.self)
    let handler = RequestHandler(configuration, registries, joined: joining, report)
    let configured = transport
    let servers = try await address.bind { address in
      try await Server.bind(
        address, group: group, configuration: configured,
        acceptFailed: { report(.acceptFailed(errno: $0)) }, answer: { handler.answer($0) })
    }
    return TestServer(servers, loops, registries, handler, joined: joined, configuration)
  }

  /// Replaces the rules of a server that has some, for open connections too: ranges and rules that fire once
  /// begin anew; captured values and actions that wait stay.
  ///
  /// - Parameters:
  ///   - rules: In their order.
  ///   - files: The contents of the files that they send, by name.
  package func replaceRules(_ rules: [Script.Rule], files: [String: [UInt8]]) {
    handler.rules?.replace(rules, files: files)
  }

  /// Waits for the first client that receives what is published. For one caller.
  package func firstClient() async {
    for await _ in joined {}
  }

  /// Sends messages to every client of a mode that is fed, and waits until the clients have caught up, if that
  /// is what slow clients are to get, else for a moment.
  package func publish(_ messages: [PublishedMessage]) async {
    guard let loop = registries.first?.eventLoop else { return }
    // A loop that has stopped has no clients.
    _ = try? await handler.channels.broadcast.publish(messages, name: nil, on: loop).get()
  }

  /// Accepts no more, sends Close 1001 to every client, and waits until all are gone, at most the
  /// close timeout and the second that a lingering end may take.
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
    loops?.stop()
  }
}
