/// Why TLS did not come up. The words are made at the edge.
package enum TLSFailure: Error, Sendable, Hashable {
  case untrusted(Distrust)
  /// The certificate is for other names.
  case wrongName(host: String, PeerCertificate)
  /// The server's public key is none of those that were asked for.
  case pinMismatch(PeerCertificate, pins: [PublicKeyPin])
  /// The peer does not speak TLS; what it sent, at most 16 KiB.
  case notTLS(received: [UInt8])
  /// The peer ended the connection during the handshake.
  case closed
  /// The server refused with an alert.
  case alert(TLSAlert, ClientAuthentication)
  /// The server chose a version that was not offered; nil if it is not known which.
  case version(TLSProtocolVersion?)
  /// ALPN chose a protocol in which there is no upgrade, as `h2`.
  case protocolChosen(String)
  /// The server asked for another handshake on the open connection (TLS 1.2), which needs a client
  /// certificate to be of any use.
  case renegotiation
  case handshake(reason: String)
  /// Our own side: a file that cannot be read.
  case configuration(reason: String)
  /// Our own certificate or key cannot be used.
  case clientCertificate(reason: String)

  /// What is known of a client certificate when the server refuses.
  package enum ClientAuthentication: Sendable, Hashable {
    /// It was sent, if the server asked for one.
    case offered
    /// There is none, and the server asked for one.
    case missing
    /// There is none; whether the server asked is not known.
    case none
  }
}

/// A certificate that does not prove who the server is.
package struct Distrust: Sendable, Hashable {
  package enum Cause: Sendable, Hashable {
    case expired
    case notYetValid
    /// The server's own certificate is its own issuer.
    case selfSigned
    /// The chain ends in an authority that is not trusted.
    case unknownAuthority
    /// Nobody knows the issuer of the server's certificate.
    case unknownIssuer
    /// The same, and the certificate says that its issuer's is to be had: the server should have sent it.
    case missingIntermediate
    /// The certificate is not for servers.
    case wrongPurpose
    case other
  }

  package var cause: Cause
  /// The one that is at fault.
  package var certificate: PeerCertificate
  /// Whether it is the server's own, not one of an authority above it.
  package var isLeaf: Bool
}

/// An alert (RFC 8446 section 6).
package struct TLSAlert: RawRepresentable, Sendable, Hashable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  package static let handshakeFailure = Self(rawValue: 40)
  package static let protocolVersion = Self(rawValue: 70)
  package static let unrecognizedName = Self(rawValue: 112)
  package static let certificateRequired = Self(rawValue: 116)
  package static let noApplicationProtocol = Self(rawValue: 120)

  /// Whether it is about the certificate of the one who gets it.
  package var isAboutCertificate: Bool {
    (42...46).contains(rawValue) || [48, 49, 116].contains(rawValue)
  }

  /// The name in the RFC.
  package var name: String { Self.names[rawValue] ?? "alert \(rawValue)" }

  private static let names: [UInt8: String] = [
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow",
    40: "handshake_failure", 42: "bad_certificate", 43: "unsupported_certificate",
    44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security",
    80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled",
    109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 115: "unknown_psk_identity",
    116: "certificate_required", 120: "no_application_protocol",
  ]
}

/// A version of TLS.
package enum TLSProtocolVersion: UInt16, Sendable, Hashable, Comparable, CaseIterable {
  case tls10 = 0x0301
  case tls11 = 0x0302
  case tls12 = 0x0303
  case tls13 = 0x0304

  package static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }

  /// `TLSv1.3`, as OpenSSL writes it.
  package var name: String {
    switch self {
    case .tls10: "TLSv1"
    case .tls11: "TLSv1.1"
    case .tls12: "TLSv1.2"
    case .tls13: "TLSv1.3"
    }
  }
}
