import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Sends every message to all clients, on whichever loop they live: to the others only, or to the
/// sender too.
final class Broadcast: ConnectionConsumer {
  /// The loops of the server, each with its members.
  struct Audience: Sendable {
    var stations: [NIOLoopBound<Station>]
    var includesSender: Bool
    /// Bytes that may wait for one client.
    var queueLimit: Int
  }

  private let record: ClientRecord
  private let target: String
  private let subprotocol: String?
  private let station: Station
  private let audience: Audience
  private var handler: ConnectionHandler?

  init(
    _ record: ClientRecord, station: Station, audience: Audience, target: String,
    subprotocol: String?
  ) {
    self.record = record
    self.station = station
    self.audience = audience
    self.target = target
    self.subprotocol = subprotocol
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    record.opened(handler, target: target, subprotocol: subprotocol)
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    record.received(kind, payload)
    if audience.includesSender { try? machine.send(kind, payload) }
    station.deliver(kind, payload, except: handler, queueLimit: audience.queueLimit)
    guard audience.stations.count > 1 else { return }
    let copy = ByteBuffer(bytes: payload)
    for other in audience.stations where other.eventLoop !== station.loop {
      other.eventLoop.execute { [audience] in
        copy.withUnsafeReadableBytes {
          other.value.deliver(kind, $0, except: nil, queueLimit: audience.queueLimit)
        }
        other.value.flush()
      }
    }
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    station.flush()
  }

  func writabilityChanged(_ isWritable: Bool) {
    // Its own reading is not stopped: what it says goes to the others.
  }

  func closed(_ outcome: CloseOutcome) {
    guard let handler else { return }
    record.closed(handler, outcome)
    self.handler = nil
  }
}
