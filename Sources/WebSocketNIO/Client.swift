import Glibc
package import NIOCore
package import NIOHTTP1
import NIOPosix
package import WebSocketProtocol

/// Everything about one connection to be opened, except who it belongs to.
package struct ClientConfiguration: Sendable {
  package var url: WebSocketURL
  /// Header fields of the user, already validated.
  package var headers: [(String, String)] = []
  /// Fields that take the place of those of the handshake, already validated; an empty value removes one.
  package var forcedHeaders: [(String, String)] = []
  /// Sent in place of the whole request.
  package var rawRequest: RawRequest?
  package var origin: String?
  package var subprotocols: [String] = []
  /// permessage-deflate as it is offered; nil offers none.
  package var deflate: DeflateParameters?
  package var userAgent = "wscope"
  /// nil for `ws`.
  package var tls: PreparedTLS?
  /// WebSocket over HTTP/2 (RFC 8441): with TLS as ALPN chooses, without by prior knowledge.
  package var http2 = false
  package var limits = Limits(messageSize: Limits.clientMessageSize)
  /// Name look-up, TCP, TLS and upgrade together.
  package var openTimeout = TimeAmount.seconds(10)
  /// Name look-up, TCP, proxy and TLS, without the upgrade; nil leaves it to `openTimeout`.
  package var connectTimeout: TimeAmount?
  /// The closing handshake.
  package var closeTimeout = TimeAmount.seconds(5)
  /// The proxy that the connection goes through.
  package var proxy: ProxyServer?
  /// TLS to the proxy itself; nil unless it is an https one.
  package var proxyTLS: PreparedTLS?
  /// A unix socket to connect to instead of the host of the URL.
  package var socketPath: String?
  /// The address to connect from.
  package var localAddress: SocketAddress?
  /// The network interface to connect through.
  package var interface: String?
  /// Which addresses names have.
  package var addressRules = AddressRules()
  /// Where to connect to instead of the host of the URL; the first rule that fits counts.
  package var connectTo: [ConnectToRule] = []
  /// Told what is being waited for while the connection is opened, and nil once it is open; on any
  /// thread.
  package var phaseChanged: (@Sendable (ConnectError.Phase?) -> Void)?
  /// Pings that show whether the peer is still there; nil sends none.
  package var keepAlive: KeepAlive?
  /// Whether every frame is told of, as `ConnectionEvent.frame`.
  package var tracesFrames = false
  /// Whether oddities of the peer are counted, for `ConnectionEvent.linted`.
  package var lintsFrames = false
  /// nil follows no redirect.
  package var redirects: RedirectPolicy?
  /// Hears of every redirect that is followed, before it is.
  package var redirected: (@Sendable (Redirect) -> Void)?
  /// Cookies to send, and where those of the server are kept.
  package var cookies: CookieStore?
  /// Keeps both heads of the handshake.
  package var transcript: HandshakeTranscript?
  /// Whether a redirect has led to another origin than the first.
  var isForeign = false

  package init(url: WebSocketURL) {
    self.url = url
  }

  /// Whether what goes over the socket is encrypted, by the server's TLS or by the proxy's.
  var usesTLS: Bool { tls != nil || proxyTLS != nil }

  /// Whether the connection cannot leave the channel in which it is opened.
  package var staysInChannel: Bool { usesTLS || http2 }

  /// Whom the certificate must name.
  var serverName: String {
    guard case .host(let host, _) = url.endpoint else { return "localhost" }
    return host
  }

  /// The way through the proxy, in words.
  package var tunnel: Tunnel? {
    guard let proxy, case .host(let host, let port) = endpoint else { return nil }
    return Tunnel(
      proxy: "\(proxy)", destination: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
  }

  /// Where to connect to: the host of the URL, unless a socket or another place was named.
  package var endpoint: WebSocketURL.Endpoint {
    if let socketPath { return .unixSocket(path: socketPath) }
    guard case .host(let host, let port) = url.endpoint else { return url.endpoint }
    return connectTo.lazy.compactMap { $0.place(insteadOf: host, port) }.first ?? url.endpoint
  }
}

/// How a connection came to be.
package struct HandshakeInfo: Sendable {
  package var subprotocol: String?
  /// As both sides agree on it.
  package var deflate: DeflateParameters?
  package var headers: HTTPHeaders
  /// nil without TLS.
  package var tls: TLSFacts?
  package var remoteAddress: SocketAddress?
  package var timings: HandshakeTimings
  package var localAddress: SocketAddress?
  /// The request as it was sent.
  package var request = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
  /// Sent in its place.
  package var rawRequest: RawRequest?
  /// 101, over HTTP/2 a 2xx.
  package var status = HTTPResponseStatus.switchingProtocols
  /// The words of the server behind the 101.
  package var reasonPhrase = ""
  /// The way through a proxy; `remoteAddress` is the proxy's then.
  package var tunnel: Tunnel?
  /// Fields of the 101 that announce a body, which it cannot have, and that were ignored.
  package var ignoredFields: [String] = []
}

/// A way through a proxy.
package struct Tunnel: Sendable, Hashable {
  /// Its URL, without credentials.
  package var proxy: String
  /// What it was asked to connect to, as `host:port`.
  package var destination: String
}

/// Durations in ns; what did not take place is nil.
package struct HandshakeTimings: Sendable, Hashable {
  package var resolve: Int64?
  package var connect: Int64 = 0
  /// From TCP to the open way through the proxy, TLS to it included.
  package var proxy: Int64?
  package var tls: Int64?
  package var upgrade: Int64 = 0

  package init() {}
}

/// Opens connections.
package enum Client {
  /// Connects to one of the addresses, does the handshakes and hands the connection to the consumer
  /// that `consumer` makes when the upgrade is accepted, on `destination`, where the connection lives
  /// from then on, or on `loop` if that is nil, as it has to be with TLS.
  ///
  /// The addresses of `route`, as `Resolver` gives them, are tried in order, the next one when the last has
  /// failed or has not answered within 250 ms (RFC 8305 section 5). The future fails with a
  /// `ConnectError`.
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

  /// The same without a proxy.
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

/// One connection being opened: the addresses raced, the phases, the one timer over all of them.
/// Lives on its event loop.
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

  /// IP_BIND_ADDRESS_NO_PORT of Linux, which Glibc does not show to Swift.
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
      // The kernel picks the port when it connects, so that one port serves many destinations.
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
    let errno = (error as? IOError)?.errnoCode
    let words = errno.map { String(cString: strerror($0)) } ?? "\(error)"
    attempts.append(.init(address: address, errno: errno, description: words))
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
    // What is an address already is one for SOCKS too; CONNECT writes both as text.
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
  /// Has all that is sent leave through a network interface (SO_BINDTODEVICE of socket(7)).
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
