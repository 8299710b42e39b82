import TestPeers
import Testing

/// Proxies that are not there, refuse, or answer what is none of an answer.
@Suite(.blocking) struct ProxyFailureTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var scheme = "http"
    var steps: [RawPeer.Step]
    var exitCode: Int32 = 97
    var said: [String]
    var notSaid: [String] = []

    var testDescription: String { name }
  }

  static func reply(_ text: String) -> [RawPeer.Step] { [.readRequest, .send(Array(text.utf8))] }

  static func socks(_ replies: [UInt8]...) -> [RawPeer.Step] {
    // The greeting has three bytes, what asks for 127.0.0.1 ten.
    var steps: [RawPeer.Step] = [.read(3)]
    for (index, reply) in replies.enumerated() {
      if index > 0 { steps.append(.read(10)) }
      steps.append(.send(reply))
    }
    return steps
  }

  static let line = String(repeating: "y", count: 8000)

  static let rows: [Row] = [
    Row(
      name: "403 with a text",
      steps: reply("HTTP/1.1 403 Filtered\r\nContent-Length: 18\r\n\r\n\r\nnot there\nsecond\n"),
      said: ["refused to connect to 127.0.0.1:1: 403 Filtered", "body: not there"]),
    Row(
      name: "403 with a page",
      steps: reply("HTTP/1.0 403 Filtered\r\n\r\n<html><h1>Access denied</h1></html>\n"),
      said: ["403 Filtered", "Access denied"]),
    Row(
      name: "502 without a text",
      steps: reply("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
      said: ["refused to connect to 127.0.0.1:1: 502 Bad Gateway"], notSaid: ["body:"]),
    Row(
      name: "a text that does not end",
      steps: reply("HTTP/1.1 403 No\r\nContent-Length: 2000\r\n\r\nslowly") + [.silence],
      said: ["403 No", "body: slowly"]),
    Row(
      name: "a text without end",
      steps: reply("HTTP/1.1 403 No\r\n\r\n" + String(repeating: "no ", count: 100_000)),
      said: ["403 No", "body: no no"]),
    Row(
      name: "a page in chunks",
      steps: reply(
        "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n<title>\r\n12\r\nDenied by policy</\r\n"
          + "6\r\ntitle>\r\n0\r\n\r\n") + [.silence],
      said: ["403 No", "body: Denied by policy\n"]),
    Row(
      name: "words without end",
      steps: reply(
        "HTTP/1.1 407 \(line)\r\nProxy-Authenticate: \(line)\r\nContent-Length: 0\r\n\r\n"),
      said: ["407 yyy", "proxy-authenticate: yyy"],
      notSaid: [String(repeating: "y", count: 201)]),
    Row(
      name: "401 in place of 407",
      steps: reply("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
      said: ["401 Unauthorized", "hint: --proxy-user USER:PASSWORD"]),
    Row(
      name: "passwords by other ways",
      steps: reply(
        "HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n"
          + "Content-Length: 0\r\n\r\n"),
      said: ["proxy-authenticate: NTLM", "hint: it does not accept Basic authentication"],
      notSaid: ["--proxy-user"]),
    Row(
      name: "HTTP for an https proxy", scheme: "https",
      steps: [.read(1), .send(Array("HTTP/1.1 400 Bad\r\n\r\n".utf8)), .readToEnd], exitCode: 35,
      said: [
        "answered in plain HTTP on this port", "hint: for a proxy without TLS",
      ],
      notSaid: ["the server", "try:"]),
    Row(
      name: "an https proxy of other versions", scheme: "https",
      steps: [.read(1), .send([0x15, 3, 3, 0, 2, 2, 70]), .readToEnd], exitCode: 35,
      said: ["rejects the offered TLS versions", "offered: TLSv1.2 to TLSv1.3"],
      notSaid: ["the server", "--tls-min"]),
    Row(
      name: "an https proxy that does not know its name", scheme: "https",
      steps: [.read(1), .send([0x15, 3, 3, 0, 2, 2, 112]), .readToEnd], exitCode: 35,
      said: ["does not recognize the name 127.0.0.1"], notSaid: ["the server"]),
    Row(
      name: "several ways to authenticate",
      steps: reply(
        "HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm=x\r\n"
          + "Content-Length: 0\r\n\r\n"),
      said: [
        "407 Who", "proxy-authenticate: Negotiate", "proxy-authenticate: Basic realm=x",
        "hint: --proxy-user USER:PASSWORD",
      ]),
    Row(
      name: "a redirect",
      steps: reply(
        "HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:2/\r\nContent-Length: 0\r\n\r\n"),
      said: ["refused to connect to 127.0.0.1:1: 302 Found"]),
    Row(
      name: "a name that is not ASCII",
      steps: reply("HTTP/1.1 403 No\r\n\u{e9}t\u{e9}: x\r\nContent-Length: 0\r\n\r\n"),
      said: ["403 No"]),
    Row(
      name: "SSH", steps: reply("SSH-2.0-OpenSSH_9.2\r\n"),
      said: ["the reply of the proxy", "it is not HTTP", "got: \"SSH-2.0-OpenSSH_9.2\""]),
    Row(
      name: "an endless head", steps: reply("HTTP/1.1 200 \(line)\(line)") + [.silence],
      said: ["its head is too large (over 8 KiB a line, 100 fields or 32 KiB)"]),
    Row(
      name: "interim replies without end",
      steps: reply(String(repeating: "HTTP/1.1 102 Wait\r\n\r\n", count: 100)) + [.silence],
      said: ["more than 5 interim (1xx) replies"]),
    Row(
      name: "closed before its reply", steps: [.readRequest],
      said: ["closed the connection before it replied"]),
    Row(
      name: "closed inside its reply", steps: reply("HTTP/1.1 200 OK\r\n"),
      said: ["closed the connection in the middle of its reply", "got: \"HTTP/1.1 200 OK\""]),
    Row(
      name: "reset", steps: [.readRequest, .reset], said: ["reset the connection before it replied"]
    ),
    Row(
      name: "no SOCKS", scheme: "socks5",
      steps: [.read(3), .send(Array("HTTP/1.1 400 Bad\r\n".utf8))],
      said: ["does not speak SOCKS version 5", "got: \"HTTP/1.1 400 Bad\""]),
    Row(
      name: "SOCKS 1", scheme: "socks5", steps: socks([5, 0], [5, 1, 0, 1, 0, 0, 0, 0, 0, 0]),
      said: ["refused: general failure (SOCKS reply 1)"]),
    Row(
      name: "SOCKS 2", scheme: "socks5h", steps: socks([5, 0], [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
      said: ["its rules forbid the connection (SOCKS reply 2)"]),
    Row(
      name: "SOCKS 4", scheme: "socks5h", steps: socks([5, 0], [5, 4, 0, 1, 0, 0, 0, 0, 0, 0]),
      said: ["host unreachable (SOCKS reply 4)"]),
    Row(
      name: "SOCKS 5, cut off", scheme: "socks5", steps: socks([5, 0], [5, 5]),
      said: ["connection refused by the server (SOCKS reply 5)"]),
    Row(
      name: "SOCKS 8", scheme: "socks5", steps: socks([5, 0], [5, 8, 0, 1, 0, 0, 0, 0, 0, 0]),
      said: ["(SOCKS reply 8)", "hint: with socks5h"]),
    Row(
      name: "SOCKS 99", scheme: "socks5", steps: socks([5, 0], [5, 99, 0, 1, 0, 0, 0, 0, 0, 0]),
      said: ["refused: SOCKS reply 99"]),
    Row(
      name: "no method", scheme: "socks5", steps: socks([5, 0xFF]),
      said: ["it accepts none of the offered authentication methods"]),
    Row(
      name: "a method that was not offered", scheme: "socks5", steps: socks([5, 2]),
      said: ["it accepts none of the offered authentication methods"]),
    Row(
      name: "an address of no type", scheme: "socks5",
      steps: socks([5, 0], [5, 0, 0, 9, 0, 0, 0, 0, 0, 0]), said: ["does not speak SOCKS version 5"]
    ),
    Row(
      name: "SOCKS, closed", scheme: "socks5", steps: socks([5, 0], []),
      said: ["closed the connection"]),
  ]

  @Test(arguments: rows) func isExplained(row: Row) throws {
    let peer = try RawPeer(row.steps)
    defer { peer.stop() }
    let url = "\(row.scheme)://127.0.0.1:\(peer.port)"
    for command in ["send", "connect"] {
      let finished = try Wscope.run(
        [command, "ws://127.0.0.1:1/", "--proxy", url], input: "", deadline: 120)
      #expect(finished.exitCode == row.exitCode, "\(finished.errorText)")
      for text in row.said + ["the proxy \(url)"] {
        #expect(finished.errorText.contains(text), "\(text) in: \(finished.errorText)")
      }
      for text in row.notSaid { #expect(!finished.errorText.contains(text)) }
      #expect(finished.duration < .seconds(100))
    }
    let benched = try Wscope.run(
      ["bench", "ws://127.0.0.1:1/", "--proxy", url, "-c", "2", "-n", "4"], input: "", deadline: 120
    )
    #expect(benched.exitCode == row.exitCode, "\(benched.errorText)")
  }

  /// On a terminal nothing that the proxy says is an escape sequence.
  @Test func itsWordsAreEscapedOnATerminal() throws {
    let peer = try RawPeer(
      Self.reply(
        "HTTP/1.1 407 \u{1b}]0;x\u{7}\r\nProxy-Authenticate: \u{1b}[31mBasic\r\n"
          + "Content-Length: 8\r\n\r\n\u{1b}[2Jgone"))
    defer { peer.stop() }
    let finished = try Wscope.shell(
      "script -qec '\"$WSCOPE\" send ws://127.0.0.1:1/ x --proxy 127.0.0.1:\(peer.port)' /dev/null "
        + "</dev/null")
    #expect(finished.exitCode == 97, "\(finished.outputText)")
    #expect(finished.outputText.contains("Basic") && finished.outputText.contains("gone"))
    for bytes in ["\u{1b}[31mBasic", "\u{1b}[2J", "\u{1b}]0;x"] {
      #expect(!finished.outputText.contains(bytes), "\(finished.outputText)")
    }
  }

  @Test(arguments: ["http", "https", "socks5", "socks5h"]) func nobodyThere(_ scheme: String) throws
  {
    for command in ["send", "connect", "bench"] {
      let finished = try Wscope.run(
        [command, "ws://127.0.0.1:2/", "--proxy", "\(scheme)://127.0.0.1:1"], input: "")
      #expect(finished.exitCode == 7, "\(finished.errorText)")
      guard command != "bench" else { continue }
      let cause = "cannot connect to the proxy \(scheme)://127.0.0.1:1: Connection refused"
      #expect(finished.errorText.contains(cause), "\(finished.errorText)")
    }
  }

  @Test(arguments: ["http", "https", "socks5", "socks5h"]) func noSuchName(_ scheme: String) throws
  {
    for command in ["send", "connect", "bench"] {
      let finished = try Wscope.run(
        [command, "ws://127.0.0.1:2/", "--proxy", "\(scheme)://proxy.invalid:1"], input: "")
      #expect(finished.exitCode == 5, "\(finished.errorText)")
      #expect(
        finished.errorText.contains("cannot resolve the proxy proxy.invalid: "),
        "\(command): \(finished.errorText)")
    }
  }

  @Test func theProxyMayHaveAnAddressByAnOption() throws {
    let listener = try Listener(["-q"])
    let proxy = try ProxyPeer(.connect)
    let finished = try Wscope.run([
      "send", listener.url, "hello", "-N1", "--proxy", "proxy.invalid:\(proxy.port)", "--resolve",
      "proxy.invalid:\(proxy.port):127.0.0.1",
    ])
    #expect(finished.outputText == "hello\n", "\(finished.errorText)")
  }

  @Test(arguments: ["http", "https", "socks5"]) func timeLimitsCoverTheProxy(_ scheme: String)
    throws
  {
    let silent = try RawPeer([.silence])
    defer { silent.stop() }
    for option in ["--connect-timeout", "--open-timeout", "--max-time"] {
      let finished = try Wscope.run([
        "send", "ws://127.0.0.1:2/", "x", "--proxy", "\(scheme)://127.0.0.1:\(silent.port)", option,
        "300ms",
      ])
      #expect(finished.exitCode == 28, "\(finished.errorText)")
      #expect(
        finished.errorText.contains("waiting for the proxy's reply (TCP is up)"),
        "\(finished.errorText)")
      #expect(finished.duration < .seconds(100))
    }
  }

  /// A server behind the proxy that is there later is waited for.
  @Test func waitUpWaitsForTheServerBehindTheProxy() throws {
    let proxy = try ProxyPeer(.connect)
    let dead = try Wscope.run([
      "send", "ws://127.0.0.1:1/", "x", "--proxy", proxy.endpoint, "--wait-up", "700ms",
    ])
    #expect(dead.exitCode == 97, "\(dead.errorText)")
    #expect(dead.errorText.contains("waited: 700 ms (--wait-up)"), "\(dead.errorText)")
    #expect(proxy.destinations.count > 1)
    let refused = try ProxyPeer(.connect, credentials: "me:hush")
    let once = try Wscope.run([
      "send", "ws://127.0.0.1:1/", "x", "--proxy", refused.endpoint, "--wait-up", "600s",
    ])
    #expect(once.exitCode == 97 && once.duration < .seconds(100), "\(once.errorText)")
    #expect(refused.requests.count == 1)
  }
}
