package import NIOCore
package import WebSocketProtocol

/// What a client came with, and what it was given: for the log.
package struct Arrival: Sendable, Hashable {
  /// The target of its request; the client's words.
  package var target: String
  package var subprotocol: String?
  /// Over a stream of HTTP/2.
  package var isHTTP2: Bool
}

/// How a client left.
package struct Departure: Sendable {
  package var outcome: CloseOutcome
  package var subprotocol: String?
  package var traffic: Traffic
  /// From the open connection to its end.
  package var duration: TimeAmount
  /// Since the client was last heard of, to a few milliseconds.
  package var idle: TimeAmount
}
