import Glibc
import NIOSSL
import WebSocketProtocol

/// Watches the library verify a server's certificate, and tells afterwards what it did not like: its
/// error says no more than that it failed.
///
/// Lives on the event loop of its connection.
final class CertificateWatch {
  private var refused: NIOSSLCertificate?

  /// A handler for TLS whose verification is watched.
  func makeHandler(
    _ context: NIOSSLContext, serverName: String?
  ) throws -> NIOSSLClientHandler {
    func make<Handler: WatchedHandler>(_ type: Handler.Type) throws -> Handler {
      try Handler(context: context, serverHostname: serverName) { [self] result, certificate in
        if case .failed = result { refused = refused ?? certificate }
        return result
      }
    }
    return try make(NIOSSLClientHandler.self)
  }

  /// Why the certificate was refused, once it was; `leaf` is the server's own.
  func distrust(
    _ leaf: NIOSSLCertificate?, _ trust: ClientTLS.Trust, now: Int64 = time(nil).signed64
  ) -> Distrust? {
    guard let refused = refused ?? leaf else { return nil }
    let certificate = PeerCertificate(refused)
    let isLeaf = leaf == nil || leaf == refused
    return Distrust(
      cause: Self.cause(
        certificate, isLeaf: isLeaf, isTrusted: trust.includes(refused), now: now),
      certificate: certificate, isLeaf: isLeaf)
  }

  /// The library builds the chain first, and looks at dates and purposes only when it is complete.
  /// Which of both it was shows in the certificate that it stopped at.
  private static func cause(
    _ certificate: PeerCertificate, isLeaf: Bool, isTrusted: Bool, now: Int64
  ) -> Distrust.Cause {
    if certificate.isSelfIssued, !isTrusted { return isLeaf ? .selfSigned : .unknownAuthority }
    if certificate.notAfter < now { return .expired }
    if certificate.notBefore > now { return .notYetValid }
    guard !isTrusted else { return .other }
    guard isLeaf else { return .unknownAuthority }
    guard certificate.isForServers else { return .wrongPurpose }
    return certificate.namesIssuerPlace ? .missingIntermediate : .unknownIssuer
  }
}

/// `NIOSSLClientHandler` marks this initializer as superseded by one whose callback takes the place of
/// the library's verification. What is wanted here is to see it, not to replace it.
private protocol WatchedHandler: NIOSSLHandler {
  init(
    context: NIOSSLContext, serverHostname: String?,
    verificationCallback: NIOSSLVerificationCallback?
  ) throws
}

extension NIOSSLClientHandler: WatchedHandler {}
