import NIOCore
import NIOHTTP1

/// Stands in front of the HTTP decoder until the upgrade.
///
/// It keeps the first bytes the peer really sent, for the diagnosis of what is no valid reply, and
/// passes a copy on: the decoder may hold on to half a head, and the loop's shared receive buffer
/// must not be what it holds. It passes one head at a time: the decoder never sees the bytes behind
/// the head that ends HTTP, which it would keep until it has left the pipeline and lose if the stream
/// ended before. And it counts: the decoder's limits leave out white space, reasons and empty lines.
final class HeadTee: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  /// At most `limit` bytes.
  private(set) var head: [UInt8] = []
  /// Set while what comes is a body, which has no lines and no limits of a head.
  var isInBody = false
  /// Whether the first line of the last head is text, as a reason must be (RFC 9112 section 4).
  var isStartLineText: Bool { scan.isStartLineText }

  private let limit: Int
  private let receive: SharedReceiveBuffer
  private let isHTTP: Bool
  private var scan = HeadScan()
  private var context: ChannelHandlerContext?
  private var isReading = false
  private var isDone = false
  private var isOverLimit = false

  /// Keeps `limit` bytes; `isHTTP` is false where it only listens, in front of TLS.
  init(keeping limit: Int, receive: SharedReceiveBuffer, isHTTP: Bool = true) {
    self.limit = limit
    self.receive = receive
    self.isHTTP = isHTTP
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    if head.count < limit {
      head.append(contentsOf: buffer.readableBytesView.prefix(limit - head.count))
    }
    var copy = ByteBuffer(bytes: buffer.readableBytesView)
    receive.giveBack(buffer)
    isReading = true
    while isHTTP, !isDone, !isOverLimit, copy.readableBytes > 0 { passOn(&copy, context) }
    if !isOverLimit, copy.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(copy)) }
    isReading = false
    if isDone { leave() }
  }

  /// Passes on what belongs to the head that is coming, or all of a body.
  private func passOn(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
    var length = bytes.readableBytes
    if !isInBody {
      (length, isOverLimit) = bytes.withUnsafeReadableBytes { scan.lengthOfHead(in: $0) }
    }
    // What is wrong before the limit is what is wrong with it, in however many pieces it comes.
    if let piece = bytes.readSlice(length: length) {
      context.fireChannelRead(wrapInboundOut(piece))
    }
    if isOverLimit { context.fireErrorCaught(HTTPParserError.headerOverflow) }
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
}

/// Finds the end of a head, and counts its bytes.
private struct HeadScan {
  private(set) var isStartLineText = true
  private var isStartLine = true
  private var isLineEmpty = true
  private var lineLength = 0
  private var length = 0

  /// How many of the bytes belong to the head that has begun: all, or those up to its empty line, or those
  /// before a line or the head is over the limits.
  mutating func lengthOfHead(
    in bytes: UnsafeRawBufferPointer
  ) -> (length: Int, isOverLimit: Bool) {
    if isStartLine, length == 0 { isStartLineText = true }
    for (offset, byte) in bytes.enumerated() {
      length &+= 1
      lineLength &+= 1
      guard lineLength <= HeadLimits.line, length <= HeadLimits.head else {
        return (offset, true)
      }
      switch byte {
      case UInt8(ascii: "\n"):
        let isEnd = isLineEmpty && !isStartLine
        lineLength = 0
        if !isLineEmpty { isStartLine = false }
        isLineEmpty = true
        guard isEnd else { continue }
        length = 0
        isStartLine = true
        return (offset &+ 1, false)
      case UInt8(ascii: "\r"):
        break
      default:
        isLineEmpty = false
        if isStartLine, byte < 0x20 && byte != 0x09 || byte == 0x7F { isStartLineText = false }
      }
    }
    return (bytes.count, false)
  }
}
