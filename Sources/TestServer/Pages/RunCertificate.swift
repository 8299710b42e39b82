import Crypto
import FoundationEssentials
import Glibc
import NIOSSL
import SwiftASN1
package import WebSocketNIO
import X509

/// A certificate for testing `wss`, for `localhost`, `127.0.0.1`, `::1` and the host name, made for one
/// run. Its key exists in memory only.
package struct RunCertificate: Sendable {
  /// The certificate and its private key, for a server.
  package let tls: ServerTLS
  /// The SHA-256 fingerprint of the certificate, as browsers and `openssl` show it.
  package let fingerprint: String
  /// In PEM format, what clients can add to their trusted certificates: the certificate, or that of its
  /// authority.
  package let pem: String

  /// Creates a key and a certificate, valid from an hour ago until 30 days from now.
  ///
  /// - Parameter hasAuthority: Whether an authority signs it, instead of its own key. The authority is made for this
  ///   certificate, and nobody has its key afterwards: who trusts it trusts nothing else.
  /// - Throws: An error of the certificate libraries; none is expected.
  package init(hasAuthority: Bool = false) throws {
    let key = P256.Signing.PrivateKey()
    let authority = hasAuthority ? try Authority() : nil
    let host = Self.hostName
    let name = try DistinguishedName { CommonName("wscope test server") }
    let names = ["localhost", host].reduce(into: [String]()) { list, name in
      if let name, !list.contains(name) { list.append(name) }
    }
    let addresses: [[UInt8]] = [[127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1]]
    let now = Date()
    let certificate = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
      notValidBefore: now - 3600, notValidAfter: now + 30 * 86_400,
      issuer: authority?.certificate.subject ?? name, subject: name,
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(
          hasAuthority
            ? BasicConstraints.notCertificateAuthority : .isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(digitalSignature: true, keyCertSign: !hasAuthority))
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames(
          names.map { .dnsName($0) }
            + addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) })
      },
      issuerPrivateKey: .init(authority?.key ?? key))
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
    pem = try Self.pem(of: authority?.certificate ?? certificate)
  }

  private static func pem(of certificate: Certificate) throws -> String {
    var serializer = DER.Serializer()
    try serializer.serialize(certificate)
    return PEMDocument(type: "CERTIFICATE", derBytes: serializer.serializedBytes).pemString + "\n"
  }

  private struct Authority {
    let key = P256.Signing.PrivateKey()
    let certificate: Certificate

    init() throws {
      // With a part of the key in its name: those of several runs are trusted beside each other.
      let mark = SHA256.hash(data: key.publicKey.derRepresentation).prefix(4).map {
        String($0, radix: 16)
      }.joined()
      let name = try DistinguishedName { CommonName("wscope test authority \(mark)") }
      let now = Date()
      certificate = try Certificate(
        version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
        notValidBefore: now - 3600, notValidAfter: now + 30 * 86_400, issuer: name, subject: name,
        signatureAlgorithm: .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
          Critical(KeyUsage(keyCertSign: true))
        },
        issuerPrivateKey: .init(key))
    }
  }

  private static var hostName: String? {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return nil }
    let name = String(
      decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return name.isEmpty ? nil : name
  }
}
