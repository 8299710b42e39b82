import CEpoll
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import WebSocketProtocol

/// Accepts the sockets of a server without TLS and HTTP/2. A socket with a plain request
/// (`PlainRequestHead`) is upgraded on the loop that will run its connection. All others are passed
/// to NIO channels together with the bytes received so far, and may come back after the upgrade.
final class EpollAcceptor: DescriptorWatcher {
  private let descriptor: Int32
  private let loop: EpollLoop
  private let pendingSockets: [NIOLoopBound<PendingSockets>]
  private let report: (Int32) -> Void
  private var turn = 0
  private var lastFailure: NIODeadline?
  private var isClosed = false

  /// The maximum number of sockets accepted in a row, so that open connections get their turn.
  private static let atOnce = 64

  /// An acceptor that does not watch yet. It takes ownership of `descriptor`, a non-blocking
  /// listening socket.
  private init(
    _ descriptor: Int32, on loop: EpollLoop, _ pendingSockets: [NIOLoopBound<PendingSockets>],
    report: @escaping (Int32) -> Void
  ) {
    self.descriptor = descriptor
    self.loop = loop
    self.pendingSockets = pendingSockets
    self.report = report
  }

  /// Starts accepting from a listening socket.
  ///
  /// - Throws: an `IOError` when epoll rejects the descriptor, which is then closed.
  static func open(
    _ descriptor: Int32, in loops: EpollLoops, _ configuration: ServerConfiguration,
    channels: any EventLoopGroup, report: @escaping @Sendable (Int32) -> Void,
    answer: @escaping Server.Answer
  ) async throws -> NIOLoopBound<EpollAcceptor> {
    var pendingSockets: [NIOLoopBound<PendingSockets>] = []
    for loop in loops.all {
      pendingSockets.append(
        try await loop.submit {
          NIOLoopBound(PendingSockets(on: loop, configuration, channels, answer), eventLoop: loop)
        }.get())
    }
    let loop = loops.all[0]
    return try await loop.submit { [pendingSockets] in
      let acceptor = EpollAcceptor(descriptor, on: loop, pendingSockets, report: report)
      do throws(IOError) {
        try loop.watch(descriptor, for: EPOLLIN.rawValue, by: acceptor)
      } catch {
        Glibc.close(descriptor)
        throw error
      }
      return NIOLoopBound(acceptor, eventLoop: loop)
    }.get()
  }

  /// Stops accepting.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    loop.dismiss(descriptor)
    Glibc.close(descriptor)
  }

  func ready(_ events: UInt32) {
    for _ in 0..<Self.atOnce {
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let socket = wscope_accept(descriptor, &storage, &length)
      guard socket >= 0 else {
        if Self.isOfSocket(errno) { continue }
        if errno != EAGAIN { rest(errno) }
        return
      }
      let pending = pendingSockets[turn]
      turn = (turn &+ 1) % pendingSockets.count
      let address = SocketAddress(storage)
      if pending.eventLoop === loop {
        pending.value.enter(socket, from: address)
      } else {
        pending.eventLoop.execute { pending.value.enter(socket, from: address) }
      }
    }
  }

  /// Whether the error concerns the socket to be accepted: Linux returns such errors from `accept`,
  /// and says "treat them like EAGAIN by retrying" (accept(2)).
  private static func isOfSocket(_ code: Int32) -> Bool {
    [
      EINTR, ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
      EOPNOTSUPP, ENETUNREACH,
    ].contains(code)
  }

  /// Pauses accepting because the system has no descriptor or no memory. The waiting client keeps
  /// the listening socket readable, so the loop stops watching it for a while. Open connections are
  /// served in the meantime.
  private func rest(_ code: Int32) {
    let now = NIODeadline.now()
    if lastFailure.map({ now - $0 > AcceptPause.episode }) ?? true { report(code) }
    lastFailure = now
    try? loop.watch(descriptor, for: 0, isNew: false)
    loop.assumeIsolated().scheduleTask(in: AcceptPause.pause) { [weak self] in
      guard let self, !self.isClosed else { return }
      try? self.loop.watch(self.descriptor, for: EPOLLIN.rawValue, isNew: false)
    }
  }
}

/// The accepted sockets of one loop that have not sent their request yet.
private final class PendingSockets {
  fileprivate let loop: EpollLoop
  private let configuration: ServerConfiguration
  private let channels: any EventLoopGroup
  private let answer: Server.Answer
  private var sockets: [Int32: PendingSocket] = [:]
  private var isTimed = false

  /// Deadlines closer together than this are handled together.
  private static let precision = TimeAmount.milliseconds(20)

  init(
    on loop: EpollLoop, _ configuration: ServerConfiguration, _ channels: any EventLoopGroup,
    _ answer: @escaping Server.Answer
  ) {
    self.loop = loop
    self.configuration = configuration
    self.channels = channels
    self.answer = answer
  }

  func enter(_ descriptor: Int32, from address: SocketAddress?) {
    let deadline = NIODeadline.now() + configuration.headTimeout
    let socket = PendingSocket(descriptor, from: address, until: deadline, in: self)
    do throws(IOError) {
      try loop.watch(descriptor, for: EPOLLIN.rawValue, by: socket)
    } catch {
      Glibc.close(descriptor)
      return
    }
    sockets[descriptor] = socket
    if !isTimed { wake(at: deadline) }
  }

  /// One timer for all sockets, at the first deadline.
  private func wake(at deadline: NIODeadline) {
    isTimed = true
    loop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in self?.look() }
  }

  private func look() {
    isTimed = false
    let now = NIODeadline.now()
    for socket in sockets.values where socket.deadline <= now {
      // Passed on without bytes: the channel replies that the request timed out.
      handOver(socket, ByteBuffer(), nil)
    }
    if let next = sockets.values.map(\.deadline).min() {
      wake(at: max(next, now + Self.precision))
    }
  }

  fileprivate func leave(_ socket: PendingSocket) { sockets[socket.descriptor] = nil }

  /// Handles bytes received from a socket. They are in the loop's buffer, valid only until this
  /// returns.
  fileprivate func received(_ socket: PendingSocket, _ bytes: UnsafeRawBufferPointer) {
    guard let (head, length) = PlainRequestHead.read(bytes) else {
      return handOver(socket, ByteBuffer(bytes: bytes), nil)
    }
    let answer = answer(HTTPRequest(head: head, remoteAddress: socket.address))
    guard case .upgrade(let upgrade) = answer else {
      return handOver(socket, ByteBuffer(bytes: bytes), answer)
    }
    var connection = upgrade.connection(configuration)
    connection.reply = Self.text(upgrade.reply)
    let early = ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: bytes[length...]))
    leave(socket)
    loop.promote(socket.descriptor, connection, early: early, from: socket.address)
  }

  private static func text(_ reply: HTTPResponseHead) -> ByteBuffer {
    var text = ByteBuffer()
    text.reserveCapacity(256)
    text.writeStaticString("HTTP/1.1 101 Switching Protocols\r\n")
    for (name, value) in reply.headers {
      text.writeString(name)
      text.writeStaticString(": ")
      text.writeString(value)
      text.writeStaticString("\r\n")
    }
    text.writeStaticString("\r\n")
    return text
  }

  /// Passes the socket to NIO, with the bytes read so far and the answer if it is already known.
  private func handOver(_ socket: PendingSocket, _ bytes: ByteBuffer, _ known: HTTPAnswer?) {
    leave(socket)
    loop.dismiss(socket.descriptor)
    var configuration = configuration
    configuration.headTimeout = max(socket.deadline - .now(), .nanoseconds(0))
    let later = self.configuration.headTimeout
    let answer: Server.Answer
    if let known {
      let first = KnownAnswer(known)
      answer = { [answer = self.answer] request in first.take() ?? answer(request) }
    } else {
      answer = self.answer
    }
    let isReplaced = bytes.readableBytes == 0
    let descriptor = socket.descriptor
    let channel = ClientBootstrap(group: channels.next())
      .channelOption(.maxMessagesPerRead, value: 1)
      .channelOption(.autoRead, value: false)
      .channelInitializer { [configuration] channel in
        channel.eventLoop.makeCompletedFuture {
          try ServerUpgradeHandler(configuration, timeoutLater: later, answer).install(on: channel)
        }
      }
      .withConnectedSocket(descriptor)
    channel.whenSuccess { channel in
      if !isReplaced {
        channel.pipeline.fireChannelRead(bytes)
        channel.pipeline.fireChannelReadComplete()
      }
      channel.setOption(.autoRead, value: true).whenFailure { _ in }
    }
  }
}

/// An answer that is already known, for the NIO handler, which will ask for it again.
private final class KnownAnswer: Sendable {
  private let answer: Mutex<HTTPAnswer?>

  init(_ answer: HTTPAnswer) {
    self.answer = Mutex(answer)
  }

  func take() -> HTTPAnswer? {
    answer.withLock { answer in
      defer { answer = nil }
      return answer
    }
  }
}

/// An accepted socket that has not sent its request yet.
private final class PendingSocket: DescriptorWatcher {
  let descriptor: Int32
  let address: SocketAddress?
  let deadline: NIODeadline
  private unowned let pending: PendingSockets

  init(
    _ descriptor: Int32, from address: SocketAddress?, until deadline: NIODeadline,
    in pending: PendingSockets
  ) {
    self.descriptor = descriptor
    self.address = address
    self.deadline = deadline
    self.pending = pending
  }

  func ready(_ events: UInt32) {
    let space = pending.loop.receiveBuffer
    let count = recv(descriptor, space.baseAddress, space.count, 0)
    guard count > 0 else {
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      return close()
    }
    pending.received(self, UnsafeRawBufferPointer(start: space.baseAddress, count: count))
  }

  func close() {
    pending.leave(self)
    pending.loop.dismiss(descriptor)
    Glibc.close(descriptor)
  }
}
