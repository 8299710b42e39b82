import Glibc
import Synchronization
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

@testable import wscope

/// Inputs from real use that once failed: names, addresses and certificates.
@Suite(.blocking) struct RealInputAddressTests {
  private func send(_ arguments: [String]) throws -> ChildProcess.Finished {
    try Wscope.run(["send", "-w", "0"] + arguments)
  }

  /// Row 13: names in `.localhost` are loopback, and nobody is asked for them.
  @Test(arguments: ["app.localhost", "a.b.LOCALHOST", "localhost.", "app.localhost."])
  func row13_localhostNames(_ host: String) throws {
    let listener = try Listener()
    let finished = try send(["ws://\(host):\(listener.port)/", "x"])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
  }

  /// Row 15: neither SNI nor the check of the certificate has the dot; Host has it.
  @Test func row15_aTrailingDot() async throws {
    let root = try TestCertificate("Test Root", isAuthority: true)
    let certificate = try TestCertificate("leaf", by: root, names: ["localhost"])
    let requests = RequestLog()
    let server = try await TLSPeer([certificate], reply: requests.add)
    defer { server.stop() }
    let file = try root.file(try Wscope.scratch("row15") + "/root.pem")
    let finished = try send(["wss://localhost.:\(server.port)/", "--cacert", file])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(requests.text.contains("Host: localhost.:\(server.port)\r\n"), "\(requests.text)")
  }

  /// Row 19: a name that is not ASCII is converted (UTS 46).
  @Test(.enabled(if: InternationalName.ascii("bücher.example") != nil))
  func row19_internationalNames() throws {
    let found = try send([
      "ws://bücher.example:7/", "x", "--resolve", "xn--bcher-kva.example:7:127.0.0.1",
    ])
    #expect(found.exitCode == 7, "\(found.errorText)")
    let row = try #require(InternationalName.ascii("FAẞ.example"))
    #expect(row.hasPrefix("xn--") || row == "fass.example")
  }

  @Test func row19_aNameThatCannotBeConverted() {
    #expect(throws: WebSocketURLError.internationalHost("bücher.example")) {
      try WebSocketURL.parse("ws://bücher.example/")
    }
    #expect(
      WebSocketURLError.internationalHost("b").message("ws://b/")
        == "cannot convert the host name \"b\" to ASCII (IDNA); type its xn-- form")
  }

  /// Row 25: the kinds of the names, and the hint that an address needs `IP:`.
  @Test func row25_anAddressAsADNSName() async throws {
    let root = try TestCertificate("Test Root", isAuthority: true)
    let certificate = try TestCertificate("leaf", by: root, names: ["127.0.0.1", "example.org"])
    let server = try await TLSPeer([certificate])
    defer { server.stop() }
    let file = try root.file(try Wscope.scratch("row25") + "/root.pem")
    let finished = try send(["wss://127.0.0.1:\(server.port)/", "--cacert", file])
    #expect(finished.exitCode == 60)
    #expect(finished.errorText.contains("names: DNS:127.0.0.1, DNS:example.org\n"))
    #expect(finished.errorText.contains("an address must be in the certificate as IP:127.0.0.1"))
  }

  /// Rows 26, 29, 31 and 33: one line that says what to type, and the exit code.
  @Test(arguments: [
    Row(["ws://[fe80::1]:7777/"], 6, "needs its network interface, as in [fe80::1%25eth0]"),
    Row(["ws://[fe80::1%25nosuch]/"], 6, "unknown network interface \"nosuch\""),
    Row(["ws://::1/"], 3, "an IPv6 address needs brackets, as in [::1]"),
    Row(["ws://localhost:1/", "-s", "a b"], 2, "--subprotocol \"a b\" is not a token"),
    Row(["ws://localhost:1/", "-s", "a,,b"], 2, "--subprotocol contains an empty name"),
    Row(["ws://localhost:1/", "-o", "a", "-H", "Origin: b"], 2, "a request has one Origin"),
    Row(["ws:/host"], 3, "did you mean ws://host"),
    Row(["ws//host:1/x"], 3, "did you mean ws://host:1/x"),
    Row(["WSS:/u:secret@host/"], 3, "did you mean wss://host/"),
  ])
  func rows26to33_whatToType(_ row: Row) throws {
    let finished = try send(row.arguments)
    #expect(finished.exitCode == row.exitCode, "\(finished.errorText)")
    #expect(finished.errorText.contains(row.said), "\(finished.errorText)")
    #expect(!finished.errorText.contains("secret"))
  }

  struct Row: CustomTestStringConvertible {
    var arguments: [String]
    var exitCode: Int32
    var said: String

    init(_ arguments: [String], _ exitCode: Int32, _ said: String) {
      (self.arguments, self.exitCode, self.said) = (arguments, exitCode, said)
    }

    var testDescription: String { arguments.joined(separator: " ") }
  }

  /// Row 31: one Cookie field, one Origin field.
  @Test func row31_oneFieldEach() throws {
    let peer = try RawPeer([.readRequest, .accept, .frame(opcode: 8, [0x03, 0xE8]), .readToEnd])
    let finished = try Wscope.run(
      [
        "send", peer.url, "-H", "Cookie: a=b", "--cookie", "c=d", "-o", "http://a", "-H",
        "Origin: http://a", "-H", "cookie: e=f",
      ], input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    let lines = try #require(peer.requests.first).split(separator: "\r\n").map(String.init)
    #expect(lines.filter { $0.lowercased().hasPrefix("cookie:") } == ["Cookie: a=b; e=f; c=d"])
    #expect(lines.filter { $0.lowercased().hasPrefix("origin:") } == ["Origin: http://a"])
  }

  /// Row 28: `*` is every address, and loopback is never called reachable.
  @Test(arguments: ["*:0", "0.0.0.0:0", "[::]:0", "127.0.0.1:0", "localhost:0"])
  func row28_addressesToListenOn(_ endpoint: String) throws {
    let server = try Wscope.start(["listen", endpoint], hasInput: false)
    let ready = try server.readLine(from: .standardError) { $0.contains("listening on") }
    _ = try server.readLine(from: .standardError) { $0.contains("page for browsers") }
    #expect(!ready.contains("0.0.0.0") && !ready.contains("[::]"))
    let port = try #require(ready.split(separator: "127.0.0.1:").last?.prefix { $0.isNumber })
    #expect(try send(["ws://127.0.0.1:\(port)/", "x"]).exitCode == 0)
    server.signal(SIGTERM)
    let log = try server.wait().errorText
    for line in log.split(separator: "\n") where line.contains("reachable") {
      #expect(!line.contains("127.0.0.1") && !line.contains("[::1]"), "\(line)")
      #expect(!endpoint.hasPrefix("127") && !endpoint.hasPrefix("localhost"))
    }
  }
}

/// What a server was asked, from any thread.
private final class RequestLog: Sendable {
  private let bytes = Mutex<[UInt8]>([])

  @Sendable func add(_ request: [UInt8]) -> [UInt8]? {
    bytes.withLock { $0 += request }
    return nil
  }

  var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
}
