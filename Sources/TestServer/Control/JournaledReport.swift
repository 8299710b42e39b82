import NIOCore

/// Where the events of one event loop go if there is a journal: all of them into it, whole, and what the log is to show
/// of them to the log. Used on its loop only.
final class JournaledReport {
  private let journal: Journal
  private let capture: Capture
  private let budget: LogBudget
  private let report: @Sendable (ServerEvent) -> Void

  /// - Parameters:
  ///   - journal: Receives every event.
  ///   - capture: What the log shows.
  ///   - loop: The loop of the events.
  ///   - report: Receives what the log shows.
  init(
    _ journal: Journal, _ capture: Capture, on loop: any EventLoop,
    report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    (self.journal, self.capture, self.report) = (journal, capture, report)
    budget = LogBudget(capture, on: loop, report: report)
  }

  func add(_ event: ServerEvent) {
    journal.add(event)
    switch event {
    case .message(let client, let message):
      if shows(message) { budget.log(.message(client: client, message.cut(capture))) }
    case .published(let publication, let message, let delivered):
      budget.log(.published(publication, message.cut(capture), delivered: delivered))
    case .sent(let client, let message):
      guard capture.includesSent, shows(message) else { return }
      report(.sent(client: client, message.cut(capture)))
    case .ping, .pong: if capture.includesPings { report(event) }
    default: report(event)
    }
  }

  private func shows(_ message: MessageSummary) -> Bool {
    guard let filter = capture.filter else { return true }
    return message.preview.withUnsafeBytes { filter(message.kind, $0) }
  }
}

extension MessageSummary {
  /// With as much of the payload as a capture has.
  fileprivate func cut(_ capture: Capture) -> MessageSummary {
    guard preview.count > capture.maxPayload else { return self }
    var summary = self
    summary.preview = Array(preview.prefix(capture.maxPayload))
    return summary
  }
}
