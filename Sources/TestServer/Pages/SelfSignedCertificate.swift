import Crypto
import FoundationEssentials
import Glibc
import NIOSSL
import SwiftASN1
package import WebSocketNIO
import X509

/// A certificate for testing `wss`, for `localhost`, `127.0.0.1`, `::1` and the host name. It
/// exists in memory only.
package struct SelfSignedCertificate: Sendable {
  /// The certificate and its private key, for a server.
  package let tls: ServerTLS
  /// The SHA-256 fingerprint of the certificate, as browsers and `openssl` show it.
  package let fingerprint: String
  /// The certificate in PEM format, which clients can add to their trusted certificates.
  package let pem: String

  /// Creates a key and a certificate, valid from an hour ago until 30 days from now.
  ///
  /// - Throws: An error of the certificate libraries; none is expected.
  package init() throws {
    let key = P256.Signing.PrivateKey()
    let host = Self.hostName
    let name = try DistinguishedName { CommonName("wscope test server") }
    let names = ["localhost", host].reduce(into: [String]()) { list, name in
      if let name, !list.contains(name) { list.append(name) }
    }
    let addresses: [[UInt8]] = [[127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1]]
    let now = Date()
    let certificate = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
      notValidBefore: now - 3600, notValidAfter: now + 30 * 86_400, issuer: name, subject: name,
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(digitalSignature: true, keyCertSign: true))
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames(
          names.map { .dnsName($0) }
            + addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) })
      },
      issuerPrivateKey: .init(key))
    var serializer = DER.Serializer()
    try serializer.serialize(certificate)
    let bytes = serializer.serializedBytes
    tls = ServerTLS(
      chain: [try NIOSSLCertificate(bytes: bytes, format: .der)],
      key: try NIOSSLPrivateKey(bytes: Array(key.derRepresentation), format: .der))
    fingerprint = SHA256.hash(data: bytes).map { byte in
      let hex = String(byte, radix: 16, uppercase: true)
      return hex.count == 1 ? "0" + hex : hex
    }.joined(separator: ":")
    pem = PEMDocument(type: "CERTIFICATE", derBytes: bytes).pemString
  }

  private static var hostName: String? {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return nil }
    let name = String(
      decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return name.isEmpty ? nil : name
  }
}
