/// The reason why data received by a server is not a valid request.
package enum MalformedRequest: Sendable, Equatable {
  /// A ClientHello on a port without TLS.
  case tlsHello
  /// HTTP without TLS on a port with TLS.
  case plainHTTP
  /// The TLS handshake failed; `reason` is the library's message.
  case tlsFailed(reason: String)
  /// The client has no certificate, or one that is not accepted.
  case clientCertificate(Distrust?)
  /// The connection preface of HTTP/2 (RFC 9113 section 3.4), which the server does not support.
  case http2Preface
  case headTooLarge(HeadLimits)
  /// No complete head within the time limit; `isEmpty` if nothing was received.
  case timedOut(isEmpty: Bool)
  /// A line that ends in LF alone.
  case bareLineFeed(line: Int)
  /// The body of a request whose path reads one.
  case body(RequestBodyProblem)
  /// Anything else; the first bytes received.
  case notHTTP(received: [UInt8])
}
