import Glibc
import TestPeers
import Testing
import WebSocketProtocol

@testable import wscope

/// Who the user says he is: ways in, what is sent, and that it stays a secret (SECURITY R16).
@Suite(.blocking) struct CredentialTests {
  private static let steps: [RawPeer.Step] = [
    .readRequest, .accept, .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
  ]

  private static func file(_ name: String, _ text: String) throws -> String {
    let path = try Wscope.scratch("credentials") + "/\(name)"
    try FileContents.write(text, to: path)
    return path
  }

  /// The fields of this name in the one request that is made.
  private func sent(
    _ name: String, _ arguments: [String], user: String = "",
    environment: [String: String] = [:]
  ) throws -> [String] {
    let peer = try RawPeer(Self.steps)
    let url = "ws://\(user)127.0.0.1:\(peer.port)/"
    let finished = try Wscope.run(
      ["send", url, "-v"] + arguments, input: "", environment: environment)
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(!finished.errorText.contains("sesame"), "\(finished.errorText)")
    let request = try #require(peer.requests.first)
    return request.split(separator: "\r\n").compactMap { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
      return String(parts[1].drop { $0 == " " })
    }
  }

  /// alice:sesame
  private static let basic = "Basic YWxpY2U6c2VzYW1l"

  @Test func basic() throws {
    #expect(try sent("Authorization", ["-u", "alice:sesame"]) == [Self.basic])
    #expect(try sent("Authorization", ["--auth", "alice:sesame"]) == [Self.basic])
    #expect(try sent("Authorization", ["-u", "a:b:c"]) == ["Basic YTpiOmM="])
    #expect(try sent("Authorization", ["-u", "a:"]) == ["Basic YTo="])
    let file = try Self.file("user", "alice:sesame\r\nmore\n")
    #expect(try sent("Authorization", ["-u", "@\(file)"]) == [Self.basic])
    #expect(
      try sent("Authorization", ["-u", "env:LOGIN"], environment: ["LOGIN": "alice:sesame"])
        == [Self.basic])
    #expect(
      try sent("Authorization", [], environment: ["WSCOPE_USER": "alice:sesame"]) == [Self.basic])
    #expect(try sent("Authorization", [], user: "alice:sesame@") == [Self.basic])
    #expect(try sent("Authorization", [], user: "al%69ce:s%65same@") == [Self.basic])
    #expect(try sent("Authorization", [], user: "a@") == ["Basic YTo="])
  }

  @Test func bearer() throws {
    #expect(try sent("Authorization", ["--bearer", "sesame"]) == ["Bearer sesame"])
    let file = try Self.file("token", "sesame\n")
    #expect(try sent("Authorization", ["--oauth2-bearer", "@\(file)"]) == ["Bearer sesame"])
    #expect(
      try sent("Authorization", [], environment: ["WSCOPE_BEARER": "sesame"]) == ["Bearer sesame"])
  }

  /// What is nearer to the person's fingers counts more.
  @Test func precedence() throws {
    let netrc = try Self.file(
      "netrc",
      "machine other login x password y\nmachine 127.0.0.1\n  login bob password b\n"
        + "machine 127.0.0.1 login alice password sesame\ndefault login d password d\n")
    let all = ["WSCOPE_USER": "env:ENVUSER", "ENVUSER": "e:e"]
    #expect(try sent("Authorization", ["--netrc-file", netrc]) == ["Basic Ym9iOmI="])
    #expect(try sent("Authorization", ["--netrc-file", netrc], user: "alice@") == [Self.basic])
    #expect(
      try sent("Authorization", ["--netrc-file", netrc], environment: all) == ["Basic ZTpl"])
    #expect(try sent("Authorization", [], user: "alice:sesame@", environment: all) == [Self.basic])
    #expect(
      try sent("Authorization", ["-u", "alice:sesame"], user: "u:p@", environment: all)
        == [Self.basic])
    #expect(
      try sent("Authorization", ["-H", "authorization: mine"], user: "u:p@", environment: all)
        == ["mine"])
    let home = try Wscope.scratch("credentials-home")
    try FileContents.write("machine 127.0.0.1 login alice password sesame", to: home + "/.netrc")
    #expect(try sent("Authorization", ["--netrc"], environment: ["HOME": home]) == [Self.basic])
  }

  @Test func headerFiles() throws {
    let file = try Self.file(
      "headers", "# two of them\nX-One: 1\r\n\nX-Two:  seed \n")
    #expect(try sent("X-Two", ["-H", "@\(file)", "-H", "X-Three: 3"]) == ["seed"])
    #expect(try sent("X-One", ["-H", "@\(file)"]) == ["1"])
  }

  @Test func cookies() throws {
    #expect(try sent("Cookie", ["--cookie", "a=sesame"]) == ["a=sesame"])
    #expect(try sent("Cookie", ["--cookie", "a=b; c=d", "--cookie", "e=f"]) == ["a=b; c=d; e=f"])
    #expect(try sent("Cookie", ["--cookie", "env:C"], environment: ["C": "a=b"]) == ["a=b"])
    let jar = try Self.file("jar", "127.0.0.1\tFALSE\t/\tFALSE\t0\tkept\tsesame\n")
    #expect(
      try sent("Cookie", ["--cookie", "a=b", "--cookie-jar", jar, "-H", "Cookie: x=y"])
        == ["x=y; a=b; kept=sesame"])
  }

  /// What servers set is kept, at a refusal too, and sent the next time.
  @Test func theJarIsKept() throws {
    let jar = try Wscope.scratch("credentials") + "/made-by-wscope"
    unlink(jar)
    let refusing = try RawPeer([
      .readRequest,
      .send(
        Array(
          ("HTTP/1.1 401 No\r\nSet-Cookie: first=1; Path=/\r\nSet-Cookie: other=1; Domain=com\r\n"
            + "Content-Length: 0\r\n\r\n").utf8)),
    ])
    _ = try Wscope.run(["send", refusing.url, "--cookie-jar", jar], input: "")
    var status = stat()
    #expect(stat(jar, &status) == 0 && status.st_mode & 0o777 == 0o600)
    let accepting = try RawPeer([
      .readRequest, .acceptAnd("Set-Cookie: second=2; HttpOnly"), .frame(opcode: 8, [0x03, 0xE8]),
      .readToEnd,
    ])
    for _ in 1...2 {
      let finished = try Wscope.run(["send", accepting.url, "--cookie-jar", jar], input: "")
      #expect(finished.exitCode == 0, "\(finished.errorText)")
    }
    let sent = accepting.requests.compactMap { request in
      request.split(separator: "\r\n").first { $0.hasPrefix("Cookie: ") }
    }
    #expect(sent == ["Cookie: first=1", "Cookie: first=1; second=2"])
    let text = String(decoding: try FileContents.read(jar), as: UTF8.self)
    #expect(text.contains("127.0.0.1\tFALSE\t/\tFALSE\t0\tfirst\t1\n"))
    #expect(text.contains("#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\tsecond\t2\n"))
    #expect(!text.contains("other"))
  }

  @Test func aJarThatCannotBeWrittenIsSaid() throws {
    let accepting = try RawPeer([
      .readRequest, .acceptAnd("Set-Cookie: a=b"), .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    let finished = try Wscope.run(
      ["send", accepting.url, "--cookie-jar", "/dev/null/jar"], input: "")
    #expect(finished.exitCode == 0)
    #expect(finished.errorText.contains("cannot save cookies: cannot write /dev/null/jar"))
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    var arguments: [String]
    var said: String
    var url = "ws://127.0.0.1:1/"
    var exitCode: Int32 = 2
    var environment: [String: String] = [:]

    var testDescription: String { arguments.joined(separator: " ") + url }
  }

  static let refusals: [Refusal] = [
    Refusal(
      arguments: ["-u", "a:b", "--bearer", "c"], said: "--user and --bearer cannot be used together"
    ),
    Refusal(
      arguments: ["-u", "a:b", "-H", "Authorization: x"],
      said: "and -H 'Authorization: ...' cannot be used together"),
    Refusal(
      arguments: ["-u", "alice"], said: "--user: no password given, and no terminal to prompt on"),
    Refusal(arguments: ["-u", "a:\r\nX: y"], said: "--user contains a line break (byte 2)"),
    Refusal(arguments: ["--bearer", "a\nb"], said: "--bearer contains a line break (byte 1)"),
    Refusal(arguments: ["--bearer", "a\u{7f}"], said: "--bearer contains a control character"),
    Refusal(arguments: ["--bearer", "\u{85}"], said: "--bearer contains a control character"),
    Refusal(arguments: ["--bearer", ""], said: "--bearer is empty"),
    Refusal(
      arguments: ["--bearer", "@/nonexistent"],
      said: "--bearer: cannot read the file after @: No such"),
    Refusal(arguments: ["--bearer", "@/dev/null"], said: "does not begin with a line of text"),
    Refusal(
      arguments: ["--bearer", "env:NOT_THERE"],
      said: "--bearer: the environment variable after env: is not set"),
    Refusal(arguments: ["--cookie", "a"], said: "--cookie-jar FILE"),
    Refusal(arguments: ["--cookie", "=a"], said: "--cookie requires name=value"),
    Refusal(arguments: ["--cookie", "a=b\r\nc"], said: "--cookie contains a line break"),
    Refusal(arguments: ["-H", "@/nonexistent"], said: "cannot read /nonexistent"),
    Refusal(arguments: ["--netrc", "--netrc-file", "x"], said: "cannot be used together"),
    Refusal(arguments: ["--netrc-file", "/nonexistent"], said: "cannot read /nonexistent"),
    Refusal(arguments: ["--netrc"], said: "cannot read /nonexistent/.netrc"),
    Refusal(
      arguments: [], said: "invalid percent-encoding", url: "ws://a%zz:b@127.0.0.1:1/", exitCode: 3),
    Refusal(
      arguments: [], said: "control character", url: "ws://a%0d%0aX:b@127.0.0.1:1/", exitCode: 3),
    Refusal(arguments: [], said: "not valid UTF-8", url: "ws://%ff:b@127.0.0.1:1/", exitCode: 3),
    Refusal(
      arguments: [], said: "cannot be used together",
      environment: ["WSCOPE_USER": "a:b", "WSCOPE_BEARER": "c"]),
    // In the clear, to another machine: the name is not even looked up.
    Refusal(
      arguments: ["-u", "a:b"],
      said: "the password of --user would be sent to h.invalid unencrypted",
      url: "ws://h.invalid/"),
    Refusal(
      arguments: ["--bearer", "b"], said: "the token of --bearer would be sent to",
      url: "ws://h.invalid/"),
    Refusal(
      arguments: [], said: "the password in the URL would be sent to", url: "ws://a:b@h.invalid/"),
    Refusal(
      arguments: [], said: "WSCOPE_BEARER would be sent to", url: "ws://h.invalid/",
      environment: ["WSCOPE_BEARER": "c"]),
    Refusal(
      arguments: ["-u", "a:b", "--allow-clear-auth"], said: "cannot resolve h.invalid",
      url: "ws://h.invalid/", exitCode: 6),
    Refusal(
      arguments: ["-u", "a:b"], said: "cannot resolve h.invalid", url: "wss://h.invalid/",
      exitCode: 6),
    Refusal(
      arguments: ["-u", "a:b"], said: "would be sent to 127.0.0.1.nip.io",
      url: "ws://127.0.0.1.nip.io/"),
  ]

  @Test(arguments: refusals) func isRefusedInOneLine(row: Refusal) throws {
    let finished = try Wscope.run(
      ["send", row.url] + row.arguments, input: "", environment: row.environment)
    #expect(finished.exitCode == row.exitCode, "\(finished.errorText)")
    #expect(finished.errorText.hasPrefix("wscope: "), "\(finished.errorText)")
    #expect(finished.errorText.contains(row.said), "\(finished.errorText)")
  }

  /// A person at a terminal is asked, and what he types is not seen.
  @Test func thePasswordIsAskedFor() throws {
    let peer = try RawPeer(Self.steps)
    let terminal = try PseudoTerminal(
      Wscope.path, ["connect", peer.url, "-u", "alice"],
      environment: Wscope.environment(["HOME": try Wscope.scratch("credentials-person")]))
    try terminal.wait(forText: "Password for alice:")
    try terminal.type("sesame\n")
    _ = try terminal.waitForEnd()
    #expect(!String(decoding: terminal.transcript, as: UTF8.self).contains("sesame"))
    #expect(try #require(peer.requests.first).contains(Self.basic))
  }

  /// Out of a file or a variable no secret stands where others see it.
  @Test func nothingOfItIsRecorded() throws {
    let peer = try RawPeer(Self.steps)
    let directory = try Wscope.scratch("credentials")
    let recording = directory + "/session.jsonl"
    unlink(recording)
    let finished = try Wscope.run(
      [
        "send", peer.url, "-v", "--bearer", "env:T", "--cookie", "env:C", "--record", recording,
        "--format", "jsonl",
      ], input: "", environment: ["T": "sesame", "C": "a=sesame"])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    let recorded = String(decoding: try FileContents.read(recording), as: UTF8.self)
    #expect(!(recorded + finished.outputText + finished.errorText).contains("sesame"))
    #expect(peer.requests.joined().contains("Bearer sesame"))
  }
}

/// The netrc file.
@Suite(.blocking) struct NetrcTests {
  @Test func entries() throws {
    let netrc = try Netrc(
      """
      # comment
      machine a login u password p
      macdef init
        machine not-one
        login none

      machine B
        account x
        password "q u\\"o\\\\te"   # behind
        login "v"
      default login d password e
      """)
    #expect(
      netrc.entries == [
        .init(host: "a", user: "u", password: "p"),
        .init(host: "b", user: "v", password: "q u\"o\\te"),
        .init(host: nil, user: "d", password: "e"),
      ])
    #expect(netrc.entry(for: try WebSocketURL.parse("wss://a"), user: nil)?.user == "u")
    #expect(netrc.entry(for: try WebSocketURL.parse("wss://a"), user: "x") == nil)
    #expect(netrc.entry(for: try WebSocketURL.parse("wss://c"), user: nil)?.user == "d")
    #expect(netrc.entry(for: try WebSocketURL.parse("ws+unix:/tmp/a:/"), user: nil) == nil)
  }

  @Test(arguments: [
    ("machine", 1, "machine has no value"), ("\nlogin x", 2, "before the first machine"),
    ("machine a user b", 1, "unknown keyword \"user\""), ("machine \"a", 1, "unterminated quote"),
    ("machine a\npassword \"x\n\"", 2, "unterminated quote"),
    ("machine a login \"x\\n\"", 1, "control character"),
  ])
  func problems(text: String, line: Int, words: String) {
    do throws(Netrc.Problem) {
      _ = try Netrc(text)
      Issue.record("it was read")
    } catch {
      #expect(error.line == line)
      #expect(error.message.contains(words), "\(error.message)")
    }
  }
}
