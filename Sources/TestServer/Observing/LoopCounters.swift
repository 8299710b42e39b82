import WebSocketNIO
import WebSocketProtocol

/// Counters of one event loop, for metrics: sums of connections that have ended, or of all.
struct LoopCounters: Sendable {
  var traffic = Traffic()
  /// Control frames are counted as they come and go, of open connections too.
  var pingsIn: UInt64 = 0
  var pongsIn: UInt64 = 0
  var pingsOut: UInt64 = 0
  /// Clients that read too slowly.
  var slowConsumers: UInt64 = 0
  /// Messages that rules have taken, by the line of the rule.
  var ruleMatches: [Int: UInt64] = [:]
  /// Messages that no rule took and nothing else answered.
  var unmatched: UInt64 = 0
  /// Connections that are open.
  var connections = 0
  /// Bytes that wait for open connections.
  var queuedBytes = 0

  /// Adds the counters of a connection.
  mutating func add(_ handler: ConnectionHandler) {
    traffic += handler.traffic
  }

  static func += (sum: inout Self, other: Self) {
    sum.traffic += other.traffic
    sum.pingsIn += other.pingsIn
    sum.pongsIn += other.pongsIn
    sum.pingsOut += other.pingsOut
    sum.slowConsumers += other.slowConsumers
    sum.ruleMatches.merge(other.ruleMatches, uniquingKeysWith: +)
    sum.unmatched += other.unmatched
    sum.connections += other.connections
    sum.queuedBytes += other.queuedBytes
  }
}
