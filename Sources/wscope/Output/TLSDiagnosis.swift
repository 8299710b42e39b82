import Glibc
import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Diagnoses of failed TLS handshakes.
struct TLSDiagnostician {
  private let other: Diagnostician
  /// The peer of the TLS connection.
  private let host: String
  private let isProxy: Bool
  private let tls: PreparedTLS?

  /// - Parameters:
  ///   - other: the diagnostician of the connection.
  ///   - proxy: the name of the proxy, if it is the peer of the TLS connection.
  init(_ other: Diagnostician, of proxy: String? = nil) {
    self.other = other
    host = proxy ?? other.url.hostField
    isProxy = proxy != nil
    tls = proxy == nil ? other.configuration.tls : other.configuration.proxyTLS
  }

  /// The peer as the subject of a sentence.
  private var peer: String { isProxy ? host : "the server" }

  /// The host name that was requested.
  private var name: String {
    isProxy ? other.configuration.proxy?.host ?? host : host
  }

  func diagnose(_ failure: TLSFailure) -> Diagnosis {
    switch failure {
    case .untrusted(let distrust): diagnose(distrust)
    case .wrongName(let name, let certificate): wrongName(name, certificate)
    case .pinMismatch(let certificate, let pins): pinMismatch(certificate, pins)
    case .notTLS(let received): notTLS(received)
    case .closed:
      failed(
        "\(peer) closed the connection during the handshake",
        "hint: it may require another version (--tls-min), a client certificate (--cert), or no TLS"
      )
    case .alert(let alert, let authentication): refused(alert, authentication)
    case .version(let version): versionRefused(version)
    case .protocolChosen(let name): protocolChosen(name)
    case .renegotiation:
      failed(
        "\(peer) asks to renegotiate after the request, probably for a client certificate",
        "hint: --cert FILE --key FILE sends one and allows one renegotiation; "
          + "or configure the server to ask in the first handshake")
    case .handshake(let reason): failed(other.safe(reason), Self.log)
    case .configuration(let reason), .clientCertificate(let reason): Diagnosis(cause: reason)
    }
  }

  private func failed(_ what: String, _ details: String...) -> Diagnosis {
    Diagnosis(cause: "TLS failed: \(what)", details: details)
  }

  private static let log =
    "hint: check the server's log; --tls-max 1.2 may avoid the problem"

  // MARK: The server's certificate

  private func diagnose(_ distrust: Distrust) -> Diagnosis {
    let certificate = distrust.certificate
    let owner =
      distrust.isLeaf ? "the certificate of \(host)" : "the certificate of an authority of \(host)"
    let issuer = quoted(certificate.issuer)
    let trusting = "--cacert FILE trusts an authority, --insecure accepts any certificate"
    let (what, hint): (String, String) =
      switch distrust.cause {
      case .expired:
        (
          "\(owner) has expired: it was valid until \(CertificateText.date(certificate.notAfter))",
          "the server needs a new certificate; --insecure connects anyway"
        )
      case .notYetValid:
        (
          "\(owner) is not yet valid: it is valid from \(CertificateText.date(certificate.notBefore))",
          "is the clock of this machine correct? It shows \(CertificateText.date(Int64(time(nil))))"
        )
      case .selfSigned:
        (
          "\(owner) is not trusted: it is self-signed",
          "--cacert FILE trusts this certificate, --insecure with --pin trusts only its key"
        )
      case .unknownAuthority:
        ("\(owner) is not trusted: unknown issuer \(issuer)", trusting)
      case .unknownIssuer:
        (
          "\(owner) is not trusted: unknown issuer \(issuer)",
          "\(trusting); or the server does not send its complete chain"
        )
      case .missingIntermediate:
        (
          "\(owner) is not trusted: \(peer) did not send the certificate of its issuer \(issuer)",
          "the server must send the complete chain; --cacert FILE with the missing certificate trusts it"
        )
      case .wrongPurpose:
        (
          "\(owner) is not trusted: it is not for server authentication",
          "--insecure accepts any certificate"
        )
      case .other:
        (
          "\(owner) is not trusted: the certificate chain is invalid (RFC 5280)",
          "--insecure accepts any certificate"
        )
      }
    return Diagnosis(cause: what, details: evidence(certificate) + ["hint: \(hint)"])
  }

  private func wrongName(_ name: String, _ certificate: PeerCertificate) -> Diagnosis {
    var details = evidence(certificate)
    details.insert("names: \(CertificateText.names(certificate, other.safe))", at: 0)
    let hint =
      certificate.names.isEmpty
      ? "a certificate needs a subjectAltName; the common name is ignored"
      : isAddress(name) && certificate.names.contains { $0.kind == .dns && $0.value == name }
        ? "an address must be in the certificate as IP:\(name), not as DNS:\(name)"
        : "use a name that is in the certificate, or --insecure"
    let owner = isProxy ? "the certificate of \(host)" : "the certificate"
    return Diagnosis(
      cause: "\(owner) is not for \(name)", details: details + ["hint: \(hint)"])
  }

  private func isAddress(_ name: String) -> Bool {
    (try? SocketAddress(ipAddress: name, port: 0)) != nil
  }

  private func pinMismatch(_ certificate: PeerCertificate, _ pins: [PublicKeyPin]) -> Diagnosis {
    Diagnosis(
      cause: "the public key of \(host) does not match --pin",
      details: ["got: \(certificate.pin.map { "\($0)" } ?? "none")"]
        + pins.map { "expected: \($0)" } + evidence(certificate)
        + [
          "hint: if the server has a new key, update --pin; otherwise the connection may be intercepted"
        ]
    )
  }

  private func evidence(_ certificate: PeerCertificate) -> [String] {
    [
      "subject: \(quoted(certificate.subject))", "issuer: \(quoted(certificate.issuer))",
      "valid: \(CertificateText.validity(certificate))",
    ]
  }

  private func quoted(_ name: String) -> String {
    name.isEmpty ? "without a name" : other.safe(name)
  }

  // MARK: The handshake

  private func notTLS(_ received: [UInt8]) -> Diagnosis {
    failed(
      received.starts(with: "HTTP/".utf8)
        ? "\(peer) answered in plain HTTP on this port"
        : "\(peer) does not speak TLS on this port",
      "got: \(other.firstLine(received))", "try: wscope \(other.command) \(other.other(.plain))")
  }

  private var offered: String {
    guard let versions = tls?.settings.versions else { return "" }
    let (oldest, newest) = (versions.lowerBound.name, versions.upperBound.name)
    return oldest == newest ? oldest : "\(oldest) to \(newest)"
  }

  private var protocols: String {
    let names = tls?.settings.protocols ?? []
    return names.isEmpty ? "none" : names.joined(separator: ", ")
  }

  private func refused(
    _ alert: TLSAlert, _ authentication: TLSFailure.ClientAuthentication
  ) -> Diagnosis {
    let got = "got: alert \(alert.rawValue) (\(alert.name))"
    switch alert {
    case .protocolVersion:
      return failed(
        "\(peer) rejects the offered TLS versions", got, "offered: \(offered)",
        "hint: --tls-min 1.0 also offers old versions; check that --tls-max does not exclude new ones"
      )
    case .noApplicationProtocol:
      return failed(
        "\(peer) rejects the protocols offered by ALPN", got, "offered: \(protocols)",
        "hint: this port may serve HTTP/2 only (try --http2); --alpn '' offers nothing")
    case .unrecognizedName:
      return failed(
        "\(peer) does not recognize the name \(name)", got,
        "hint: the server has no certificate for it; use a name that it serves")
    default:
      break
    }
    if authentication == .offered, alert.isAboutCertificate {
      return failed(
        "\(peer) rejects the client certificate", got,
        "hint: is it issued by an authority that the server trusts, and not expired?")
    }
    if authentication == .missing || alert.isAboutCertificate {
      return failed(
        "\(peer) requires a client certificate", got,
        "hint: --cert FILE --key FILE sends one")
    }
    guard alert == .handshakeFailure else {
      return failed("\(peer) refused the handshake", got, Self.log)
    }
    return failed(
      "\(peer) supports none of the offered versions, ciphers or signature algorithms", got,
      "offered: \(offered); \(ClientTLS.signatureNames)",
      "hint: an old server may need --tls-min 1.0; other kinds of certificate are not supported")
  }

  private func versionRefused(_ version: TLSProtocolVersion?) -> Diagnosis {
    let name = version?.name ?? "an unknown version"
    return failed(
      "\(peer) speaks another version of TLS", "got: \(name)", "offered: \(offered)",
      "hint: --tls-min and --tls-max set the accepted versions")
  }

  private func protocolChosen(_ name: String) -> Diagnosis {
    failed(
      "ALPN chose \(other.safe(name)), which has no upgrade to WebSocket",
      "offered: \(protocols)",
      "hint: offer only http/1.1, the default of --alpn")
  }
}
