import Glibc
package import NIOCore
package import NIOHTTP1
import NIOPosix
package import NIOSSL
package import WebSocketProtocol

/// An HTTP reply with a small body.
package struct HTTPReply: Sendable {
  package var status: HTTPResponseStatus
  package var headers: [(String, String)]
  package var body: [UInt8]

  package init(_ status: HTTPResponseStatus, headers: [(String, String)] = [], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A reply of one line of text.
  package init(_ status: HTTPResponseStatus, text: String, headers: [(String, String)] = []) {
    self.init(
      status, headers: [("Content-Type", "text/plain; charset=utf-8")] + headers,
      body: Array((text + "\n").utf8))
  }
}

/// A server's answer to a request head.
package enum HTTPAnswer: Sendable {
  case upgrade(AcceptedUpgrade)
  case reply(HTTPReply)
  /// The answer is not known yet. The closure is called once, on the event loop of the request, and
  /// returns a future of that loop; if it fails, the connection ends without a reply. Data that the
  /// client sends in the meantime is buffered. If the client disconnects, the answer is dropped.
  case later(@Sendable (any EventLoop) -> EventLoopFuture<HTTPAnswer>)
  /// The answer depends on the body of the request, which is read first: up to `limit` bytes (413 for
  /// more), within `ServerConfiguration.bodyTimeout` (408). The closure is called once with the body,
  /// which is empty if the request has none, on the event loop of the request.
  case reading(limit: Int, @Sendable (ByteBuffer) -> HTTPAnswer)

  /// The error of `later` that ends the connection with a TCP reset; an HTTP/2 stream just ends.
  package struct Reset: Error {
    package init() {}
  }

  /// `answer` after a delay.
  package static func delayed(by delay: TimeAmount, _ answer: HTTPAnswer) -> HTTPAnswer {
    .later { loop in loop.scheduleTask(in: delay) { answer }.futureResult }
  }
}

/// The parts of a request that an answer may depend on.
package struct HTTPRequest: Sendable {
  package var head: HTTPRequestHead
  package var remoteAddress: SocketAddress?
  /// Whether it is an extended CONNECT of HTTP/2 with the protocol "websocket".
  package var isExtendedConnect = false
  /// The subject of the client's certificate, untrusted text in the notation of RFC 4514; nil if clients need none.
  package var clientSubject: String?

  package init(
    head: HTTPRequestHead, remoteAddress: SocketAddress? = nil, isExtendedConnect: Bool = false,
    clientSubject: String? = nil
  ) {
    self.head = head
    self.remoteAddress = remoteAddress
    self.isExtendedConnect = isExtendedConnect
    self.clientSubject = clientSubject
  }
}

/// The configuration of a listening server.
package struct ServerConfiguration: Sendable {
  /// The TLS context; nil for `ws`.
  package var tls: NIOSSLContext?
  /// Whether clients need a certificate.
  package var requiresClientCertificates = false
  /// Whether HTTP/2 is also accepted.
  package var http2 = false
  /// Limits on received messages.
  package var limits = Limits(messageSize: Limits.serverMessageSize)
  /// The time limit from accepting a connection to the end of the request head; received data does
  /// not extend it.
  package var headTimeout = TimeAmount.seconds(10)
  /// What the bodies of all requests hold together, 64 MiB at most.
  package var bodies = RequestBodies(limit: 64 << 20)
  /// From the end of the head to the end of a body that is read, not extended by data that arrives.
  package var bodyTimeout = TimeAmount.seconds(30)
  package var closeTimeout = TimeAmount.seconds(5)
  /// Limits on the size of a request head.
  package var headLimits = HeadLimits.standard
  /// Called on an event loop for data that is not a valid request, with the status of the reply, or
  /// nil if no reply is sent.
  package var rejected: @Sendable (SocketAddress?, HTTPResponseStatus?, MalformedRequest) -> Void =
    { _, _, _ in }
  /// The loops that run connections after the upgrade; nil leaves connections on the loop that
  /// accepted them, as TLS and HTTP/2 require.
  package var loops: EpollLoops?
  /// Whether other processes may listen on the same port; the kernel then distributes the
  /// connections among them (SO_REUSEPORT).
  package var reusesPort = false

  package init() {}
}

/// A listening server. It handles sockets and HTTP; its owner supplies the answers.
package final class Server: Sendable {
  package typealias Answer = @Sendable (HTTPRequest) -> HTTPAnswer

  /// The address that a server listens on.
  package enum Address: Sendable, Hashable {
    case host(String, port: Int)
    case unixSocket(path: String)
  }

  private let channel: any Channel
  /// Accepts connections if the server has its own epoll loops; the channel then only holds the
  /// address.
  private let acceptor: NIOLoopBound<EpollAcceptor>?

  /// The address that was actually bound, with the port number assigned for port 0.
  package let localAddress: SocketAddress?

  private init(_ channel: any Channel, _ acceptor: NIOLoopBound<EpollAcceptor>?) {
    self.channel = channel
    self.acceptor = acceptor
    localAddress = channel.localAddress
  }

  /// Binds and starts accepting. `answer` is called for each request head, on the event loop of its
  /// connection. `acceptFailed` is called with the `errno`, once per episode, when there is no
  /// descriptor or no memory for another connection.
  ///
  /// - Throws: an `IOError` with the `errno` of the bind, or `ConnectError.unresolved`.
  package static func bind(
    _ address: Address, group: any EventLoopGroup, configuration: ServerConfiguration,
    acceptFailed: @escaping @Sendable (Int32) -> Void = { _ in }, answer: @escaping Answer
  ) async throws -> Server {
    let loops = configuration.tls == nil && !configuration.http2 ? configuration.loops : nil
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.autoRead, value: loops == nil)
      // The kernel reduces it to net.core.somaxconn.
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(
        .socketOption(.init(rawValue: SO_REUSEPORT)), value: configuration.reusesPort ? 1 : 0
      )
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptPause(report: acceptFailed))
        }
      }
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls = configuration.tls {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
          }
          if configuration.http2 {
            try channel.pipeline.syncOperations.addHandler(
              HTTPVersionSelector(configuration, answer))
          } else {
            try ServerUpgradeHandler(configuration, answer).install(on: channel)
          }
        }
      }
    let channel: any Channel
    switch address {
    case .host(let host, let port):
      let addresses = try await Resolver.addresses(of: .host(host, port: port))
      guard let address = addresses.first else {
        throw ConnectError.unresolved(host: host, message: "no address")
      }
      channel = try await bootstrap.bind(to: address).get()
    case .unixSocket(let path):
      channel =
        try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
    }
    guard let loops else { return Server(channel, nil) }
    do {
      let acceptor = try await EpollAcceptor.open(
        try await descriptor(of: channel), in: loops, configuration, channels: group,
        report: acceptFailed, answer: answer)
      return Server(channel, acceptor)
    } catch {
      try? await channel.close().get()
      throw error
    }
  }

  /// A duplicate of the channel's descriptor for the listening socket.
  private static func descriptor(of channel: any Channel) async throws -> Int32 {
    try await channel.eventLoop.submit {
      let operations = channel.pipeline.syncOperations
      let copy = try operations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
        handle -> Int32 in
        let copy = fcntl(handle, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
        // Accepted sockets inherit it on Linux. A Unix socket does not have this option and does
        // not need it.
        var isOn: Int32 = 1
        setsockopt(
          copy, IPPROTO_TCP.asInt32, TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
        return copy
      }
      guard let copy else { throw IOError(errnoCode: EBADF, reason: "the socket of a listener") }
      return copy
    }.get()
  }

  /// Stops accepting. Open connections stay open.
  package func stopAccepting() async {
    if let acceptor { try? await acceptor.eventLoop.submit { acceptor.value.close() }.get() }
    try? await channel.close().get()
    if case .unixDomainSocket = localAddress, let path = localAddress?.pathname {
      unlink(path)
    }
  }
}
