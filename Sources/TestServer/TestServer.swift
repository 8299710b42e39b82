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

  package var localAddresses: [SocketAddress] { servers.compactMap(\.localAddress) }

  private init(
    _ servers: [Server], _ loops: EpollLoops?, _ registries: [NIOLoopBound<ClientRegistry>],
    _ handler: RequestHandler, _ configuration: TestServerConfiguration
  ) {
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
    at place: ListeningPlace, group: any EventLoopGroup,
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
    let handler = RequestHandler(configuration, registries, report)
    let configured = transport
    let servers = try await place.bind { address in
      try await Server.bind(
        address, group: group, configuration: configured,
        acceptFailed: { report(.acceptFailed(errno: $0)) }, answer: { handler.answer($0) })
    }
    return TestServer(servers, loops, registries, handler, configuration)
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
