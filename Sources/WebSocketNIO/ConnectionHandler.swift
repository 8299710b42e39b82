package import NIOCore
package import WebSocketProtocol

/// The last handler of a channel after the upgrade: it feeds the machine, writes what the machine
/// wants written, and ends the transport as the machine demands. It decides nothing itself.
package final class ConnectionHandler: ChannelInboundHandler {
  package typealias InboundIn = ByteBuffer
  package typealias OutboundOut = ByteBuffer

  package let consumer: any ConnectionConsumer

  private var machine: ConnectionMachine
  private let resources: LoopResources
  private let transport: Transport
  private let closeTimeout: TimeAmount
  private var context: ChannelHandlerContext?
  private var applied = TransportDemand.keepOpen
  private var timer: Scheduled<Void>?
  private var end = TransportEnd.endOfStream

  /// How the bytes travel, as far as ending it differs.
  enum Transport {
    case plain
    case tls
  }

  /// How long the end of the byte stream is waited for once all is said. Nothing depends on it any
  /// more, so it is shorter than the timer of the closing handshake.
  private static let lingerTimeout = TimeAmount.seconds(1)

  init(
    _ consumer: any ConnectionConsumer, machine: consuming ConnectionMachine,
    resources: LoopResources, transport: Transport, closeTimeout: TimeAmount
  ) {
    self.consumer = consumer
    self.machine = machine
    self.resources = resources
    self.transport = transport
    self.closeTimeout = closeTimeout
  }

  /// Begins: from here on the bytes are frames.
  func start() {
    guard context != nil else { return }
    consumer.opened(self)
  }

  // MARK: For the consumer, outside `received` and `burstEnded`

  package var traffic: Traffic { machine.traffic }
  package var compressionTraffic: CompressionTraffic? { machine.compressionTraffic }
  package var isOpen: Bool { machine.isOpen }
  package var isWritable: Bool { context?.channel.isWritable ?? false }
  package var eventLoop: (any EventLoop)? { context?.eventLoop }
  package var remoteAddress: SocketAddress? { context?.remoteAddress }

  /// Bytes written to the channel that the kernel has not taken.
  package var bufferedBytes: Int {
    (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  /// Lets `body` put something into the output that is written later, by `flush()`: for one
  /// message to many connections, whose bursts are then written once each.
  package func prepare(
    _ body: (inout ConnectionMachine) throws(SendError) -> Void
  ) throws(SendError) {
    try body(&machine)
  }

  /// Lets `body` put something into the output, and writes it.
  package func perform(
    _ body: (inout ConnectionMachine) throws(SendError) -> Void
  ) throws(SendError) {
    lendOutput()
    defer { flush() }
    try body(&machine)
  }

  private func lendOutput() {
    if machine.output.readableBytes == 0 { machine.output = resources.takeOutput() }
  }

  /// Writes the output, in one write, and does what the machine demands of the transport.
  package func flush() {
    guard let context else { return }
    // Taken out first: the write can change writability, and that calls here again.
    var output = ByteBuffer()
    swap(&output, &machine.output)
    if output.readableBytes > 0 {
      context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }
    resources.giveOutput(output)
    if machine.demand != applied { apply(machine.demand, context) }
  }

  /// Stops or resumes reading: how a consumer that cannot keep up slows its peer down.
  package func setReading(_ reads: Bool) {
    context?.channel.setOption(.autoRead, value: reads).whenFailure { _ in }
  }

  /// Ends the transport at once.
  ///
  /// - Parameter end: what the outcome shall say if the closing handshake was not completed.
  package func abandon(_ end: TransportEnd = .abandoned) {
    self.end = end
    context?.close(promise: nil)
  }

  // MARK: ChannelInboundHandler

  package func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    lendOutput()
    buffer.withUnsafeReadableBytes { bytes in
      // Unmasking in place: the buffer is ours alone (NIO's pool does not touch it before the next
      // read), but asking ByteBuffer for mutable bytes would copy it, since NIOAny holds a second
      // reference until channelRead returns.
      var window = ByteWindow(UnsafeMutableRawBufferPointer(mutating: bytes))
      consumer.drain(&window, through: &machine)
    }
    resources.receive.giveBack(buffer)
  }

  package func channelReadComplete(context: ChannelHandlerContext) {
    consumer.burstEnded(&machine)
    flush()
  }

  package func channelWritabilityChanged(context: ChannelHandlerContext) {
    let isWritable = context.channel.isWritable
    machine.isOutputBlocked = !isWritable
    consumer.writabilityChanged(isWritable)
    if isWritable { flush() }
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if end == .endOfStream {
      end = .reset(errno: (error as? IOError)?.errnoCode ?? 0)
    }
    context.close(promise: nil)
  }

  package func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    timer = nil
    self.context = nil
    consumer.closed(machine.outcome(end))
  }

  // MARK: Ending

  private func apply(_ demand: TransportDemand, _ context: ChannelHandlerContext) {
    applied = demand
    timer?.cancel()
    switch demand {
    case .keepOpen:
      return
    case .awaitClose:
      closeAfter(closeTimeout, as: .timedOut(.closingHandshake), context)
    case .awaitEnd:
      closeAfter(min(closeTimeout, Self.lingerTimeout), as: end, context)
    case .closeOutput:
      closeAfter(min(closeTimeout, Self.lingerTimeout), as: end, context)
      // TLS says its own goodbye and waits for the peer's by itself.
      context.close(mode: transport == .plain ? .output : .all, promise: nil)
    }
    // A peer that has stopped reading must not keep us from seeing its end.
    setReading(true)
  }

  private func closeAfter(
    _ delay: TimeAmount, as end: TransportEnd, _ context: ChannelHandlerContext
  ) {
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
      self?.abandon(end)
    }
  }
}
