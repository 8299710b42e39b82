import NIOCore
import WebSocketProtocol

/// An observer of every frame. Called on the event loop.
protocol FrameObserver: AnyObject {
  func observed(_ header: FrameHeader, isIncoming: Bool)
  /// Reports the oddities in the peer's frames so far.
  func linted(_ counts: [Oddity: Int])
}

/// Sits between the socket and the `ConnectionHandler` and reads the headers of the frames that
/// pass, in both directions. It observes the bytes on the wire; the machine and its code paths are
/// unaffected.
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
  ///   - observer: receives the results.
  ///   - traces: whether every frame is reported.
  ///   - lint: counts oddities; nil counts none.
  init(_ observer: any FrameObserver, traces: Bool, lint: FrameLint?) {
    self.observer = observer
    self.traces = traces
    self.lint = lint
    if let lint { observer.linted(lint.counts) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    // Read the headers first: the handler unmasks the bytes in place and returns the buffer.
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
