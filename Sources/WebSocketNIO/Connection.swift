package import NIOCore
import NIOHTTP1
package import WebSocketProtocol

/// An event of a connection, for its session. `time` is on the monotonic clock of `NIODeadline`.
package enum ConnectionEvent: Sendable {
  /// `wire` is the size of the message on the wire in bytes, frame headers included.
  case message(MessageKind, ByteBuffer, wire: Int, time: NIODeadline)
  case ping(ByteBuffer, time: NIODeadline)
  case pong(ByteBuffer, time: NIODeadline)
  /// A ping of `KeepAlive` was sent.
  case pinged(ByteBuffer, time: NIODeadline)
  case close(CloseFrame)
  case violation(ProtocolViolation)
  /// A frame on the wire, if the configuration asks for frames. It precedes the event that it
  /// causes.
  case frame(FrameHeader, isIncoming: Bool, time: NIODeadline)
  /// Counts of oddities in the peer's frames, if the configuration asks for them; once, before the
  /// end.
  case linted([Oddity: Int])
  /// The last event.
  case ended(CloseOutcome, Traffic, CompressionTraffic?)
}

/// Counters of a connection so far.
package struct ConnectionCounters: Sendable {
  /// Messages, frames and bytes in both directions.
  package var traffic = Traffic()
  /// Bytes before and after compression; nil without compression.
  package var compression: CompressionTraffic?
  /// Bytes that were sent but that the kernel has not accepted yet.
  package var queued = 0

  package init() {}
}

/// A message to be sent.
package struct OutgoingMessage: Sendable, Hashable {
  package var kind: MessageKind
  package var payload: [UInt8]

  package init(_ kind: MessageKind, _ payload: [UInt8]) {
    self.kind = kind
    self.payload = payload
  }
}

/// A client connection for sessions, which run outside the event loop: the only boundary between
/// futures and `async`. Load tests and servers do not use it; they stay on the loop.
package final class Connection: Sendable {
  package typealias Events = NIOAsyncSequenceProducer<
    [ConnectionEvent], NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark,
    ReadingControl
  >

  /// The events, one burst at a time. A session that does not iterate slows the peer down: at most
  /// eight bursts are buffered, and then nothing more is read from the socket. To be iterated once.
  package let events: Events
  /// The result of the handshake.
  package let info: HandshakeInfo
  private let consumer: NIOLoopBound<SessionConsumer>

  private init(_ events: Events, _ info: HandshakeInfo, _ consumer: NIOLoopBound<SessionConsumer>) {
    self.events = events
    self.info = info
    self.consumer = consumer
  }

  /// How the connection reacts to a message, in addition to reporting it.
  package enum Reaction: Sendable {
    case none
    /// The message is sent back at once, before the data after it is processed.
    case echo
  }

  /// Resolves the name, connects and performs the handshakes, all within the open timeout. Follows
  /// redirects if the policy allows it.
  ///
  /// - Throws: `ConnectError`, for the URL of the last redirect that was followed.
  package static func open(
    _ configuration: ClientConfiguration, reaction: Reaction = .none, on loop: any EventLoop
  ) async throws -> Connection {
    let limit = configuration.openTimeout
    let deadline = NIODeadline.now() + limit
    var configuration = configuration
    var hops = 0
    while true {
      let cookies = configuration.cookies
      do {
        configuration.openTimeout = max(deadline - .now(), .milliseconds(1))
        let connection = try await openOnce(configuration.withCookies, reaction, on: loop)
        cookies?.take(connection.info.headers, from: configuration.url)
        return connection
      } catch ConnectError.refused(let refusal) {
        cookies?.take(refusal.head.headers, from: configuration.url)
        configuration = try configuration.followed(refusal, hops)
        hops += 1
      } catch ConnectError.timedOut(let phase, let after, let attempts) {
        // Report the timeout that the user set, which covers all redirects together.
        let isConnect = after == configuration.connectTimeout
        throw ConnectError.timedOut(phase, after: isConnect ? after : limit, attempts: attempts)
      }
    }
  }

  private static func openOnce(
    _ configuration: ClientConfiguration, _ reaction: Reaction, on loop: any EventLoop
  ) async throws -> Connection {
    let began = NIODeadline.now()
    let known = try Resolver.knownRoute(of: configuration)
    let route = if let known { known } else { try await lookUp(configuration) }
    let resolved = NIODeadline.now() - began
    var configuration = configuration
    let limits = (open: configuration.openTimeout, connect: configuration.connectTimeout)
    configuration.openTimeout = max(limits.open - resolved, .milliseconds(1))
    configuration.connectTimeout = limits.connect.map { max($0 - resolved, .milliseconds(1)) }
    let control = ReadingControl(on: loop)
    let sequence = Events.makeSequence(
      elementType: [ConnectionEvent].self,
      backPressureStrategy: .init(lowWatermark: 2, highWatermark: 8), finishOnDeinit: false,
      delegate: control)
    let source = sequence.source
    let keepAlive = configuration.keepAlive
    let consumer = try await loop.submit {
      NIOLoopBound(
        SessionConsumer(source, control, reaction, keepAlive), eventLoop: loop)
    }.get()
    do {
      var info = try await Client.open(configuration, route: route, on: loop) { _ in
        consumer.value
      }.get()
      if known == nil { info.timings.resolve = resolved.nanoseconds }
      return Connection(sequence.sequence, info, consumer)
    } catch {
      source.finish()
      if case ConnectError.timedOut(let phase, let limit, let attempts) = error {
        // The timeout that is reported includes the time of the name look-up.
        let isConnect = limit == configuration.connectTimeout
        throw ConnectError.timedOut(
          phase, after: isConnect ? limits.connect ?? limits.open : limits.open, attempts: attempts)
      }
      throw error
    }
  }

  /// Looks up the addresses; a lookup that takes too long is abandoned.
  private static func lookUp(
    _ configuration: ClientConfiguration
  ) async throws -> ResolvedRoute {
    let limit = min(
      configuration.openTimeout, configuration.connectTimeout ?? configuration.openTimeout)
    configuration.phaseChanged?(.resolve)
    return try await withThrowingTaskGroup(of: ResolvedRoute.self) { group in
      group.addTask { try await Resolver.route(of: configuration) }
      group.addTask {
        try await Task.sleep(for: .nanoseconds(limit.nanoseconds))
        throw ConnectError.timedOut(.resolve, after: limit)
      }
      defer { group.cancelAll() }
      return try await group.next() ?? ResolvedRoute(addresses: [])
    }
  }

  /// Sends messages in order, in one write, and returns when the transport can take more. This is
  /// the backpressure for a source that is faster than the peer.
  ///
  /// - Throws: `SendError.closing` when the connection is closing; the messages are not sent.
  package func send(_ messages: [OutgoingMessage]) async throws {
    try await onLoop { consumer, done in consumer.send(messages, done) }
  }

  /// Sends messages in order and returns as soon as they are in the queue, whether or not the peer
  /// reads. This is for messages that the user types, which are too slow to need backpressure.
  ///
  /// - Throws: `SendError.closing`, as `send` does.
  package func enqueue(_ messages: [OutgoingMessage]) async throws {
    try await onLoop { consumer, done in
      consumer.perform(done) { machine throws(SendError) in
        for message in messages { try machine.send(message.kind, message.payload) }
      }
    }
  }

  /// The counters of the connection so far; the final ones once it is closed.
  package func counters() async -> ConnectionCounters {
    let counters = consumer.eventLoop.submit { [consumer] in consumer.value.counters }
    return (try? await counters.get()) ?? ConnectionCounters()
  }

  /// Sends a ping.
  ///
  /// - Throws: `SendError`.
  package func ping(_ payload: [UInt8]) async throws {
    try await onLoop { consumer, done in
      consumer.perform(done) { machine throws(SendError) in
        try machine.sendPing(payload)
      }
    }
  }

  /// Sends an unsolicited pong.
  ///
  /// - Throws: `SendError`.
  package func pong(_ payload: [UInt8]) async throws {
    try await onLoop { consumer, done in
      consumer.perform(done) { machine throws(SendError) in
        try machine.sendPong(payload)
      }
    }
  }

  /// Starts the closing handshake; the events end when it is over. Does nothing if the connection
  /// is already closing.
  package func close(_ frame: CloseFrame) async {
    try? await onLoop { consumer, done in
      consumer.perform(done) { machine throws(SendError) in try machine.sendClose(frame) }
    }
  }

  /// Ends the transport at once, without a closing handshake.
  package func abandon() {
    consumer.eventLoop.execute { [consumer] in consumer.value.handler?.abandon() }
  }

  private func onLoop(
    _ body: @escaping @Sendable (SessionConsumer, EventLoopPromise<Void>) -> Void
  ) async throws {
    let done = consumer.eventLoop.makePromise(of: Void.self)
    consumer.eventLoop.execute { [consumer] in body(consumer.value, done) }
    try await done.futureResult.get()
  }
}

/// Maps the demand of the event sequence to starting and stopping reads.
package final class ReadingControl: NIOAsyncSequenceProducerDelegate, Sendable {
  private let loop: any EventLoop
  private let consumer: NIOLoopBoundBox<SessionConsumer?>

  init(on loop: any EventLoop) {
    self.loop = loop
    consumer = NIOLoopBoundBox.makeEmptyBox(eventLoop: loop)
  }

  func attach(_ consumer: SessionConsumer?) {
    self.consumer.value = consumer
  }

  package func produceMore() {
    loop.execute { self.consumer.value?.resumeReading() }
  }

  package func didTerminate() {
    loop.execute { self.consumer.value?.handler?.setReading(true) }
  }
}

/// The consumer of a `Connection`; used on the event loop.
final class SessionConsumer: ConnectionConsumer {
  private(set) var handler: ConnectionHandler?
  private let source: Connection.Events.Source
  private let control: ReadingControl
  private let reaction: Connection.Reaction
  private let keepAlive: KeepAlive?
  private var peerWatch: PeerWatch?
  private var lastCounters = ConnectionCounters()
  fileprivate var burst: [ConnectionEvent] = []
  /// The oddities so far; nil if they are not counted.
  private var oddities: [Oddity: Int]?
  private var now = NIODeadline.now()
  private var isNewBurst = true
  private var waiting: [EventLoopPromise<Void>] = []

  init(
    _ source: Connection.Events.Source, _ control: ReadingControl, _ reaction: Connection.Reaction,
    _ keepAlive: KeepAlive?
  ) {
    self.keepAlive = keepAlive
    self.source = source
    self.control = control
    self.reaction = reaction
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    control.attach(self)
    if let keepAlive {
      peerWatch = PeerWatch(keepAlive, handler) { [weak self] payload in
        self?.tell(.pinged(ByteBuffer(bytes: payload), time: .now()))
      }
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    // This fails only after a Close was sent; then nothing is echoed.
    if case .echo = reaction { try? machine.send(kind, payload) }
    burst.append(
      .message(kind, ByteBuffer(bytes: payload), wire: machine.messageWire, time: stamp()))
  }

  func received(control step: Step, _ machine: inout ConnectionMachine) {
    switch step {
    case .ping(let payload): burst.append(.ping(ByteBuffer(bytes: payload), time: stamp()))
    case .pong(let payload):
      peerWatch?.heardPong()
      burst.append(.pong(ByteBuffer(bytes: payload), time: stamp()))
    case .close(let frame): burst.append(.close(frame))
    case .violation(let violation): burst.append(.violation(violation))
    case .message: break
    }
  }

  /// One timestamp for everything that one read brought.
  private func stamp() -> NIODeadline {
    if isNewBurst {
      now = .now()
      isNewBurst = false
    }
    return now
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    isNewBurst = true
    guard !burst.isEmpty else { return }
    let events = burst
    burst.removeAll(keepingCapacity: true)
    if case .stopProducing = source.yield(contentsOf: [events]), machine.isOpen {
      peerWatch?.isListening = false
      handler?.setReading(false)
    }
  }

  /// The reader of the events has caught up.
  func resumeReading() {
    peerWatch?.isListening = true
    handler?.setReading(true)
  }

  var counters: ConnectionCounters {
    guard let handler else { return lastCounters }
    var counters = ConnectionCounters()
    counters.traffic = handler.traffic
    counters.compression = handler.compressionTraffic
    counters.queued = handler.bufferedBytes
    return counters
  }

  func writabilityChanged(_ isWritable: Bool) {
    if isWritable { succeedWaiting() }
    // If the peer does not read its echoes, nothing more is read from it.
    if case .echo = reaction { handler?.setReading(isWritable) }
  }

  func closed(_ outcome: CloseOutcome) {
    succeedWaiting()
    peerWatch?.stop()
    lastCounters = counters
    let traffic = handler?.traffic ?? Traffic()
    let compression = handler?.compressionTraffic
    handler = nil
    control.attach(nil)
    if let oddities { burst.append(.linted(oddities)) }
    _ = source.yield(contentsOf: [burst + [.ended(outcome, traffic, compression)]])
    burst = []
    source.finish()
  }

  func send(_ messages: [OutgoingMessage], _ done: EventLoopPromise<Void>) {
    guard let handler else {
      done.fail(SendError.closing)
      return
    }
    do throws(SendError) {
      try handler.perform { machine throws(SendError) in
        for message in messages {
          try machine.send(message.kind, message.payload)
        }
      }
    } catch {
      done.fail(error)
      return
    }
    // A write that fails ends the connection before it returns; `closed` has then been called.
    if self.handler == nil || handler.isWritable || !handler.isOpen {
      done.succeed()
    } else {
      waiting.append(done)
    }
  }

  func perform(
    _ done: EventLoopPromise<Void>,
    _ body: (inout ConnectionMachine) throws(SendError) -> Void
  ) {
    guard let handler else {
      done.fail(SendError.closing)
      return
    }
    do throws(SendError) {
      try handler.perform(body)
      done.succeed()
    } catch {
      done.fail(error)
    }
  }

  /// Reports a local event at once, because there may be no further burst.
  fileprivate func tell(_ event: ConnectionEvent) {
    _ = source.yield(contentsOf: [[event]])
  }

  private func succeedWaiting() {
    let promises = waiting
    waiting = []
    for promise in promises { promise.succeed() }
  }
}

extension SessionConsumer: FrameObserver {
  func linted(_ counts: [Oddity: Int]) { oddities = counts }

  func observed(_ header: FrameHeader, isIncoming: Bool) {
    let event = ConnectionEvent.frame(header, isIncoming: isIncoming, time: .now())
    if isIncoming { burst.append(event) } else { tell(event) }
  }
}
