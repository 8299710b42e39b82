import Glibc
import NIOCore
import NIOSSL
import WebSocketProtocol

/// The certificates of a server's clients.
enum ClientCertificate {
  /// The subject of the certificate that the client of a connection has proved to have.
  ///
  /// - Parameter channel: The channel of the connection, not of a stream in it.
  /// - Returns: nil without a certificate.
  static func subject(on channel: any Channel) -> String? {
    certificate(on: channel).map { PeerCertificate($0).subject }
  }

  private static func certificate(on channel: any Channel) -> NIOSSLCertificate? {
    (try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self))?.peerCertificate
  }

  /// Why a handshake failed if the certificate of the client is the reason.
  ///
  /// - Parameters:
  ///   - reason: The error of the library, by its name.
  ///   - channel: The channel of the connection.
  ///   - now: Seconds since 1970.
  /// - Returns: nil for another reason.
  static func problem(
    _ reason: String, on channel: any Channel, now: Int64 = time(nil).asInt64
  ) -> MalformedRequest? {
    switch reason {
    case "PEER_DID_NOT_RETURN_A_CERTIFICATE": return .clientCertificate(nil)
    case "CERTIFICATE_VERIFY_FAILED":
      guard let certificate = certificate(on: channel) else { return nil }
      let facts = PeerCertificate(certificate)
      return .clientCertificate(
        Distrust(cause: cause(facts, now), certificate: facts, isLeaf: true))
    default: return nil
    }
  }

  /// The library says only that it failed.
  private static func cause(_ certificate: PeerCertificate, _ now: Int64) -> Distrust.Cause {
    if certificate.notAfter < now { return .expired }
    if certificate.notBefore > now { return .notYetValid }
    if certificate.isSelfIssued { return .selfSigned }
    return certificate.isForClients ? .unknownIssuer : .wrongPurpose
  }
}
