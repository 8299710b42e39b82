import NIOCore

/// Stands in front of the HTTP decoder until the upgrade. It keeps the first bytes the peer really
/// sent, for the diagnosis of what is no valid reply, and passes a copy on: the decoder may hold on
/// to half a head, and the loop's shared receive buffer must not be what it holds.
final class HeadTee: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  /// At most `limit` bytes.
  private(set) var head: [UInt8] = []
  private let limit: Int
  private let resources: LoopResources

  init(keeping limit: Int, resources: LoopResources) {
    self.limit = limit
    self.resources = resources
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    if head.count < limit {
      head.append(contentsOf: buffer.readableBytesView.prefix(limit - head.count))
    }
    let copy = ByteBuffer(bytes: buffer.readableBytesView)
    resources.receive.giveBack(buffer)
    context.fireChannelRead(wrapInboundOut(copy))
  }
}
