import Conversation
import NIOCore
import NIOHTTP1
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Determines the exit code of a conversation: from its course, the end of its connection, and the
/// expectations.
final class ConversationJudge: Sendable {
  private let configuration: ConversationConfiguration
  private let environment: RunEnvironment
  private let conversation: Mutex<Conversation>
  private let start = NIODeadline.now()
  private let opened = Mutex<NIODeadline?>(nil)

  private var context: CommandContext { environment.context }
  private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

  init(_ configuration: ConversationConfiguration, _ environment: RunEnvironment) {
    self.configuration = configuration
    self.environment = environment
    conversation = Mutex(
      Conversation(configuration.policy, expecting: configuration.expectations))
  }

  /// Whether a connection has been open.
  var hasOpened: Bool { opened.withLock { $0 != nil } }

  func withConversation<Result: Sendable>(
    _ body: (inout sending Conversation) -> sending Result
  ) -> Result { conversation.withLock(body) }

  func open(_ info: HandshakeInfo) {
    let now = NIODeadline.now()
    opened.withLock { $0 = $0 ?? now }
    conversation.withLock {
      $0.opened(
        status: Int(info.status.code), subprotocol: info.subprotocol,
        at: Int64(now.uptimeNanoseconds))
    }
  }

  /// Whether a refusal with this status is expected.
  func expects(_ error: ConnectError) -> Bool {
    guard case .refused(let refusal) = error else { return false }
    return configuration.expectations.contains(.status(Int(refusal.head.status.code)))
  }

  /// The exit code if the connection does not open, which may be what was expected.
  func failed(_ error: ConnectError, _ opening: OpeningConnection) -> ExitStatus {
    let isJudged = configuration.expectations.contains {
      if case .status = $0 { true } else { false }
    }
    guard case .refused(let refusal) = error, isJudged else {
      return concluded(
        opening.explain(error), failure: opening.diagnosis(of: error).cause)
    }
    let isExpected = conversation.withLock { conversation in
      conversation.refused(status: Int(refusal.head.status.code), at: Self.now)
      return conversation.results.contains(where: \.isMet)
    }
    if !isExpected { _ = opening.explain(error) }
    return concluded(.ok, failure: nil)
  }

  /// The exit code after the connection was closed or has ended by itself.
  ///
  /// - Parameters:
  ///   - outcome: how the connection ended.
  ///   - circumstances: further facts about the end.
  ///   - waited: the time in nanoseconds after which the wait for a reply timed out, if it did.
  ///   - isLeaving: whether we wanted the end.
  /// - Returns: the exit code.
  func ended(
    _ outcome: CloseOutcome, _ circumstances: CloseCircumstances, waited: Int64?, isLeaving: Bool
  ) -> ExitStatus {
    let status = judged(outcome, isLeaving: isLeaving)
    let isLost = if case .lost = outcome { true } else { false }
    // The first cause takes precedence: a peer that did not reply will not answer our Close either.
    if let waited, status == .ok || isLeaving && isLost {
      let timeout = "no reply within \(Figures.shortDuration(waited)) (--wait)"
      context.explain(Diagnosis(cause: timeout))
      if status != .ok { context.warn(CloseText.line(outcome, circumstances)) }
      return concluded(
        .timeout, failure: timeout, hangs: outcome == .lost(.timedOut(.closingHandshake)))
    }
    if isLeaving, status == .ok, let words = CloseText.unanswered(outcome) {
      context.inform(words)
    } else if status != .ok || environment.output.isVerbose {
      let words = CloseText.line(outcome, circumstances)
      if status == .ok { context.inform(words) } else { context.warn(words) }
    }
    return concluded(
      status,
      failure: status == .ok ? nil : CloseText.line(outcome, circumstances),
      hangs: outcome == .lost(.timedOut(.closingHandshake)))
  }

  /// The exit code for the end of the connection; an expected Close takes precedence.
  private func judged(_ outcome: CloseOutcome, isLeaving: Bool) -> ExitStatus {
    let status = ExitStatus(outcome)
    guard status == .ok || status == .unexpectedCloseCode || status == .connectionLost else {
      return status
    }
    let expectsClose = configuration.expectations.contains {
      if case .close = $0 { true } else { false }
    }
    let now = Self.now
    switch outcome {
    case .closed(let frame, let initiator):
      conversation.withLock {
        $0.closed(
          frame.reportedCode, reason: frame.reason, byPeer: initiator == .peer, at: now)
      }
      let isAccepted = configuration.acceptedCloses?.contains(frame.reportedCode) ?? false
      return isAccepted || (expectsClose && initiator == .peer) ? .ok : status
    case .lost(let end):
      conversation.withLock {
        $0.closed(.abnormal, reason: CloseText.message(end), byPeer: !isLeaving, at: now)
      }
      let isAccepted = configuration.acceptedCloses?.contains(.abnormal) ?? false
      // Everything was done when we closed, so it is not a failure if the peer then just ends TCP.
      let isUnanswered = isLeaving && CloseText.unanswered(outcome) != nil
      return isAccepted || isUnanswered || (expectsClose && !isLeaving) ? .ok : status
    case .failed:
      return status
    }
  }

  /// Reports the results of the expectations.
  ///
  /// - Parameters:
  ///   - status: the exit code of the rest.
  ///   - failure: what went wrong in the rest.
  ///   - hangs: whether the peer did not answer our Close.
  /// - Returns: the overall exit code.
  func concluded(
    _ status: ExitStatus, failure: String?, hangs: Bool = false
  ) -> ExitStatus {
    let results = conversation.withLock { $0.finalResults(at: Self.now) }
    environment.reporter.report(
      results, began: start, opened: opened.withLock { $0 }, failure: failure)
    let isAsExpected = results.allSatisfy(\.isMet)
    // A peer that hangs does not answer our Close either: the unmet expectation takes precedence.
    if hangs, !isAsExpected { return .expectationFailed }
    guard status == .ok else { return status }
    return isAsExpected ? .ok : .expectationFailed
  }
}
