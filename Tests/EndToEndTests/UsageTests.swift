import TestPeers
import Testing

/// What is typed wrong gets one line, the right exit code, and no connection.
@Suite(.blocking) struct UsageTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var arguments: [String]
    var exitCode: Int32 = 2
    var said: String

    var testDescription: String { arguments.joined(separator: " ") }
  }

  static let rows: [Row] = [
    Row(arguments: ["send"], said: "missing expected argument"),
    Row(arguments: ["snd", "ws://127.0.0.1:1"], said: "did you mean: wscope send"),
    Row(arguments: ["frobnicate"], said: "unknown command \"frobnicate\""),
    Row(arguments: ["-p", "80"], said: "is ambiguous: wscat and websocat"),
    Row(arguments: ["send", "ws://127.0.0.1:1", "x", "--nonsense"], said: "--nonsense"),
    Row(
      arguments: ["send", "ftp://host/"], exitCode: 3,
      said: "unsupported URL scheme \"ftp\": use ws:// or wss://"),
    Row(
      arguments: ["send", "ws://host:99999/"], exitCode: 3,
      said: "invalid port \"99999\" in the URL"),
    Row(arguments: ["send", "ws:///path"], exitCode: 3, said: "has no host"),
    Row(arguments: ["connect", "ws://host/#x"], exitCode: 3, said: "fragment"),
    Row(arguments: ["connect", "ws://ho st/"], exitCode: 3, said: "space"),
    Row(arguments: ["send", "no.such.host.invalid", "x"], exitCode: 6, said: "cannot resolve"),
    Row(
      arguments: ["send", "ws://127.0.0.1:1", "x", "-H", "X-A: a\r\nX-B: b"],
      said: "header X-A: value contains a line break (byte 1)"),
    Row(arguments: ["send", "ws://127.0.0.1:1", "-H", "a b: c"], said: "not a token"),
    Row(
      arguments: ["send", "ws://127.0.0.1:1", "-H", "Sec-WebSocket-Key: x"],
      said: "belongs to the handshake"),
    Row(arguments: ["send", "ws://127.0.0.1:1", "-s", "a b@"], said: "not a token"),
    Row(arguments: ["send", "ws://127.0.0.1:1", "-o", "http://x\n"], said: "control character"),
    Row(arguments: ["send", "ws://127.0.0.1:1", "--wait", "soon"], said: "soon"),
    Row(arguments: ["send", "ws://127.0.0.1:1", "-N", "0"], said: "at least 1"),
    Row(arguments: ["send", "ws://127.0.0.1:1", "--max-message", "2G"], said: "1 GiB"),
    Row(
      arguments: ["send", "ws://127.0.0.1:1", "-0", "--stdin-whole"],
      said: "cannot be used together"),
    Row(
      arguments: ["send", "wss://127.0.0.1:1", "--cacert", "/nonexistent.pem"],
      said: "/nonexistent.pem"),
    Row(arguments: ["listen", "http"], said: "invalid port \"http\""),
    Row(arguments: ["listen", "70000"], said: "invalid port \"70000\""),
    Row(arguments: ["listen", "0", "--mode", "chaos"], said: "chaos"),
    Row(
      arguments: ["listen", "0", "--cert", "x.pem"], said: "--cert and --key require each other"),
    Row(
      arguments: ["listen", "0", "--cert", "/nonexistent.pem", "--key", "/nonexistent.pem"],
      said: "/nonexistent.pem"),
    Row(
      arguments: ["listen", "0", "--unix-socket", "/tmp/x"],
      said: "--unix-socket cannot be combined with a port"),
    Row(arguments: ["listen", "0", "--host", "a", "--max-clients", "0"], said: "at least 1"),
  ]

  @Test(arguments: rows) func isAnsweredInOneLine(row: Row) throws {
    let finished = try Wscope.run(row.arguments, input: "")
    #expect(finished.exitCode == row.exitCode, "\(finished.errorText)")
    let first = finished.errorText.split(separator: "\n").first.map(String.init) ?? ""
    #expect(first.hasPrefix("wscope: "), "\(finished.errorText)")
    #expect(finished.errorText.contains(row.said), "\(finished.errorText)")
    #expect(finished.outputText.isEmpty)
  }

  @Test func helpAndVersionAreNoErrors() throws {
    for (arguments, usage) in [
      (["--help"], "wscope <subcommand>"), ([], "wscope <subcommand>"),
      (["send", "--help"], "wscope send"), (["listen", "-h"], "wscope listen"),
      (["bench", "--help"], "wscope bench"),
    ] {
      let finished = try Wscope.run(arguments)
      #expect(finished.exitCode == 0)
      #expect(finished.outputText.contains("USAGE: \(usage)"), "\(arguments)")
      #expect(finished.errorText.isEmpty)
    }
    for arguments in [["--version"], ["-V"]] {
      let finished = try Wscope.run(arguments)
      #expect(finished.exitCode == 0)
      let lines = finished.outputText.split(separator: "\n")
      #expect(lines.first == "wscope 0.1.0 (debug)")
      let pattern =
        /readline [0-9.]+, zlib [0-9.]+, PCRE2 [0-9.]+; SwiftNIO, BoringSSL, HdrHistogram/
      #expect(lines.last?.wholeMatch(of: pattern) != nil, "\(finished.outputText)")
    }
  }

  @Test func whatCannotBeWrittenIsAFailure() throws {
    for arguments in ["--help", "--version", "send --help"] {
      let finished = try Wscope.shell("wscope \(arguments) > /dev/full")
      #expect(finished.exitCode == 23, "\(arguments)")
      #expect(
        finished.errorText
          == "wscope: cannot write standard output: No space left on device\n")
    }
    // A reader that has left is none.
    #expect(try Wscope.shell("wscope --help | true; echo ${PIPESTATUS[0]}").outputText == "0\n")
  }

  /// Of three messages that cannot be written, the first is told of.
  @Test func aFullDiskIsToldOfOnce() throws {
    let listener = try Listener()
    let finished = try Wscope.shell("wscope send \(listener.url) one two three > /dev/full")
    #expect(finished.exitCode == 23)
    #expect(
      finished.errorText == "wscope: cannot write standard output: No space left on device\n")
  }

  /// SECURITY R9: bytes that are no UTF-8 are not sent as something else.
  @Test func argumentsThatAreNoText() throws {
    for option in ["-H", "--origin", "-s", "-x"] {
      let finished = try Wscope.shell("wscope send ws://127.0.0.1:1/ \(option) $'a: b\\x85'")
      #expect(finished.exitCode == 2)
      #expect(finished.errorText == "wscope: argument 4 is not valid UTF-8\n")
    }
  }

  @Test func theOtherToolsSpellingsWork() throws {
    let listener = try Listener()
    for arguments in [
      ["-c", listener.url], [listener.url], ["127.0.0.1:\(listener.port)"],
      ["localhost:\(listener.port)"], [":\(listener.port)/x"],
      ["connect", "http://127.0.0.1:\(listener.port)"],
    ] {
      let finished = try Wscope.run(arguments + ["-1"], input: "hi\n")
      #expect(finished.exitCode == 0, "\(arguments): \(finished.errorText)")
      #expect(finished.outputText == "hi\n")
    }
  }
}
