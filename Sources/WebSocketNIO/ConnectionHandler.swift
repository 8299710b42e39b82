package import NIOCore
package import WebSocketProtocol

/// A connection after its handshake. Feeds the machine with the bytes from the transport, writes
/// the machine's output, and ends the transport when the machine demands it. It decides nothing
/// itself.
package final class ConnectionHandler {
  package let consumer: any ConnectionConsumer

  private var machine: ConnectionMachine
  private let resources: LoopResources
  private let closeTimeout: TimeAmount
  private var transport: (any ConnectionTransport)?
  private var applied = TransportDemand.keepOpen
  private var timer: Scheduled<Void>?
  private var end = TransportEnd.endOfStream
  /// Whether the consumer wants to read.
  private var reads = true
  /// Whether the owner of many connections has paused reading.
  private var isReadingPaused = false

  /// How long to wait for the end of the byte stream after the closing handshake. Nothing depends
  /// on it any more, so this is shorter than the timeout of the closing handshake.
  private static let lingerTimeout = TimeAmount.seconds(1)

  init(
    _ consumer: any ConnectionConsumer, machine: consuming ConnectionMachine,
    resources: LoopResources, closeTimeout: TimeAmount
  ) {
    self.consumer = consumer
    self.machine = machine
    self.resources = resources
    self.closeTimeout = closeTimeout
  }

  // MARK: For the consumer, outside `received` and `burstEnded`

  /// The counters of the connection.
  package var traffic: Traffic { machine.traffic }
  /// Bytes before and after compression; nil without compression.
  package var compressionTraffic: CompressionTraffic? { machine.compressionTraffic }
  /// Whether messages can be sent.
  package var isOpen: Bool { machine.isOpen }
  /// Whether the transport accepts more output; see `ConnectionTransport.isWritable`.
  package var isWritable: Bool { transport?.isWritable ?? false }
  /// The event loop of the connection; nil after it has ended.
  package var eventLoop: (any EventLoop)? { transport?.eventLoop }
  /// The address of the peer; nil after the connection has ended.
  package var remoteAddress: SocketAddress? { transport?.remoteAddress }

  /// What the connection has put on the wire; nil if that is not counted.
  package var wireTraffic: SocketTraffic? { transport?.traffic }

  /// Bytes written to the transport that the kernel has not accepted.
  package var bufferedBytes: Int { transport?.bufferedBytes ?? 0 }

  /// Lets `body` add to the output, which `flush()` writes later. For messages to many connections:
  /// several messages then take one write per connection.
  package func prepare(
    _ body: (inout ConnectionMachine) throws(SendError) -> Void
  ) throws(SendError) {
    try body(&machine)
  }

  /// Lets `body` add to the output, and writes it.
  package func perform(
    _ body: (inout ConnectionMachine) throws(SendError) -> Void
  ) throws(SendError) {
    lendOutput()
    defer { flush() }
    try body(&machine)
  }

  /// Whether `send(_:except:)` can be used.
  package var takesSharedFrames: Bool { machine.takesSharedFrames }

  /// Sends messages that are encoded once for many connections, in one write and, unless some are
  /// left out, without a copy.
  ///
  /// - Parameters:
  ///   - frames: The messages.
  ///   - parts: Positions of messages to leave out, in order.
  /// - Returns: `bufferedBytes` after that.
  /// - Throws: `SendError.closing` when a Close has been sent or received.
  package func send(
    _ frames: SharedFrames, except parts: [SharedFrames.Part]
  ) throws(SendError) -> Int {
    guard parts.isEmpty, let transport else {
      try perform { machine throws(SendError) in try machine.send(frames, except: parts) }
      return bufferedBytes
    }
    try machine.count(frames.totals)
    if machine.output.readableBytes > 0 { flush() }
    var bytes = frames.bytes
    transport.write(&bytes)
    return transport.bufferedBytes
  }

  private func lendOutput() {
    if machine.output.readableBytes == 0 { machine.output = resources.takeOutput() }
  }

  /// Writes the output, in one write, and applies the machine's demand to the transport.
  package func flush() {
    guard let transport else { return }
    // Taken out first: the write can change writability, which calls this function again.
    var output = ByteBuffer()
    swap(&output, &machine.output)
    if output.readableBytes > 0 {
      transport.write(&output)
    }
    resources.giveOutput(output)
    if machine.demand != applied { apply(machine.demand, transport) }
  }

  /// Stops or resumes reading: backpressure for a consumer that cannot keep up with its peer.
  package func setReading(_ reads: Bool) {
    self.reads = reads
    transport?.setReading(reads && !isReadingPaused)
  }

  /// Stops reading whatever the consumer wants, or resumes it if the consumer wants to read:
  /// backpressure for what all connections of an owner feed. A connection that is ending is read
  /// to its end.
  package func pauseReading(_ isPaused: Bool) {
    guard applied == .keepOpen else { return }
    isReadingPaused = isPaused
    setReading(reads)
  }

  /// Ends our direction of the transport once everything is written, without a Close frame.
  package func closeOutput() { transport?.closeOutput() }

  /// Ends the transport at once with a TCP reset.
  package func reset() {
    end = .abandoned
    transport?.reset()
  }

  /// Ends the transport at once.
  ///
  /// - Parameter end: reported in the outcome if the closing handshake was not completed.
  package func abandon(_ end: TransportEnd = .abandoned) {
    self.end = end
    transport?.close()
  }

  // MARK: For the transport

  /// The first call; `receive` may follow.
  func start(_ transport: any ConnectionTransport) {
    self.transport = consumer.carried(by: transport)
    consumer.opened(self)
  }

  /// Handles received bytes. They are unmasked in place: nothing else may read them, and they must
  /// not move until this returns. `burstEnded()` follows.
  func receive(_ bytes: UnsafeMutableRawBufferPointer) {
    lendOutput()
    var window = ByteWindow(bytes)
    consumer.drain(&window, through: &machine)
  }

  /// Nothing more can be read for now.
  func burstEnded() {
    consumer.burstEnded(&machine)
    flush()
  }

  func writabilityChanged(_ isWritable: Bool) {
    machine.isOutputBlocked = !isWritable
    consumer.writabilityChanged(isWritable)
    if isWritable { flush() }
  }

  /// The byte stream has failed; the first cause is kept. `ended()` follows.
  func failed(errno: Int32) {
    if end == .endOfStream { end = .reset(errno: errno) }
  }

  /// The transport is gone. This is the last call.
  func ended() {
    timer?.cancel()
    timer = nil
    transport = nil
    consumer.closed(machine.outcome(end))
  }

  // MARK: Ending

  private func apply(_ demand: TransportDemand, _ transport: any ConnectionTransport) {
    applied = demand
    timer?.cancel()
    switch demand {
    case .keepOpen:
      return
    case .awaitClose:
      closeAfter(closeTimeout, as: .timedOut(.closingHandshake), transport)
    case .awaitEnd:
      closeAfter(min(closeTimeout, Self.lingerTimeout), as: end, transport)
    case .closeOutput:
      closeAfter(min(closeTimeout, Self.lingerTimeout), as: end, transport)
      transport.closeOutput()
    }
    // Resume reading, or the end of the peer's stream would not be seen.
    isReadingPaused = false
    setReading(true)
  }

  private func closeAfter(
    _ delay: TimeAmount, as end: TransportEnd, _ transport: any ConnectionTransport
  ) {
    timer = transport.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
      self?.abandon(end)
    }
  }
}
