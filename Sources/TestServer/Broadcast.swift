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
  private let arrival: Arrival
  private let station: Station
  private let audience: Audience
  private var handler: ConnectionHandler?
  /// Of this burst, for the clients of other loops.
  private var forOtherLoops: [(kind: MessageKind, payload: ByteBuffer)] = []
  /// Handed to other loops and not written there yet.
  private var bytesUnderWay = 0

  private static let mostUnderWay = 1024 * 1024

  init(_ record: ClientRecord, _ arrival: Arrival, station: Station, audience: Audience) {
    self.record = record
    self.arrival = arrival
    self.station = station
    self.audience = audience
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    record.opened(handler, arrival)
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    record.received(kind, payload)
    if audience.includesSender { try? machine.send(kind, payload) }
    station.deliver(kind, payload, except: handler, queueLimit: audience.queueLimit)
    if audience.stations.count > 1 { forOtherLoops.append((kind, ByteBuffer(bytes: payload))) }
  }

  func burstEnded(_ machine: inout ConnectionMachine) {
    record.heard()
    let isBehind = station.flush()
    passOn()
    if let handler, isBehind || bytesUnderWay > Self.mostUnderWay { station.holdBack(handler) }
  }

  /// Hands the burst to the other loops, which say when they have written it.
  private func passOn() {
    guard !forOtherLoops.isEmpty, let handler else { return }
    var burst: [(kind: MessageKind, payload: ByteBuffer)] = []
    swap(&burst, &forOtherLoops)
    let size = burst.reduce(0) { $0 + $1.payload.readableBytes }
    let home = NIOLoopBound((broadcast: self, sender: handler), eventLoop: station.loop)
    for other in audience.stations where other.eventLoop !== station.loop {
      bytesUnderWay += size
      other.eventLoop.execute { [burst, audience] in
        let station = other.value
        for message in burst {
          message.payload.withUnsafeReadableBytes {
            station.deliver(message.kind, $0, except: nil, queueLimit: audience.queueLimit)
          }
        }
        let isBehind = station.flush()
        home.eventLoop.execute {
          let (broadcast, sender) = home.value
          broadcast.bytesUnderWay -= size
          if isBehind { broadcast.station.holdBack(sender) }
        }
      }
    }
  }

  func writabilityChanged(_ isWritable: Bool) {
    // Its own reading is not stopped: what it says goes to the others. They are no longer behind for it.
    if isWritable { station.letGo() }
  }

  func closed(_ outcome: CloseOutcome) {
    guard let handler else { return }
    record.closed(handler, outcome, arrival)
    self.handler = nil
  }
}
