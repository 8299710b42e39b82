/// How long a one-shot conversation goes on (PRODUCT 1.3). Durations in ns.
package struct WaitPolicy: Sendable, Hashable {
  /// For the first reply to what was sent last. 0 does not wait at all.
  package var wait: Int64
  /// Once a reply came: for as long as this nothing more may come before it is over.
  package var linger: Int64
  /// It is over when this many messages have come.
  package var count: Int?
  /// Whether to wait for a message although none was sent.
  package var awaitsUnasked: Bool

  package init(wait: Int64, linger: Int64, count: Int? = nil, awaitsUnasked: Bool = false) {
    self.wait = wait
    self.linger = linger
    self.count = count
    self.awaitsUnasked = awaitsUnasked
  }
}

/// A message that must come.
package struct Expectation: Sendable, Hashable {
  /// The exact payload.
  package var payload: [UInt8]

  package init(_ payload: [UInt8]) {
    self.payload = payload
  }
}

/// When a conversation is over, and whether it went as expected: a value that is told what was sent
/// and received and when, and never looks at a clock itself. Times are ns on one monotonic clock.
package struct Conversation: Sendable {
  package enum Verdict: Sendable, Hashable {
    /// Nothing is decided before `until`, unless something comes; nil: not before something comes.
    case goOn(until: Int64?)
    case finished
    /// No reply came; `waited` ns.
    case timedOut(waited: Int64)
  }

  package struct Result: Sendable, Hashable {
    package var expectation: Expectation
    package var isMet: Bool
  }

  private let policy: WaitPolicy
  package private(set) var results: [Result]
  package private(set) var received = 0
  package private(set) var sent = 0
  /// The last message that met no expectation, for saying what came instead.
  package private(set) var unexpected: [UInt8]?

  private var sendingBegan: Int64 = 0
  private var allSent: Int64?
  private var lastReply: Int64?

  package init(_ policy: WaitPolicy, expecting expectations: [Expectation] = []) {
    self.policy = policy
    results = expectations.map { Result(expectation: $0, isMet: false) }
  }

  package var isAsExpected: Bool { results.allSatisfy(\.isMet) }

  /// To be told before the messages are handed to the connection: their reply may be back before
  /// the sender hears that they are gone.
  package mutating func sending(_ messages: Int, at time: Int64) {
    guard messages > 0 else { return }
    sent += messages
    sendingBegan = time
    lastReply = nil
  }

  /// There is nothing more to send.
  package mutating func sentAll(at time: Int64) {
    allSent = time
    if sent == 0 { sendingBegan = time }
  }

  /// Takes a message, and answers whether the end may have come nearer: only the first reply to what
  /// was sent does that, all later ones put it off.
  package mutating func received(_ payload: [UInt8], at time: Int64) -> Bool {
    received += 1
    let isFirst = lastReply == nil
    lastReply = time
    // Each message meets one expectation at most: two expectations of the same text need it twice.
    let open = results.firstIndex { !$0.isMet && $0.expectation.payload == payload }
    if let open {
      results[open].isMet = true
    } else {
      unexpected = payload
    }
    return isFirst
  }

  package func verdict(at time: Int64) -> Verdict {
    if let count = policy.count {
      if received >= count, isAsExpected { return .finished }
    } else if !results.isEmpty, isAsExpected {
      return .finished
    }
    guard let allSent else { return .goOn(until: nil) }
    let asks = sent > 0 || policy.awaitsUnasked || policy.count != nil || !results.isEmpty
    guard asks, policy.wait > 0 else { return .finished }
    if let lastReply {
      // With a count to come, a pause is no end; the wait is for each of them.
      let patience = policy.count == nil ? policy.linger : policy.wait
      let until = max(lastReply, allSent) + patience
      guard time >= until else { return .goOn(until: until) }
      return policy.count == nil ? .finished : .timedOut(waited: policy.wait)
    }
    let until = max(sendingBegan, allSent) + policy.wait
    guard time >= until else { return .goOn(until: until) }
    return sent == 0 && policy.awaitsUnasked && policy.count == nil && results.isEmpty
      ? .finished : .timedOut(waited: policy.wait)
  }
}
