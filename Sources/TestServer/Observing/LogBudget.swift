import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Limits how many messages of one event loop are logged individually. Under load, the server would
/// spend all its time on log lines, so there is a budget per second, and the rest is only counted.
final class LogBudget {
  private let capture: Capture
  /// With a filter it is never spent: every message must be compared.
  private var left: Int
  /// Messages that matched the filter in this second.
  private var matched = 0
  private var suppressed: UInt64 = 0
  private var timer: Scheduled<Void>?
  private let loop: any EventLoop
  private let report: @Sendable (ServerEvent) -> Void

  init(
    _ capture: Capture, on loop: any EventLoop, report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.capture = capture
    left = Self.full(capture)
    self.loop = loop
    self.report = report
  }

  private static func full(_ capture: Capture) -> Int {
    capture.filter == nil || capture.messagesPerSecond == 0 ? capture.messagesPerSecond : .max
  }

  /// Logs a message if the budget allows, or else counts it.
  @inline(__always)
  func log(
    _ client: Int, _ kind: MessageKind, _ payload: UnsafeRawBufferPointer,
    note: MessageNote = .none
  ) {
    if left > 0 {
      spend(client, kind, payload, note)
    } else {
      suppressed &+= 1
    }
  }

  /// Whether messages are currently only counted.
  var isSpent: Bool { left == 0 }

  /// Logs an event of one message if the budget allows.
  func log(_ event: ServerEvent) {
    guard left > 0 else { return count(1) }
    spend(event)
  }

  /// Counts messages while the budget is spent.
  @inline(__always)
  func count(_ messages: Int) { suppressed &+= UInt64(messages) }

  @inline(never)
  private func spend(
    _ client: Int, _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ note: MessageNote
  ) {
    guard capture.filter?(kind, payload) ?? true else { return }
    spend(.message(client: client, MessageSummary(kind, payload, capture, note)))
  }

  private func spend(_ event: ServerEvent) {
    if capture.filter == nil {
      left -= 1
      report(event)
    } else if matched < capture.messagesPerSecond {
      matched += 1
      report(event)
    } else {
      suppressed &+= 1
    }
    guard timer == nil else { return }
    timer = loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.renew() }
  }

  /// Renews the budget. Runs once a second while there is traffic, and not at all without traffic.
  private func renew() {
    timer = nil
    let isUsed = left < capture.messagesPerSecond || matched > 0 || suppressed > 0
    left = Self.full(capture)
    matched = 0
    if suppressed > 0 { report(.more(messages: suppressed)) }
    suppressed = 0
    guard isUsed else { return }
    timer = loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.renew() }
  }
}
