package import WebSocketProtocol

/// Who a connection belongs to: an echo, a probe of `bench`, a session. All calls come on the
/// connection's event loop.
///
/// While `received` and `burstEnded` run, the machine is lent out: replies go through it, never
/// through the handler. What has been put into its output is written once the burst is over.
package protocol ConnectionConsumer: AnyObject {
  /// The first call: returns `transport`, or something that the owner puts between the connection and it.
  func carried(by transport: any ConnectionTransport) -> any ConnectionTransport
  /// The handshake is done; nothing has been received yet.
  func opened(_ handler: ConnectionHandler)
  /// A message, whole and valid. The payload is gone when this returns.
  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine)
  /// A ping, a pong, a Close or a violation; never a message.
  func received(control step: Step, _ machine: inout ConnectionMachine)
  /// All that one read brought has been handled.
  func burstEnded(_ machine: inout ConnectionMachine)
  /// The transport takes more, or takes no more for now.
  func writabilityChanged(_ isWritable: Bool)
  /// The transport is gone; no call follows this one.
  func closed(_ outcome: CloseOutcome)

  /// Feeds a window through the machine. It is a requirement so that each consumer has its own specialised
  /// copy, and a read costs one dynamic call, not one for each message in it; an echo has a shorter way.
  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine)
}

extension ConnectionConsumer {
  @inlinable
  package func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    while step(&window, &machine) {}
  }

  /// One step of `drain`.
  ///
  /// - Returns: Whether there was one: if not, the window is used up.
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
