import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import WebSocketProtocol

/// Replaces the HTTP handlers in a channel. The connection then continues in the channel or, with
/// its socket, in an `EpollLoop`.
final class ChannelTransport: ChannelDuplexHandler, ConnectionTransport {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = IOData
  typealias OutboundOut = ByteBuffer

  private let resources: LoopResources
  private let kind: Kind
  let eventLoop: any EventLoop
  private var context: ChannelHandlerContext?
  private var handler: ConnectionHandler?
  private var move: Move?

  /// A connection that is moving to another loop. Bytes that this channel still reads move with it.
  private struct Move: Sendable {
    var connection: OpenedConnection
    var destination: EpollLoop
    var address: SocketAddress?
    var early = ByteBuffer()
    /// Whether everything from the current read has been passed on.
    var isRead = false
  }

  /// How the bytes are transported, where that affects how the connection ends.
  enum Kind {
    case plain
    case tls
    /// A stream of HTTP/2.
    case stream(HTTP2Stream)
  }

  init(_ kind: Kind, on eventLoop: any EventLoop, resources: LoopResources) {
    self.kind = kind
    self.eventLoop = eventLoop
    self.resources = resources
  }

  /// Starts the connection: from now on the bytes are frames. The connection lives in
  /// `destination`, or here if that is nil. It moves once the read that brought the handshake is
  /// over; what is written into the channel until then moves with it.
  func begin(_ connection: OpenedConnection, in destination: EpollLoop?) {
    guard let destination else {
      let handler = connection.makeHandler(on: eventLoop, resources: resources)
      self.handler = handler
      handler.start(self)
      return
    }
    move = Move(
      connection: connection, destination: destination, address: context?.channel.remoteAddress)
  }

  private func leaveIfReady() {
    guard let move, move.isRead else { return }
    // Replies to earlier requests on the connection go first; a slow reader may not have received
    // them yet.
    guard bufferedBytes == 0 else { return leaveWhenWritten() }
    self.move = nil
    let descriptor = leaveChannel()
    move.destination.execute {
      move.destination.adopt(
        descriptor, move.connection, early: move.early, from: move.address)
    }
  }

  private func leaveWhenWritten() {
    let written = eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { _ in self.leaveIfReady() }
    context?.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
  }

  /// A descriptor of the socket that outlives the channel, or a negative `errno` on failure.
  private func leaveChannel() -> Int32 {
    guard let context else { return -ECONNRESET }
    let operations = context.pipeline.syncOperations
    let descriptor = try? operations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
      let copy = fcntl($0, F_DUPFD_CLOEXEC, 0)
      return copy >= 0 ? copy : -errno
    }
    context.close(promise: nil)
    return descriptor ?? -ECONNRESET
  }

  // MARK: ConnectionTransport

  var remoteAddress: SocketAddress? { context?.channel.remoteAddress }
  var isWritable: Bool { context?.channel.isWritable ?? false }
  var bufferedBytes: Int {
    // The channel of an HTTP/2 stream would trap on this option.
    if case .stream(let stream) = kind { return stream.bufferedBytes }
    return (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  func write(_ output: inout ByteBuffer) {
    // A channel that cannot write the buffer yet keeps a reference to it; its storage is then not
    // reused.
    context?.writeAndFlush(wrapOutboundOut(output), promise: nil)
  }

  func setReading(_ reads: Bool) {
    context?.channel.setOption(.autoRead, value: reads).whenFailure { _ in }
    // Unlike a socket, a stream does not start reading when this option is set.
    if case .stream = kind, reads { context?.read() }
  }

  var traffic: SocketTraffic? {
    guard let context else { return nil }
    return try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
      of: NIOBSDSocket.Handle.self
    ) { SocketTraffic.read($0) } ?? nil
  }

  func closeOutput() {
    // TLS sends its own close_notify and waits for the peer's.
    let isTLS = if case .tls = kind { true } else { false }
    context?.close(mode: isTLS ? .all : .output, promise: nil)
  }

  func close() { context?.close(promise: nil) }

  func reset() {
    guard let context else { return }
    if case .stream = kind { return resetStream() }
    context.closeByReset()
  }

  /// Stream frames that wait for the next flush of their connection would be dropped by the close.
  /// They are sent first, unless the peer reads nothing.
  private func resetStream() {
    let written = eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { _ in self.close() }
    context?.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
    eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { self.close() }
  }

  // MARK: ChannelInboundHandler

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    guard move == nil else {
      move?.early.writeImmutableBuffer(buffer)
      resources.receive.giveBack(buffer)
      return
    }
    buffer.withUnsafeReadableBytes { bytes in
      // The bytes are unmasked in place. No one else uses the buffer (NIO's pool does not touch it
      // before the next read), but asking ByteBuffer for mutable bytes would copy it, since NIOAny
      // holds a second reference until channelRead returns.
      handler?.receive(UnsafeMutableRawBufferPointer(mutating: bytes))
    }
    resources.receive.giveBack(buffer)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    handler?.burstEnded()
    guard move != nil else { return }
    move?.isRead = true
    // Bytes that arrive from now on are for the other loop and stay in the socket.
    setReading(false)
    leaveIfReady()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    handler?.writabilityChanged(context.channel.isWritable)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    handler?.failed(errno: (error as? IOError)?.errnoCode ?? 0)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    handler?.ended()
    handler = nil
    move?.isRead = true
    leaveIfReady()
  }

  // MARK: ChannelOutboundHandler

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard move != nil, case .byteBuffer(let bytes) = unwrapOutboundIn(data) else {
      context.write(data, promise: promise)
      return
    }
    move?.connection.reply.writeImmutableBuffer(bytes)
    promise?.succeed()
  }
}

extension ChannelHandlerContext {
  /// Closes the connection with a TCP reset.
  func closeByReset() {
    let discard = linger(l_onoff: 1, l_linger: 0)
    (channel as? any SocketOptionProvider)?.setSoLinger(discard).whenFailure { _ in }
    // At the layer below TLS, which would first send close_notify and wait for the answer.
    let lowest = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
    (lowest ?? self).close(promise: nil)
  }
}
