package import WebSocketProtocol

/// The owner of a connection: an echo, a connection of a load test, a session. All calls are made
/// on the event loop of the connection.
///
/// While `received` and `burstEnded` run, the consumer borrows the machine: it must send replies
/// through the machine, never through the handler. The output is written when the burst is over.
package protocol ConnectionConsumer: AnyObject {
  /// The first call. Returns `transport`, or a wrapper to be used in its place.
  func carried(by transport: any ConnectionTransport) -> any ConnectionTransport
  /// The handshake is done; nothing has been received yet.
  func opened(_ handler: ConnectionHandler)
  /// A complete and valid message. The payload is valid only until this returns.
  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine)
  /// A ping, a pong, a Close or a violation; never a message.
  func received(control step: Step, _ machine: inout ConnectionMachine)
  /// Everything that one read brought has been handled.
  func burstEnded(_ machine: inout ConnectionMachine)
  /// The transport can take more, or cannot for now.
  func writabilityChanged(_ isWritable: Bool)
  /// The transport is gone; no further calls follow.
  func closed(_ outcome: CloseOutcome)

  /// Feeds a window through the machine. Because this is a protocol requirement, each consumer has
  /// a specialised copy, and a read costs one dynamic call, not one per message. An echo has a
  /// faster implementation.
  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine)
}

extension ConnectionConsumer {
  @inlinable
  package func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    while step(&window, &machine) {}
  }

  /// One step of `drain`.
  ///
  /// - Returns: Whether a step was made; if not, the window is used up.
  @inlinable @inline(__always)
  package func step(
    _ window: inout ByteWindow, _ machine: inout ConnectionMachine
  ) -> Bool {
    guard let step = machine.next(&window) else { return false }
    if case .message(let kind, let payload) = step {
      received(kind, payload, &machine)
    } else {
      received(control: step, &machine)
    }
    return true
  }

  package func carried(by transport: any ConnectionTransport) -> any ConnectionTransport {
    transport
  }
  package func received(control step: Step, _ machine: inout ConnectionMachine) {}
  package func burstEnded(_ machine: inout ConnectionMachine) {}
  package func writabilityChanged(_ isWritable: Bool) {}
}
