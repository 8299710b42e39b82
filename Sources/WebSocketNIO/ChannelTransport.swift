import Glibc
import NIOCore
import NIOPosix
import WebSocketProtocol

/// Takes the place of the HTTP handlers in a channel. From there the connection goes on, in the channel,
/// or with its socket in an `EpollLoop`.
final class ChannelTransport: ChannelInboundHandler, ConnectionTransport {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let resources: LoopResources
  private let kind: Kind
  let eventLoop: any EventLoop
  private var context: ChannelHandlerContext?
  private var handler: ConnectionHandler?
  /// Bytes that came while the HTTP handlers were on their way out; nil from `begin` on.
  private var early: ByteBuffer? = ByteBuffer()

  /// How the bytes travel, as far as ending it differs.
  enum Kind {
    case plain
    case tls
  }

  init(_ kind: Kind, on eventLoop: any EventLoop, resources: LoopResources) {
    self.kind = kind
    self.eventLoop = eventLoop
    self.resources = resources
  }

  /// Begins: the HTTP handlers have left the pipeline. The connection lives in `destination`, or here if
  /// that is nil.
  func begin(_ connection: OpenedConnection, in destination: EpollLoop?) {
    guard let waiting = early else { return }
    early = nil
    if let destination {
      let address = context?.remoteAddress
      let descriptor = leaveChannel()
      destination.execute {
        destination.adopt(descriptor, connection, early: waiting, from: address)
      }
    } else {
      begin(connection, with: waiting)
    }
  }

  private func begin(_ connection: OpenedConnection, with waiting: ByteBuffer) {
    let handler = connection.makeHandler(on: eventLoop, resources: resources)
    handler.start(self)
    // It may have ended while the HTTP handlers were on their way out.
    guard context != nil else { return handler.ended() }
    self.handler = handler
    guard waiting.readableBytes > 0 else { return }
    receive(waiting)
    handler.burstEnded()
  }

  /// A descriptor of the socket that outlives the channel; if there is none, the negative `errno`.
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

  var remoteAddress: SocketAddress? { context?.remoteAddress }
  var isWritable: Bool { context?.channel.isWritable ?? false }
  var bufferedBytes: Int {
    (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  func write(_ output: inout ByteBuffer) {
    // A channel that could not write it yet keeps a reference: then its storage is not used again.
    context?.writeAndFlush(wrapOutboundOut(output), promise: nil)
  }

  func setReading(_ reads: Bool) {
    context?.channel.setOption(.autoRead, value: reads).whenFailure { _ in }
  }

  func closeOutput() {
    // TLS says its own goodbye and waits for the peer's by itself.
    context?.close(mode: kind == .plain ? .output : .all, promise: nil)
  }

  func close() { context?.close(promise: nil) }

  // MARK: ChannelInboundHandler

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    guard early == nil else {
      early?.writeImmutableBuffer(buffer)
      return
    }
    receive(buffer)
  }

  private func receive(_ buffer: ByteBuffer) {
    buffer.withUnsafeReadableBytes { bytes in
      // Unmasking in place: the buffer is ours alone (NIO's pool does not touch it before the next
      // read), but asking ByteBuffer for mutable bytes would copy it, since NIOAny holds a second
      // reference until channelRead returns.
      handler?.receive(UnsafeMutableRawBufferPointer(mutating: bytes))
    }
    resources.receive.giveBack(buffer)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    handler?.burstEnded()
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
  }
}
