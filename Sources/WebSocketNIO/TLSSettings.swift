import Glibc
package import NIOCore
package import NIOSSL
import WebSocketProtocol

/// The TLS settings of a client: what it trusts, and what it offers and requires in the handshake.
package struct ClientTLS: Sendable {
  /// The certificates that the client trusts.
  package enum Trust: Sendable, Hashable {
    case system
    /// The certificates of a PEM file, and nothing else.
    case file(path: String)
    /// A file and a directory of files named by their hashes, which replace those of the system, as
    /// specified by `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    case places(file: String?, directory: String?)
    /// Anything (`--insecure`).
    case anything

    /// The files and directories of `file` and `places`; the directory comes first, as in the
    /// library.
    package var paths: [String] {
      switch self {
      case .system, .anything: []
      case .file(let path): [path]
      case .places(let file, let directory): [directory, file].compactMap { $0 }
      }
    }

    func includes(_ certificate: NIOSSLCertificate) -> Bool {
      paths.contains { (try? NIOSSLCertificate.fromPEMFile($0))?.contains(certificate) ?? false }
    }
  }

  package var trust: Trust
  /// The accepted versions, both bounds included.
  package var versions = TLSProtocolVersion.tls12...TLSProtocolVersion.tls13
  /// The protocols to offer with ALPN (RFC 7301), in order of preference; none if empty.
  package var protocols = ["http/1.1"]
  /// The certificate and key to use if the server requests a certificate; nil for none.
  package var identity: ClientIdentity?
  /// The public keys that the server may have, regardless of trust; empty allows any.
  package var pins: [PublicKeyPin] = []
  /// Receives lines in the format of NSS key logs.
  package var keyLog: (@Sendable (ByteBuffer) -> Void)?

  package init(trust: Trust = .system) {
    self.trust = trust
  }

  /// A context together with the settings that `TLSHandshake` needs.
  ///
  /// - Throws: `TLSFailure.configuration`.
  package func prepared() throws(TLSFailure) -> PreparedTLS {
    PreparedTLS(context: try makeContext(), settings: self)
  }

  /// The accepted signature algorithms: the library's own list contains neither Ed25519 nor P-521.
  private static let signatureAlgorithms: [SignatureAlgorithm] = [
    .ecdsaSecp256R1Sha256, .ed25519, .rsaPssRsaeSha256, .rsaPkcs1Sha256, .ecdsaSecp384R1Sha384,
    .rsaPssRsaeSha384, .rsaPkcs1Sha384, .ecdsaSecp521R1Sha512, .rsaPssRsaeSha512, .rsaPkcs1Sha512,
  ]

  /// The library's own list, and P-521, which an ECDSA certificate may have (RFC 8422 section
  /// 5.1.1).
  private static let curves: [NIOTLSCurve] = [
    .x25519_MLKEM768, .x25519, .secp256r1, .secp384r1, .secp521r1,
  ]

  /// The names of the algorithms offered, for the error message when a server accepts none of them.
  package static let signatureNames =
    "ECDSA with P-256, P-384 and P-521, Ed25519, RSA-PSS (rsae) and RSA PKCS#1 with SHA-2"

  private func makeContext() throws(TLSFailure) -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = versions.lowerBound.library
    configuration.maximumTLSVersion = versions.upperBound.library
    configuration.applicationProtocols = protocols
    configuration.keyLogCallback = keyLog
    configuration.verifySignatureAlgorithms = Self.signatureAlgorithms
    configuration.curves = Self.curves
    if let identity {
      // A server may ask for the certificate once it has read the request (RFC 5246 section
      // 7.4.1.1).
      configuration.renegotiationSupport = .once
      configuration.certificateChain = identity.chain.map { .certificate($0) }
      configuration.privateKey = .privateKey(identity.key)
    }
    // The library would also compare names with the address of the socket: see `HostIdentity`.
    configuration.certificateVerification = trust == .anything ? .none : .noHostnameVerification
    if let first = trust.paths.first {
      configuration.trustRoots = .file(first)
      configuration.additionalTrustRoots = trust.paths.dropFirst().map { .file($0) }
    }
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      guard !trust.paths.isEmpty else { throw .configuration(reason: "\(error)") }
      // Any other error of the library means that the file contains no certificate.
      let isMissing = error as? NIOSSLError == .noSuchFilesystemObject
      throw .configuration(
        reason: trust.paths.joined(separator: ", ") + ": "
          + Self.message(isMissing ? error : NIOSSLError.failedToLoadCertificate))
    }
  }

  fileprivate static func message(_ error: any Error) -> String {
    switch error as? NIOSSLError {
    case .noSuchFilesystemObject: "no such file"
    case .failedToLoadCertificate: "no PEM certificate in the file"
    case .failedToLoadPrivateKey: "no PEM private key in the file"
    default: "\(error)"
    }
  }
}

/// A client's TLS context, ready for any number of connections.
package struct PreparedTLS: Sendable {
  package let context: NIOSSLContext
  package let settings: ClientTLS
}

extension TLSProtocolVersion {
  fileprivate var library: TLSVersion {
    switch self {
    case .tls10: .tlsv1
    case .tls11: .tlsv11
    case .tls12: .tlsv12
    case .tls13: .tlsv13
    }
  }

  init(_ version: TLSVersion) {
    self =
      switch version {
      case .tlsv1: .tls10
      case .tlsv11: .tls11
      case .tlsv12: .tls12
      case .tlsv13: .tls13
      }
  }
}

/// The identity of a server: its certificate chain and key.
package struct ServerTLS: Sendable {
  package var chain: [NIOSSLCertificate]
  package var key: NIOSSLPrivateKey
  /// The authorities one of which must have signed the certificate of a client; empty if clients need none.
  package private(set) var clientAuthorities: [NIOSSLCertificate] = []

  package init(chain: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
    self.chain = chain
    self.key = key
  }

  /// The pin that makes a client accept only this server.
  package var pin: PublicKeyPin? { chain.first.flatMap(PublicKeyPin.init) }

  /// Reads PEM files.
  ///
  /// - Throws: `TLSFailure.configuration`, naming the file.
  package init(certificateFile: String, keyFile: String) throws(TLSFailure) {
    chain = try Self.certificates(in: certificateFile)
    do {
      key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
    } catch {
      throw .configuration(reason: "\(keyFile): \(ClientTLS.message(error))")
    }
  }

  /// Requires that clients have a certificate.
  ///
  /// - Parameter file: A PEM file with the authorities that sign them.
  /// - Throws: `TLSFailure.configuration`, naming the file.
  package mutating func requireClientCertificates(authorities file: String) throws(TLSFailure) {
    clientAuthorities = try Self.certificates(in: file)
  }

  private static func certificates(in file: String) throws(TLSFailure) -> [NIOSSLCertificate] {
    do {
      // The library says of a file that is not there that it has no certificate.
      guard access(file, F_OK) == 0 else { throw NIOSSLError.noSuchFilesystemObject }
      let certificates = try NIOSSLCertificate.fromPEMFile(file)
      guard !certificates.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
      return certificates
    } catch {
      throw .configuration(reason: "\(file): \(ClientTLS.message(error))")
    }
  }

  /// - Throws: `TLSFailure.configuration` when the key does not belong to the certificate.
  package func makeContext(http2: Bool = false) throws(TLSFailure) -> NIOSSLContext {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    configuration.minimumTLSVersion = .tlsv12
    if !clientAuthorities.isEmpty {
      // A client has no name to compare; the library checks the chain, the dates and the purpose.
      configuration.certificateVerification = .noHostnameVerification
      configuration.trustRoots = .certificates(clientAuthorities)
    }
    // A browser that opens a page over HTTP/2 also opens its WebSocket connections over HTTP/2.
    configuration.applicationProtocols = (http2 ? ["h2"] : []) + ["http/1.1"]
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw .configuration(reason: "the key does not belong to the certificate")
    }
  }
}
