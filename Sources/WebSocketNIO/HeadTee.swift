import NIOCore

/// Stands in front of the HTTP decoder until the upgrade.
///
/// It keeps the first bytes the peer really sent, for the diagnosis of what is no valid reply, and
/// passes a copy on: the decoder may hold on to half a head, and the loop's shared receive buffer
/// must not be what it holds. And it passes one head at a time: the decoder never sees the bytes
/// behind the head that ends HTTP, which it would keep until it has left the pipeline and lose if
/// the stream ended before.
final class HeadTee: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  /// At most `limit` bytes.
  private(set) var head: [UInt8] = []
  private let limit: Int
  private let resources: LoopResources
  private var context: ChannelHandlerContext?
  private var isLineEmpty = true
  private var isReading = false
  private var isDone = false

  init(keeping limit: Int, resources: LoopResources) {
    self.limit = limit
    self.resources = resources
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    if head.count < limit {
      head.append(contentsOf: buffer.readableBytesView.prefix(limit - head.count))
    }
    var copy = ByteBuffer(bytes: buffer.readableBytesView)
    resources.receive.giveBack(buffer)
    isReading = true
    while !isDone, let piece = copy.readSlice(length: endOfHead(copy.readableBytesView)),
      piece.readableBytes > 0
    {
      context.fireChannelRead(wrapInboundOut(piece))
    }
    if copy.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(copy)) }
    isReading = false
    if isDone { leave() }
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  /// HTTP is over: what is still to come, of this read too, goes on as it is.
  func finish() {
    isDone = true
    // In the middle of a read its place in the pipeline is still needed.
    if !isReading { leave() }
  }

  private func leave() {
    guard let context else { return }
    context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
  }

  /// How many bytes there are to the end of an empty line, or of all.
  private func endOfHead(_ bytes: ByteBufferView) -> Int {
    for (offset, byte) in bytes.enumerated() {
      switch byte {
      case UInt8(ascii: "\n"):
        if isLineEmpty { return offset + 1 }
        isLineEmpty = true
      case UInt8(ascii: "\r"): break
      default: isLineEmpty = false
      }
    }
    return bytes.count
  }
}
