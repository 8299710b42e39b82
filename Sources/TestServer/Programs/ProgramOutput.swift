import NIOCore
import NIOPosix

/// Splits what a process writes into messages.
struct OutputSplitter {
  private let boundary: ServedProgram.Boundary
  /// Maximum number of bytes in a message.
  private let limit: Int
  private var unfinished = ByteBuffer()

  struct TooLong: Error {}

  init(_ boundary: ServedProgram.Boundary, limit: Int) {
    self.boundary = boundary
    self.limit = limit
  }

  /// - Parameter bytes: What one read returned.
  /// - Returns: The messages that are complete now.
  /// - Throws: `TooLong`.
  mutating func feed(_ bytes: ByteBuffer) throws(TooLong) -> [ByteBuffer] {
    let end: UInt8
    switch boundary {
    case .newline: end = 0x0A
    case .null: end = 0x00
    case .none: return bytes.readableBytes == 0 ? [] : [bytes]
    }
    var bytes = bytes
    var messages: [ByteBuffer] = []
    while let index = bytes.readableBytesView.firstIndex(of: end) {
      let length = index - bytes.readerIndex
      if let part = bytes.readSlice(length: length) { messages.append(try take(part)) }
      bytes.moveReaderIndex(forwardBy: 1)
    }
    guard unfinished.readableBytes + bytes.readableBytes <= limit + 1 else { throw TooLong() }
    unfinished.writeBuffer(&bytes)
    return messages
  }

  /// - Returns: The last message, if bytes follow the last boundary.
  mutating func finish() -> ByteBuffer? {
    guard unfinished.readableBytes > 0 else { return nil }
    let last = unfinished
    unfinished = ByteBuffer()
    return last
  }

  private mutating func take(_ part: ByteBuffer) throws(TooLong) -> ByteBuffer {
    var message = part
    if unfinished.readableBytes > 0 {
      var rest = part
      message = unfinished
      message.writeBuffer(&rest)
      unfinished = ByteBuffer()
    }
    if boundary == .newline, message.readableBytesView.last == 0x0D {
      message.moveWriterIndex(to: message.writerIndex - 1)
    }
    guard message.readableBytes <= limit else { throw TooLong() }
    return message
  }
}

/// Reads one output of a process, only when it is asked to.
final class ProgramOutput: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  enum Event: Sendable {
    /// Nothing more comes before the next `read`.
    case messages([ByteBuffer])
    /// A message is over the limit; nothing more comes.
    case tooLong
    case ended
  }

  private var splitter: OutputSplitter
  private var messages: [ByteBuffer] = []
  private var isOver = false
  private let readsOn: Bool
  private let report: @Sendable (Event) -> Void

  private init(
    _ splitter: OutputSplitter, readsOn: Bool, _ report: @escaping @Sendable (Event) -> Void
  ) {
    self.splitter = splitter
    self.readsOn = readsOn
    self.report = report
  }

  /// Takes over a descriptor.
  ///
  /// - Parameters:
  ///   - descriptor: Is closed at the end of the output.
  ///   - boundary: What separates messages.
  ///   - limit: Maximum number of bytes in a message.
  ///   - readsOn: Whether it reads without being asked.
  ///   - loop: An event loop of NIO.
  ///   - report: Called on that loop.
  /// - Returns: The channel; its `read()` asks for more.
  static func open(
    _ descriptor: CInt, _ boundary: ServedProgram.Boundary, limit: Int, readsOn: Bool = false,
    on loop: any EventLoop, _ report: @escaping @Sendable (Event) -> Void
  ) -> EventLoopFuture<any NIOCore.Channel> {
    NIOPipeBootstrap(group: loop)
      .channelOption(ChannelOptions.autoRead, value: readsOn)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            ProgramOutput(OutputSplitter(boundary, limit: limit), readsOn: readsOn, report))
        }
      }
      .takingOwnershipOfDescriptor(input: descriptor)
      .map { $0 as any NIOCore.Channel }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isOver else { return }
    do throws(OutputSplitter.TooLong) {
      messages += try splitter.feed(unwrapInboundIn(data))
    } catch {
      passOn()
      isOver = true
      report(.tooLong)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    guard !isOver else { return }
    // Half a message: nobody else asks for the rest.
    if messages.isEmpty, !readsOn { context.read() } else { passOn() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    guard !isOver else { return }
    isOver = true
    if let last = splitter.finish() { messages.append(last) }
    passOn()
    report(.ended)
  }

  /// A pseudo-terminal whose process has gone reports an error in place of the end.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func passOn() {
    guard !messages.isEmpty else { return }
    let complete = messages
    messages = []
    report(.messages(complete))
  }
}
