package import WebSocketProtocol

/// How long a one-shot conversation lasts (PRODUCT 1.3). Durations in ns.
package struct WaitPolicy: Sendable, Hashable {
  /// The wait for the first reply to the last message sent. 0 does not wait at all.
  package var wait: Int64
  /// After a reply, the conversation ends when nothing more has arrived for this long.
  package var linger: Int64
  /// The conversation ends when this many messages have arrived.
  package var count: Int?
  /// Whether to wait for a message even if none was sent.
  package var awaitsUnasked: Bool
  /// The deadline for all expectations, counted from the opening; replaces the waits for single
  /// messages.
  package var within: Int64?

  package init(
    wait: Int64, linger: Int64, count: Int? = nil, awaitsUnasked: Bool = false,
    within: Int64? = nil
  ) {
    self.wait = wait
    self.linger = linger
    self.count = count
    self.awaitsUnasked = awaitsUnasked
    self.within = within
  }
}

/// Decides when a conversation is over, and whether it went as expected: a value that is given
/// events with their times, and never reads a clock itself. Times are ns on one monotonic clock.
package struct Conversation {
  package enum Verdict: Sendable, Hashable {
    /// Nothing is decided before `until` unless an event arrives; nil: not before an event arrives.
    case goOn(until: Int64?)
    case finished
    /// No reply arrived within `waited` ns.
    case timedOut(waited: Int64)
  }

  private let policy: WaitPolicy
  private var ledger: ExpectationLedger
  package private(set) var received = 0
  package private(set) var sent = 0

  private var hasEnded = false
  private var openedAt: Int64 = 0
  private var sendingBegan: Int64 = 0
  private var allSent: Int64?
  private var lastReply: Int64?

  package init(_ policy: WaitPolicy, expecting expectations: [Expectation] = []) {
    self.policy = policy
    ledger = ExpectationLedger(expectations)
  }

  /// The results of the expectations so far.
  package var results: [ExpectationResult] { ledger.results }

  /// The final results, when no more messages will arrive.
  package func finalResults(at time: Int64) -> [ExpectationResult] {
    ledger.final(received: received, at: time)
  }

  // MARK: Events

  /// The handshake is done, with status 101, or with a 2xx over HTTP/2.
  package mutating func opened(status: Int = 101, subprotocol: String?, at time: Int64) {
    openedAt = time
    ledger.opened(status: status, subprotocol: subprotocol, at: time)
  }

  /// The handshake was refused.
  package mutating func refused(status: Int, at time: Int64) {
    ledger.refused(status: status, at: time)
  }

  /// The connection has ended; `code` is 1006 if no Close was received.
  package mutating func closed(_ code: CloseCode, reason: String, byPeer: Bool, at time: Int64) {
    ledger.closed(code, reason: reason, byPeer: byPeer, at: time)
  }

  /// Call before the messages are handed to the connection: their reply may arrive before the
  /// sender knows that they were sent.
  package mutating func sending(_ messages: Int, at time: Int64) {
    guard messages > 0 else { return }
    sent += messages
    sendingBegan = time
    lastReply = nil
    ledger.sending()
  }

  /// The connection is being closed: later messages are not judged.
  package mutating func end() { hasEnded = true }

  /// There is nothing more to send.
  package mutating func sentAll(at time: Int64) {
    allSent = time
    if sent == 0 { sendingBegan = time }
  }

  /// Handles a message. Returns whether the end may now be nearer: after the first reply to a sent
  /// message, and after an expected message that is followed by a timed expectation. Other messages
  /// postpone the end.
  package mutating func received(_ kind: MessageKind, _ payload: [UInt8], at time: Int64) -> Bool {
    guard !hasEnded else { return false }
    // A message after the deadline does not count, even if the deadline has not been noticed yet.
    if let within = policy.within, time > openedAt + within { return false }
    received += 1
    let isFirst = lastReply == nil
    lastReply = time
    let isExpected = ledger.received(
      kind, payload, count: received, sent: sent > 0 ? sendingBegan : nil, at: time)
    return isFirst || (isExpected && ledger.isTimed)
  }

  // MARK: The verdict

  package mutating func verdict(at time: Int64) -> Verdict {
    let quiet: Int64? =
      if let allSent {
        ledger.advance(
          to: time, allSent: allSent, heard: max(lastReply ?? allSent, allSent), count: received,
          linger: policy.linger)
      } else { nil }
    if ledger.isUntilMet { return .finished }
    if !ledger.isAwaiting, policy.count != nil || ledger.awaitsAnything,
      received >= policy.count ?? 0
    {
      return .finished
    }
    if let within = policy.within, ledger.isAwaiting {
      let deadline = openedAt + within
      return time >= deadline ? .finished : .goOn(until: min(deadline, quiet ?? deadline))
    }
    guard let allSent else { return .goOn(until: nil) }
    if let quiet { return .goOn(until: quiet) }
    return patience(at: time, allSent: allSent)
  }

  /// The verdict if only the next message, or its absence, decides.
  private func patience(at time: Int64, allSent: Int64) -> Verdict {
    let asks =
      sent > 0 || policy.awaitsUnasked || policy.count != nil || ledger.awaitsAnything
    guard asks, policy.wait > 0 else { return .finished }
    if let lastReply {
      // While more messages are required, a pause is not the end; the wait applies to each of them.
      let isOwed = policy.count != nil || ledger.isUntilPending
      let until =
        max(lastReply, allSent) + (isOwed || ledger.isPatient ? policy.wait : policy.linger)
      guard time >= until else { return .goOn(until: until) }
      return isOwed ? .timedOut(waited: policy.wait) : .finished
    }
    let until = max(sendingBegan, allSent) + policy.wait
    guard time >= until else { return .goOn(until: until) }
    if ledger.awaitsAnything {
      return ledger.awaitsOnlyClose && policy.count == nil
        ? .finished : .timedOut(waited: policy.wait)
    }
    return sent == 0 && policy.awaitsUnasked && policy.count == nil
      ? .finished : .timedOut(waited: policy.wait)
  }
}
