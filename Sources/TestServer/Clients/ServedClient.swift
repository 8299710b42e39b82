import Glibc
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// One client, as the behaviours see it: its number, its connection, and what is logged of it. Used on its
/// event loop only.
final class ServedClient {
  let number: Int
  let info: ClientInfo
  let registry: ClientRegistry
  /// nil before the connection opens and after it ends.
  private(set) var handler: ConnectionHandler?
  /// What messages to the client go through; nil sends them at once. Set from the opening to the end.
  var outlet: (any MessageOutlet)?
  /// Set if the client receives an event stream.
  var events: EventStream?
  private let slot: ClientSlot
  private let openedAt = NIODeadline.now()
  private var lastActivity = CoarseClock.now()
  private let budget: LogBudget

  init(_ number: Int, _ info: ClientInfo, slot: ClientSlot, registry: ClientRegistry) {
    self.number = number
    self.info = info
    self.slot = slot
    self.registry = registry
    budget = registry.budget
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    registry.report(.opened(client: number, from: handler.remoteAddress, info))
    for fault in info.faults { registry.report(.fault(client: number, fault)) }
    registry.add(handler)
  }

  /// Logs a message, if the budget allows.
  @inline(__always)
  func received(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer) {
    budget.log(number, kind, payload)
  }

  /// Logs a message with what became of it, if the budget allows.
  func received(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer, note: String) {
    budget.log(number, kind, payload, note: note)
  }

  /// Reports a message that was sent to this client.
  func sent(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer, note: String?) {
    var summary = MessageSummary(kind, payload)
    summary.note = note
    registry.report(.sent(client: number, summary))
  }

  /// Whether messages are only counted for now, and their contents are not looked at.
  var isOnlyCounting: Bool { budget.isSpent }

  /// Counts messages that came while `isOnlyCounting`.
  @inline(__always)
  func received(_ messages: Int) { budget.count(messages) }

  /// Something has come, a message or not.
  @inline(never)
  func noteActivity() { noteActivityInPlace() }

  /// `noteActivity` for the fast path. Where several behaviours had this in place, the optimiser would merge
  /// them into one function that is called through another: 22 instructions for each read.
  @inline(__always)
  func noteActivityInPlace() { lastActivity = CoarseClock.now() }

  /// Sends a message to this client, through its outlet if it has one. After a Close nothing is sent.
  @inline(__always)
  func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    if let outlet {
      outlet.send(kind, payload, &machine)
    } else {
      try? machine.send(kind, payload)
    }
  }

  func closed(_ outcome: CloseOutcome) {
    guard let handler else { return }
    registry.remove(handler)
    let now = NIODeadline.now()
    registry.report(
      .closed(
        client: number,
        ClientSummary(
          outcome: outcome, subprotocol: info.subprotocol, traffic: handler.traffic,
          duration: now - openedAt,
          idle: .nanoseconds(max(0, CoarseClock.now() &- lastActivity)))))
    self.handler = nil
    outlet = nil
    events = nil
  }
}

/// What the messages to a client go through if they do not go out at once, or not as they are.
protocol MessageOutlet: AnyObject {
  /// Bytes of messages that wait here.
  var waitingBytes: Int { get }
  /// Takes a message for the client, whose machine this is.
  func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine)
}

/// The monotonic clock as the kernel has last set it, some milliseconds ago: reading it costs a tenth of
/// what an exact one does, and every message of every client reads it.
private enum CoarseClock {
  /// In nanoseconds.
  @inline(__always)
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
