import NIOCore
import WebSocketProtocol

/// Who wants to know of every frame. Called on the event loop.
protocol FrameObserver: AnyObject {
  func observed(_ header: FrameHeader, isIncoming: Bool)
}

/// Stands between socket and `ConnectionHandler` and reads the frame headers that go by, in both
/// directions. It sees the wire and not the machine, whose roads stay as they are.
final class FrameTap: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private weak var observer: (any FrameObserver)?
  private var incoming = FrameScanner()
  private var outgoing = FrameScanner()

  init(_ observer: any FrameObserver) { self.observer = observer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    // Before the handler sees the bytes: it unmasks them in place, and gives the buffer back.
    for header in buffer.withUnsafeReadableBytes({ incoming.scan($0) }) {
      observer?.observed(header, isIncoming: true)
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let buffer = unwrapOutboundIn(data)
    for header in buffer.withUnsafeReadableBytes({ outgoing.scan($0) }) {
      observer?.observed(header, isIncoming: false)
    }
    context.write(data, promise: promise)
  }
}
