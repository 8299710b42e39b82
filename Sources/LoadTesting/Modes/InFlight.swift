/// The messages of one connection that wait for an answer: a ring of send times.
///
/// It allocates at the first push, so idle connections take no memory, and doubles its size up to
/// the limit. A connection that matches in order calls `answer()`, one that matches by ID calls
/// `answer(sequence:)`.
package struct InFlight: Sendable {
  /// The send times of one message, in nanoseconds of the same clock.
  package struct Stamp: Equatable, Sendable {
    /// When it was due.
    package var intended: Int64
    /// When it was passed to the connection.
    package var sent: Int64
  }

  /// Whether a message may be sent.
  package enum Admission: Equatable, Sendable {
    /// It may be sent; `sequence` is its number on this connection, from 0.
    case admitted(sequence: UInt64)
    /// The limit is reached; the message counts as unsent.
    case full
  }

  /// The message that a reply answers.
  package enum Match: Equatable, Sendable {
    /// A waiting message, sent at these times.
    case answered(Stamp)
    /// A message that had been given up.
    case late
    /// A message that had been answered already.
    case duplicate
    /// No message that was sent on this connection.
    case unknown
  }

  /// The number of messages that were given up.
  package struct Dropped: Equatable, Sendable {
    /// All messages that were given up.
    package var all = 0
    /// The part of `all` that belongs to the window.
    package var measured = 0
    /// The part of `all` that was sent before the last answer on the connection.
    package var overtaken = 0
  }

  private enum State { case waiting, answered, expired }

  private struct Slot {
    var stamp: Stamp
    var state: State
  }

  /// Maximum number of messages in the ring.
  package let limit: Int
  /// How replies are matched to messages.
  package let matching: LoadPlan.Matching
  /// Messages that wait for an answer, without those given up.
  package private(set) var waiting = 0

  private var slots: [Slot] = []
  private var head = 0
  private var length = 0
  /// The sequence number of the slot at `head`.
  private var base: UInt64 = 0
  /// The number of slots from `head` on that no longer wait, which the next `expire` skips.
  private var settled = 0
  /// Messages matched by ID that were given up and whose late reply may still arrive.
  private var givenUp = SequenceSet()

  /// The sequence number of the oldest message, which the next reply answers with matching in
  /// order.
  @inline(__always)
  package var oldest: UInt64 { base }

  /// Creates an empty ring.
  ///
  /// - Parameters:
  ///   - limit: Maximum number of messages in the ring; values below 1 count as 1.
  ///   - matching: How replies are matched to messages.
  package init(limit: Int, matching: LoadPlan.Matching) {
    self.limit = max(1, limit)
    self.matching = matching
  }

  /// Adds a message that is about to be sent.
  ///
  /// - Parameters:
  ///   - intended: When it was due, in nanoseconds.
  ///   - sent: When it is passed to the connection, in nanoseconds.
  /// - Returns: Its sequence number, or `.full`.
  @inline(__always)
  package mutating func push(intended: Int64, sent: Int64) -> Admission {
    guard length < limit else { return .full }
    if length == slots.count { grow() }
    slots[index(length)] = Slot(stamp: Stamp(intended: intended, sent: sent), state: .waiting)
    let sequence = base &+ UInt64(length)
    length &+= 1
    waiting &+= 1
    return .admitted(sequence: sequence)
  }

  /// Matches a reply to the oldest message: first in, first out.
  ///
  /// A message that was given up still takes its late reply; otherwise all later replies would be
  /// matched to the wrong message.
  ///
  /// - Returns: `.late` for the reply to a message given up, `.unknown` if the ring is empty.
  @inline(__always)
  package mutating func answer() -> Match {
    guard length > 0 else { return .unknown }
    let slot = slots[head]
    dropFirst()
    guard slot.state == .waiting else { return .late }
    waiting &-= 1
    return .answered(slot.stamp)
  }

  /// Matches a reply by its sequence number, in any order.
  ///
  /// - Parameter sequence: A number that `push` returned.
  /// - Returns: `.unknown` for any other number.
  package mutating func answer(sequence: UInt64) -> Match {
    guard sequence >= base else { return givenUp.remove(sequence) ? .late : .duplicate }
    let offset = sequence &- base
    guard offset < UInt64(length) else { return .unknown }
    let slot = index(Int(offset))
    guard slots[slot].state == .waiting else { return .duplicate }
    slots[slot].state = .answered
    waiting &-= 1
    let stamp = slots[slot].stamp
    dropSettled()
    return .answered(stamp)
  }

  /// Gives up messages that have waited too long.
  ///
  /// With matching by ID, they leave the ring. With matching in order, they keep their place until
  /// their late reply arrives.
  ///
  /// - Parameters:
  ///   - cutoff: Messages sent before this time are given up, in nanoseconds.
  ///   - start: Messages due from this time on belong to the window, in nanoseconds.
  ///   - lastAnswer: When this connection received its last answer, in nanoseconds.
  /// - Returns: The number of messages given up by this call.
  package mutating func expire(
    sentBefore cutoff: Int64, measuredFrom start: Int64 = .min, lastAnswer: Int64 = .min
  ) -> Dropped {
    var expired = Dropped()
    while settled < length {
      let slot = index(settled)
      if slots[slot].state == .waiting {
        guard slots[slot].stamp.sent < cutoff else { break }
        slots[slot].state = .expired
        if matching == .sequence { givenUp.append(base &+ UInt64(settled)) }
        expired.all &+= 1
        if slots[slot].stamp.sent < lastAnswer { expired.overtaken &+= 1 }
        if slots[slot].stamp.intended >= start { expired.measured &+= 1 }
      }
      settled &+= 1
    }
    waiting &-= expired.all
    if matching == .sequence { dropSettled() }
    return expired
  }

  /// Gives up all waiting messages and frees the memory, for example if the connection is lost.
  ///
  /// - Parameters:
  ///   - start: Messages due from this time on belong to the window, in nanoseconds.
  ///   - visit: Called with the times of each waiting window message.
  /// - Returns: The number of messages that were waiting.
  package mutating func abandon(
    measuredFrom start: Int64 = .min, _ visit: (Stamp) -> Void = { _ in }
  ) -> Dropped {
    var abandoned = Dropped()
    for offset in 0..<length {
      let slot = slots[index(offset)]
      guard slot.state == .waiting else { continue }
      abandoned.all &+= 1
      guard slot.stamp.intended >= start else { continue }
      abandoned.measured &+= 1
      visit(slot.stamp)
    }
    base = base &+ UInt64(length)
    slots = []
    (head, length, waiting, settled) = (0, 0, 0, 0)
    return abandoned
  }

  private func index(_ offset: Int) -> Int {
    let slot = head &+ offset
    return slot >= slots.count ? slot &- slots.count : slot
  }

  private mutating func dropSettled() {
    while length > 0, slots[head].state != .waiting { dropFirst() }
  }

  private mutating func dropFirst() {
    head = index(1)
    length &-= 1
    base = base &+ 1
    if settled > 0 { settled &-= 1 }
    if length == 0 { head = 0 }
  }

  private mutating func grow() {
    let empty = Slot(stamp: Stamp(intended: 0, sent: 0), state: .answered)
    let capacity = Swift.min(limit, Swift.max(4, slots.count &* 2))
    var grown: [Slot] = []
    grown.reserveCapacity(capacity)
    for offset in 0..<length { grown.append(slots[index(offset)]) }
    while grown.count < capacity { grown.append(empty) }
    slots = grown
    head = 0
  }
}
