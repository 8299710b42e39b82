import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Limits how many messages of one event loop are logged individually. Under load, the server would
/// spend all its time on log lines, so there is a budget per second, and the rest is only counted.
final class LogBudget {
  private let perSecond: Int
  private var left: Int
  private var suppressed: UInt64 = 0
  private var timer: Scheduled<Void>?
  private let loop: any EventLoop
  private let report: @Sendable (ServerEvent) -> Void

  init(
    perSecond: Int, on loop: any EventLoop, report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.perSecond = perSecond
    left = perSecond
    self.loop = loop
    self.report = report
  }

  /// Logs a message if the budget allows, or else counts it.
  @inline(__always)
  func log(
    _ client: Int, _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, note: String? = nil
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
    _ client: Int, _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ note: String?
  ) {
    var summary = MessageSummary(kind, payload)
    summary.note = note
    spend(.message(client: client, summary))
  }

  private func spend(_ event: ServerEvent) {
    left -= 1
    report(event)
    guard timer == nil else { return }
    timer = loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.renew() }
  }

  /// Renews the budget. Runs once a second while there is traffic, and not at all without traffic.
  private func renew() {
    timer = nil
    let spent = left < perSecond || suppressed > 0
    left = perSecond
    if suppressed > 0 { report(.more(messages: suppressed)) }
    suppressed = 0
    guard spent else { return }
    timer = loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.renew() }
  }
}
