import Glibc
import TestPeers
import Testing

@testable import wscope

/// Inputs from real use that once failed: what clients send to `listen`, and TLS that openssl speaks.
@Suite(.blocking) struct RealInputListenTests {
  private static let upgrade =
    "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

  private static let notRequests: [(bytes: [UInt8], said: String)] = {
    let hello: [UInt8] = [0x16, 0x03, 0x01, 0x00, 0xF8] + [UInt8](repeating: 1, count: 100)
    let cookie = "Cookie: " + String(repeating: "x", count: 9000)
    let large = Array("GET / HTTP/1.1\r\nHost: a\r\n\(cookie)\r\n\r\n".utf8)
    let bare = Array("GET / HTTP/1.1\nHost: localhost\n\n".utf8)
    let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [UInt8](repeating: 0, count: 9)
    let other = Array("what\u{1B} is this\r\n\r\n".utf8)
    return [
      (hello, "the client speaks TLS, this port does not; --tls serves wss"),
      (large, "--max-head SIZE raises the limit"), (bare, "line 1 of the request ends in LF"),
      (preface, "the client speaks HTTP/2; --http2 accepts it"),
      (other, #"not a valid HTTP/1.1 request: "what\x1b is this""#),
    ]
  }()

  /// Row 14: one line each, with -q too, and a reply that a person can read.
  @Test(arguments: 0..<5) func row14_whatIsNoRequestIsLogged(_ row: Int) throws {
    let (bytes, said) = Self.notRequests[row]
    let listener = try Listener(["-q"])
    let client = try RawClient(port: listener.port)
    client.send(bytes)
    let line = try listener.process.readLine(from: .standardError) { $0.hasPrefix("! ") }
    #expect(line.contains(said), "\(line)")
    let reply = String(decoding: client.readToEnd(), as: UTF8.self)
    #expect(reply.hasPrefix("HTTP/1.1 4"), "\(reply)")
    // It still serves the next client.
    #expect(try Wscope.run(["send", listener.url, "x"]).outputText == "x\n")
  }

  @Test func row14_aLargerHeadIsAllowed() throws {
    let listener = try Listener(["-q", "--max-head", "64k"])
    let cookie = "Cookie: a=" + String(repeating: "x", count: 12_000)
    let finished = try Wscope.run(["send", listener.url, "x", "-H", cookie])
    #expect(finished.outputText == "x\n", "\(finished.errorText)")
    for size in ["1023", "17M", "x"] {
      #expect(try Wscope.run(["listen", "0", "--max-head", size]).exitCode == 2)
    }
  }

  @Test func row14_plainHTTPAtATLSPort() throws {
    let listener = try Listener(["-q", "--tls"])
    let client = try RawClient(port: listener.port)
    client.send(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
    let line = try listener.process.readLine(from: .standardError) { $0.hasPrefix("! ") }
    #expect(line.contains("the client speaks plain HTTP, this port TLS"), "\(line)")
  }

  /// A server of openssl with a key of this kind, which answers with a page.
  private func openssl(
    _ key: String, _ options: String, _ name: String
  ) throws -> (process: ChildProcess, port: Int, certificate: String) {
    let directory = try Wscope.scratch("openssl-\(name)")
    let made = try Wscope.shell(
      "cd \(directory) && openssl \(key) -out key.pem 2>/dev/null && openssl req -new -x509 -key key.pem "
        + "-out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null"
    )
    #expect(made.exitCode == 0, "\(made.errorText)")
    let process = try ChildProcess.start(
      "/bin/sh",
      [
        "-c",
        "cd \(directory) && exec openssl s_server -accept 127.0.0.1:0 -cert cert.pem "
          + "-key key.pem \(options)",
      ], environment: Wscope.environment())
    // ACCEPT 127.0.0.1:PORT PID=...
    let ready = try process.readLine(from: .standardOutput) { $0.hasPrefix("ACCEPT") }
    let digits = ready.split(separator: ":").last?.prefix { $0.isNumber } ?? ""
    let port = try #require(Int(digits), "\(ready)")
    return (process, port, directory + "/cert.pem")
  }

  /// Row 11: certificates with keys that the library does not offer by itself.
  @Test(arguments: ["ecparam -name secp521r1 -genkey -noout", "genpkey -algorithm ed25519"])
  func row11_signatureAlgorithms(_ key: String) throws {
    let (process, port, certificate) = try openssl(key, "-www", "\(key.utf8.count)")
    defer { process.signal(SIGKILL) }
    for version in ["1.2", "1.3"] {
      let finished = try Wscope.run(
        ["send", "wss://localhost:\(port)/", "--cacert", certificate, "--tls-max", version],
        input: "")
      // TLS is up: openssl serves a page.
      #expect(finished.exitCode == 22, "\(version): \(finished.errorText)")
    }
  }

  /// Row 11: what is still refused says what was offered.
  @Test func row11_whatWasOffered() throws {
    let (process, port, certificate) = try openssl(
      "genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048", "-www", "pss")
    defer { process.signal(SIGKILL) }
    let finished = try Wscope.run(
      ["send", "wss://localhost:\(port)/", "--cacert", certificate], input: "")
    #expect(finished.exitCode == 35)
    #expect(finished.errorText.contains("offered: TLSv1.2 to TLSv1.3; ECDSA with P-256"))
  }

  /// Row 12: the server wants to see a client certificate once it has read the request.
  @Test(arguments: [false, true]) func row12_renegotiation(_ hasCertificate: Bool) throws {
    let (process, port, certificate) = try openssl(
      "genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048", "-tls1_2 -legacy_renegotiation",
      "renegotiation\(hasCertificate)")
    defer { process.signal(SIGKILL) }
    let key = certificate.replacing("cert.pem", with: "key.pem")
    let client = try Wscope.start(
      ["send", "wss://localhost:\(port)/", "--cacert", certificate, "--open-timeout", "60s"]
        + (hasCertificate ? ["--cert", certificate, "--key", key] : []), hasInput: false)
    _ = try process.readLine(from: .standardOutput) { $0.contains("Sec-WebSocket-Version") }
    // A line that begins with R asks for a renegotiation with a certificate.
    try process.writeLine("R")
    if hasCertificate {
      // The server has the certificate now, and does not know its issuer.
      _ = try process.readLine(from: .standardError) { $0.contains("CN = localhost") }
      try process.writeLine("HTTP/1.1 404 Here\nContent-Length: 0\n")
      let finished = try client.wait()
      #expect([8, 22].contains(finished.exitCode), "\(finished.errorText)")
    } else {
      let finished = try client.wait()
      #expect(finished.exitCode == 35, "\(finished.errorText)")
      #expect(finished.errorText.contains("asks to renegotiate after the request"))
    }
  }
}
