package import NIOSSL
import WebSocketProtocol

/// The identity of a client: its certificate chain, starting with its own certificate, and its key.
package struct ClientIdentity: Sendable {
  package let chain: [NIOSSLCertificate]
  package let key: NIOSSLPrivateKey

  /// The format of the contents of a file.
  package enum Content: Sendable, Hashable {
    /// Text that contains certificates, a key or both.
    case pem
    /// A single certificate or key.
    case der
    /// A bundle of both (RFC 7292).
    case pkcs12

    package init(_ bytes: [UInt8]) {
      guard bytes.first == 0x30 else {
        self = .pem
        return
      }
      // PFX ::= SEQUENCE { version INTEGER {v3(3)}, ... }; a certificate begins with two SEQUENCEs,
      // and keys have only the versions 0 and 1.
      let lengthOfLength = bytes.dropFirst().first.map { $0 > 0x80 ? ($0 & 0x7F).asInt : 0 } ?? 0
      self = bytes.dropFirst(2 + lengthOfLength).starts(with: [0x02, 0x01, 0x03]) ? .pkcs12 : .der
    }
  }

  /// Whether reading the key requires a passphrase.
  ///
  /// A bundle may be readable without one, or with an empty one.
  package static func isEncrypted(_ bytes: [UInt8]) -> Bool {
    switch Content(bytes) {
    case .der: return false
    case .pkcs12: return (try? NIOSSLPKCS12Bundle(buffer: bytes, passphrase: [UInt8]())) == nil
    case .pem:
      let text = String(decoding: bytes, as: UTF8.self)
      return text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
    }
  }

  /// A file: its name as given by the user, and its contents.
  package struct File: Sendable {
    package var name: String
    package var bytes: [UInt8]

    package init(name: String, bytes: [UInt8]) {
      self.name = name
      self.bytes = bytes
    }
  }

  /// Reads the files of certificate and key; if `keyFile` is nil, the certificate file also
  /// contains the key.
  ///
  /// - Throws: `TLSFailure.clientCertificate`, naming the file.
  package init(
    certificate: File, key keyFile: File?, passphrase: [UInt8]?
  ) throws(TLSFailure) {
    if Content(certificate.bytes) == .pkcs12 {
      let bundle = try Self.bundle(certificate, passphrase)
      chain = bundle.certificateChain
      key =
        try keyFile.map { file throws(TLSFailure) in try Self.key(file, passphrase) }
        ?? bundle.privateKey
    } else {
      chain = try Self.chain(certificate)
      key = try Self.key(keyFile ?? certificate, passphrase)
    }
    guard let own = try? chain.first?.extractPublicKey().toSPKIBytes(), !own.isEmpty else {
      throw .clientCertificate(
        reason: "\(certificate.name): unsupported key type in the certificate")
    }
    try check(keyFile ?? certificate, certificate)
  }

  private func check(_ keyFile: File, _ certificate: File) throws(TLSFailure) {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    configuration.certificateChain = chain.map { .certificate($0) }
    configuration.privateKey = .privateKey(key)
    do {
      _ = try NIOSSLContext(configuration: configuration)
    } catch {
      throw .clientCertificate(
        reason:
          "the key in \(keyFile.name) does not belong to the certificate in \(certificate.name)"
      )
    }
  }

  private static func bundle(
    _ file: File, _ passphrase: [UInt8]?
  ) throws(TLSFailure) -> NIOSSLPKCS12Bundle {
    // The library ends the process if a bundle has no key or no certificate.
    let identifier: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01]
    func has(_ kinds: [UInt8]) -> Bool {
      kinds.contains { file.bytes.firstRange(of: identifier + [$0]) != nil }
    }
    let encrypted: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x06]
    guard has([1, 2]) else {
      throw .clientCertificate(reason: "\(file.name): no private key in this PKCS#12 bundle")
    }
    guard has([3]) || file.bytes.firstRange(of: encrypted) != nil else {
      throw .clientCertificate(reason: "\(file.name): no certificate in this PKCS#12 bundle")
    }
    do {
      return try NIOSSLPKCS12Bundle(buffer: file.bytes, passphrase: passphrase ?? [])
    } catch {
      let why = passphrase == nil ? "it needs a passphrase (--pass)" : "the passphrase is wrong"
      throw .clientCertificate(reason: "\(file.name): \(why), or the PKCS#12 bundle is damaged")
    }
  }

  private static func chain(_ file: File) throws(TLSFailure) -> [NIOSSLCertificate] {
    do {
      switch Content(file.bytes) {
      case .der: return [try NIOSSLCertificate(bytes: file.bytes, format: .der)]
      case .pem, .pkcs12:
        let chain = try NIOSSLCertificate.fromPEMBytes(file.bytes)
        if !chain.isEmpty { return chain }
      }
    } catch {}
    throw .clientCertificate(
      reason: "\(file.name): the file contains no certificate (PEM, DER or PKCS#12)")
  }

  private static func key(_ file: File, _ passphrase: [UInt8]?) throws(TLSFailure)
    -> NIOSSLPrivateKey
  {
    guard !file.bytes.isEmpty else {
      throw .clientCertificate(reason: "\(file.name): the file is empty")
    }
    if Content(file.bytes) == .pkcs12 { return try bundle(file, passphrase).privateKey }
    do {
      switch Content(file.bytes) {
      case .der: return try NIOSSLPrivateKey(bytes: file.bytes, format: .der)
      case .pem, .pkcs12:
        return try NIOSSLPrivateKey(bytes: file.bytes, format: .pem) { set in
          set(passphrase ?? [])
        }
      }
    } catch {
      guard isEncrypted(file.bytes) else {
        throw .clientCertificate(
          reason: "\(file.name): the file contains no private key (--key names another file)")
      }
      throw .clientCertificate(
        reason: passphrase == nil
          ? "\(file.name): the key needs a passphrase (--pass)"
          : "\(file.name): the passphrase is wrong, or the encryption of the key is not supported")
    }
  }
}
