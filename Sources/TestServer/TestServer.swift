package import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
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
  package var origins = OriginRules()
  package var limits = Limits(messageSize: Limits.serverMessageSize)
  package var closeTimeout = TimeAmount.seconds(5)
  package var headTimeout = TimeAmount.seconds(10)
  /// Subprotocols the server speaks, in its order of preference.
  package var subprotocols: [String] = []
  /// The server's own limits on permessage-deflate; nil declines it.
  package var deflate: DeflateParameters? = DeflateParameters()
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
  private let stations: [NIOLoopBound<Station>]
  private let configuration: TestServerConfiguration

  package var localAddresses: [SocketAddress] { servers.compactMap(\.localAddress) }

  private init(
    _ servers: [Server], _ stations: [NIOLoopBound<Station>],
    _ configuration: TestServerConfiguration
  ) {
    self.servers = servers
    self.stations = stations
    self.configuration = configuration
  }

  /// Binds all addresses of `place` and begins to serve. `report` is called on the event loops: it must
  /// not block.
  ///
  /// Throws an `IOError` of the bind, or a `TLSFailure`.
  package static func start(
    at place: ListeningPlace, group: any EventLoopGroup,
    configuration: TestServerConfiguration, report: @escaping @Sendable (ServerEvent) -> Void
  ) async throws -> TestServer {
    var stations: [NIOLoopBound<Station>] = []
    for loop in group.makeIterator() {
      stations.append(
        try await loop.submit {
          NIOLoopBound(
            Station(
              on: loop, messagesToldPerSecond: configuration.messagesToldPerSecond, report: report),
            eventLoop: loop)
        }.get())
    }
    var transport = ServerConfiguration()
    transport.tls = try configuration.tls?.makeContext()
    transport.limits = configuration.limits
    transport.closeTimeout = configuration.closeTimeout
    transport.headTimeout = configuration.headTimeout
    let reception = Reception(configuration, stations, report)
    let configured = transport
    let servers = try await place.bind { address in
      try await Server.bind(
        address, group: group, configuration: configured,
        acceptFailed: { report(.acceptFailed(errno: $0)) }, answer: { reception.answer($0) })
    }
    return TestServer(servers, stations, configuration)
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
  }
}

/// The door: every request head is answered here, by the same rules for pages and upgrades.
private final class Reception: Sendable {
  private let configuration: TestServerConfiguration
  private let stations: [ObjectIdentifier: NIOLoopBound<Station>]
  private let audience: Broadcast.Audience?
  private let report: @Sendable (ServerEvent) -> Void
  private let counter = Atomic<Int>(0)

  init(
    _ configuration: TestServerConfiguration, _ stations: [NIOLoopBound<Station>],
    _ report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.configuration = configuration
    self.report = report
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
    let verdict = ServerHandshake.judge(request.head)
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
    guard let station = stations[ObjectIdentifier(request.eventLoop)]?.value else {
      return refuse(request, .internalServerError, "no such event loop")
    }
    guard station.count < configuration.mostClients / stations.count else {
      return refuse(request, .serviceUnavailable, "the limit of clients is reached")
    }
    let number = counter.add(1, ordering: .relaxed).newValue
    let record = ClientRecord(number: number, station: station)
    let subprotocol = configuration.subprotocols.first(where: upgrade.subprotocols.contains)
    let target = request.head.uri
    let consumer: any ConnectionConsumer
    if let audience {
      consumer = Broadcast(
        record, station: station, audience: audience, target: target, subprotocol: subprotocol)
    } else {
      consumer = Echo(record, target: target, subprotocol: subprotocol)
    }
    let deflate = configuration.deflate.flatMap {
      DeflateChoice.answer(upgrade.extensions, wishes: $0)
    }
    return .upgrade(upgrade, subprotocol: subprotocol, deflate: deflate, consumer)
  }

  private func refuse(
    _ request: HTTPRequest, _ status: HTTPResponseStatus, _ explanation: String,
    headers: [(String, String)] = []
  ) -> HTTPAnswer {
    report(.refused(from: request.remoteAddress, status: status, explanation: explanation))
    return .reply(HTTPReply(status, text: explanation, headers: headers))
  }
}
