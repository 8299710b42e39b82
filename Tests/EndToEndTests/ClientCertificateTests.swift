import TestPeers
import Testing

/// `listen --client-ca`, and `--tls-ca-out`.
@Suite(.blocking) struct ClientCertificateTests {
  private static func authority() throws -> TLSTests.Authority { try TLSTests.authority.get() }

  private static func listen(_ options: String...) throws -> Listener {
    try Listener(["--tls", "--client-ca", try authority().path("root.pem")] + options)
  }

  private static func send(
    _ listener: Listener, _ options: [String]
  ) throws -> ChildProcess.Finished {
    try Wscope.run(
      ["send", "wss://localhost:\(listener.port)/", "hi", "--insecure", "--expect", "hi"] + options)
  }

  @Test(arguments: [[], ["--http2"]]) func theRightOneIsNamedInTheLog(options: [String]) throws {
    let authority = try Self.authority()
    let listener = try Listener(
      ["--tls", "--client-ca", authority.path("root.pem")] + options)
    for certificate in [["client.pem"], ["client.p12", "--pass", "hush"]] {
      let ended = try Self.send(
        listener, ["--cert", authority.path(certificate[0])] + certificate.dropFirst())
      #expect(ended.exitCode == 0, "\(ended.errorText)")
      _ = try listener.process.readLine(from: .standardError) {
        $0.contains(" open   / from 127.0.0.1:") && $0.contains(", certificate CN=a client")
          || $0.contains(" open   / from [::1]:") && $0.contains(", certificate CN=a client")
      }
    }
  }

  @Test func itIsAnEventToo() throws {
    let listener = try Self.listen("--format", "jsonl")
    let path = try Self.authority().path("client.pem")
    #expect(try Self.send(listener, ["--cert", path]).exitCode == 0)
    _ = try listener.process.readLine(from: .standardOutput) {
      $0.contains(#""event":"open""#) && $0.contains(#""subject":"CN=a client""#)
    }
  }

  /// The client is told by an alert, the server's log says why.
  @Test(arguments: [[], ["--http2"]]) func theOthersAreRefused(options: [String]) throws {
    let authority = try Self.authority()
    let listener = try Listener(["--tls", "--client-ca", authority.path("root.pem")] + options)
    let other = try TestCertificate("another root", isAuthority: true)
    let rows: [(name: String, certificate: TestCertificate?, said: String)] = [
      ("none", nil, ": no client certificate"),
      (
        "expired",
        try TestCertificate(
          "a late one", by: authority.root, validity: .init(from: -9, to: -2), isForClients: true),
        ": the client certificate CN=a late one has expired: it was valid until "
      ),
      (
        "early",
        try TestCertificate(
          "an early one", by: authority.root, validity: .init(from: 2, to: 9), isForClients: true),
        ": the client certificate CN=an early one is valid only from "
      ),
      (
        "foreign", try TestCertificate("a foreign one", by: other, isForClients: true),
        ": the client certificate CN=a foreign one is not trusted: its issuer is CN=another root"
      ),
      (
        "own", try TestCertificate("a lonely one", isForClients: true),
        ": the client certificate CN=a lonely one is not trusted: it is self-signed"
      ),
      (
        "escape",
        try TestCertificate("red\u{1B}[31m", isForClients: true), #"CN=red\x1b[31m is not trusted"#
      ),
    ]
    for row in rows {
      var choice: [String] = []
      if let certificate = row.certificate {
        let path = authority.path("refused-\(row.name).pem")
        choice = ["--cert", try certificate.file(path, withKey: true)]
      }
      let ended = try Self.send(listener, choice)
      #expect(ended.exitCode == 35, "\(row.name): \(ended.errorText)")
      _ = try listener.process.readLine(from: .standardError) {
        $0.hasPrefix("! TLS from ") && $0.contains(row.said)
      }
    }
  }

  @Test func otherClientsSeeTheSame() throws {
    let authority = try Self.authority()
    let listener = try Self.listen()
    let url = "https://localhost:\(listener.port)/healthz"
    let curl = { (options: String) in
      try Wscope.shell("curl -sk --max-time 60 \(options) \(url)")
    }
    #expect(try curl("").exitCode != 0)
    let path = authority.path("client.pem")
    #expect(try curl("--cert \(path) --key \(path)").outputText == "ok\n")
    let dialogue = { (version: String) in
      try Wscope.shell(
        "(sleep 5; echo) | openssl s_client -connect localhost:\(listener.port) \(version) 2>&1"
      ).outputText
    }
    #expect(try dialogue("-tls1_2").contains("alert handshake failure"))
    #expect(try dialogue("-tls1_3").contains("alert certificate required"))
  }

  @Test func theAuthorityOfTheRunIsTrustedInPlaceOfTheCertificate() throws {
    let directory = try Wscope.scratch("tls-ca-out")
    let file = "\(directory)/ca.pem"
    let listener = try Listener(["--tls", "--tls-ca-out", file])
    let text = try Wscope.read(file)
    #expect(text.ranges(of: "BEGIN CERTIFICATE").count == 1)
    #expect(!text.contains("PRIVATE KEY"))
    let send = { (options: [String]) in
      try Wscope.run(["send", "wss://localhost:\(listener.port)/", "hi"] + options)
    }
    #expect(try send(["--cacert", file]).exitCode == 0)
    #expect(try send([]).exitCode == 60)
    let checked = try Wscope.shell(
      "curl -s --max-time 60 --cacert \(file) https://127.0.0.1:\(listener.port)/healthz")
    #expect(checked.outputText == "ok\n")
    let said = try Wscope.shell("openssl x509 -in \(file) -noout -text").outputText
    #expect(said.contains("CA:TRUE, pathlen:0"), "\(said)")
    // The key of the server signs no certificates.
    let leaf = try Wscope.shell(
      "openssl s_client -connect localhost:\(listener.port) </dev/null 2>/dev/null | openssl x509 -noout -text"
    ).outputText
    #expect(leaf.contains("CA:FALSE") && leaf.contains("Issuer: CN = wscope test authority "))
    // Each run has its own.
    let next = "\(directory)/next.pem"
    _ = try Listener(["--tls", "--tls-ca-out", next])
    #expect(try send(["--cacert", next]).exitCode == 60)
  }

  @Test(
    arguments: [
      (["--client-ca", "/dev/null"], 2, "--client-ca requires --tls or --cert"),
      (["--tls", "--client-ca", "/nonexistent"], 2, "/nonexistent: no such file"),
      (["--tls", "--client-ca", "/dev/null"], 2, "/dev/null: no PEM certificate in the file"),
      (["--tls-ca-out", "ca.pem"], 2, "--tls-ca-out requires --tls"),
      (["--cert", "a", "--key", "b", "--tls-ca-out", "ca.pem"], 2, "--tls-ca-out requires --tls"),
      (
        ["--tls", "--tls-ca-out", "-", "--format", "jsonl"], 2,
        "--tls-ca-out - and --format jsonl cannot be used together"
      ),
    ] as [([String], Int32, String)])
  func badOptionsAreErrors(options: [String], code: Int32, problem: String) throws {
    let ended = try Wscope.run(["listen", "0"] + options)
    #expect(ended.exitCode == code)
    #expect(ended.errorText.contains(problem), "\(ended.errorText)")
  }
}
