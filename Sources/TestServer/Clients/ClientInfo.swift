package import NIOCore
package import WebSocketProtocol

/// The request of a client and the result of the handshake, for the log.
package struct ClientInfo: Sendable, Hashable {
  /// The request target as the client sent it.
  package var target: String
  package var subprotocol: String?
  /// The negotiated extensions, with their parameters.
  package var extensions: [String] = []
  /// Whether the connection is a stream of HTTP/2 (RFC 8441).
  package var isHTTP2: Bool
  /// Whether it receives an event stream in place of WebSocket messages.
  package var isEventStream = false
  /// The subject of its certificate, untrusted text; nil if clients need none.
  package var certificateSubject: String?
  /// Handshake faults that have acted, as typed.
  package var faults: [String] = []

  /// The HTTP status of the reply.
  package var status: Int { isHTTP2 || isEventStream ? 200 : 101 }
}

/// How a connection ended, for the log.
package struct ClientSummary: Sendable {
  package var outcome: CloseOutcome
  package var subprotocol: String?
  /// Whether it received an event stream: such a client sends no Close frame.
  package var isEventStream = false
  /// Bytes and messages transferred in both directions.
  package var traffic: Traffic
  /// Time from the opening to the end of the connection.
  package var duration: TimeAmount
  /// Time since the client last sent something, accurate to a few milliseconds.
  package var idle: TimeAmount
}
