import NIOCore
import NIOHTTP1

/// Sits in front of the HTTP decoder until the upgrade.
///
/// It keeps the first bytes that the peer sent, for the diagnosis of an invalid reply, and passes
/// on a copy: the decoder may hold on to half a head, which must not be in the loop's shared
/// receive buffer. It passes on one head at a time: the decoder must not see the bytes after the
/// last head of HTTP, since it would keep them until it has left the pipeline, and lose them if the
/// stream ended earlier. It also enforces the size limits: the decoder's own do not count white
/// space, reason phrases and empty lines.
final class HeadTee: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  /// The bytes received, at most `limit` of them.
  private(set) var head: [UInt8] = []
  /// Set while a body is being received, which has no lines and is not subject to the limits.
  var isInBody = false
  /// Bytes of the body that are still to come, if its length is known: the bytes after them are the
  /// next head.
  var bodyBytesLeft: Int?
  /// Whether the first line of the last head is text, as a reason phrase must be (RFC 9112 section
  /// 4).
  var isStartLineText: Bool { scan.isStartLineText }

  /// The bytes of the last head, as far as they were kept.
  var lastHead: [UInt8] { Array(head.dropFirst(startOfLastHead)) }
  /// The names of fields that were removed from a 101, which cannot have a body.
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
  /// Whether a 101 is held until it is complete and its body fields are removed.
  private let repairsSwitch: Bool
  private var held: [UInt8] = []
  private var heldLines = 0
  /// The bytes received since `pause()`; nil while not paused.
  private var kept: ByteBuffer?

  /// The maximum of `kept` in bytes; when it is exceeded, reading stops.
  private static let maxKept = 64 * 1024

  /// Keeps the first `limit` bytes. `isHTTP` is false for a tee in front of TLS, which only
  /// records. `repairsSwitch` removes fields that announce a body from a 101, before the parser
  /// acts on them.
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
    // The end of the read has passed already, while the later handlers had nothing to read yet.
    if isResumed { context.fireChannelReadComplete() }
    if isDone { leave() }
  }

  private func setReading(_ reads: Bool, _ context: ChannelHandlerContext) {
    context.channel.setOption(.autoRead, value: reads).whenFailure { _ in }
  }

  /// Starts buffering received bytes: the answer to the head just passed on decides how to
  /// interpret them.
  func pause() { if kept == nil { kept = ByteBuffer() } }

  /// Passes on the bytes received since `pause()`.
  func resume() {
    guard var bytes = kept, let context else { return }
    kept = nil
    if bytes.readableBytes > Self.maxKept { setReading(true, context) }
    handle(&bytes, isResumed: true, context)
  }

  /// Passes on the bytes of the current head, or all bytes of a body.
  private func passOn(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
    var length = bytes.readableBytes
    if isInBody {
      // At 0 the decoder decides: it has seen the end of the body, or disagrees about its length.
      if let left = bodyBytesLeft, left > 0 {
        length = min(length, left)
        bodyBytesLeft = left - length
      }
    } else {
      if scan.isComplete { startOfLastHead = passed }
      (length, isOverLimit) = bytes.withUnsafeReadableBytes { scan.lengthOfHead(in: $0) }
    }
    // An error before the limit takes precedence over it, however the bytes are split.
    passed += length
    if let piece = bytes.readSlice(length: length) {
      if repairsSwitch, !isInBody { hold(piece, context) } else { fire(piece, context) }
    }
    if isOverLimit { context.fireErrorCaught(HTTPParserError.headerOverflow) }
  }

  private func fire(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
    context.fireChannelRead(wrapInboundOut(bytes))
  }

  /// Passes on anything but a 101 at once, and a 101 when it is complete.
  private func hold(_ piece: ByteBuffer, _ context: ChannelHandlerContext) {
    held += piece.readableBytesView
    let mark = "HTTP/1.1 101".utf8
    let isSwitch = zip(held, mark).allSatisfy(==) && startOfLastHead + held.count == passed
    // The parser has its own limit for the number of fields.
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

  /// Ends the HTTP phase: the remaining bytes, also of the current read, are passed on unchanged.
  func finish() {
    isDone = true
    // During a read, or before `resume()`, the place in the pipeline is still needed.
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

  /// The number of bytes that belong to the current head: all, or those up to and including its
  /// empty line, or those before the byte that exceeds a limit.
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
