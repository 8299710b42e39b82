import Conversation
import Terminal
import WebSocketNIO

/// The result of a TLS handshake, and the identity that the server claims.
struct CertificateText {
  let tls: TLSFacts

  init(_ tls: TLSFacts) { self.tls = tls }

  var lines: [String] {
    let parts = [
      tls.version.name, tls.cipher ?? "unknown cipher",
      tls.applicationProtocol.map { "ALPN \(safe($0))" } ?? "no ALPN",
    ]
    var lines = ["TLS: " + parts.joined(separator: ", ")]
    if let certificate = tls.certificate { lines += describe(certificate) }
    return lines
  }

  private func describe(_ certificate: PeerCertificate) -> [String] {
    let names = Self.names(certificate, safe)
    var lines = [
      "certificate subject: \(safe(certificate.subject))",
      "certificate issuer: \(safe(certificate.issuer))",
      "certificate names: \(names)",
      "certificate valid: \(Self.validity(certificate))",
      "certificate SHA-256: \(Self.hex(certificate.fingerprint))",
    ]
    if let pin = certificate.pin { lines.append("certificate pin: \(pin)") }
    return lines
  }

  /// At most eight names: a certificate may contain hundreds.
  static func names(_ certificate: PeerCertificate, _ safe: (String) -> String) -> String {
    guard !certificate.names.isEmpty else { return "none" }
    let more = certificate.names.count > 8 ? ", and \(certificate.names.count - 8) more" : ""
    return certificate.names.prefix(8).map { safe("\($0)") }.joined(separator: ", ") + more
  }

  static func validity(_ certificate: PeerCertificate) -> String {
    "\(date(certificate.notBefore)) to \(date(certificate.notAfter))"
  }

  /// `2026-11-25 20:14:48 UTC`.
  static func date(_ seconds: Int64) -> String {
    let parts = UTCTime.second(seconds)
    return "\(parts.date) \(parts.clock) UTC"
  }

  /// `AB:CD:...`, as browsers and `openssl` show it.
  static func hex(_ bytes: [UInt8], separator: String = ":") -> String {
    bytes.map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return digits.count == 1 ? "0" + digits : digits
    }.joined(separator: separator)
  }

  private func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }
}
