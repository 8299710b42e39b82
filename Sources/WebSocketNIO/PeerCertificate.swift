import Crypto
import NIOSSL
import NIOCore
import SwiftASN1
import WebSocketProtocol
import X509

/// The parts of a certificate that are shown to the user. Its names are untrusted text.
package struct PeerCertificate: Sendable, Hashable {
  /// The distinguished name of the subject in the notation of RFC 4514; empty if unreadable.
  package var subject: String
  /// The distinguished name of the issuer, in the same notation.
  package var issuer: String
  /// The names that it is valid for (subjectAltName).
  package var names: [AlternativeName]
  /// The start of its validity, in seconds since 1970.
  package var notBefore: Int64
  /// The end of its validity, in seconds since 1970.
  package var notAfter: Int64
  /// SHA-256 of the whole certificate.
  package var fingerprint: [UInt8]
  /// SHA-256 of its public key, for comparison with pins.
  package var pin: PublicKeyPin?
  /// Whether its issuer equals its subject.
  package var isSelfIssued: Bool
  /// Whether it has a URL for the certificate of its issuer (RFC 5280 section 4.2.2.1), as
  /// certificates of public authorities do.
  package var namesIssuerPlace: Bool
  /// Whether its extended key usage allows a server to use it.
  package var isForServers: Bool
  /// Whether its extended key usage allows a client to use it.
  package var isForClients: Bool
}

extension PeerCertificate {
  init(_ certificate: NIOSSLCertificate) {
    let bytes = (try? certificate.toDERBytes()) ?? []
    let parsed = try? Certificate(derEncoded: bytes)
    subject = parsed.map { "\($0.subject)" } ?? ""
    issuer = parsed.map { "\($0.issuer)" } ?? ""
    names = certificate._subjectAlternativeNames().compactMap(Self.text)
    notBefore = certificate.notValidBefore.asInt64
    notAfter = certificate.notValidAfter.asInt64
    fingerprint = SHA256.digest(bytes)
    pin = PublicKeyPin(certificate)
    isSelfIssued = parsed.map { $0.subject == $0.issuer } ?? false
    let places = try? parsed?.extensions.authorityInformationAccess
    namesIssuerPlace = places?.contains { $0.method == .issuingCA } ?? false
    let usages = try? parsed?.extensions.extendedKeyUsage
    isForServers = usages.map { $0.contains { $0 == .serverAuth || $0 == .any } } ?? true
    isForClients = usages.map { $0.contains { $0 == .clientAuth || $0 == .any } } ?? true
  }

  private static func text(_ name: _SubjectAlternativeName) -> AlternativeName? {
    let bytes = Array(name.contents)
    let text = String(decoding: bytes, as: UTF8.self)
    switch name.nameType {
    case .dnsName: return AlternativeName(kind: .dns, value: text)
    case .uri: return AlternativeName(kind: .uri, value: text)
    case .email: return AlternativeName(kind: .email, value: text)
    case .ipAddress:
      return HostIdentity.address(bytes).map { AlternativeName(kind: .ip, value: $0) }
    default: return nil
    }
  }
}

/// A name in a certificate. Its kind determines what it can match: an address matches only `IP:`.
package struct AlternativeName: Sendable, Hashable, CustomStringConvertible {
  package enum Kind: String, Sendable {
    case dns = "DNS"
    case ip = "IP"
    case uri = "URI"
    case email
  }

  package var kind: Kind
  package var value: String

  /// `DNS:example.com`, as OpenSSL writes it.
  package var description: String { "\(kind.rawValue):\(value)" }
}

/// A public key that the server must have: the SHA-256 of its SubjectPublicKeyInfo (RFC 7469
/// section 2.4), in curl's notation `sha256//BASE64`.
package struct PublicKeyPin: Sendable, Hashable, CustomStringConvertible {
  /// 32 bytes.
  package let digest: [UInt8]

  /// nil for anything other than `sha256//` and the Base64 of 32 bytes.
  package init?(_ text: String) {
    let prefix = "sha256//"
    guard text.hasPrefix(prefix), let digest = Base64.decode(String(text.dropFirst(prefix.count))),
      digest.count == SHA256.byteCount
    else { return nil }
    self.digest = digest
  }

  init?(_ certificate: NIOSSLCertificate) {
    guard let bytes = try? certificate.extractPublicKey().toSPKIBytes() else { return nil }
    digest = SHA256.digest(bytes)
  }

  package var description: String { "sha256//" + digest.withUnsafeBytes { Base64.encode($0) } }
}

extension SHA256 {
  fileprivate static func digest(_ bytes: [UInt8]) -> [UInt8] {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    return Array(hash.finalize())
  }
}
