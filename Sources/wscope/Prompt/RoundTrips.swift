import NIOCore

/// Measures reply times. It has no side effects: it is given the times of sent and received
/// messages.
struct RoundTrips {
  /// The send times of pings without a pong, by payload.
  private var pings: [[UInt8]: NIODeadline] = [:]
  private var pingCount = 0
  private var unanswered: NIODeadline?
  /// The round-trip time of the last ping, in ns.
  private(set) var last: Int64?

  /// Unanswered pings are forgotten when there are this many.
  private static let maxPings = 256

  /// Records a sent ping.
  ///
  /// - Returns: its payload, which is a number if there is no data.
  mutating func ping(_ data: [UInt8], at time: NIODeadline) -> [UInt8] {
    pingCount += 1
    let payload = data.isEmpty ? Array("\(pingCount)".utf8) : data
    if pings.count >= Self.maxPings { pings.removeAll() }
    pings[payload] = time
    return payload
  }

  /// Records a received pong.
  ///
  /// - Returns: the round-trip time in ns; nil if it does not answer a ping of the user.
  mutating func pong(_ payload: [UInt8], at time: NIODeadline) -> Int64? {
    guard let sent = pings.removeValue(forKey: payload) else { return nil }
    last = (time - sent).nanoseconds
    return last
  }

  /// Records a sent message.
  mutating func sent(at time: NIODeadline) { unanswered = time }

  /// Records a received message.
  ///
  /// - Returns: the time in ns since the last message was sent; nil if a message has arrived since
  ///   then.
  mutating func received(at time: NIODeadline) -> Int64? {
    guard let sent = unanswered else { return nil }
    unanswered = nil
    return max((time - sent).nanoseconds, 0)
  }

  /// Resets the state for another connection.
  mutating func reset() {
    pings = [:]
    unanswered = nil
  }
}
