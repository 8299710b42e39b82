/// The reason why a TLS handshake failed. The text for the user is created elsewhere.
package enum TLSFailure: Error, Sendable, Hashable {
  case untrusted(Distrust)
  /// The certificate is for other names.
  case wrongName(host: String, PeerCertificate)
  /// The server's public key does not match any of the pins.
  case pinMismatch(PeerCertificate, pins: [PublicKeyPin])
  /// The peer does not speak TLS; the bytes it sent, at most 16 KiB.
  case notTLS(received: [UInt8])
  /// The peer ended the connection during the handshake.
  case closed
  /// The server refused with an alert.
  case alert(TLSAlert, ClientAuthentication)
  /// The server chose a version that was not offered; nil if the version is not known.
  case version(TLSProtocolVersion?)
  /// ALPN selected a protocol that has no upgrade, such as `h2`.
  case protocolChosen(String)
  /// The server asked for another handshake on the open connection (TLS 1.2), which is useful only
  /// with a client certificate.
  case renegotiation
  case handshake(reason: String)
  /// A local error, such as a file that cannot be read.
  case configuration(reason: String)
  /// The client's certificate or key cannot be used.
  case clientCertificate(reason: String)

  /// The state of client authentication when the server refuses.
  package enum ClientAuthentication: Sendable, Hashable {
    /// A certificate was configured, and sent if the server asked for one.
    case offered
    /// No certificate was configured, and the server asked for one.
    case missing
    /// No certificate was configured; whether the server asked for one is not known.
    case none
  }
}

/// A certificate that does not prove the server's identity.
package struct Distrust: Sendable, Hashable {
  /// The reason why the certificate is not accepted.
  package enum Cause: Sendable, Hashable {
    case expired
    case notYetValid
    /// The server's certificate is its own issuer.
    case selfSigned
    /// The chain ends in an authority that is not trusted.
    case unknownAuthority
    /// The issuer of the server's certificate is not known.
    case unknownIssuer
    /// As `unknownIssuer`, but the certificate has a URL for that of its issuer, which the server
    /// should have sent.
    case missingIntermediate
    /// The certificate is not for servers.
    case wrongPurpose
    case other
  }

  package var cause: Cause
  /// The certificate at fault.
  package var certificate: PeerCertificate
  /// Whether it is the server's own, not that of an authority above it.
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

  /// Whether the alert concerns the certificate of its recipient.
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
