import ArgumentParser
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The TLS options of every command that connects.
struct TLSOptions: ParsableArguments {
  @Flag(
    name: [.customShort("k"), .long, .customLong("no-check")],
    help: "Accept any certificate, with a warning once per run.")
  var insecure = false

  @Option(
    name: [.long, .customLong("ca")],
    help: ArgumentHelp(
      "Trust only the certificates in this PEM file; by default those of the system.",
      valueName: "file"),
    completion: .file())
  var cacert: PublicText?

  @Option(
    help: ArgumentHelp(
      """
      Client certificate for servers that request one: PEM followed by its chain, DER, or PKCS#12 \
      with the key.
      """,
      valueName: "file"),
    completion: .file())
  var cert: PublicText?

  @Option(
    help: ArgumentHelp(
      "Private key for --cert (PEM), if it is in a separate file.", valueName: "file"),
    completion: .file())
  var key: PublicText?

  @Option(
    name: [.long, .customLong("passphrase")],
    help: ArgumentHelp(
      """
      Passphrase for --key or a PKCS#12 --cert; @FILE and env:NAME read it from there. By default \
      wscope prompts for it on a terminal.
      """, valueName: "secret"))
  var pass: Secret?

  @Option(
    help: ArgumentHelp(
      "Oldest TLS version to accept: 1.0, 1.1, 1.2 or 1.3.", valueName: "version"))
  var tlsMin = VersionOption.tls12

  @Option(
    help: ArgumentHelp("Newest TLS version to offer: 1.0, 1.1, 1.2 or 1.3.", valueName: "version"))
  var tlsMax = VersionOption.tls13

  @Option(
    name: [.long, .customLong("pinnedpubkey")],
    help: ArgumentHelp(
      """
      Accept only servers with this public key, as sha256//BASE64; may be repeated, or be a list \
      separated by semicolons. With --insecure, nothing else is checked.
      """, valueName: "pin"))
  var pin: [PublicText] = []

  @Option(
    help: ArgumentHelp(
      """
      Offer these protocols by ALPN, as a comma-separated list (default: http/1.1); an empty list \
      disables ALPN.
      """, valueName: "names"))
  var alpn: PublicText?

  enum VersionOption: String, ExpressibleByArgument, CaseIterable {
    case tls10 = "1.0"
    case tls11 = "1.1"
    case tls12 = "1.2"
    case tls13 = "1.3"

    var version: TLSProtocolVersion {
      switch self {
      case .tls10: .tls10
      case .tls11: .tls11
      case .tls12: .tls12
      case .tls13: .tls13
      }
    }
  }

  /// Validates the options and converts them to settings, as far as nothing has to be read.
  ///
  /// - Throws: `CommandFailure`.
  func checked() throws -> ClientTLS {
    var settings = ClientTLS()
    let (oldest, newest) = (tlsMin.version, tlsMax.version)
    guard oldest <= newest else {
      throw CommandFailure(
        .usage, "--tls-max \(tlsMax.rawValue) is below --tls-min \(tlsMin.rawValue)",
        details: ["hint: --tls-min \(tlsMax.rawValue) accepts it"])
    }
    settings.versions = oldest...newest
    if let alpn { settings.protocols = try Self.protocols(alpn.text) }
    settings.pins = try pin.flatMap { list in
      try list.text.split(separator: ";", omittingEmptySubsequences: false).map { text in
        guard let pin = PublicKeyPin(String(text)) else {
          throw CommandFailure(
            .usage, "--pin \"\(text)\" is not sha256// and the Base64 of 32 bytes",
            details: ["hint: wscope send -v shows the pin of a server"])
        }
        return pin
      }
    }
    if cert == nil {
      guard key == nil else { throw CommandFailure(.usage, "--key requires --cert") }
      guard pass == nil else { throw CommandFailure(.usage, "--pass requires --cert") }
    }
    return settings
  }

  /// As `checked()`, and also reads files and may prompt for a passphrase.
  ///
  /// - Throws: `CommandFailure`.
  func settings(_ context: CommandContext) async throws -> ClientTLS {
    var settings = try checked()
    settings.trust = trust(context.environment)
    settings.identity = try await identity(context)
    if let path = context.environment["SSLKEYLOGFILE"], !path.isEmpty {
      let log = TLSKeyLog(path, context)
      settings.keyLog = { log.append($0) }
    }
    return settings
  }

  private func trust(_ environment: [String: String]) -> ClientTLS.Trust {
    if insecure { return .anything }
    return cacert.map { .file(path: $0.text) } ?? .standard(environment)
  }

  private static func protocols(_ list: String) throws -> [String] {
    let names = list.split(separator: ",").map { name in String(name.filter { $0 != " " }) }
    func isName(_ name: String) -> Bool {
      (1...255).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
    for name in names where !isName(name) {
      throw CommandFailure(.usage, "invalid protocol name \"\(name)\" in --alpn")
    }
    return names
  }

  private func identity(_ context: CommandContext) async throws -> ClientIdentity? {
    guard let cert else { return nil }
    let certificate = try Self.file(cert.text)
    let keyFile = try key.map { try Self.file($0.text) }
    let encrypted = keyFile ?? certificate
    var passphrase = try pass?.read(of: "--pass", context.environment)
    if passphrase == nil, ClientIdentity.isEncrypted(encrypted.bytes) {
      passphrase = await context.console.secret("Passphrase for \(encrypted.name): ")
    }
    do throws(TLSFailure) {
      return try ClientIdentity(
        certificate: certificate, key: keyFile, passphrase: passphrase.map { Array($0.utf8) })
    } catch {
      guard case .clientCertificate(let reason) = error else { throw error }
      throw CommandFailure(
        .clientCertificateUnusable, "the client certificate cannot be used: \(reason)")
    }
  }

  private static func file(_ path: String) throws -> ClientIdentity.File {
    do {
      return ClientIdentity.File(name: path, bytes: try FileContents.read(path))
    } catch let failure as CommandFailure {
      throw CommandFailure(
        .clientCertificateUnusable, "the client certificate cannot be used: \(failure.message)")
    }
  }

  /// Prints the warnings about insecure options, once per run.
  func warnAboutInsecureTLS(_ configuration: ClientConfiguration, _ context: CommandContext) {
    guard insecure, configuration.tls != nil else { return }
    let but = pin.isEmpty ? "" : ", only its public key (--pin)"
    context.console.note(
      "wscope: --insecure: the certificate of \(configuration.url.hostField) is not verified\(but)")
  }
}

extension ClientTLS.Trust {
  /// The system's trust store, or the files that OpenSSL's variables name instead.
  static func standard(_ environment: [String: String]) -> Self {
    func fromEnvironment(_ name: String) -> String? {
      environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
    let (file, directory) = (fromEnvironment("SSL_CERT_FILE"), fromEnvironment("SSL_CERT_DIR"))
    return file == nil && directory == nil ? .system : .places(file: file, directory: directory)
  }
}
