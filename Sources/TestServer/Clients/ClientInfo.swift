package import NIOCore
package import WebSocketProtocol

/// The request of a client, and what it agreed on, for the log.
package struct ClientInfo: Sendable, Hashable {
  /// The target of the request, as the client sent it.
  package var target: String
  package var subprotocol: String?
  /// Over a stream of HTTP/2.
  package var isHTTP2: Bool
  /// Whether it receives an event stream in place of WebSocket messages.
  package var isEventStream = false
  /// Faults of the handshake that have acted, as they are typed.
  package var faults: [String] = []
}

/// How a connection ended, for the log.
package struct ClientSummary: Sendable {
  package var outcome: CloseOutcome
  package var subprotocol: String?
  package var traffic: Traffic
  /// From the open connection to its end.
  package var duration: TimeAmount
  /// Since the client last sent something, to a few milliseconds.
  package var idle: TimeAmount
}
