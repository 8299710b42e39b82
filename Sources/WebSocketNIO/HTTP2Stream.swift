import Glibc
import NIOCore
import NIOHPACK
import NIOHTTP2

/// A stream of HTTP/2 as a byte stream: bytes travel in DATA frames, and END_STREAM ends it (RFC
/// 8441 section 5). Received header fields are reported as a `Head`; `send` sends them.
///
/// Used on the event loop of its channel.
final class HTTP2Stream: ChannelDuplexHandler {
  typealias InboundIn = HTTP2Frame.FramePayload
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = HTTP2Frame.FramePayload

  /// Inbound event: header fields were received.
  struct Head: Sendable {
    var fields: HPACKHeaders
    var isEnd: Bool
  }

  /// Inbound event: the peer will send no more data.
  struct End: Sendable {}

  private var context: ChannelHandlerContext?
  private var hasEnded = false
  /// Bytes that have not been passed to the socket, for lack of flow-control window or of buffer
  /// space.
  private(set) var bufferedBytes = 0

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  /// Sends header fields.
  func send(_ fields: HPACKHeaders, isEnd: Bool = false) {
    guard !hasEnded else { return }
    hasEnded = isEnd
    let payload = HTTP2Frame.FramePayload.headers(.init(headers: fields, endStream: isEnd))
    context?.writeAndFlush(wrapOutboundOut(payload), promise: nil)
  }

  /// Sends the last bytes.
  func end(with bytes: ByteBuffer = ByteBuffer(), promise: EventLoopPromise<Void>? = nil) {
    guard let context, !hasEnded else {
      promise?.succeed()
      return
    }
    hasEnded = true
    let data = HTTP2Frame.FramePayload.Data(data: .byteBuffer(bytes), endStream: true)
    context.writeAndFlush(wrapOutboundOut(.data(data)), promise: promise)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .headers(let headers):
      context.fireUserInboundEventTriggered(
        Head(fields: headers.headers, isEnd: headers.endStream))
      if headers.endStream { peerEnded(context) }
    case .data(let data):
      if case .byteBuffer(let bytes) = data.data, bytes.readableBytes > 0 {
        context.fireChannelRead(wrapInboundOut(bytes))
      }
      if data.endStream { peerEnded(context) }
    default:
      break
    }
  }

  private func peerEnded(_ context: ChannelHandlerContext) {
    context.fireUserInboundEventTriggered(End())
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let bytes = unwrapOutboundIn(data)
    guard !hasEnded else {
      promise?.fail(ChannelError.outputClosed)
      return
    }
    let count = bytes.readableBytes
    bufferedBytes &+= count
    let written = promise ?? context.eventLoop.makePromise()
    written.futureResult.assumeIsolated().whenComplete { _ in self.bufferedBytes &-= count }
    context.write(
      wrapOutboundOut(.data(.init(data: .byteBuffer(bytes)))), promise: written)
  }

  /// Closes one direction of the stream by sending its last frame; NIO itself could only reset it.
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .output else {
      context.close(mode: mode, promise: promise)
      return
    }
    end(promise: promise)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // "RST exceptions are represented with the RST_STREAM frame" (RFC 8441 section 5).
    let isReset = error is NIOHTTP2Errors.StreamClosed
    context.fireErrorCaught(isReset ? HTTP2StreamReset(error) : error)
  }
}

extension Error {
  /// A stream reset as the equivalent socket error, ECONNRESET.
  var asReset: any Error {
    self is HTTP2StreamReset ? IOError(errnoCode: ECONNRESET, reason: "RST_STREAM") : self
  }
}

/// The peer has reset the stream.
struct HTTP2StreamReset: Error {
  /// The error code of RFC 9113 section 7.
  var code: Int

  init(_ error: any Error) {
    code = (error as? NIOHTTP2Errors.StreamClosed)?.errorCode.networkCode ?? 0
  }
}
