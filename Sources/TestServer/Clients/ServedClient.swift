import Glibc
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// One client as behaviours see it: its number, its connection and its log. Used only on its event
/// loop.
final class ServedClient {
  let number: Int
  let info: ClientInfo
  let registry: ClientRegistry
  /// The open connection; nil before it opens and after it ends.
  private(set) var handler: ConnectionHandler?
  /// Handles messages to the client while the connection is open; nil sends them directly.
  var outlet: (any MessageOutlet)?
  /// The rule that is sending a message.
  var sendingRule: String?
  /// Reports of messages that were sent before `opened` was reported; nil after that.
  private var sentEarly: [ServerEvent]? = []
  /// Set if the client receives an event stream.
  var events: EventStream?
  private let slot: ClientSlot
  let openedAt = NIODeadline.now()
  private var lastActivity = CoarseClock.now()
  private var pingRate = PingRate()
  private let budget: LogBudget

  init(_ number: Int, _ info: ClientInfo, slot: ClientSlot, registry: ClientRegistry) {
    self.number = number
    self.info = info
    self.slot = slot
    self.registry = registry
    budget = registry.budget
  }

  /// - Parameters:
  ///   - handler: The connection.
  ///   - join: Makes the client a member of what it belongs to. It comes before the report: a reader of the log
  ///     may publish as soon as the client is open, and the client must receive that.
  func opened(_ handler: ConnectionHandler, joining join: () -> Void = {}) {
    self.handler = handler
    if outlet == nil, reportsSent { outlet = ReportingOutlet(for: self) }
    join()
    registry.report(.opened(client: number, from: handler.remoteAddress, info))
    for event in sentEarly ?? [] { registry.report(event) }
    sentEarly = nil
    for fault in info.faults { registry.report(.fault(client: number, fault)) }
    registry.add(self)
  }

  /// Logs a received message if the budget allows, or else counts it.
  @inline(__always)
  func received(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer) {
    budget.log(number, kind, payload)
  }

  /// As above, with a note on how the message was handled.
  func received(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer, note: MessageNote) {
    budget.log(number, kind, payload, note: note)
  }

  /// Reports a ping or a pong if they are captured, and once a flood of pings.
  func received(_ control: Step) {
    switch control {
    case .ping: registry.counters.pingsIn += 1
    case .pong: registry.counters.pongsIn += 1
    case .message, .close, .violation: break
    }
    if case .ping = control, pingRate.add(at: CoarseClock.now()) {
      registry.report(.pingFlood(client: number))
    }
    guard registry.capture.includesPings else { return }
    switch control {
    case .ping(let payload): registry.report(.ping(client: number, Array(payload)))
    case .pong(let payload): registry.report(.pong(client: number, Array(payload)))
    case .message, .close, .violation: break
    }
  }

  /// Whether messages to this client are reported.
  var reportsSent: Bool { registry.capture.includesSent }

  /// Reports a message that was sent to this client, if the capture includes it.
  func sent(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer, note: MessageNote) {
    let capture = registry.capture
    guard capture.includesSent, capture.filter?(kind, payload) ?? true else { return }
    let event = ServerEvent.sent(
      client: number, MessageSummary(kind, payload, capture, note))
    if sentEarly == nil { registry.report(event) } else { sentEarly?.append(event) }
  }

  /// Sends a ping to this client.
  ///
  /// - Returns: false if the connection is closing.
  @discardableResult
  func sendPing(_ payload: [UInt8], _ machine: inout ConnectionMachine) -> Bool {
    guard (try? machine.sendPing(payload)) != nil else { return false }
    registry.counters.pingsOut += 1
    return true
  }

  /// Whether messages are currently only counted, without a look at their contents.
  var isOnlyCounting: Bool { budget.isSpent }

  /// Counts messages received while `isOnlyCounting`.
  @inline(__always)
  func received(_ messages: Int) { budget.count(messages) }

  /// Notes that the client has sent something, whether a message or not.
  @inline(never)
  func noteActivity() { noteActivityInPlace() }

  /// `noteActivity`, inlined for the fast path. If several behaviours inlined it, the optimizer
  /// would merge them into one function behind a thunk, at 22 instructions per read.
  @inline(__always)
  func noteActivityInPlace() { lastActivity = CoarseClock.now() }

  /// Sends a message to this client, through its outlet if it has one. Sends nothing after a Close.
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
    registry.remove(self)
    let now = NIODeadline.now()
    registry.report(
      .closed(
        client: number,
        ClientSummary(
          outcome: outcome, subprotocol: info.subprotocol, isEventStream: info.isEventStream,
          traffic: handler.traffic,
          duration: now - openedAt,
          idle: .nanoseconds(max(0, CoarseClock.now() &- lastActivity)))))
    self.handler = nil
    outlet = nil
    events = nil
  }
}

/// Handles messages to a client that are delayed or changed before they are sent.
protocol MessageOutlet: AnyObject {
  /// Bytes of the messages that wait here.
  var waitingBytes: Int { get }
  /// Accepts a message for the client; `machine` is that of its connection.
  func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine)
}

/// Sends messages at once, and reports them.
private final class ReportingOutlet: MessageOutlet {
  // The client owns its outlet.
  private unowned let client: ServedClient

  init(for client: ServedClient) { self.client = client }

  var waitingBytes: Int { 0 }

  func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    guard (try? machine.send(kind, payload)) != nil else { return }
    client.sent(kind, payload, note: MessageNote(rule: client.sendingRule))
  }
}

/// The coarse monotonic clock of the kernel, accurate to a few milliseconds. It costs a tenth of
/// the exact clock, which matters because it is read in every burst of every client.
private enum CoarseClock {
  /// In nanoseconds.
  @inline(__always)
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
