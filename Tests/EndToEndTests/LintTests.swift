import TestPeers
import Testing

@testable import wscope

/// `--lint`: one line at the end of a connection, and one event of JSON Lines.
@Suite(.blocking) struct LintTests {
  private func peer() throws -> RawPeer {
    try RawPeer([
      .readRequest, .accept, .send([0x81, 0x7E, 0x00, 0x01, 0x61]),
      .send([0x01, 0x01, 0xC3, 0x00, 0x00, 0x80, 0x01, 0xA9]), .frame(opcode: 8, [0x03, 0xE8]),
      .readToEnd,
    ])
  }

  private static let line =
    "* lint: 1 length encoded in more bytes than necessary (RFC 6455 section 5.2), "
    + "1 empty fragment (RFC 6455 section 5.4), "
    + "1 text fragment that ends inside a character (RFC 6455 section 5.6)\n"

  @Test(arguments: [["send"], ["connect"], ["send", "-v"]])
  func oddFramesAreCounted(_ command: [String]) throws {
    let peer = try peer()
    defer { peer.stop() }
    let finished = try Wscope.run(
      [command[0], peer.url, "--lint"] + command.dropFirst(), input: "")
    #expect(finished.exitCode == 0)
    #expect(finished.outputText == "a\n\u{E9}\n")
    #expect(finished.errorText.contains(Self.line), "\(finished.errorText)")
  }

  @Test func anEventOfJSONLines() throws {
    let peer = try peer()
    defer { peer.stop() }
    let finished = try Wscope.run(["send", peer.url, "--lint", "--format", "jsonl"], input: "")
    let findings =
      #""event":"lint","findings":[{"name":"long length","section":"5.2","count":1},"#
      + #"{"name":"empty fragment","section":"5.4","count":1},"#
      + #"{"name":"cut character","section":"5.6","count":1}]}"#
    let lines = finished.outputText.split(separator: "\n")
    try #require(lines.count == 5, "\(finished.outputText)")
    #expect(lines[3].hasSuffix(findings))
    #expect(lines[4].contains(#""event":"close""#))
  }

  /// What `listen` finds in a client: one line, before that of its end, in each mode and with HTTP/2 on.
  @Test(arguments: [[], ["--mode", "broadcast"], ["--http2"]])
  func listenCountsWhatClientsSend(_ options: [String]) throws {
    let listener = try Listener(["--lint"] + options)
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    #expect(client.readHead().contains("101"))
    client.send([0x81, 0xFE, 0x00, 0x01, 1, 2, 3, 4, 0x60])
    // The two bytes of a character with an empty fragment between, the last two under one key.
    client.send([0x01, 0x81, 5, 6, 7, 8, 0xC6, 0x00, 0x80, 9, 9, 9, 9])
    client.send([0x80, 0x81, 9, 9, 9, 9, 0xA0, 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8])
    _ = client.readToEnd()
    let line = try listener.process.readLine(from: .standardError) { $0.contains(" * ") }
    #expect(
      line == "#1 * lint: 1 length encoded in more bytes than necessary (RFC 6455 section 5.2), "
        + "1 empty fragment (RFC 6455 section 5.4), "
        + "1 text fragment that ends inside a character (RFC 6455 section 5.6), "
        + "1 frame that reuses the previous masking key (RFC 6455 section 5.3)")
    let next = try listener.process.readLine(from: .standardError)
    #expect(next?.hasPrefix("#1 closed 1000") == true, "\(next ?? "")")
    // A broadcast has nobody to go to: its exit code is not the point.
    _ = try Wscope.run(["send", listener.url, "x", "-w", "50ms"])
    let other = try listener.process.readLine(from: .standardError) { $0.contains(" * ") }
    #expect(other == "#2 * lint: nothing unusual")
  }

  @Test func listenDoesNotLintUnasked() throws {
    let listener = try Listener()
    #expect(try Wscope.run(["send", listener.url, "x"]).exitCode == 0)
    var lines: [String] = []
    while lines.last?.contains(" closed ") != true {
      lines.append(try listener.process.readLine(from: .standardError) { _ in true })
    }
    #expect(!lines.contains { $0.contains("lint") }, "\(lines)")
  }

  @Test func nothingOddIsSaidToo() throws {
    let listener = try Listener()
    let finished = try Wscope.run(["send", listener.url, "x", "--lint", "--linger", "20ms"])
    #expect(finished.errorText == "* lint: nothing unusual\n")
    let plain = try Wscope.run(["send", listener.url, "x", "--linger", "20ms"])
    #expect(plain.errorText.isEmpty)
  }
}
