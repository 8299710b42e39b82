import CEpoll
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import WebSocketProtocol

/// The way into the loops of a server for what comes in plain: sockets are accepted here, and whoever asks
/// for an upgrade in plain words (`PlainRequestHead`) is upgraded on the loop on which he will live. All
/// others are handed to NIO's channels with what they have said, and may come back from there.
final class EpollDoor: DescriptorWatcher {
  private let descriptor: Int32
  private let loop: EpollLoop
  private let lobbies: [NIOLoopBound<Lobby>]
  private let report: (Int32) -> Void
  private var turn = 0
  private var lastFailure: NIODeadline?
  private var isClosed = false

  /// How many are let in before those who are inside get their turn.
  private static let atOnce = 64

  /// A door that is not open yet. It becomes the owner of `descriptor`, a listening socket that does not block.
  private init(
    _ descriptor: Int32, on loop: EpollLoop, _ lobbies: [NIOLoopBound<Lobby>],
    report: @escaping (Int32) -> Void
  ) {
    self.descriptor = descriptor
    self.loop = loop
    self.lobbies = lobbies
    self.report = report
  }

  /// Opens a door for a listening socket.
  ///
  /// - Throws: an `IOError` when epoll does not take it; the descriptor is closed then.
  static func open(
    _ descriptor: Int32, in loops: EpollLoops, _ configuration: ServerConfiguration,
    channels: any EventLoopGroup, report: @escaping @Sendable (Int32) -> Void,
    answer: @escaping Server.Answer
  ) async throws -> NIOLoopBound<EpollDoor> {
    var lobbies: [NIOLoopBound<Lobby>] = []
    for loop in loops.all {
      lobbies.append(
        try await loop.submit {
          NIOLoopBound(Lobby(on: loop, configuration, channels, answer), eventLoop: loop)
        }.get())
    }
    let loop = loops.all[0]
    return try await loop.submit { [lobbies] in
      let door = EpollDoor(descriptor, on: loop, lobbies, report: report)
      do throws(IOError) {
        try loop.watch(descriptor, for: EPOLLIN.rawValue, by: door)
      } catch {
        Glibc.close(descriptor)
        throw error
      }
      return NIOLoopBound(door, eventLoop: loop)
    }.get()
  }

  /// Lets nobody in any more.
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
      let visitor = wscope_accept(descriptor, &storage, &length)
      guard visitor >= 0 else {
        if Self.isOfVisitor(errno) { continue }
        if errno != EAGAIN { rest(errno) }
        return
      }
      let lobby = lobbies[turn]
      turn = (turn &+ 1) % lobbies.count
      let address = SocketAddress(storage)
      if lobby.eventLoop === loop {
        lobby.value.enter(visitor, from: address)
      } else {
        lobby.eventLoop.execute { lobby.value.enter(visitor, from: address) }
      }
    }
  }

  /// Whether it is the trouble of one who was about to come in: Linux tells it from `accept`, and says "treat
  /// them like EAGAIN by retrying" (accept(2)).
  private static func isOfVisitor(_ code: Int32) -> Bool {
    [
      EINTR, ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
      EOPNOTSUPP, ENETUNREACH,
    ].contains(code)
  }

  /// The system has no descriptor or no memory: the waiting client keeps the socket readable, so it is not
  /// looked at for a while. Those inside are served meanwhile.
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

/// Those of one loop who have come in and not said yet what they want.
private final class Lobby {
  fileprivate let loop: EpollLoop
  private let configuration: ServerConfiguration
  private let channels: any EventLoopGroup
  private let answer: Server.Answer
  private var visitors: [Int32: Visitor] = [:]
  private var isTimed = false

  /// Deadlines that are closer together than this are looked after together.
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
    let visitor = Visitor(descriptor, from: address, until: deadline, in: self)
    do throws(IOError) {
      try loop.watch(descriptor, for: EPOLLIN.rawValue, by: visitor)
    } catch {
      Glibc.close(descriptor)
      return
    }
    visitors[descriptor] = visitor
    if !isTimed { wake(at: deadline) }
  }

  /// One timer for all, at the first deadline.
  private func wake(at deadline: NIODeadline) {
    isTimed = true
    loop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in self?.look() }
  }

  private func look() {
    isTimed = false
    let now = NIODeadline.now()
    for visitor in visitors.values where visitor.deadline <= now {
      // Without a word: the channel says what there is to say.
      handOver(visitor, ByteBuffer(), nil)
    }
    if let next = visitors.values.map(\.deadline).min() {
      wake(at: max(next, now + Self.precision))
    }
  }

  fileprivate func leave(_ visitor: Visitor) { visitors[visitor.descriptor] = nil }

  /// What a visitor has said; the bytes are the loop's, and gone when this returns.
  fileprivate func hear(_ visitor: Visitor, _ bytes: UnsafeRawBufferPointer) {
    guard let (head, length) = PlainRequestHead.read(bytes) else {
      return handOver(visitor, ByteBuffer(bytes: bytes), nil)
    }
    let answer = answer(HTTPRequest(head: head, remoteAddress: visitor.address))
    guard case .upgrade(let request, let subprotocol, let deflate, let consumer) = answer else {
      return handOver(visitor, ByteBuffer(bytes: bytes), answer)
    }
    var connection = OpenedConnection(
      agreement: .server(deflate.map { DeflateAgreement(serverAnswering: $0) }),
      limits: configuration.limits, closeTimeout: configuration.closeTimeout, consumer: consumer)
    connection.reply = Self.text(
      ServerHandshake.accept(request, subprotocol: subprotocol, deflate: deflate))
    let early = ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: bytes[length...]))
    leave(visitor)
    loop.promote(visitor.descriptor, connection, early: early, from: visitor.address)
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

  /// From here on it is NIO's, with what was read and what is already answered to it.
  private func handOver(_ visitor: Visitor, _ bytes: ByteBuffer, _ known: HTTPAnswer?) {
    leave(visitor)
    loop.dismiss(visitor.descriptor)
    var configuration = configuration
    configuration.headTimeout = max(visitor.deadline - .now(), .nanoseconds(0))
    let later = self.configuration.headTimeout
    let answer: Server.Answer
    if let known {
      let first = KnownAnswer(known)
      answer = { [answer = self.answer] request in first.take() ?? answer(request) }
    } else {
      answer = self.answer
    }
    let isReplaced = bytes.readableBytes == 0
    let descriptor = visitor.descriptor
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

/// An answer that is asked for once more.
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

/// One who has come in.
private final class Visitor: DescriptorWatcher {
  let descriptor: Int32
  let address: SocketAddress?
  let deadline: NIODeadline
  private unowned let lobby: Lobby

  init(
    _ descriptor: Int32, from address: SocketAddress?, until deadline: NIODeadline, in lobby: Lobby
  ) {
    self.descriptor = descriptor
    self.address = address
    self.deadline = deadline
    self.lobby = lobby
  }

  func ready(_ events: UInt32) {
    let space = lobby.loop.receiveBuffer
    let count = recv(descriptor, space.baseAddress, space.count, 0)
    guard count > 0 else {
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      return close()
    }
    lobby.hear(self, UnsafeRawBufferPointer(start: space.baseAddress, count: count))
  }

  func close() {
    lobby.leave(self)
    lobby.loop.dismiss(descriptor)
    Glibc.close(descriptor)
  }
}
