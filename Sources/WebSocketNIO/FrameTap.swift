import NIOCore
import WebSocketProtocol

/// Who wants to know of every frame. Called on the event loop.
protocol FrameObserver: AnyObject {
  func observed(_ header: FrameHeader, isIncoming: Bool)
  /// What is odd about the peer's frames so far.
  func linted(_ counts: [Oddity: Int])
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
  private let traces: Bool
  private var lint: FrameLint?

  /// - Parameters:
  ///   - observer: told what is found.
  ///   - traces: whether it receives every frame.
  ///   - lint: counts what is odd, if that is wanted.
  init(_ observer: any FrameObserver, traces: Bool, lint: FrameLint?) {
    self.observer = observer
    self.traces = traces
    self.lint = lint
    if let lint { observer.linted(lint.counts) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    // Before the handler sees the bytes: it unmasks them in place, and gives the buffer back.
    if traces {
      for header in buffer.withUnsafeReadableBytes({ incoming.scan($0) }) {
        observer?.observed(header, isIncoming: true)
      }
    }
    if let before = lint?.counts {
      buffer.withUnsafeReadableBytes { lint?.scan($0) }
      if let counts = lint?.counts, counts != before { observer?.linted(counts) }
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if traces {
      let buffer = unwrapOutboundIn(data)
      for header in buffer.withUnsafeReadableBytes({ outgoing.scan($0) }) {
        observer?.observed(header, isIncoming: false)
      }
    }
    context.write(data, promise: promise)
  }
}
