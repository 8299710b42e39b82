import WebSocketProtocol

/// Records the result of each expectation. Times are ns on the clock of `Conversation`.
struct ExpectationLedger {
  private(set) var results: [ExpectationResult]
  private let matchers: [MessageMatcher?]
  /// When the last expected message arrived.
  private var lastMet: Int64?
  /// The first unexpected message after the last one sent or expected.
  private var stray: ExpectationResult.Mismatch?
  private var subprotocol: String?

  init(_ expectations: [Expectation]) {
    results = expectations.map { ExpectationResult(expectation: $0) }
    matchers = expectations.map {
      switch $0 {
      case .message(let test), .until(let test): MessageMatcher(test)
      default: nil
      }
    }
  }

  // MARK: State

  private var awaited: [ExpectationResult] { results.filter(\.expectation.isAwaited) }
  var awaitsAnything: Bool { results.contains { $0.expectation.isAwaited } }
  var isAwaiting: Bool { awaited.contains { $0.state == .pending } }
  var isAwaitingMessages: Bool { pendingMessage != nil }
  var isUntilPending: Bool { contains(.pending) { if case .until = $0 { true } else { false } } }
  var isUntilMet: Bool { contains(.met) { if case .until = $0 { true } else { false } } }
  /// Whether the remaining expectations can be decided only by the end of the connection.
  var awaitsOnlyClose: Bool {
    awaited.allSatisfy { result in
      if case .close = result.expectation { true } else { result.state != .pending }
    }
  }
  /// Whether a pause between messages is not the end.
  var isPatient: Bool {
    isUntilPending
      || !isAwaitingMessages
        && contains(.pending) {
          switch $0 {
          case .count, .close: true
          default: false
          }
        }
  }
  /// Whether time alone decides an expectation once the messages have arrived.
  var isTimed: Bool {
    results.contains {
      switch $0.expectation {
      case .silence, .count, .close: true
      default: false
      }
    }
  }

  private func contains(
    _ state: ExpectationResult.State, _ isMeant: (Expectation) -> Bool
  ) -> Bool {
    results.contains { $0.state == state && isMeant($0.expectation) }
  }

  private var pendingMessage: Int? {
    results.firstIndex { $0.state == .pending && $0.expectation.isMessage }
  }

  // MARK: Events

  /// Something is sent: earlier messages are not a reply to it.
  mutating func sending() { stray = nil }

  mutating func opened(status: Int, subprotocol: String?, at time: Int64) {
    self.subprotocol = subprotocol
    settle(at: time) { expectation in
      switch expectation {
      case .status(let wanted): (wanted == status, .status(status))
      case .subprotocol(let wanted): (wanted == subprotocol, .subprotocol(subprotocol))
      default: nil
      }
    }
  }

  mutating func refused(status: Int, at time: Int64) {
    settle(at: time) { expectation in
      if case .status(let wanted) = expectation { (wanted == status, .status(status)) } else { nil }
    }
  }

  mutating func closed(_ code: CloseCode, reason: String, byPeer: Bool, at time: Int64) {
    guard byPeer else { return }
    settle(at: time) { [subprotocol] expectation in
      guard case .close(let wanted) = expectation else { return nil }
      return (wanted.contains(code), .close(code, reason: reason, subprotocol: subprotocol))
    }
  }

  private mutating func settle(
    at time: Int64,
    _ verdict: (Expectation) -> (isMet: Bool, instead: ExpectationResult.Mismatch)?
  ) {
    for index in results.indices where results[index].state == .pending {
      guard let (isMet, instead) = verdict(results[index].expectation) else { continue }
      results[index].instead = instead
      settle(index, isMet, at: time)
    }
  }

  /// Handles a message, the `count`th so far; `sent` is the time of the last message sent, nil if
  /// none was. Returns whether the message was expected.
  mutating func received(
    _ kind: MessageKind, _ payload: [UInt8], count: Int, sent: Int64?, at time: Int64
  ) -> Bool {
    var isExpected = false
    if let pending = pendingMessage {
      switch matchers[pending]?.match(kind, payload) {
      case .fits:
        settle(pending, true, at: time)
        isExpected = true
        lastMet = time
        stray = nil
      case .differs(let reason):
        results[pending].instead = .message(kind, payload, reason)
      case nil: break
      }
    } else {
      stray = stray ?? .message(kind, payload, nil)
    }
    for index in results.indices where results[index].state == .pending {
      switch results[index].expectation {
      case .until:
        switch matchers[index]?.match(kind, payload) {
        case .fits:
          settle(index, true, at: time)
          isExpected = true
        case .differs(let reason): results[index].instead = .message(kind, payload, reason)
        case nil: break
        }
      case .count(let wanted):
        if count > wanted { settle(index, false, at: time) }
      case .roundTrip(let limit):
        guard let sent else { break }
        var slowest = time - sent
        if case .roundTrip(let before) = results[index].instead { slowest = max(slowest, before) }
        results[index].instead = .roundTrip(slowest)
        if slowest > limit { settle(index, false, at: time) }
      default: break
      }
    }
    return isExpected
  }

  private mutating func settle(_ index: Int, _ isMet: Bool, at time: Int64) {
    results[index].state = isMet ? .met : .failed
    results[index].time = time
    if isMet, results[index].expectation.isAwaited { results[index].instead = nil }
  }

  // MARK: Decisions by time

  /// Decides the expectations that silence decides, once everything is sent and every expected
  /// message has arrived. `heard` is the time of the last message, or when everything was sent;
  /// `linger` is the required silence after the last message of a count. Returns the time of the
  /// next such decision if nothing arrives; nil if there is none.
  mutating func advance(
    to time: Int64, allSent: Int64, heard: Int64, count: Int, linger: Int64
  ) -> Int64? {
    guard !isAwaitingMessages else { return nil }
    var next: Int64?
    for index in results.indices where results[index].state == .pending {
      let end: Int64
      switch results[index].expectation {
      case .silence(let duration):
        if let stray {
          results[index].instead = stray
          settle(index, false, at: time)
          continue
        }
        end = max(allSent, lastMet ?? allSent) + duration
      case .count(let wanted) where wanted == count:
        end = heard + linger
      default: continue
      }
      if time >= end {
        settle(index, true, at: end)
      } else {
        next = min(next ?? end, end)
      }
    }
    return next
  }

  /// Decides everything, when no more messages will arrive.
  func final(received: Int, at time: Int64) -> [ExpectationResult] {
    var final = self
    let next = pendingMessage
    for index in results.indices {
      let result = results[index]
      if case .count = result.expectation, result.state != .met {
        final.results[index].instead = .count(received)
      }
      guard result.state == .pending else { continue }
      var isMet = false
      switch result.expectation {
      case .message:
        if index != next { final.results[index].instead = .notReached }
      case .until: break
      case .silence:
        isMet = next == nil && stray == nil
        if !isMet { final.results[index].instead = stray ?? .notReached }
      case .count(let wanted): isMet = wanted == received
      case .close: final.results[index].instead = .stillOpen
      case .status: final.results[index].instead = .status(nil)
      case .subprotocol: final.results[index].instead = .status(nil)
      case .roundTrip:
        isMet = result.instead != nil
        if !isMet { final.results[index].instead = .noReply }
      }
      final.settle(index, isMet, at: time)
    }
    return final.results
  }
}
