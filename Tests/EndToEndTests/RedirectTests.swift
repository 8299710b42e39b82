import TestPeers
import Testing

/// `-L`: where it goes, and what it does not take along (SECURITY R13).
@Suite(.blocking) struct RedirectTests {
  private static func redirect(
    to location: String?, status: String = "302 Found", fields: [String] = []
  ) -> [RawPeer.Step] {
    let lines =
      ["HTTP/1.1 \(status)", "Content-Length: 0"] + fields
      + (location.map { ["Location: \($0)"] } ?? [])
    return [.readRequest, .send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8))]
  }

  private static let echo: [RawPeer.Step] = [
    .readRequest, .accept, .frame(opcode: 1, Array("arrived".utf8)),
    .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
  ]

  /// What a request says, by the names of its fields.
  private func fields(_ request: String) -> Set<String> {
    Set(
      request.split(separator: "\r\n").dropFirst().compactMap {
        $0.split(separator: ":").first?.lowercased()
      })
  }

  private static let secrets = [
    "-u", "alice:sesame", "--cookie", "session=sesame", "-H", "X-API-Key: sesame", "-H",
    "Proxy-Authorization: Basic sesame", "-H", "Accept-Language: en", "-H", "User-Agent: mine",
    "-o", "http://page.example",
  ]

  @Test(arguments: ["301 Moved", "302 Found", "303 See Other", "307 Same", "308 Same"])
  func anotherPathOfTheSameServer(status: String) throws {
    // The script runs anew on each connection, so the server tells both requests apart by the path.
    let last = try RawPeer(Self.echo)
    let first = try RawPeer(Self.redirect(to: "\(last.url)chat?room=1", status: status))
    let finished = try Wscope.run(["send", first.url, "-L"], input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(finished.outputText == "arrived\n")
    #expect(finished.errorText.isEmpty, "\(finished.errorText)")
    #expect(last.requests.first?.hasPrefix("GET /chat?room=1 HTTP/1.1\r\n") == true)
  }

  @Test func anotherOriginGetsNoSecrets() throws {
    let last = try RawPeer(Self.echo)
    let first = try RawPeer(Self.redirect(to: last.url))
    let finished = try Wscope.run(["send", first.url, "-L"] + Self.secrets, input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(
      finished.errorText.hasPrefix("* redirected (302) to \(last.url); not sent there: "),
      "\(finished.errorText)")
    for name in ["X-API-Key", "Proxy-Authorization", "Cookie", "Authorization"] {
      #expect(finished.errorText.contains(name), "\(finished.errorText)")
    }
    let (sent, got) = (try #require(first.requests.first), try #require(last.requests.first))
    #expect(sent.contains("sesame") && fields(sent).contains("authorization"))
    #expect(!got.contains("sesame"), "\(got)")
    let kept = fields(got)
    #expect(kept.isDisjoint(with: ["authorization", "cookie", "x-api-key", "proxy-authorization"]))
    #expect(kept.isSuperset(of: ["accept-language", "user-agent", "origin"]))
    #expect(got.contains("Accept-Language: en") && got.contains("Origin: http://page.example"))
  }

  /// There and back again: what was taken away stays away.
  @Test func theFirstOriginGetsNothingBack() throws {
    let last = try RawPeer(Self.echo)
    let middle = try RawPeer(Self.redirect(to: last.url))
    let first = try RawPeer(Self.redirect(to: middle.url))
    let finished = try Wscope.run(["send", first.url, "-L", "-v"] + Self.secrets, input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(!(middle.requests + last.requests).joined().contains("sesame"))
    #expect(finished.errorText.contains("* redirected (302) to \(middle.url)"))
    #expect(finished.errorText.contains("* redirected (302) to \(last.url)\n"))
  }

  @Test func theSameOriginGetsAllOfIt() throws {
    // It redirects for as long as it is asked: both requests of `--max-redirects 1` are seen.
    let peer = try RawPeer(Self.redirect(to: "/next"))
    let finished = try Wscope.run(
      ["send", peer.url, "-L", "--max-redirects", "1"] + Self.secrets, input: "")
    #expect(finished.exitCode == 47, "\(finished.errorText)")
    #expect(peer.requests.count == 2)
    #expect(peer.requests.last?.hasPrefix("GET /next ") == true)
    #expect(
      peer.requests.allSatisfy { $0.contains("alice") || $0.contains("Basic YWxpY2U6c2VzYW1l") })
    #expect(peer.requests.allSatisfy { $0.contains("Cookie: session=sesame") })
    #expect(!finished.errorText.contains("not sent there"))
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var steps: [RawPeer.Step]
    var exitCode: Int32 = 22
    var requests = 1
    var said: [String]

    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(
      name: "a loop", steps: redirect(to: "/"), exitCode: 47, requests: 11,
      said: ["more than 10 redirects, the last with status 302", "location: /", "--max-redirects"]),
    Row(
      name: "no Location", steps: redirect(to: nil),
      said: ["redirects with status 302, but sends no Location"]),
    Row(
      name: "several", steps: redirect(to: "/a", fields: ["Location: /b"]),
      said: ["several Location fields", "location: /a", "location: /b"]),
    Row(
      name: "javascript", steps: redirect(to: "javascript:alert(1)"),
      said: [
        "to a URL that is not a WebSocket URL", "location: javascript:alert(1)", "\"javascript\"",
      ]),
    Row(
      name: "a unix socket", steps: redirect(to: "ws+unix:/tmp/x:/"),
      said: ["to a URL that is not a WebSocket URL", "\"ws+unix\""]),
    Row(
      name: "IDN", steps: redirect(to: "ws://b\u{fc}cher.example/"),
      said: ["to a URL that is not a WebSocket URL", "cannot convert the host name"]),
    Row(
      name: "a space", steps: redirect(to: "/a b"),
      said: ["to a URL that is not a WebSocket URL", "space"]),
    Row(
      name: "304 is none", steps: redirect(to: "/x", status: "304 Not Modified"),
      said: ["server refused the upgrade: 304"]),
    Row(
      name: "nobody there", steps: redirect(to: "ws://127.0.0.1:1/x"), exitCode: 7,
      said: ["cannot connect to 127.0.0.1:1"]),
  ]

  @Test(arguments: rows) func isNotFollowedAnyFurther(row: Row) throws {
    let peer = try RawPeer(row.steps)
    let finished = try Wscope.run(["send", peer.url, "-L"], input: "")
    #expect(finished.exitCode == row.exitCode, "\(finished.errorText)")
    #expect(peer.requests.count == row.requests)
    for text in row.said {
      #expect(finished.errorText.contains(text), "\(text) in: \(finished.errorText)")
    }
  }

  @Test func isNotFollowedUnasked() throws {
    let peer = try RawPeer(Self.redirect(to: "ws://127.0.0.1:1/x"))
    let finished = try Wscope.run(["send", peer.url], input: "")
    #expect(finished.exitCode == 22)
    #expect(finished.errorText.contains("302 Found"))
    #expect(finished.errorText.contains("location: ws://127.0.0.1:1/x"))
    #expect(finished.errorText.contains("-L follows the redirect"))
  }

  @Test func benchFindsOutOnceWhereItLeads() throws {
    let listener = try Listener()
    let peer = try RawPeer(Self.redirect(to: listener.url))
    let finished = try Wscope.run(
      ["bench", peer.url, "-L", "-c", "2", "-n", "20", "--format", "json"], input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(peer.requests.count == 1)
    #expect(finished.errorText.contains("redirected (302) to \(listener.url)"))
  }

  /// The location of a hostile server is shown on a terminal without its escapes, and no secret in it.
  @Test func locationsAreShownSafely() throws {
    let last = try RawPeer(Self.echo)
    let first = try RawPeer(Self.redirect(to: "\(last.url)?token=sesame&x=1"))
    let finished = try Wscope.run(["send", first.url, "-L", "-v"], input: "")
    #expect(finished.errorText.contains("redirected (302) to \(last.url)?token=***&x=1"))
    #expect(!finished.errorText.contains("* redirected (302) to \(last.url)?token=sesame"))
  }

  @Test(arguments: [
    (["--max-redirects", "3"], "--max-redirects is for --location"),
    (["--max-redirs", "3"], "--max-redirects is for --location"),
    (["--allow-downgrade"], "--allow-downgrade is for --location"),
    (["-L", "--max-redirects", "-1"], "--max-redirects"),
    (["-L", "--max-redirects", "1001"], "from 0 to 1000"),
  ])
  func usage(options: [String], said: String) throws {
    let finished = try Wscope.run(["send", "ws://127.0.0.1:1/"] + options, input: "")
    #expect(finished.exitCode == 2, "\(finished.errorText)")
    #expect(finished.errorText.contains(said), "\(finished.errorText)")
  }
}
