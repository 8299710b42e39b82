import Glibc
package import NIOCore
package import NIOHTTP1
import NIOPosix
package import WebSocketProtocol

/// The configuration of one connection to be opened, without its owner.
package struct ClientConfiguration: Sendable {
  /// The URL of the server.
  package var url: WebSocketURL
  /// Header fields from the user, already validated.
  package var headers: [(String, String)] = []
  /// Fields that replace those of the handshake, already validated; an empty value removes the
  /// field.
  package var forcedHeaders: [(String, String)] = []
  /// The bytes to send instead of the generated request; nil sends the generated one.
  package var rawRequest: RawRequest?
  /// The Origin field; nil sends none.
  package var origin: String?
  /// The subprotocols to offer, in order of preference.
  package var subprotocols: [String] = []
  /// The permessage-deflate offer; nil offers none.
  package var deflate: DeflateParameters?
  /// The User-Agent field.
  package var userAgent = "wscope"
  /// The TLS settings; nil for `ws`.
  package var tls: PreparedTLS?
  /// WebSocket over HTTP/2 (RFC 8441): with TLS by ALPN, without TLS by prior knowledge.
  package var http2 = false
  /// Limits on received messages.
  package var limits = Limits(messageSize: Limits.clientMessageSize)
  /// The limit for name look-up, TCP, TLS and upgrade together.
  package var openTimeout = TimeAmount.seconds(10)
  /// The limit for name look-up, TCP, proxy and TLS, without the upgrade; nil leaves it to
  /// `openTimeout`.
  package var connectTimeout: TimeAmount?
  /// The limit for the closing handshake.
  package var closeTimeout = TimeAmount.seconds(5)
  /// The proxy that the connection goes through.
  package var proxy: ProxyServer?
  /// TLS to the proxy itself; nil unless its scheme is https.
  package var proxyTLS: PreparedTLS?
  /// A Unix socket to connect to instead of the host of the URL.
  package var socketPath: String?
  /// The address to connect from.
  package var localAddress: SocketAddress?
  /// The network interface to connect through.
  package var interface: String?
  /// The address family to use, and addresses that replace a look-up.
  package var addressRules = AddressRules()
  /// Endpoints to connect to instead of the host of the URL; the first rule that applies is used.
  package var connectTo: [ConnectToRule] = []
  /// Called with the current phase while the connection is being opened, and with nil once it is
  /// open. Called on any thread.
  package var phaseChanged: (@Sendable (ConnectError.Phase?) -> Void)?
  /// Pings that check whether the peer is still alive; nil sends none.
  package var keepAlive: KeepAlive?
  /// Whether every frame is reported, as `ConnectionEvent.frame`.
  package var tracesFrames = false
  /// Whether oddities in the peer's frames are counted, for `ConnectionEvent.linted`.
  package var lintsFrames = false
  /// How to follow redirects; nil follows none.
  package var redirects: RedirectPolicy?
  /// Called for every redirect before it is followed.
  package var redirected: (@Sendable (Redirect) -> Void)?
  /// Cookies to send, and the store for those that the server sets.
  package var cookies: CookieStore?
  /// Records the request and reply heads of the handshake.
  package var transcript: HandshakeTranscript?
  /// Whether a redirect has led to an origin other than the first.
  var isForeign = false

  package init(url: WebSocketURL) {
    self.url = url
  }

  /// Whether the bytes on the socket are encrypted, by TLS to the server or to the proxy.
  var usesTLS: Bool { tls != nil || proxyTLS != nil }

  /// Whether the connection cannot leave the channel in which it is opened.
  package var staysInChannel: Bool { usesTLS || http2 }

  /// The name that the server's certificate must contain.
  var serverName: String {
    guard case .host(let host, _) = url.endpoint else { return "localhost" }
    return host
  }

  /// The tunnel through the proxy, for display.
  package var tunnel: Tunnel? {
    guard let proxy, case .host(let host, let port) = endpoint else { return nil }
    return Tunnel(
      proxy: "\(proxy)", destination: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
  }

  /// The endpoint to connect to: the host of the URL, unless a socket or a `connectTo` rule
  /// replaces it.
  package var endpoint: WebSocketURL.Endpoint {
    if let socketPath { return .unixSocket(path: socketPath) }
    guard case .host(let host, let port) = url.endpoint else { return url.endpoint }
    return connectTo.lazy.compactMap { $0.endpoint(insteadOf: host, port) }.first ?? url.endpoint
  }
}

/// The result of a completed handshake.
package struct HandshakeInfo: Sendable {
  /// The subprotocol that the server chose; nil if it chose none.
  package var subprotocol: String?
  /// The parameters that both sides agreed on.
  package var deflate: DeflateParameters?
  /// The header fields of the reply.
  package var headers: HTTPHeaders
  /// The result of the TLS handshake; nil without TLS.
  package var tls: TLSFacts?
  package var remoteAddress: SocketAddress?
  package var timings: HandshakeTimings
  package var localAddress: SocketAddress?
  /// The request that was sent.
  package var request = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
  /// The bytes sent instead of `request`, if any.
  package var rawRequest: RawRequest?
  /// 101, or a 2xx over HTTP/2.
  package var status = HTTPResponseStatus.switchingProtocols
  /// The reason phrase of the server's 101.
  package var reasonPhrase = ""
  /// The tunnel through a proxy; `remoteAddress` is then the proxy's.
  package var tunnel: Tunnel?
  /// Fields of the 101 that announce a body, which a 101 cannot have; they were ignored.
  package var ignoredFields: [String] = []
}

/// A tunnel through a proxy.
package struct Tunnel: Sendable, Hashable {
  /// The URL of the proxy, without credentials.
  package var proxy: String
  /// The destination requested from the proxy, as `host:port`.
  package var destination: String
}

/// The durations of the phases of a handshake in nanoseconds; nil for a phase that did not take
/// place.
package struct HandshakeTimings: Sendable, Hashable {
  /// The name lookup.
  package var resolve: Int64?
  /// From the first attempt to the TCP connection.
  package var connect: Int64 = 0
  /// From the TCP connection to the open tunnel, including TLS to the proxy.
  package var proxy: Int64?
  /// The TLS handshake with the server.
  package var tls: Int64?
  /// From the upgrade request to the validated reply.
  package var upgrade: Int64 = 0

  package init() {}
}

/// Opens connections.
package enum Client {
  /// Connects to one of the addresses, performs the handshakes and passes the connection to the
  /// consumer that `consumer` creates when the upgrade is accepted. The connection then runs on
  /// `destination`, or on `loop` if that is nil, which TLS requires.
  ///
  /// The addresses of `route`, as `Resolver` returns them, are tried in order. The next one is
  /// tried when the previous one has failed or has not answered within 250 ms (RFC 8305 section 5).
  /// The future fails with a `ConnectError`.
  package static func open(
    _ configuration: ClientConfiguration, route: ResolvedRoute, on loop: any EventLoop,
    movingTo destination: EpollLoop? = nil,
    consumer: @escaping @Sendable (HandshakeInfo) -> any ConnectionConsumer
  ) -> EventLoopFuture<HandshakeInfo> {
    let promise = loop.makePromise(of: HandshakeInfo.self)
    loop.execute {
      Opening(configuration, route, loop, destination, consumer, promise).begin()
    }
    return promise.futureResult
  }

  /// Opens a connection without a proxy.
  package static func open(
    _ configuration: ClientConfiguration, addresses: [SocketAddress], on loop: any EventLoop,
    movingTo destination: EpollLoop? = nil,
    consumer: @escaping @Sendable (HandshakeInfo) -> any ConnectionConsumer
  ) -> EventLoopFuture<HandshakeInfo> {
    open(
      configuration, route: ResolvedRoute(addresses: addresses), on: loop, movingTo: destination,
      consumer: consumer)
  }
}

/// One connection being opened: the race between its addresses, its phases and its timeouts. Used
/// on its event loop.
private final class Opening {
  private let configuration: ClientConfiguration
  private let loop: any EventLoop
  private let destination: EpollLoop?
  private let consumer: @Sendable (HandshakeInfo) -> any ConnectionConsumer
  private let promise: EventLoopPromise<HandshakeInfo>
  private let route: ResolvedRoute
  private var timings = HandshakeTimings()
  private var untried: ArraySlice<SocketAddress>
  private var pending: [SocketAddress] = []
  private var attempts: [ConnectError.Attempt] = []
  private var phase = ConnectError.Phase.connect {
    didSet {
      if phase == .upgrade { connectTimer?.cancel() }
      configuration.phaseChanged?(phase)
    }
  }
  private var winner: (any Channel)?
  private var timer: Scheduled<Void>?
  private var connectTimer: Scheduled<Void>?
  private var stagger: Scheduled<Void>?
  private let began = NIODeadline.now()
  private var isSettled = false

  /// IP_BIND_ADDRESS_NO_PORT of Linux, which Glibc does not expose to Swift.
  private static let bindAddressNoPort = NIOBSDSocket.Option(rawValue: 24)

  init(
    _ configuration: ClientConfiguration, _ route: ResolvedRoute, _ loop: any EventLoop,
    _ destination: EpollLoop?,
    _ consumer: @escaping @Sendable (HandshakeInfo) -> any ConnectionConsumer,
    _ promise: EventLoopPromise<HandshakeInfo>
  ) {
    self.configuration = configuration
    self.loop = loop
    self.destination = destination
    self.consumer = consumer
    self.promise = promise
    self.route = route
    untried = route.addresses[...]
  }

  func begin() {
    phase = .connect
    timer = limit(configuration.openTimeout)
    connectTimer = configuration.connectTimeout.map(limit)
    tryNext()
  }

  private func limit(_ limit: TimeAmount) -> Scheduled<Void> {
    loop.assumeIsolated().scheduleTask(in: limit) {
      let silent = self.pending.map {
        ConnectError.Attempt(address: $0, errno: nil, description: "no answer")
      }
      self.settle(
        .failure(
          .timedOut(
            self.phase, after: limit,
            attempts: self.phase == .connect ? self.attempts + silent : [])))
    }
  }

  private func tryNext() {
    stagger?.cancel()
    guard !isSettled, winner == nil, let address = untried.popFirst() else { return }
    pending.append(address)
    var bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(configuration.openTimeout)
      .channelOption(.maxMessagesPerRead, value: 1)
    if let local = configuration.localAddress {
      // The kernel chooses the port on connect, so one local port can be used for many
      // destinations.
      bootstrap = bootstrap.bind(to: local)
        .channelOption(.ipOption(Self.bindAddressNoPort), value: 1)
    }
    if let interface = configuration.interface {
      bootstrap = bootstrap.channelInitializer { $0.bind(toInterface: interface) }
    }
    bootstrap.connect(to: address).assumeIsolated().whenComplete { result in
      self.pending.removeAll { $0 == address }
      switch result {
      case .success(let channel): self.connected(channel)
      case .failure(let error): self.failed(address, error)
      }
    }
    if !untried.isEmpty {
      stagger = loop.assumeIsolated().scheduleTask(in: .milliseconds(250)) { self.tryNext() }
    }
  }

  private func failed(_ address: SocketAddress, _ error: any Error) {
    attempts.append(ConnectError.Attempt(address: address, error))
    if !untried.isEmpty {
      tryNext()
    } else if pending.isEmpty, winner == nil {
      let isProxy = configuration.proxy != nil
      settle(.failure(isProxy ? .proxy(.unreachable(attempts)) : .unreachable(attempts)))
    }
  }

  private func connected(_ channel: any Channel) {
    guard !isSettled, winner == nil else {
      channel.close(promise: nil)
      return
    }
    winner = channel
    stagger?.cancel()
    timings.connect = (NIODeadline.now() - began).nanoseconds
    guard let proxy = configuration.proxy else { return upgrade(channel) }
    pass(through: proxy, channel)
  }

  private func pass(through proxy: ProxyServer, _ channel: any Channel) {
    phase = .proxy
    let mark = NIODeadline.now()
    do {
      let handler = try ProxyHandler(
        proxy,
        ProxyDialogue(proxy, to: proxyTarget, userAgent: configuration.userAgent),
        tls: configuration.proxyTLS
      ) {
        guard !self.isSettled else { return }
        self.timings.proxy = (NIODeadline.now() - mark).nanoseconds
        self.upgrade(channel)
      } failed: {
        self.settle(.failure(.proxy($0)))
      }
      try handler.install(on: channel)
    } catch {
      settle(.failure(.proxy(.tls(.configuration(reason: "\(error)")))))
    }
  }

  private var proxyTarget: ProxyDialogue.Target {
    if let address = route.destination, let bytes = address.packedBytes, let port = address.port {
      return .address(bytes, port: port)
    }
    guard case .host(let host, let port) = configuration.endpoint else {
      return .name("localhost", port: 80)
    }
    // An IP address literal is sent as an address over SOCKS too; CONNECT writes both as text.
    let literal = (try? SocketAddress(ipAddress: host, port: port))?.packedBytes
    return literal.map { .address($0, port: port) } ?? .name(host, port: port)
  }

  private func upgrade(_ channel: any Channel) {
    var handshake =
      configuration.rawRequest?.handshake
      ?? ClientHandshake(
        nonce: SystemRandom.nonce, subprotocols: configuration.subprotocols,
        deflate: configuration.deflate)
    handshake.adopt(configuration.forcedHeaders)
    phase = configuration.tls == nil ? .upgrade : .tls
    do {
      if configuration.http2 {
        let upgrade = HTTP2ClientUpgrade(
          configuration, handshake, timings, consumer,
          progress: { self.phase = $0 }, settle: { self.settle($0) })
        try upgrade.install(on: channel)
      } else {
        let upgrade = ClientUpgradeHandler(
          configuration, handshake, timings, destination: destination, consumer,
          progress: { self.phase = $0 }, settle: { self.settle($0) })
        try upgrade.install(on: channel)
      }
    } catch {
      settle(.failure(.tls(.configuration(reason: "\(error)"))))
    }
  }

  private func settle(_ result: Result<HandshakeInfo, ConnectError>) {
    guard !isSettled else { return }
    isSettled = true
    timer?.cancel()
    connectTimer?.cancel()
    stagger?.cancel()
    switch result {
    case .success(let info):
      configuration.phaseChanged?(nil)
      promise.succeed(info)
    case .failure(let error):
      promise.fail(error)
      winner?.close(promise: nil)
    }
  }
}

extension Channel {
  /// Sends all packets through a network interface (SO_BINDTODEVICE, socket(7)).
  fileprivate func bind(toInterface name: String) -> EventLoopFuture<Void> {
    guard let provider = self as? any SocketOptionProvider else {
      return eventLoop.makeSucceededVoidFuture()
    }
    var value = InlineArray<16, UInt8>(repeating: 0)
    for (index, byte) in name.utf8.prefix(15).enumerated() { value[index] = byte }
    return provider.unsafeSetSocketOption(
      level: .socket, name: NIOBSDSocket.Option(rawValue: SO_BINDTODEVICE), value: value)
  }
}
