import Conversation
import Glibc
import TestPeers
import Testing

/// What is typed about TLS, and how it is shown.
@Suite(.blocking) struct TLSOptionTests {
  /// Files of the suite of servers, and some that are of no use.
  static let files = Result {
    let authority = try TLSTests.authority.get()
    _ = try TestCertificate.write([], to: authority.path("empty"))
    _ = try TestCertificate.write(Array("hush\nmore\n".utf8), to: authority.path("secret"))
    _ = try TestCertificate("another").file(authority.path("other.pem"), withKey: true)
    _ = try TestCertificate.write(
      Array(try TestCertificate("a client").pkcs12(passphrase: "hush").prefix(300)),
      to: authority.path("cut.p12"))
    for (name, options) in [
      ("pkcs8", "pkcs8 -topk8 -v2 aes-256-cbc"), ("traditional", "ec -aes128"),
    ] {
      let made = try Wscope.shell(
        "openssl \(options) -in \(authority.path("client.pem")) -passout pass:hush "
          + "-out \(authority.path("\(name).key"))")
      guard made.exitCode == 0 else { throw TestPeerError(made.errorText) }
    }
    return authority
  }

  /// Options that are refused before anything is sent.
  static let refused: [(options: [String], exitCode: Int32, said: String)] = [
    (["--tls-min", "1.3", "--tls-max", "1.2"], 2, "--tls-max 1.2 is below --tls-min 1.3"),
    (["--tls-max", "1.1"], 2, "hint: --tls-min 1.1 accepts it"),
    (["--tls-min", "1.4"], 2, "'1.4' is invalid"),
    (["--tls-min", "TLSv1.2"], 2, "is invalid"),
    (["--pin", "sha256//AAAA"], 2, "--pin \"sha256//AAAA\" is not sha256// and the Base64 of 32"),
    (["--pin", ""], 2, "--pin \"\" is not"),
    (["--pinnedpubkey", "DIR/root.pem"], 2, "is not sha256//"),
    (["--pin", "sha256//\(String(repeating: "A", count: 43))=;"], 2, "--pin \"\" is not"),
    (["--pin", "DIR/root.pem"], 2, "is not sha256//"),
    (["--alpn", "http/1.1,\u{7f}"], 2, "invalid protocol name"),
    (["--key", "DIR/client.pem"], 2, "--key requires --cert"),
    (["--pass", "hush"], 2, "--pass requires --cert"),
    (["--cacert", "DIR/none"], 2, "DIR/none: no such file"),
    (["--cacert", "DIR/secret"], 2, "DIR/secret: no PEM certificate"),
    (["--cert", "DIR/none"], 58, "cannot be used: cannot read DIR/none"),
    (["--cert", "DIR/empty"], 58, "DIR/empty: the file contains no certificate"),
    (["--cert", "DIR/secret"], 58, "DIR/secret: the file contains no certificate"),
    (
      ["--cert", "DIR/root.pem"], 58,
      "DIR/root.pem: the file contains no private key (--key names another file)"
    ),
    (["--cert", "DIR/root.pem", "--key", "DIR/empty"], 58, "DIR/empty: the file is empty"),
    (
      ["--cert", "DIR/client.pem", "--key", "DIR/other.pem"], 58,
      "the key in DIR/other.pem does not belong to the certificate in DIR/client.pem"
    ),
    (["--cert", "DIR/client.p12"], 58, "DIR/client.p12: it needs a passphrase (--pass)"),
    (
      ["--cert", "DIR/client.p12", "--pass", "hash"], 58, "DIR/client.p12: the passphrase is wrong"
    ),
    (["--cert", "DIR/cut.p12", "--pass", "hush"], 58, "DIR/cut.p12: "),
    (
      ["--cert", "DIR/client.pem", "--key", "DIR/pkcs8.key"], 58,
      "DIR/pkcs8.key: the key needs a passphrase (--pass)"
    ),
    (
      ["--cert", "DIR/client.pem", "--key", "DIR/traditional.key", "--pass", "hash"], 58,
      "DIR/traditional.key: the passphrase is wrong"
    ),
    (
      ["--cert", "DIR/client.p12", "--pass", "env:NOWHERE"], 2,
      "--pass: the environment variable after env: is not set"
    ),
    (
      ["--cert", "DIR/client.p12", "--pass", "@DIR/none"], 2,
      "--pass: cannot read the file after @: No such"
    ),
  ]

  @Test(arguments: refused.indices) func isRefused(_ index: Int) throws {
    let row = Self.refused[index]
    let files = try Self.files.get().files
    func filled(_ text: String) -> String { text.replacing("DIR", with: files) }
    for command in ["send", "connect", "bench"] {
      let finished = try Wscope.run(
        [command, "wss://127.0.0.1:1/"] + row.options.map(filled), input: "")
      #expect(finished.exitCode == row.exitCode, "\(row.options): \(finished.errorText)")
      #expect(finished.errorText.contains(filled(row.said)), "\(finished.errorText)")
      #expect(!finished.errorText.contains("hash"), "\(finished.errorText)")
    }
  }

  /// Ways to the key that end well.
  static let shown: [(options: [String], environment: [String: String])] = [
    (["--cert", "DIR/client.p12", "--passphrase", "hush"], [:]),
    (["--cert", "DIR/client.p12", "--pass", "@DIR/secret"], [:]),
    (["--cert", "DIR/client.p12", "--pass", "env:PHRASE"], ["PHRASE": "hush"]),
    (["--cert", "DIR/client.pem", "--key", "DIR/pkcs8.key", "--pass", "hush"], [:]),
    (["--cert", "DIR/client.pem", "--key", "DIR/traditional.key", "--pass", "hush"], [:]),
    (["--cert", "DIR/client.pem", "--key", "DIR/client.p12", "--pass", "hush"], [:]),
  ]

  @Test(arguments: shown.indices) func theKeyIsRead(_ index: Int) async throws {
    let row = Self.shown[index]
    let authority = try Self.files.get()
    let peer = try await TLSPeer([try authority.leaf()]) {
      try TLSTests.requireClient(&$0, authority)
    }
    defer { peer.stop() }
    let options = row.options.map { $0.replacing("DIR", with: authority.files) }
    let finished = try Wscope.run(
      ["send", "wss://localhost:\(peer.port)/", "--ca", authority.path("root.pem")] + options,
      input: "", environment: row.environment)
    #expect(finished.exitCode == 0, "\(row.options): \(finished.errorText)")
    #expect(finished.outputText == "hello\n")
  }

  @Test func aPassphraseIsAskedForWithoutBeingShown() async throws {
    let authority = try TLSTests.authority.get()
    let peer = try await TLSPeer([try authority.leaf()]) {
      try TLSTests.requireClient(&$0, authority)
    }
    defer { peer.stop() }
    let terminal = try PseudoTerminal(
      Wscope.path,
      [
        "send", "wss://localhost:\(peer.port)/", "--cacert", authority.path("root.pem"),
        "--cert", authority.path("client.p12"),
      ], environment: Wscope.environment())
    try terminal.wait(forText: "Passphrase for \(authority.path("client.p12")):")
    try terminal.type("hush\n")
    try terminal.wait(forText: "hello")
    #expect(try terminal.waitForEnd() == .exited(0))
    #expect(!String(decoding: terminal.transcript, as: UTF8.self).contains("hush"))
  }

  /// The event `open` has all of it, and keeps the schema.
  @Test func theOpenEventTellsOfTLS() async throws {
    let authority = try TLSTests.authority.get()
    let leaf = try authority.leaf()
    let peer = try await TLSPeer([leaf])
    defer { peer.stop() }
    let finished = try Wscope.run(
      [
        "send", "wss://localhost:\(peer.port)/", "--cacert", authority.path("root.pem"),
        "--format", "jsonl",
      ], input: "")
    let line = try #require(finished.outputText.split(separator: "\n").first)
    let event = try JSONValue.parse(Array(line.utf8))
    let schema = try JSONValue.parse(SessionEvent.schema)
    #expect(SchemaCheck(schema).problems(of: event) == [], "\(line)")
    #expect(event["tls"] == .string("TLSv1.3"))
    #expect(event["cipher"]?.string?.hasPrefix("TLS_") == true)
    let certificate = try #require(event["certificate"])
    #expect(certificate["subject"] == .string("CN=leaf"))
    #expect(certificate["issuer"] == .string("CN=Test Root"))
    #expect(certificate["names"] == .array([.string("localhost"), .string("127.0.0.1")]))
    #expect(certificate["pin"] == .string(leaf.pin))
    #expect(certificate["sha256"]?.string?.count == 64)
    let timings = try #require(event["timings"])
    guard case .object(let members) = timings else {
      Issue.record("\(line)")
      return
    }
    #expect(members.map(\.name) == ["dns", "tcp", "tls", "upgrade"])
  }

  @Test func infoTellsOfTLS() throws {
    let listener = try Listener(["--tls"])
    let desk = try PromptDesk("tls-info")
    let terminal = try desk.connect(
      ["-k"], url: "wss://localhost:\(listener.port)/", columns: 120)
    try terminal.type("/info\r")
    for text in [
      "TLS: TLSv1.3, TLS_", "certificate names: DNS:localhost", "certificate pin: sha256//",
    ] {
      try terminal.wait(forText: text)
    }
    try desk.quit(terminal)
  }
}
