import NIOCore

/// How long answers take. Pure: it is told when something went out or came.
struct RoundTrips {
  /// When pings that wait for their pong went out, by payload.
  private var pings: [[UInt8]: NIODeadline] = [:]
  private var pingCount = 0
  private var unanswered: NIODeadline?
  /// The round trip of the last ping, in ns.
  private(set) var last: Int64?

  /// A ping that is not answered is forgotten when this many are on their way.
  private static let mostPings = 256

  /// A ping goes out.
  ///
  /// - Returns: its payload, which is a number if there is no data.
  mutating func ping(_ data: [UInt8], at time: NIODeadline) -> [UInt8] {
    pingCount += 1
    let payload = data.isEmpty ? Array("\(pingCount)".utf8) : data
    if pings.count >= Self.mostPings { pings.removeAll() }
    pings[payload] = time
    return payload
  }

  /// A pong has come.
  ///
  /// - Returns: the round trip in ns; nil if it answers no ping of the person.
  mutating func pong(_ payload: [UInt8], at time: NIODeadline) -> Int64? {
    guard let sent = pings.removeValue(forKey: payload) else { return nil }
    last = (time - sent).nanoseconds
    return last
  }

  /// A message goes out.
  mutating func sent(at time: NIODeadline) { unanswered = time }

  /// A message has come.
  ///
  /// - Returns: ns since the last message went out; nil if one has come since.
  mutating func received(at time: NIODeadline) -> Int64? {
    guard let sent = unanswered else { return nil }
    unanswered = nil
    return max((time - sent).nanoseconds, 0)
  }

  /// The connection is another one.
  mutating func reset() {
    pings = [:]
    unanswered = nil
  }
}
