import Glibc
import WebSocketNIO
import WebSocketProtocol

/// Why TLS did not come up, in words.
struct TLSDiagnostician {
  private let other: Diagnostician
  /// Who TLS is spoken with.
  private let host: String
  private let isProxy: Bool
  private let tls: PreparedTLS?

  /// - Parameters:
  ///   - other: knows the connection.
  ///   - proxy: the proxy in words, if it is the one that TLS is spoken with.
  init(_ other: Diagnostician, of proxy: String? = nil) {
    self.other = other
    host = proxy ?? other.url.hostField
    isProxy = proxy != nil
    tls = proxy == nil ? other.configuration.tls : other.configuration.proxyTLS
  }

  /// The one who does something.
  private var peer: String { isProxy ? host : "the server" }

  /// The name that was asked for.
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
        "hint: it may want another version (--tls-min), a client certificate (--cert), or no TLS at all"
      )
    case .alert(let alert, let authentication): refused(alert, authentication)
    case .version(let version): versionRefused(version)
    case .protocolChosen(let name): protocolChosen(name)
    case .handshake(let reason): failed(other.safe(reason), Self.log)
    case .configuration(let reason), .clientCertificate(let reason): Diagnosis(cause: reason)
    }
  }

  private func failed(_ what: String, _ details: String...) -> Diagnosis {
    Diagnosis(cause: "TLS failed: \(what)", details: details)
  }

  private static let log =
    "hint: the log of the server may say more; --tls-max 1.2 may go around it"

  // MARK: The server's certificate

  private func diagnose(_ distrust: Distrust) -> Diagnosis {
    let certificate = distrust.certificate
    let owner = distrust.isLeaf ? "the certificate of \(host)" : "an authority behind \(host)"
    let issuer = quoted(certificate.issuer)
    let trusting = "--cacert FILE trusts an authority, --insecure trusts anybody"
    let (what, hint): (String, String) =
      switch distrust.cause {
      case .expired:
        (
          "\(owner) has expired: it was valid until \(CertificateText.date(certificate.notAfter))",
          "the server needs a new one; --insecure connects all the same"
        )
      case .notYetValid:
        (
          "\(owner) is not yet valid: it will be from \(CertificateText.date(certificate.notBefore))",
          "is the clock of this machine right? It says \(CertificateText.date(Int64(time(nil))))"
        )
      case .selfSigned:
        (
          "\(owner) is not trusted: it is self-signed",
          "--cacert FILE with this certificate trusts it, --pin its key alone (with --insecure)"
        )
      case .unknownAuthority:
        ("\(owner) is not trusted: unknown issuer \(issuer)", trusting)
      case .unknownIssuer:
        (
          "\(owner) is not trusted: unknown issuer \(issuer)",
          "\(trusting); or the server does not send its whole chain"
        )
      case .missingIntermediate:
        (
          "\(owner) is not trusted: \(peer) did not send the certificate of its issuer \(issuer)",
          "the server must send the whole chain; --cacert FILE with the missing one trusts it"
        )
      case .wrongPurpose:
        ("\(owner) is not trusted: it is not meant for servers", "--insecure trusts anybody")
      case .other:
        (
          "\(owner) is not trusted: the chain of certificates breaks a rule (RFC 5280)",
          "--insecure trusts anybody"
        )
      }
    return Diagnosis(cause: what, details: evidence(certificate) + ["hint: \(hint)"])
  }

  private func wrongName(_ name: String, _ certificate: PeerCertificate) -> Diagnosis {
    var details = evidence(certificate)
    details.insert("names: \(CertificateText.names(certificate, other.safe))", at: 0)
    let hint =
      certificate.names.isEmpty
      ? "a certificate without subjectAltName is for nobody, whatever its common name is"
      : "connect by a name that is in the certificate, or --insecure"
    let owner = isProxy ? "the certificate of \(host)" : "the certificate"
    return Diagnosis(
      cause: "\(owner) is not for \(name)", details: details + ["hint: \(hint)"])
  }

  private func pinMismatch(_ certificate: PeerCertificate, _ pins: [PublicKeyPin]) -> Diagnosis {
    Diagnosis(
      cause: "the public key of \(host) is not the one of --pin",
      details: ["got: \(certificate.pin.map { "\($0)" } ?? "none")"]
        + pins.map { "expected: \($0)" } + evidence(certificate)
        + ["hint: if the server has a new key, pin the one it has now; else somebody is in between"]
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
        "\(peer) refuses the versions of TLS that were offered", got, "offered: \(offered)",
        "hint: --tls-min 1.0 offers the old ones too; --tls-max must not keep the new ones out")
    case .noApplicationProtocol:
      return failed(
        "\(peer) refuses the protocols that were offered by ALPN", got, "offered: \(protocols)",
        "hint: a port for HTTP/2 alone has no WebSocket; --alpn '' offers nothing")
    case .unrecognizedName:
      return failed(
        "\(peer) does not know the name \(name)", got,
        "hint: the server has no certificate for it; connect by a name that it serves")
    default:
      break
    }
    if authentication == .offered, alert.isAboutCertificate {
      return failed(
        "\(peer) refuses the client certificate", got,
        "hint: is it from an authority that the server trusts, and not expired?")
    }
    if authentication == .missing || alert.isAboutCertificate {
      return failed(
        "\(peer) requires a client certificate", got,
        "hint: --cert FILE --key FILE shows one")
    }
    guard alert == .handshakeFailure else {
      return failed("\(peer) refused the handshake", got, Self.log)
    }
    return failed(
      "\(peer) found nothing in common: no cipher, no version or no key", got,
      "offered: \(offered)", "hint: an old server may speak --tls-min 1.0")
  }

  private func versionRefused(_ version: TLSProtocolVersion?) -> Diagnosis {
    let name = version?.name ?? "a version that is not known"
    return failed(
      "\(peer) speaks another version of TLS", "got: \(name)", "offered: \(offered)",
      "hint: --tls-min and --tls-max set what is accepted")
  }

  private func protocolChosen(_ name: String) -> Diagnosis {
    failed(
      "ALPN chose \(other.safe(name)), in which there is no upgrade to WebSocket",
      "offered: \(protocols)",
      "hint: offer http/1.1 alone, as without --alpn")
  }
}
