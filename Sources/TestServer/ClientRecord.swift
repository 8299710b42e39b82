import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// A connection of the server, as its behaviours see it: a number, and what is told of it.
final class ClientRecord {
  private let admission: Admission
  private let began = NIODeadline.now()
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

  func closed(_ handler: ConnectionHandler, _ outcome: CloseOutcome) {
    station.leave(handler)
    station.report(
      .closed(
        client: admission.number, outcome, handler.traffic, duration: NIODeadline.now() - began))
  }
}
