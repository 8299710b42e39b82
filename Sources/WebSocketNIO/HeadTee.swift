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

  /// The bytes of the last head, or as many of them as were kept.
  var lastHead: [UInt8] { Array(head.dropFirst(startOfLastHead)) }
  /// The names of fields that were taken out of a 101, which cannot have a body.
  private(set) var removedFields: [String] = []

  private let limit: Int
  private let receive: SharedReceiveBuffer
  private let isHTTP: Bool
  private var scan: HeadScan
  private var context: ChannelHandlerContext?
  private var isReading = false
  private var isDone = false
  private var isOverLimit = false
  private var startOfLastHead = 0
  private var passed = 0
  /// A 101 is held back until it is whole.
  private let repairsSwitch: Bool
  private var held: [UInt8] = []
  private var heldLines = 0
  /// What has come since `pause()`; nil while nothing pauses it.
  private var kept: ByteBuffer?

  /// Bytes that are kept; beyond it nothing more is read.
  private static let maxKept = 64 * 1024

  /// Keeps `limit` bytes; `isHTTP` is false where it only listens, in front of TLS.
  /// `repairsSwitch`: fields of a 101 that announce a body are removed, before a parser believes them.
  init(
    keeping limit: Int, receive: SharedReceiveBuffer, isHTTP: Bool = true,
    repairsSwitch: Bool = false, limits: HeadLimits = .standard
  ) {
    scan = HeadScan(limits: limits)
    self.repairsSwitch = repairsSwitch
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
    handle(&copy, isResumed: false, context)
  }

  private func handle(
    _ bytes: inout ByteBuffer, isResumed: Bool, _ context: ChannelHandlerContext
  ) {
    isReading = true
    while isHTTP, !isDone, !isOverLimit, kept == nil, bytes.readableBytes > 0 {
      passOn(&bytes, context)
    }
    if kept != nil {
      kept?.writeBuffer(&bytes)
      if kept?.readableBytes ?? 0 > Self.maxKept { setReading(false, context) }
    } else if !isOverLimit, bytes.readableBytes > 0 {
      fire(bytes, context)
    }
    isReading = false
    // Its end has passed already, before there was anything to read for those behind.
    if isResumed { context.fireChannelReadComplete() }
    if isDone { leave() }
  }

  private func setReading(_ reads: Bool, _ context: ChannelHandlerContext) {
    context.channel.setOption(.autoRead, value: reads).whenFailure { _ in }
  }

  /// Keeps what comes: the answer to the head that has been passed on decides what it is.
  func pause() { if kept == nil { kept = ByteBuffer() } }

  /// Passes on what has come since `pause()`.
  func resume() {
    guard var bytes = kept, let context else { return }
    kept = nil
    if bytes.readableBytes > Self.maxKept { setReading(true, context) }
    handle(&bytes, isResumed: true, context)
  }

  /// Passes on what belongs to the head that is coming, or all of a body.
  private func passOn(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
    var length = bytes.readableBytes
    if !isInBody {
      if scan.isComplete { startOfLastHead = passed }
      (length, isOverLimit) = bytes.withUnsafeReadableBytes { scan.lengthOfHead(in: $0) }
    }
    // What is wrong before the limit is what is wrong with it, in however many pieces it comes.
    passed += length
    if let piece = bytes.readSlice(length: length) {
      if repairsSwitch, !isInBody { hold(piece, context) } else { fire(piece, context) }
    }
    if isOverLimit { context.fireErrorCaught(HTTPParserError.headerOverflow) }
  }

  private func fire(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
    context.fireChannelRead(wrapInboundOut(bytes))
  }

  /// Passes on what is no 101 at once, and a 101 when it is whole.
  private func hold(_ piece: ByteBuffer, _ context: ChannelHandlerContext) {
    held += piece.readableBytesView
    let mark = "HTTP/1.1 101".utf8
    let isSwitch = zip(held, mark).allSatisfy(==) && startOfLastHead + held.count == passed
    // The parser has a limit of its own for the number of fields.
    heldLines += piece.readableBytesView.count { $0 == 0x0A }
    let isWithinLimits = !isOverLimit && heldLines <= HeadLimits.standard.fields
    if isSwitch, !scan.isComplete, isWithinLimits { return }
    if isSwitch, scan.isComplete { removedFields = ReplyHead.removeBodyFields(from: &held) }
    release(context)
  }

  private func release(_ context: ChannelHandlerContext) {
    guard !held.isEmpty else { return }
    let bytes = ByteBuffer(bytes: held)
    held = []
    heldLines = 0
    fire(bytes, context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    release(context)
    context.fireChannelInactive()
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
    // In the middle of a read, or before `resume()`, its place in the pipeline is still needed.
    if !isReading, kept == nil { leave() }
  }

  private func leave() {
    guard let context else { return }
    context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
  }
}

/// Finds the end of a head, and counts its bytes.
struct HeadScan: Sendable {
  private let limits: HeadLimits
  /// Whether the last bytes were the end of a head.
  private(set) var isComplete = false
  private(set) var isStartLineText = true
  private var isStartLine = true
  private var isLineEmpty = true
  private var lineLength = 0
  private var length = 0

  init(limits: HeadLimits = .standard) { self.limits = limits }

  /// How many of the bytes belong to the head that has begun: all, or those up to its empty line, or those
  /// before a line or the head is over the limits.
  mutating func lengthOfHead(
    in bytes: UnsafeRawBufferPointer
  ) -> (length: Int, isOverLimit: Bool) {
    if isStartLine, length == 0 { isStartLineText = true }
    isComplete = false
    for (offset, byte) in bytes.enumerated() {
      length &+= 1
      lineLength &+= 1
      guard lineLength <= limits.line, length <= limits.head else {
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
        isComplete = true
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
