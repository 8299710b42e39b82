/// The messages of one connection that wait for an answer: a ring of send stamps.
///
/// It grows by doubling up to its limit and allocates at the first push, so that idle connections
/// cost no memory. A connection that matches in order calls `answer()`, one that matches by id
/// `answer(sequence:)`.
package struct InFlight: Sendable {
  /// When one message was sent, in nanoseconds of one clock.
  package struct Stamp: Equatable, Sendable {
    /// When the schedule wanted it sent.
    package var intended: Int64
    /// When it was handed to the channel.
    package var sent: Int64
  }

  /// Whether a message may be sent.
  package enum Admission: Equatable, Sendable {
    /// Yes; `sequence` counts this connection's messages from 0.
    case admitted(sequence: UInt64)
    /// The limit is reached: the message counts as unsent.
    case full
  }

  /// What a reply answers.
  package enum Match: Equatable, Sendable {
    /// This message, for the first time and in time.
    case answered(Stamp)
    /// A message that was given up before.
    case late
    /// A message that was answered before.
    case duplicate
    /// No message that was ever sent here.
    case unknown
  }

  /// Messages whose timeout has passed.
  package struct Dropped: Equatable, Sendable {
    package var all = 0
    /// Of these, the ones that belong to the measurement.
    package var measured = 0
    /// Of all, the ones that were sent before the last answer on their connection.
    package var overtaken = 0
  }

  private enum State { case waiting, answered, expired }

  private struct Slot {
    var stamp: Stamp
    var state: State
  }

  /// The most messages held at once.
  package let limit: Int
  /// How replies find their message.
  package let matching: LoadPlan.Matching
  /// Messages that wait for an answer and have not been given up.
  package private(set) var waiting = 0

  private var slots: [Slot] = []
  private var head = 0
  private var length = 0
  /// The sequence number of the slot at `head`.
  private var base: UInt64 = 0
  /// Slots from `head` on that no longer wait: where the next sweep for expired ones begins.
  private var settled = 0
  /// Messages matched by id that were given up and whose late reply may still come.
  private var givenUp = SequenceSet()

  /// The sequence number of the oldest message, which the next reply answers when matched in order.
  @inline(__always)
  package var oldest: UInt64 { base }

  /// An empty ring.
  ///
  /// - Parameters:
  ///   - limit: `--max-inflight`; at least 1 is taken.
  ///   - matching: How replies find their message.
  package init(limit: Int, matching: LoadPlan.Matching) {
    self.limit = max(1, limit)
    self.matching = matching
  }

  /// Takes up a message about to be sent.
  ///
  /// - Parameters:
  ///   - intended: When the schedule wanted it sent, in nanoseconds.
  ///   - sent: When it is handed to the channel, in nanoseconds.
  /// - Returns: Its number, or that there is no room.
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
  /// A message given up still takes its reply when it comes, or all later ones would be matched to
  /// the wrong message.
  ///
  /// - Returns: `.late` for the reply to a message given up, `.unknown` when nothing waits.
  @inline(__always)
  package mutating func answer() -> Match {
    guard length > 0 else { return .unknown }
    let slot = slots[head]
    dropFirst()
    guard slot.state == .waiting else { return .late }
    waiting &-= 1
    return .answered(slot.stamp)
  }

  /// Matches a reply by the number that it carries; order does not matter.
  ///
  /// - Parameter sequence: As `push` has given it.
  /// - Returns: `.unknown` for a number never given.
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

  /// Gives up the messages that have waited too long.
  ///
  /// Matched by id, they leave the ring; matched in order, they keep their place until their reply
  /// comes, late as it is.
  ///
  /// - Parameters:
  ///   - cutoff: Nanoseconds; messages handed to the channel before this are given up.
  ///   - start: Nanoseconds; messages intended from then on belong to the measurement.
  ///   - lastAnswer: Nanoseconds; when the last answer came on this connection.
  /// - Returns: How many were given up now.
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

  /// Forgets everything and frees the memory, as when the connection is lost.
  ///
  /// - Parameters:
  ///   - start: Nanoseconds; messages intended from then on belong to the measurement.
  ///   - visit: Called with the stamp of each of those.
  /// - Returns: How many were still waiting.
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
