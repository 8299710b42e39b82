/// The reason why a WebSocket connection over HTTP/2 (RFC 8441) failed.
package enum HTTP2Failure: Error, Sendable, Hashable {
  /// ALPN selected another protocol, or none.
  case notChosen(String?)
  /// The server's settings do not allow the extended CONNECT.
  case noExtendedConnect
  /// The data received is not HTTP/2; at most 4 KiB of it.
  case notHTTP2(received: [UInt8])
  /// The stream was reset, with an error code of RFC 9113 section 7.
  case reset(code: Int)
  /// The server accepts no more streams.
  case goneAway(code: Int)
  /// The library reported an error; `reason` is its message.
  case broken(reason: String)
}
