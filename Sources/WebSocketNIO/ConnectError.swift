import Glibc
package import NIOCore
package import NIOHTTP1
package import WebSocketProtocol

/// The reason why a connection could not be opened: the phase and the known facts. The text for the
/// user is created elsewhere.
package enum ConnectError: Error, Sendable {
  /// The name has no address.
  case unresolved(host: String, message: String)
  /// Every address failed.
  case unreachable([Attempt])
  case tls(TLSFailure)
  /// The proxy cannot be reached, or does not open the tunnel.
  case proxy(ProxyFailure)
  case http2(HTTP2Failure)
  /// The server closed the connection before the reply head was complete; `received` is the part
  /// that arrived, at most 4 KiB.
  case closedBeforeReply(received: [UInt8], errno: Int32?)
  /// An HTTP reply whose status is not 101.
  case refused(HTTPRefusal)
  /// A reply that is not HTTP or exceeds the limits; `received` as above.
  case malformedReply(MalformedReply, received: [UInt8])
  /// A 101 that breaks a rule of RFC 6455 section 4.1.
  case invalidHandshake(HandshakeViolation, HTTPResponseHead)
  /// The timeout of a phase; in the connect phase with what is known of each address.
  case timedOut(Phase, after: TimeAmount, attempts: [Attempt] = [])
  /// A redirect that the redirect policy does not allow.
  case redirect(RedirectProblem, HTTPRefusal)

  /// One address and the result of connecting to it.
  package struct Attempt: Sendable {
    package var address: SocketAddress
    /// The `errno` of the failure; nil if there was no answer.
    package var errno: Int32?
    package var description: String

    init(address: SocketAddress, errno: Int32?, description: String) {
      self.address = address
      self.errno = errno
      self.description = description
    }

    /// - Parameters:
    ///   - address: The address.
    ///   - error: What NIO reports.
    package init(address: SocketAddress, _ error: any Error) {
      let errno = (error as? IOError)?.errnoCode
      self.init(
        address: address, errno: errno,
        description: errno.map { String(cString: strerror($0)) } ?? "\(error)")
    }
  }

  /// The phase that was in progress.
  package enum Phase: Sendable, Hashable {
    case resolve
    case connect
    case proxy
    case tls
    case upgrade
  }

  /// The problem of a malformed reply.
  package enum MalformedReply: Sendable, Hashable {
    case notHTTP
    case headTooLarge
    case tooManyInterimReplies
  }
}

/// The reply of a server that did not switch protocols.
package struct HTTPRefusal: Sendable {
  package var head: HTTPResponseHead
  /// At most 16 KiB; over HTTP/2 or from a proxy at most 2 KiB.
  package var body: [UInt8]
}
