import Crypto
import FoundationEssentials
import Glibc
import NIOSSL
import SwiftASN1
import TestPeers
import X509

/// A certificate for a test, with its key, both in memory and in files.
struct TestCertificate: Sendable {
  let certificate: Certificate
  let key: P256.Signing.PrivateKey

  /// Days from now.
  struct Validity: Sendable {
    var from = -1.0
    var to = 30.0
  }

  init(
    _ name: String, by issuer: TestCertificate? = nil, isAuthority: Bool = false,
    names: [String] = [], addresses: [[UInt8]] = [], validity: Validity = Validity(),
    isForClients: Bool = false, namesIssuerPlace: Bool = false
  ) throws {
    let key = P256.Signing.PrivateKey()
    self.key = key
    let subject = try DistinguishedName { CommonName(name) }
    let alternatives =
      names.map { GeneralName.dnsName($0) }
      + addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) }
    let now = Date()
    certificate = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
      notValidBefore: now + validity.from * 86_400, notValidAfter: now + validity.to * 86_400,
      issuer: issuer?.certificate.subject ?? subject, subject: subject,
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(
          isAuthority
            ? BasicConstraints.isCertificateAuthority(maxPathLength: nil)
            : .notCertificateAuthority)
        Critical(
          isAuthority ? KeyUsage(keyCertSign: true) : KeyUsage(digitalSignature: true))
        if isForClients { try ExtendedKeyUsage([.clientAuth]) }
        if !alternatives.isEmpty { SubjectAlternativeNames(alternatives) }
        if namesIssuerPlace {
          AuthorityInformationAccess([
            .init(
              method: .issuingCA,
              location: .uniformResourceIdentifier("http://issuer.example/ca.der"))
          ])
        }
      },
      issuerPrivateKey: .init(issuer?.key ?? key))
  }

  var library: NIOSSLCertificate {
    get throws { try NIOSSLCertificate(bytes: der, format: .der) }
  }

  var libraryKey: NIOSSLPrivateKey {
    get throws { try NIOSSLPrivateKey(bytes: Array(key.derRepresentation), format: .der) }
  }

  /// What `--pin` takes.
  var pin: String {
    let digest = SHA256.hash(data: key.publicKey.derRepresentation)
    return "sha256//" + Data(digest).base64EncodedString()
  }

  private var der: [UInt8] {
    get throws {
      var serializer = DER.Serializer()
      try serializer.serialize(certificate)
      return serializer.serializedBytes
    }
  }

  /// Writes the certificate, and the key behind it if wanted.
  ///
  /// - Returns: the path.
  func file(_ path: String, withKey: Bool = false) throws -> String {
    var text = PEMDocument(type: "CERTIFICATE", derBytes: try der).pemString + "\n"
    if withKey { text += key.pemRepresentation + "\n" }
    return try Self.write(Array(text.utf8), to: path)
  }

  /// The certificate and the key in PKCS#12.
  func bundle(_ path: String, passphrase: String) throws -> String {
    try Self.write(try pkcs12(passphrase: passphrase), to: path)
  }

  func pkcs12(passphrase: String) throws -> [UInt8] {
    try NIOSSLPKCS12Bundle(certificateChain: [try library], privateKey: try libraryKey)
      .serialize(passphrase: passphrase.utf8)
  }

  static func write(_ bytes: [UInt8], to path: String) throws -> String {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0, Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw TestPeerError("cannot write \(path): \(errno)")
    }
    close(descriptor)
    return path
  }
}
