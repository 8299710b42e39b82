import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// A client that receives server-sent events in place of WebSocket messages: a behaviour around that of a
/// WebSocket client of the same channel.
///
/// The connection keeps its machine, so that faults, queues and the end of the server are those of any
/// connection: messages are events when they enter the machine, and its frames are taken off when they
/// leave it (`EventStreamTransport`).
final class EventStream: Behaviour {
  let client: ServedClient
  private let inner: any Behaviour
  private let pingInterval: TimeAmount
  let form: EventStreamForm
  private var transport: EventStreamTransport?
  private var timer: Scheduled<Void>?
  /// Messages of a channel that does not number them.
  private var count: UInt64 = 0

  init(
    _ inner: any Behaviour, pingInterval: TimeAmount, form: EventStreamForm = .standard
  ) {
    self.form = form
    client = inner.client
    self.inner = inner
    self.pingInterval = pingInterval
  }

  func carried(by transport: any ConnectionTransport) -> any ConnectionTransport {
    let stream = EventStreamTransport(
      inner.carried(by: transport), isChunked: form == .compactChunks)
    self.transport = stream
    return stream
  }

  func opened(_ handler: ConnectionHandler) {
    client.events = self
    inner.opened(handler)
    schedulePing()
  }

  private func schedulePing() {
    timer = client.registry.loop.assumeIsolated().scheduleTask(in: pingInterval) { [weak self] in
      guard let self else { return }
      // A stream that is closing needs none.
      try? self.client.handler?.perform { machine throws(SendError) in
        self.client.sendPing([], &machine)
      }
      self.schedulePing()
    }
  }

  /// The number of the next message of a channel that does not number them.
  func nextNumber() -> UInt64 {
    count += 1
    return count
  }

  /// What follows a GET is not frames. It is discarded.
  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    _ = window.take(window.count)
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {}

  func writabilityChanged(_ isWritable: Bool) { inner.writabilityChanged(isWritable) }

  func closed(_ outcome: CloseOutcome) {
    timer?.cancel()
    timer = nil
    client.events = nil
    inner.closed(meaning(of: outcome))
    transport = nil
  }

  /// A stream has no Close of the client: that it disconnects is how it ends.
  private func meaning(of outcome: CloseOutcome) -> CloseOutcome {
    guard case .lost(let end) = outcome else { return outcome }
    if let frame = transport?.closeFrame { return .closed(frame: frame, by: .us) }
    return switch end {
    case .endOfStream, .reset: .closed(frame: CloseFrame(nil), by: .peer)
    default: outcome
    }
  }
}

extension ServedClient {
  /// Sends a message of a channel to this client.
  ///
  /// - Parameters:
  ///   - kind: Of the message.
  ///   - payload: The message.
  ///   - number: Its number in the channel, if it has one.
  ///   - machine: The machine of the client.
  func deliver(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, number: UInt64?,
    _ machine: inout ConnectionMachine
  ) {
    guard let events else { return send(kind, payload, &machine) }
    let event = EventStreamText.event(
      kind, payload, number: number, isCompact: events.form != .standard)
    event.withUnsafeReadableBytes { send(.text, $0, &machine) }
  }
}
