import Glibc
import NIOSSL
import WebSocketProtocol

/// Observes how the library verifies a server certificate and reports why it failed: the error of
/// the library only says that it failed.
///
/// Used on the event loop of its connection.
final class CertificateWatch {
  private var refused: NIOSSLCertificate?

  /// A TLS handler whose verification is observed.
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

  /// Why the certificate was rejected, or nil if no certificate is known; `leaf` is the server's
  /// own.
  func distrust(
    _ leaf: NIOSSLCertificate?, _ trust: ClientTLS.Trust, now: Int64 = time(nil).asInt64
  ) -> Distrust? {
    guard let refused = refused ?? leaf else { return nil }
    let certificate = PeerCertificate(refused)
    let isLeaf = leaf == nil || leaf == refused
    return Distrust(
      cause: Self.cause(
        certificate, isLeaf: isLeaf, isTrusted: trust.includes(refused), now: now),
      certificate: certificate, isLeaf: isLeaf)
  }

  /// The library builds the chain first and checks dates and purposes only once it is complete. The
  /// certificate at which it stopped shows which of the two failed.
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

/// `NIOSSLClientHandler` deprecates this initializer in favour of one whose callback replaces the
/// library's verification. Here the callback must observe the verification, not replace it.
private protocol WatchedHandler: NIOSSLHandler {
  init(
    context: NIOSSLContext, serverHostname: String?,
    verificationCallback: NIOSSLVerificationCallback?
  ) throws
}

extension NIOSSLClientHandler: WatchedHandler {}
