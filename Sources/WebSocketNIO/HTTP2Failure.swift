/// Why there is no WebSocket over HTTP/2 (RFC 8441) with a server.
package enum HTTP2Failure: Error, Sendable, Hashable {
  /// ALPN has chosen something else, or nothing.
  case notChosen(String?)
  /// The server's settings do not allow the extended CONNECT.
  case noExtendedConnect
  /// What came is no HTTP/2; at most 4 KiB of it.
  case notHTTP2(received: [UInt8])
  /// The stream was reset, with an error code of RFC 9113 section 7.
  case reset(code: Int)
  /// The server wants no more streams.
  case goneAway(code: Int)
  /// The library cannot go on, in its words.
  case broken(reason: String)
}
