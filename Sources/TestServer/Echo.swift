import WebSocketNIO
import WebSocketProtocol

/// Sends every message back to where it came from.
final class Echo: ConnectionConsumer {
  private let record: ClientRecord
  private let arrival: Arrival
  private var handler: ConnectionHandler?

  init(_ record: ClientRecord, _ arrival: Arrival) {
    self.record = record
    self.arrival = arrival
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    record.opened(handler, arrival)
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    record.received(kind, payload)
    // Behind a Close of ours nothing is echoed.
    try? machine.send(kind, payload)
  }

  /// Most messages go the short way; the others, and those that are told of, one by one.
  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    repeat {
      if record.isOnlyCounting { record.received(machine.echo(&window)) }
    } while step(&window, &machine)
  }

  func burstEnded(_ machine: inout ConnectionMachine) { record.heard() }

  /// A client that does not read its echoes is not read from either.
  func writabilityChanged(_ isWritable: Bool) {
    handler?.setReading(isWritable)
  }

  func closed(_ outcome: CloseOutcome) {
    guard let handler else { return }
    record.closed(handler, outcome, arrival)
    self.handler = nil
  }
}
