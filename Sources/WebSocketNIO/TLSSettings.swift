package import NIOSSL

/// What a client trusts.
package struct ClientTLS: Sendable {
  package enum Trust: Sendable, Hashable {
    case system
    /// The certificates of a PEM file, and nothing else.
    case file(path: String)
    /// Anything (`--insecure`).
    case anything
  }

  package var trust: Trust

  package init(trust: Trust = .system) {
    self.trust = trust
  }

  /// - Throws: `TLSFailure.configuration`.
  package func makeContext() throws(TLSFailure) -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    switch trust {
    case .system: break
    case .file(let path): configuration.trustRoots = .file(path)
    case .anything: configuration.certificateVerification = .none
    }
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      let file = if case .file(let path) = trust { "\(path): " } else { "" }
      throw .configuration(reason: file + Self.words(error))
    }
  }

  fileprivate static func words(_ error: any Error) -> String {
    switch error as? NIOSSLError {
    case .noSuchFilesystemObject: "no such file"
    case .failedToLoadCertificate: "no certificate in PEM form in it"
    case .failedToLoadPrivateKey: "no private key in PEM form in it"
    default: "\(error)"
    }
  }
}

/// Who a server says it is.
package struct ServerTLS: Sendable {
  package var chain: [NIOSSLCertificate]
  package var key: NIOSSLPrivateKey

  package init(chain: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
    self.chain = chain
    self.key = key
  }

  /// Reads PEM files.
  ///
  /// - Throws: `TLSFailure.configuration` naming the file.
  package init(certificateFile: String, keyFile: String) throws(TLSFailure) {
    do {
      chain = try NIOSSLCertificate.fromPEMFile(certificateFile)
    } catch {
      throw .configuration(reason: "\(certificateFile): \(ClientTLS.words(error))")
    }
    do {
      key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
    } catch {
      throw .configuration(reason: "\(keyFile): \(ClientTLS.words(error))")
    }
  }

  /// - Throws: `TLSFailure.configuration`, when the key does not belong to the certificate.
  package func makeContext() throws(TLSFailure) -> NIOSSLContext {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw .configuration(reason: "the key does not belong to the certificate")
    }
  }
}
