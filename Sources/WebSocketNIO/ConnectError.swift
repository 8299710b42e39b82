package import NIOCore
package import NIOHTTP1
package import WebSocketProtocol

/// Why no connection came to be: the phase, and what is known. The words are made at the edge.
package enum ConnectError: Error, Sendable {
  /// The name has no address.
  case unresolved(host: String, message: String)
  /// Every address failed.
  case unreachable([Attempt])
  case tls(TLSFailure)
  /// The proxy cannot be reached, or does not open the way.
  case proxy(ProxyFailure)
  case http2(HTTP2Failure)
  /// The server ended the connection before a whole reply head had come; `received` is what came,
  /// at most 4 KiB.
  case closedBeforeReply(received: [UInt8], errno: Int32?)
  /// An HTTP reply whose status is not 101.
  case refused(HTTPRefusal)
  /// A reply that is no HTTP, or over the limits; `received` as above.
  case malformedReply(MalformedReply, received: [UInt8])
  /// A 101 that breaks a rule of RFC 6455 section 4.1.
  case invalidHandshake(HandshakeViolation, HTTPResponseHead)
  /// In the phase of connecting with what is known of each address.
  case timedOut(Phase, after: TimeAmount, attempts: [Attempt] = [])
  /// A redirect that is not followed, by the rules of its policy.
  case redirect(RedirectProblem, HTTPRefusal)

  /// One address and what came of it.
  package struct Attempt: Sendable {
    package var address: SocketAddress
    package var errno: Int32?
    package var description: String
  }

  /// What was being waited for.
  package enum Phase: Sendable, Hashable {
    case resolve
    case connect
    case proxy
    case tls
    case upgrade
  }

  package enum MalformedReply: Sendable, Hashable {
    case notHTTP
    case headTooLarge
    case tooManyInterimReplies
  }
}

/// The reply of a server that did not switch protocols.
package struct HTTPRefusal: Sendable {
  package var head: HTTPResponseHead
  /// At most 2 KiB.
  package var body: [UInt8]
}
