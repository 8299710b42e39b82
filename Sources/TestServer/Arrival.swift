/// What a client came with, and what it was given: for the log.
package struct Arrival: Sendable, Hashable {
  /// The target of its request; the client's words.
  package var target: String
  package var subprotocol: String?
  /// Over a stream of HTTP/2.
  package var isHTTP2: Bool
}
