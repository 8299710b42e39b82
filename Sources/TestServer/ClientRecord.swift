import Glibc
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// A connection of the server, as its behaviours see it: a number, and what is told of it.
final class ClientRecord {
  private let admission: Admission
  private let began = NIODeadline.now()
  private var lastHeard = CoarseClock.now()
  private let station: Station
  private let budget: MessageBudget

  init(_ admission: Admission, station: Station) {
    self.admission = admission
    self.station = station
    budget = station.budget
  }

  func opened(_ handler: ConnectionHandler, _ arrival: Arrival) {
    station.enter(handler)
    station.report(.opened(client: admission.number, from: handler.remoteAddress, arrival))
  }

  @inline(__always)
  func received(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer) {
    budget.tell(admission.number, kind, payload)
  }

  /// Whether messages are only counted for now, and nobody asks what is in them.
  var isOnlyCounting: Bool { budget.isSpent }

  /// Messages that came while they are only counted.
  @inline(__always)
  func received(_ messages: Int) { budget.count(messages) }

  /// Something has come, a message or not.
  @inline(__always)
  func heard() { lastHeard = CoarseClock.now() }

  func closed(_ handler: ConnectionHandler, _ outcome: CloseOutcome, _ arrival: Arrival) {
    station.leave(handler)
    let now = NIODeadline.now()
    station.report(
      .closed(
        client: admission.number,
        Departure(
          outcome: outcome, subprotocol: arrival.subprotocol, traffic: handler.traffic,
          duration: now - began, idle: .nanoseconds(max(0, CoarseClock.now() &- lastHeard)))))
  }
}

/// The monotonic clock as the kernel has last set it, some milliseconds ago: a look at it costs a tenth of
/// what an exact one does, and every message of every client has one.
private enum CoarseClock {
  /// In nanoseconds.
  @inline(__always)
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
