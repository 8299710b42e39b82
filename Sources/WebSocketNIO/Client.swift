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
  package var origin: String?
  package var subprotocols: [String] = []
  /// permessage-deflate as it is offered; nil offers none.
  package var deflate: DeflateParameters?
  package var userAgent = "wscope"
  /// nil for `ws`.
  package var tls: PreparedTLS?
  package var limits = Limits(messageSize: Limits.clientMessageSize)
  /// Name look-up, TCP, TLS and upgrade together.
  package var openTimeout = TimeAmount.seconds(10)
  /// The closing handshake.
  package var closeTimeout = TimeAmount.seconds(5)
  /// A unix socket to connect to instead of the host of the URL.
  package var socketPath: String?
  /// The address to connect from.
  package var localAddress: SocketAddress?
  /// Pings that show whether the peer is still there; nil sends none.
  package var keepAlive: KeepAlive?
  /// Whether every frame is told of, as `ConnectionEvent.frame`.
  package var tracesFrames = false

  package init(url: WebSocketURL) {
    self.url = url
  }

  /// Where to connect to: the host of the URL, unless a socket was named.
  package var endpoint: WebSocketURL.Endpoint {
    socketPath.map { .unixSocket(path: $0) } ?? url.endpoint
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
  /// The words of the server behind the 101.
  package var reasonPhrase = ""
}

/// Durations in ns; what did not take place is nil.
package struct HandshakeTimings: Sendable, Hashable {
  package var resolve: Int64?
  package var connect: Int64 = 0
  package var tls: Int64?
  package var upgrade: Int64 = 0

  package init() {}
}

/// Opens connections.
package enum Client {
  /// Connects to one of `addresses`, does the handshakes and hands the connection to the consumer
  /// that `consumer` makes when the upgrade is accepted, on `destination`, where the connection lives
  /// from then on, or on `loop` if that is nil, as it has to be with TLS.
  ///
  /// The addresses, as `Resolver` gives them, are tried in order, the next one when the last has
  /// failed or has not answered within 250 ms (RFC 8305 section 5). The future fails with a
  /// `ConnectError`.
  package static func open(
    _ configuration: ClientConfiguration, addresses: [SocketAddress], on loop: any EventLoop,
    movingTo destination: EpollLoop? = nil,
    consumer: @escaping @Sendable (HandshakeInfo) -> any ConnectionConsumer
  ) -> EventLoopFuture<HandshakeInfo> {
    let promise = loop.makePromise(of: HandshakeInfo.self)
    loop.execute {
      Opening(configuration, addresses, loop, destination, consumer, promise).begin()
    }
    return promise.futureResult
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
  private var untried: ArraySlice<SocketAddress>
  private var pending = 0
  private var attempts: [ConnectError.Attempt] = []
  private var phase = ConnectError.Phase.connect
  private var winner: (any Channel)?
  private var timer: Scheduled<Void>?
  private var stagger: Scheduled<Void>?
  private let began = NIODeadline.now()
  private var isSettled = false

  /// IP_BIND_ADDRESS_NO_PORT of Linux, which Glibc does not show to Swift.
  private static let bindAddressNoPort = NIOBSDSocket.Option(rawValue: 24)

  init(
    _ configuration: ClientConfiguration, _ addresses: [SocketAddress], _ loop: any EventLoop,
    _ destination: EpollLoop?,
    _ consumer: @escaping @Sendable (HandshakeInfo) -> any ConnectionConsumer,
    _ promise: EventLoopPromise<HandshakeInfo>
  ) {
    self.configuration = configuration
    self.loop = loop
    self.destination = destination
    self.consumer = consumer
    self.promise = promise
    untried = addresses[...]
  }

  func begin() {
    let limit = configuration.openTimeout
    timer = loop.assumeIsolated().scheduleTask(in: limit) {
      self.settle(.failure(.timedOut(self.phase, after: limit)))
    }
    tryNext()
  }

  private func tryNext() {
    stagger?.cancel()
    guard !isSettled, winner == nil, let address = untried.popFirst() else { return }
    pending += 1
    var bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(configuration.openTimeout)
      .channelOption(.maxMessagesPerRead, value: 1)
    if let local = configuration.localAddress {
      // The kernel picks the port when it connects, so that one port serves many destinations.
      bootstrap = bootstrap.bind(to: local)
        .channelOption(.ipOption(Self.bindAddressNoPort), value: 1)
    }
    bootstrap.connect(to: address).assumeIsolated().whenComplete { result in
      self.pending -= 1
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
    } else if pending == 0, winner == nil {
      settle(.failure(.unreachable(attempts)))
    }
  }

  private func connected(_ channel: any Channel) {
    guard !isSettled, winner == nil else {
      channel.close(promise: nil)
      return
    }
    winner = channel
    stagger?.cancel()
    var timings = HandshakeTimings()
    timings.connect = (NIODeadline.now() - began).nanoseconds
    let handshake = ClientHandshake(
      nonce: SystemRandom.nonce, subprotocols: configuration.subprotocols,
      deflate: configuration.deflate)
    phase = configuration.tls == nil ? .upgrade : .tls
    let upgrade = ClientUpgradeHandler(
      configuration, handshake, timings, destination: destination, consumer,
      progress: { self.phase = $0 }, settle: { self.settle($0) })
    do {
      try upgrade.install(on: channel)
    } catch {
      settle(.failure(.tls(.configuration(reason: "\(error)"))))
    }
  }

  private func settle(_ result: Result<HandshakeInfo, ConnectError>) {
    guard !isSettled else { return }
    isSettled = true
    timer?.cancel()
    stagger?.cancel()
    switch result {
    case .success(let info):
      promise.succeed(info)
    case .failure(let error):
      promise.fail(error)
      winner?.close(promise: nil)
    }
  }
}
