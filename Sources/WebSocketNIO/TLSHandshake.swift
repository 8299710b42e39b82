import NIOCore
import NIOSSL
import WebSocketProtocol

/// The result of a TLS handshake.
package struct TLSFacts: Sendable {
  package let version: TLSProtocolVersion
  /// The name of the cipher suite (RFC 8446 appendix B.4), or its number, `0x1301`.
  package let cipher: String?
  /// The protocol that ALPN selected.
  package let applicationProtocol: String?
  private let presented: NIOSSLCertificate?

  init(
    version: TLSProtocolVersion, cipher: String?, applicationProtocol: String?,
    presented: NIOSSLCertificate?
  ) {
    self.version = version
    self.cipher = cipher
    self.applicationProtocol = applicationProtocol
    self.presented = presented
  }

  /// The server's certificate, parsed on access.
  package var certificate: PeerCertificate? { presented.map(PeerCertificate.init) }
}

/// The TLS handshake of a client on one connection. The library performs it; this class checks its
/// result and determines the cause of a failure.
///
/// Used on the event loop of its connection.
final class TLSHandshake {
  /// Sits in front of the library's handler and records the bytes received.
  let wire: HeadTee
  let handler: NIOSSLClientHandler
  private let tls: PreparedTLS
  private let host: String
  private let watch = CertificateWatch()

  /// Enough bytes for a ServerHello and a long certificate chain.
  private static let captured = 16 * 1024

  /// `host` is the name or address that the certificate must contain; an address is not sent as SNI
  /// (RFC 6066 section 3).
  ///
  /// - Throws: an error of the library, for a host that cannot be a name.
  init(_ tls: PreparedTLS, host: String, receive: SharedReceiveBuffer) throws {
    self.tls = tls
    // "The hostname is represented [...] without a trailing dot" (RFC 6066 section 3), and the zone
    // of an address is meaningful on this machine only.
    let host = String((host.hasSuffix(".") ? host.dropLast() : host[...]).prefix { $0 != "%" })
    self.host = host
    wire = HeadTee(keeping: Self.captured, receive: receive, isHTTP: false)
    let isName = (try? SocketAddress(ipAddress: host, port: 0)) == nil
    let serverName = isName ? host : nil
    handler =
      tls.settings.trust == .anything
      ? try NIOSSLClientHandler(context: tls.context, serverHostname: serverName)
      : try watch.makeHandler(tls.context, serverName: serverName)
  }

  /// Checks the server after the library's handshake. Nothing but the handshake has been sent so
  /// far.
  ///
  /// - Throws: the reason to reject the server.
  func completed(
    applicationProtocol: String?, wantsHTTP2: Bool = false
  ) throws(TLSFailure) -> TLSFacts {
    let certificate = handler.peerCertificate
    if tls.settings.trust != .anything {
      guard let certificate else { throw .handshake(reason: "the server sent no certificate") }
      guard HostIdentity(host: host).matches(certificate) else {
        throw .wrongName(host: host, PeerCertificate(certificate))
      }
    }
    if !tls.settings.pins.isEmpty {
      guard let certificate, let pin = PublicKeyPin(certificate), tls.settings.pins.contains(pin)
      else {
        guard let certificate else { throw .handshake(reason: "the server sent no certificate") }
        throw .pinMismatch(PeerCertificate(certificate), pins: tls.settings.pins)
      }
    }
    // RFC 6455 upgrades HTTP/1.1; HTTP/2 has no such upgrade (RFC 8441).
    if let name = applicationProtocol, name == "h2" || name == "h3", !wantsHTTP2 {
      throw .protocolChosen(name)
    }
    return TLSFacts(
      version: handler.tlsVersion.map(TLSProtocolVersion.init) ?? .tls13,
      cipher: ServerHello(wire.head).map { CipherSuite.name($0.cipher) },
      applicationProtocol: applicationProtocol, presented: certificate)
  }

  /// Why the handshake failed.
  func failure(_ error: any Error) -> TLSFailure {
    if let strange { return strange }
    switch error {
    case NIOSSLError.handshakeFailed(let cause):
      return failure(cause)
    case NIOSSLError.uncleanShutdown:
      return .closed
    default:
      return .handshake(reason: "\(error)")
    }
  }

  /// The failure if the connection ended during the handshake.
  var ended: TLSFailure { strange ?? .closed }

  /// The failure if the peer does not speak TLS, or nil.
  private var strange: TLSFailure? {
    guard let first = wire.head.first, first != 0x15, first != 0x16 else { return nil }
    return .notTLS(received: wire.head)
  }

  /// Why an open connection failed, if the cause is TLS: in TLS 1.3 the server checks the client's
  /// certificate only after the client has finished its handshake.
  func lateFailure(_ error: any Error) -> TLSFailure? {
    guard let cause = error as? BoringSSLError else { return nil }
    let reasons = Reason.of(cause)
    if reasons.contains(where: { $0.name == "NO_RENEGOTIATION" }) { return .renegotiation }
    return reasons.lazy.compactMap(\.alert).first.map { .alert($0, authentication) }
  }

  private func failure(_ cause: BoringSSLError) -> TLSFailure {
    switch cause {
    case .sslError:
      let reasons = Reason.of(cause)
      if reasons.contains(where: { $0.name == "CERTIFICATE_VERIFY_FAILED" }),
        let distrust = watch.distrust(handler.peerCertificate, tls.settings.trust)
      {
        return .untrusted(distrust)
      }
      if let alert = reasons.lazy.compactMap(\.alert).first { return .alert(alert, authentication) }
      if reasons.contains(where: { $0.name == "UNSUPPORTED_PROTOCOL" }) {
        let version = ServerHello(wire.head)?.version
        return .version(version.flatMap(TLSProtocolVersion.init(rawValue:)))
      }
      return .handshake(reason: reasons.map(\.message).joined(separator: ", "))
    case .syscallError, .zeroReturn:
      return .closed
    default:
      return .handshake(reason: "\(cause)")
    }
  }

  private var authentication: TLSFailure.ClientAuthentication {
    guard tls.settings.identity == nil else { return .offered }
    return ServerHello(wire.head)?.requestsCertificate == true ? .missing : .none
  }

  /// An error of BoringSSL, which is available only as text:
  /// `Error: 268435703 error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER at file:line`.
  private struct Reason {
    var name: String
    private var code: UInt32?
    private var text: String

    static func of(_ error: BoringSSLError) -> [Reason] {
      guard case .sslError(let stack) = error else { return [] }
      return stack.map { Reason("\($0)") }
    }

    init(_ text: String) {
      self.text = text
      let parts = text.split(separator: ":").map(String.init)
      code = parts.dropFirst(2).first.flatMap { UInt32($0, radix: 16) }
      let last = parts.dropFirst(5).first?.split(separator: " ").first
      name = last.map(String.init) ?? text
    }

    /// Reasons from 1000 on are alerts of the peer.
    var alert: TLSAlert? {
      guard let code, case let reason = (code & 0xFFF).asInt, (1000...1255).contains(reason) else {
        return nil
      }
      return TLSAlert(rawValue: (reason &- 1000).truncatedToUInt8)
    }

    /// The message without the numbers and the source location.
    var message: String {
      name == text ? text : name.lowercased().split(separator: "_").joined(separator: " ")
    }
  }
}

/// The names of the cipher suites (IANA) that the library supports.
enum CipherSuite {
  static func name(_ number: UInt16) -> String {
    names[number] ?? "0x" + String(number, radix: 16)
  }

  private static let names: [UInt16: String] = [
    0x1301: "TLS_AES_128_GCM_SHA256", 0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0x002F: "TLS_RSA_WITH_AES_128_CBC_SHA", 0x0035: "TLS_RSA_WITH_AES_256_CBC_SHA",
    0x009C: "TLS_RSA_WITH_AES_128_GCM_SHA256", 0x009D: "TLS_RSA_WITH_AES_256_GCM_SHA384",
    0xC009: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    0xC00A: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    0xC013: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xC014: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    0xC027: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    0xC02B: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    0xC02C: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    0xC02F: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    0xC030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    0xCCA8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    0xCCA9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  ]
}
