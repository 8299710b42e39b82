package import NIOCore
import NIOHTTP1
import NIOPosix
package import WebSocketNIO
package import WebSocketProtocol

/// What a test server does with messages.
package enum ServerMode: Sendable, Hashable {
  case echo
  /// To all other clients; with `includingSender`, to all clients.
  case broadcast(includingSender: Bool)
}

package struct TestServerConfiguration: Sendable {
  package var mode = ServerMode.echo
  package var tls: ServerTLS?
  /// Whether HTTP/2 is spoken too (RFC 8441).
  package var http2 = false
  package var origins = OriginRules()
  package var limits = Limits(messageSize: Limits.serverMessageSize)
  package var closeTimeout = TimeAmount.seconds(5)
  package var headTimeout = TimeAmount.seconds(10)
  /// Subprotocols the server speaks, in its order of preference.
  package var subprotocols: [String] = []
  /// The server's own limits on permessage-deflate; nil declines it.
  package var deflate: DeflateParameters? = DeflateParameters()
  /// Whether other processes may listen on the same port.
  package var reusesPort = false
  /// Clients at once; beyond it a request is answered with 503.
  package var mostClients = Int.max
  /// Bytes that may wait for one client in a broadcast.
  package var queueLimit = 16 << 20
  /// Messages that are told of one by one, a second and event loop.
  package var messagesToldPerSecond = 50

  package init() {}
}

/// What `listen` runs: listeners on one or more addresses, and the behaviour of the mode. It prints
/// nothing; it reports events.
package final class TestServer: Sendable {
  private let servers: [Server]
  private let loops: EpollLoops?
  private let stations: [NIOLoopBound<Station>]
  private let configuration: TestServerConfiguration

  package var localAddresses: [SocketAddress] { servers.compactMap(\.localAddress) }

  private init(
    _ servers: [Server], _ loops: EpollLoops?, _ stations: [NIOLoopBound<Station>],
    _ configuration: TestServerConfiguration
  ) {
    self.servers = servers
    self.loops = loops
    self.stations = stations
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
    var stations: [NIOLoopBound<Station>] = []
    let accepting = Array(group.makeIterator())
    // TLS and HTTP/2 need NIO; what is plain needs it only until the upgrade.
    let staysInChannels = configuration.tls != nil || configuration.http2
    let loops = staysInChannels ? nil : try EpollLoops(count: accepting.count)
    for loop in loops?.all ?? accepting {
      stations.append(
        try await loop.submit {
          NIOLoopBound(
            Station(
              on: loop, messagesToldPerSecond: configuration.messagesToldPerSecond, report: report),
            eventLoop: loop)
        }.get())
    }
    var transport = ServerConfiguration()
    transport.tls = try configuration.tls?.makeContext(http2: configuration.http2)
    transport.http2 = configuration.http2
    transport.limits = configuration.limits
    transport.closeTimeout = configuration.closeTimeout
    transport.headTimeout = configuration.headTimeout
    transport.loops = loops
    transport.reusesPort = configuration.reusesPort
    let reception = Reception(configuration, stations, report)
    let configured = transport
    let servers = try await place.bind { address in
      try await Server.bind(
        address, group: group, configuration: configured,
        acceptFailed: { report(.acceptFailed(errno: $0)) }, answer: { reception.answer($0) })
    }
    return TestServer(servers, loops, stations, configuration)
  }

  /// Accepts no more, sends Close 1001 to every client, and waits until all are gone, at most the
  /// close timeout and the second that a lingering end may take.
  package func stop() async {
    for server in servers { await server.stopAccepting() }
    let farewells = stations.map { station in
      station.eventLoop.flatSubmit { station.value.stop() }
    }
    guard let loop = stations.first?.eventLoop else { return }
    let all = EventLoopFuture.andAllComplete(farewells, on: loop)
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

/// The door: every request head is answered here, by the same rules for pages and upgrades.
private final class Reception: Sendable {
  private let configuration: TestServerConfiguration
  private let stations: [ObjectIdentifier: NIOLoopBound<Station>]
  private let audience: Broadcast.Audience?
  private let report: @Sendable (ServerEvent) -> Void
  private let admissions: Admissions

  init(
    _ configuration: TestServerConfiguration, _ stations: [NIOLoopBound<Station>],
    _ report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.configuration = configuration
    self.report = report
    admissions = Admissions(most: configuration.mostClients)
    self.stations = Dictionary(
      uniqueKeysWithValues: stations.map { (ObjectIdentifier($0.eventLoop), $0) })
    if case .broadcast(let includingSender) = configuration.mode {
      audience = Broadcast.Audience(
        stations: stations, includesSender: includingSender, queueLimit: configuration.queueLimit)
    } else {
      audience = nil
    }
  }

  func answer(_ request: HTTPRequest) -> HTTPAnswer {
    let verdict =
      request.isExtendedConnect
      ? ServerHandshake.judgeExtended(request.head) : ServerHandshake.judge(request.head)
    if case .refuse(let refusal) = verdict {
      return refuse(
        request, refusal.status, refusal.explanation,
        headers: refusal.headers.map { ($0.key, $0.value) })
    }
    switch configuration.origins.judge(request.head.headers) {
    case .refusedHost(let host):
      return refuse(
        request, .forbidden, "the Host \"\(host)\" is not this server; to allow: --allow-host NAME")
    case .refusedOrigin(let origin):
      return refuse(
        request, .forbidden, "refused page \(origin); to allow: --allow-origin \(origin)")
    case .allowed:
      if case .upgrade(let upgrade) = verdict { return welcome(upgrade, request) }
      return .reply(Page.reply(to: request.head))
    }
  }

  private func welcome(_ upgrade: ServerHandshake.Request, _ request: HTTPRequest) -> HTTPAnswer {
    guard let admission = admissions.next() else {
      return refuse(request, .serviceUnavailable, "the limit of clients is reached")
    }
    let subprotocol = configuration.subprotocols.first(where: upgrade.subprotocols.contains)
    let arrival = Arrival(
      target: request.head.uri, subprotocol: subprotocol, isHTTP2: request.isExtendedConnect)
    let deflate = configuration.deflate.flatMap {
      DeflateChoice.answer(upgrade.extensions, wishes: $0)
    }
    return .upgrade(upgrade, subprotocol: subprotocol, deflate: deflate) { loop in
      self.consumer(admission, arrival, on: loop)
    }
  }

  /// Who the connection belongs to; called on the loop that it lives on.
  private func consumer(
    _ admission: Admission, _ arrival: Arrival, on loop: any EventLoop
  ) -> any ConnectionConsumer {
    guard let station = stations[ObjectIdentifier(loop)]?.value else {
      preconditionFailure("a connection on an event loop that is none of the server's")
    }
    let record = ClientRecord(admission, station: station)
    if let audience {
      return Broadcast(record, arrival, station: station, audience: audience)
    }
    return Echo(record, arrival)
  }

  private func refuse(
    _ request: HTTPRequest, _ status: HTTPResponseStatus, _ explanation: String,
    headers: [(String, String)] = []
  ) -> HTTPAnswer {
    report(.refused(from: request.remoteAddress, status: status, explanation: explanation))
    return .reply(HTTPReply(status, text: explanation, headers: headers))
  }
}
