import Glibc
import NIOSSL
import TestPeers
import Testing

/// What wscope makes of servers that speak TLS, each in its own way.
@Suite(.blocking) struct TLSTests {
  /// Certificates and their files, made once.
  struct Authority: Sendable {
    let root: TestCertificate
    let middle: TestCertificate
    let client: TestCertificate
    let files: String

    init() throws {
      files = try Wscope.scratch("tls")
      root = try TestCertificate("Test Root", isAuthority: true)
      middle = try TestCertificate("Test Intermediate", by: root, isAuthority: true)
      client = try TestCertificate("a client", by: root, isForClients: true)
      _ = try root.file(path("root.pem"))
      _ = try client.file(path("client.pem"), withKey: true)
      _ = try client.bundle(path("client.p12"), passphrase: "hush")
    }

    func path(_ name: String) -> String { "\(files)/\(name)" }

    func leaf(
      _ name: String = "leaf", names: [String] = ["localhost"],
      addresses: [[UInt8]] = [[127, 0, 0, 1]],
      validity: TestCertificate.Validity = .init()
    ) throws -> TestCertificate {
      try TestCertificate(
        name, by: root, names: names, addresses: addresses, validity: validity)
    }
  }

  static let authority = Result { try Authority() }

  /// A server, how it is called and what is said.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var chain: @Sendable (Authority) throws -> [TestCertificate]
    var edit: @Sendable (inout TLSConfiguration, Authority) throws -> Void = { _, _ in }
    var host = "localhost"
    /// `DIR` stands for the directory of the files, `PIN` for the server's pin.
    var options = ["--cacert", "DIR/root.pem"]
    var exitCode: Int32
    var said: [String]
    var testDescription: String { name }
  }

  static let rootName = "issuer: CN=Test Root"
  static let trusting = ["--cacert", "DIR/root.pem"]

  static func requireClient(
    _ configuration: inout TLSConfiguration, _ authority: Authority
  ) throws {
    configuration.certificateVerification = .noHostnameVerification
    configuration.trustRoots = .certificates([try authority.root.library])
  }

  static let certificates: [Row] = [
    Row(name: "trusted", chain: { [try $0.leaf()] }, exitCode: 0, said: []),
    Row(
      name: "trusted, by its address", chain: { [try $0.leaf()] }, host: "127.0.0.1", exitCode: 0,
      said: []),
    Row(
      name: "expired", chain: { [try $0.leaf(validity: .init(from: -9, to: -2))] }, exitCode: 60,
      said: [
        "the certificate of localhost:", "has expired: it was valid until ", "subject: CN=leaf",
        rootName, "hint: the server needs a new certificate",
      ]),
    Row(
      name: "not yet valid", chain: { [try $0.leaf(validity: .init(from: 2, to: 9))] },
      exitCode: 60,
      said: ["is not yet valid: it is valid from ", "hint: is the clock of this machine correct?"]),
    Row(
      name: "another name",
      chain: { [try $0.leaf(names: ["example.org", "*.example.org"], addresses: [])] },
      exitCode: 60,
      said: [
        "the certificate is not for localhost", "names: DNS:example.org, DNS:*.example.org",
        "hint: use a name that is in the certificate",
      ]),
    // The address that a name leads to proves nothing.
    Row(
      name: "an address, where a name was asked for", chain: { [try $0.leaf(names: [])] },
      exitCode: 60, said: ["the certificate is not for localhost", "names: IP:127.0.0.1"]),
    Row(
      name: "a name, where an address was asked for", chain: { [try $0.leaf(addresses: [])] },
      host: "127.0.0.1", exitCode: 60,
      said: ["the certificate is not for 127.0.0.1", "names: DNS:localhost"]),
    Row(
      name: "no name at all", chain: { [try $0.leaf("localhost", names: [], addresses: [])] },
      exitCode: 60,
      said: ["the certificate is not for localhost", "names: none", "needs a subjectAltName"]),
    Row(
      name: "an unknown issuer", chain: { [try $0.leaf()] }, options: [], exitCode: 60,
      said: [
        "is not trusted: unknown issuer CN=Test Root", "subject: CN=leaf", "hint: --cacert FILE",
      ]),
    Row(
      name: "an unknown authority behind a chain",
      chain: {
        [try TestCertificate("leaf", by: $0.middle, names: ["localhost"]), $0.middle]
      }, options: [], exitCode: 60,
      said: [
        "the certificate of an authority of localhost:", "unknown issuer CN=Test Root",
        "subject: CN=Test Intermediate",
      ]),
    Row(
      name: "a whole chain",
      chain: {
        [try TestCertificate("leaf", by: $0.middle, names: ["localhost"]), $0.middle]
      }, exitCode: 0, said: []),
    Row(
      name: "the intermediate is missing",
      chain: {
        [
          try TestCertificate(
            "leaf", by: $0.middle, names: ["localhost"], namesIssuerPlace: true)
        ]
      }, exitCode: 60,
      said: [
        "the server did not send the certificate of its issuer CN=Test Intermediate",
        "hint: the server must send the complete chain",
      ]),
    Row(
      name: "self-signed",
      chain: { _ in [try TestCertificate("itself", names: ["localhost"])] }, exitCode: 60,
      said: ["is not trusted: it is self-signed", "issuer: CN=itself", "hint: --cacert FILE"]),
    Row(
      name: "for clients only",
      chain: {
        [try TestCertificate("leaf", by: $0.root, names: ["localhost"], isForClients: true)]
      },
      exitCode: 60, said: ["is not trusted: it is not for server authentication"]),
    Row(
      name: "--insecure keeps the name",
      chain: { [try $0.leaf(names: ["example.org"], validity: .init(from: -9, to: -2))] },
      options: ["--insecure"], exitCode: 0,
      said: ["--insecure: the certificate of localhost:", "is not verified"]),
  ]

  static let handshakes: [Row] = [
    Row(
      name: "a client certificate is required, TLS 1.3", chain: { [try $0.leaf()] },
      edit: { try requireClient(&$0, $1) }, exitCode: 35,
      said: [
        "TLS failed: the server requires a client certificate", "alert 116",
        "hint: --cert FILE --key FILE",
      ]),
    Row(
      name: "a client certificate is required, TLS 1.2", chain: { [try $0.leaf()] },
      edit: {
        try requireClient(&$0, $1)
        $0.maximumTLSVersion = .tlsv12
      }, exitCode: 35, said: ["the server requires a client certificate", "hint: --cert"]),
    Row(
      name: "a client certificate in PEM", chain: { [try $0.leaf()] },
      edit: { try requireClient(&$0, $1) }, options: trusting + ["--cert", "DIR/client.pem"],
      exitCode: 0, said: []),
    Row(
      name: "a client certificate in PKCS#12", chain: { [try $0.leaf()] },
      edit: { try requireClient(&$0, $1) },
      options: trusting + ["--cert", "DIR/client.p12", "--pass", "hush"], exitCode: 0, said: []),
    Row(
      name: "a client certificate that is not trusted", chain: { [try $0.leaf()] },
      edit: { configuration, authority in
        try requireClient(&configuration, authority)
        configuration.trustRoots = .certificates([try authority.middle.library])
      }, options: trusting + ["--cert", "DIR/client.pem"], exitCode: 35,
      said: ["the server rejects the client certificate", "alert 48 (unknown_ca)"]),
    Row(
      name: "a wrong passphrase", chain: { [try $0.leaf()] },
      options: ["--cert", "DIR/client.p12", "--pass", "no"], exitCode: 58,
      said: ["the client certificate cannot be used", "client.p12: the passphrase is wrong"]),
    Row(
      name: "ALPN chose HTTP/2", chain: { [try $0.leaf()] },
      edit: { configuration, _ in configuration.applicationProtocols = ["h2"] },
      options: trusting + ["--alpn", "h2,http/1.1"], exitCode: 35,
      said: ["ALPN chose h2", "offered: h2, http/1.1", "hint: offer only http/1.1"]),
    Row(
      name: "the server wants TLS 1.3", chain: { [try $0.leaf()] },
      edit: { configuration, _ in configuration.minimumTLSVersion = .tlsv13 },
      options: trusting + ["--tls-max", "1.2"], exitCode: 35,
      said: [
        "the server rejects the offered TLS versions", "alert 70 (protocol_version)",
        "offered: TLSv1.2\n",
      ]),
    Row(
      name: "the server speaks old TLS only", chain: { [try $0.leaf()] },
      edit: { configuration, _ in
        configuration.minimumTLSVersion = .tlsv1
        configuration.maximumTLSVersion = .tlsv11
      }, exitCode: 35,
      said: ["the server rejects the offered TLS versions", "offered: TLSv1.2 to TLSv1.3"]),
    Row(
      name: "old TLS, accepted", chain: { [try $0.leaf()] },
      edit: { configuration, _ in
        configuration.minimumTLSVersion = .tlsv1
        configuration.maximumTLSVersion = .tlsv11
      }, options: trusting + ["--tls-min", "1.1", "-v"], exitCode: 0, said: ["TLS: TLSv1.1, TLS_"]),
    Row(
      name: "the pinned key", chain: { [try $0.leaf()] },
      options: ["-k", "--pin", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;PIN"],
      exitCode: 0, said: ["is not verified, only its public key (--pin)"]),
    Row(
      name: "another key than the pinned one", chain: { [try $0.leaf()] },
      options: trusting + ["--pin", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],
      exitCode: 90,
      said: ["the public key of localhost:", "got: PIN", "expected: sha256//AAAA", "hint: "]),
    Row(
      name: "-v", chain: { [try $0.leaf()] },
      edit: { configuration, _ in configuration.applicationProtocols = ["http/1.1"] },
      options: trusting + ["-v"], exitCode: 0,
      said: [
        "TLS: TLSv1.3, TLS_", "ALPN http/1.1", "certificate subject: CN=leaf",
        "certificate issuer: CN=Test Root", "certificate names: DNS:localhost, IP:127.0.0.1",
        "certificate valid: 20", "certificate SHA-256: ", "certificate pin: PIN",
      ]),
  ]

  @Test(arguments: certificates + handshakes) func row(_ row: Row) async throws {
    let authority = try Self.authority.get()
    let chain = try row.chain(authority)
    let peer = try await TLSPeer(chain) { try row.edit(&$0, authority) }
    defer { peer.stop() }
    let pin = chain.first?.pin ?? ""
    func filled(_ text: String) -> String {
      text.replacing("DIR", with: authority.files).replacing("PIN", with: pin)
    }
    let url = "wss://\(row.host):\(peer.port)/"
    let finished = try Wscope.run(["send", url] + row.options.map(filled), input: "")
    #expect(finished.exitCode == row.exitCode, "\(row.name): \(finished.errorText)")
    #expect(finished.outputText == (row.exitCode == 0 ? "hello\n" : ""), "\(row.name)")
    for text in row.said.map(filled) {
      #expect(finished.errorText.contains(text), "\(row.name): \(finished.errorText)")
    }
    if [35, 60, 90].contains(row.exitCode) { Self.expectAdvice(finished) }
  }

  /// Whatever is wrong, the last line says what to do.
  static func expectAdvice(_ finished: ChildProcess.Finished) {
    let last = finished.errorText.split(separator: "\n").last ?? ""
    #expect(last.hasPrefix("  hint: ") || last.hasPrefix("  try: "), "\(finished.errorText)")
  }

  /// Servers that end the handshake in a way that no library does.
  static let wires: [(name: String, steps: [RawPeer.Step], said: [String])] = [
    (
      "alert 112", [.read(1), alert(112), .readToEnd],
      ["the server does not recognize the name localhost", "alert 112 (unrecognized_name)"]
    ),
    (
      "alert 120", [.read(1), alert(120), .readToEnd],
      ["rejects the protocols offered by ALPN", "offered: http/1.1"]
    ),
    ("alert 40", [.read(1), alert(40), .readToEnd], ["the server supports none of the offered"]),
    (
      "alert 80", [.read(1), alert(80), .readToEnd], ["refused the handshake", "(internal_error)"]
    ),
    ("an alert without a name", [.read(1), alert(99), .readToEnd], ["alert 99"]),
    ("closed", [.read(517)], ["TLS failed: the server closed the connection", "hint: "]),
    (
      "a version that was not offered",
      [.read(1), .send(serverHello(version: 0x0302)), .readToEnd],
      ["the server speaks another version of TLS", "got: TLSv1.1"]
    ),
    (
      "no TLS and no HTTP", [.read(1), .send(Array("220 mail\r\n".utf8)), .readToEnd],
      ["the server does not speak TLS on this port", "got: \"220 mail\"", "try: wscope send ws://"]
    ),
  ]

  static func alert(_ number: UInt8) -> RawPeer.Step { .send([0x15, 3, 3, 0, 2, 2, number]) }

  static func serverHello(version: UInt16) -> [UInt8] {
    let (high, low) = (UInt8(version >> 8), UInt8(version & 0xFF))
    let body = [high, low] + [UInt8](repeating: 7, count: 32) + [0, 0xC0, 0x13, 0]
    return [0x16, high, low, 0, UInt8(body.count + 4), 2, 0, 0, UInt8(body.count)] + body
  }

  @Test(arguments: wires.indices) func wire(_ index: Int) throws {
    let row = Self.wires[index]
    let peer = try RawPeer(row.steps)
    defer { peer.stop() }
    let finished = try Wscope.run(["send", "wss://localhost:\(peer.port)/"], input: "")
    #expect(finished.exitCode == 35, "\(row.name): \(finished.errorText)")
    for text in row.said {
      #expect(finished.errorText.contains(text), "\(row.name): \(finished.errorText)")
    }
    Self.expectAdvice(finished)
  }

  @Test func trustAndKeyLogOfTheEnvironment() async throws {
    let authority = try Self.authority.get()
    let peer = try await TLSPeer([try authority.leaf()])
    defer { peer.stop() }
    let keys = authority.path("keys.log")
    unlink(keys)
    let finished = try ChildProcess.run(
      Wscope.path, ["send", "wss://localhost:\(peer.port)/"], input: [],
      environment: Wscope.environment([
        "SSL_CERT_FILE": authority.path("root.pem"), "SSLKEYLOGFILE": keys,
      ]), deadline: 120)
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.errorText.split(separator: "\n").count == 1)
    #expect(finished.errorText.contains("SSLKEYLOGFILE: the TLS keys of this run are written to"))
    let text = try Wscope.shell("stat -c %a \(keys); grep -c CLIENT_TRAFFIC_SECRET_0 \(keys)")
    #expect(text.outputText == "600\n1\n")
  }

  /// A directory of OpenSSL has its certificates by the hashes of their names.
  @Test func trustOfADirectory() async throws {
    let authority = try Self.authority.get()
    let peer = try await TLSPeer([try authority.leaf()])
    defer { peer.stop() }
    let directories = try Wscope.scratch("trust")
    let made = try Wscope.shell(
      "cd \(directories) && mkdir -p certs none && cp \(authority.path("root.pem")) certs "
        + "&& openssl rehash certs")
    #expect(made.exitCode == 0, "\(made.errorText)")
    for (directory, exitCode) in [("certs", 0), ("none", 60)] as [(String, Int32)] {
      let finished = try Wscope.run(
        ["send", "wss://localhost:\(peer.port)/"], input: "",
        environment: ["SSL_CERT_DIR": "\(directories)/\(directory)"])
      #expect(finished.exitCode == exitCode, "\(directory): \(finished.errorText)")
    }
  }

  @Test(arguments: ["connect", "bench"]) func otherCommands(_ command: String) async throws {
    let authority = try Self.authority.get()
    let peer = try await TLSPeer([try authority.leaf()])
    defer { peer.stop() }
    let pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    let options = ["--cacert", authority.path("root.pem"), "--pin", pin]
    let finished = try Wscope.run(
      [command, "wss://localhost:\(peer.port)/"] + options, input: "")
    #expect(finished.exitCode == 90, "\(finished.errorText)")
    #expect(finished.errorText.contains("does not match --pin"))
  }

  /// Who the user is, is for the server that was asked for alone.
  @Test func aRedirectTakesNoClientCertificateAlong() async throws {
    let authority = try Self.authority.get()
    let strict = try await TLSPeer([try authority.leaf()]) {
      try Self.requireClient(&$0, authority)
    }
    defer { strict.stop() }
    let endpoint = "wss://localhost:\(strict.port)/next"
    let moved = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: \(endpoint)\r\n\r\n"
    let options = [
      "-L", "--cacert", authority.path("root.pem"), "--cert", authority.path("client.pem"),
    ]
    let elsewhere = try await TLSPeer([try authority.leaf()], reply: { _ in Array(moved.utf8) })
    defer { elsewhere.stop() }
    let foreign = try Wscope.run(
      ["send", "wss://localhost:\(elsewhere.port)/"] + options, input: "")
    #expect(foreign.exitCode == 35, "\(foreign.errorText)")
    #expect(foreign.errorText.contains("requires a client certificate"), "\(foreign.errorText)")

    let same = try await TLSPeer([try authority.leaf()]) {
      try Self.requireClient(&$0, authority)
    } reply: { request in
      guard request.starts(with: "GET / ".utf8) else { return nil }
      return Array("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /next\r\n\r\n".utf8)
    }
    defer { same.stop() }
    let own = try Wscope.run(["send", "wss://localhost:\(same.port)/"] + options, input: "")
    #expect(own.exitCode == 0, "\(own.errorText)")
    #expect(own.outputText == "hello\n")
  }
}
