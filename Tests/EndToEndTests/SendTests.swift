import TestPeers
import Testing

/// `send` as a script uses it.
@Suite(.blocking) struct SendTests {
  let listener: Listener

  init() throws {
    listener = try Listener()
  }

  @Test func printsTheReply() throws {
    let finished = try Wscope.run(["send", listener.url, "hello"])
    #expect(finished.outputText == "hello\n")
    #expect(finished.errorText.isEmpty)
    #expect(finished.exitCode == 0)
  }

  @Test func sendsSeveralMessagesInOrder() throws {
    let finished = try Wscope.run(
      ["send", listener.url, "-x", "first", "second", "third", "-N3"])
    #expect(finished.outputText == "first\nsecond\nthird\n")
  }

  @Test func endsAtTheCountWithoutLingering() throws {
    let finished = try Wscope.run([
      "send", listener.url, "a", "b", "--count", "2", "--linger", "600",
    ])
    #expect(finished.exitCode == 0)
    #expect(finished.duration < .seconds(100))
  }

  @Test func readsStandardInputLineByLine() throws {
    let finished = try Wscope.run(["send", listener.url, "-N4"], input: "a\r\n\nb\nc")
    #expect(finished.outputText == "a\n\nb\nc\n")
    #expect(finished.exitCode == 0)
  }

  @Test func readsStandardInputWhole() throws {
    let finished = try Wscope.run(["send", listener.url, "--stdin-whole", "-1"], input: "a\nb\n")
    #expect(finished.outputText == "a\nb\n\n")
  }

  @Test func readsMessagesThatEndWithNull() throws {
    let finished = try Wscope.run(["send", listener.url, "-0", "-N2"], input: "a\nb\0c")
    #expect(finished.outputText == "a\nb\0c\0")
  }

  @Test func losesNothingOfALargeInput() throws {
    let lines = (0..<50_000).map { "message number \($0)" }
    let finished = try Wscope.run(
      ["send", listener.url, "-N50000"], input: lines.map { $0 + "\n" }.joined(), deadline: 60)
    #expect(finished.exitCode == 0)
    #expect(finished.outputText.split(separator: "\n").map(String.init) == lines)
  }

  @Test func anEmptyInputIsAHandshakeCheck() throws {
    let finished = try Wscope.run(["send", listener.url, "--wait", "600"], input: "")
    #expect(finished.exitCode == 0)
    #expect(finished.outputText.isEmpty)
    #expect(finished.duration < .seconds(100))
  }

  @Test func sendsBinaryFromStandardInput() throws {
    let bytes = (0...255).map { UInt8($0) }
    let finished = try ChildProcess.run(
      Wscope.path, ["send", listener.url, "--binary", "--stdin-whole", "-1"], input: bytes,
      environment: Wscope.environment())
    #expect(finished.standardOutput == bytes)
  }

  @Test func refusesTextThatIsNotUTF8() throws {
    let finished = try ChildProcess.run(
      Wscope.path, ["send", listener.url],
      input: Array("one\ntemp: 21".utf8) + [0xB0] + Array("C\n".utf8),
      environment: Wscope.environment())
    #expect(finished.exitCode == 2)
    #expect(
      finished.errorText.hasSuffix(
        "wscope: standard input, line 2: not valid UTF-8: byte b0 at offset 8, "
          + "\"temp: 21\\xb0C\"; --binary sends it unchanged\n"), "\(finished.errorText)")
  }

  @Test func sendsAFile() throws {
    let directory = try Wscope.scratch("send-file")
    let finished = try Wscope.shell(
      "printf 'from a file' > \(directory)/message; wscope send \(listener.url) -x @\(directory)/message -1"
    )
    #expect(finished.outputText == "from a file\n")
    let missing = try Wscope.run(["send", listener.url, "-x", "@\(directory)/missing"])
    #expect(missing.exitCode == 2)
    #expect(missing.errorText.contains("cannot read \(directory)/missing: No such file"))
  }

  @Test func anExpectationIsMetOrNot() throws {
    let met = try Wscope.run([
      "send", listener.url, "hello", "--expect", "hello", "--linger", "600",
    ])
    #expect(met.exitCode == 0)
    #expect(met.duration < .seconds(100))
    let unmet = try Wscope.run(
      ["send", listener.url, "hello", "--expect", "goodbye", "--linger", "200ms"])
    #expect(unmet.exitCode == 1)
    #expect(unmet.errorText.contains("expected \"goodbye\""))
    #expect(unmet.errorText.contains("got: \"hello\""))
    #expect(unmet.outputText == "hello\n")
  }

  @Test func printsJSONLines() throws {
    let finished = try Wscope.run([
      "send", listener.url, "é\"\n", "-1", "--format", "jsonl", "--no-compress",
    ])
    let lines = finished.outputText.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0].contains("\"event\":\"open\",\"status\":101"))
    #expect(
      lines[1].contains(
        "\"event\":\"message\",\"dir\":\"in\",\"type\":\"text\",\"size\":4,\"wire\":6,"
          + "\"text\":\"é\\\"\\n\""))
    #expect(lines[2].contains("\"event\":\"close\""))
    #expect(lines[2].contains("\"code\":1000"))
  }

  @Test func takesJSONLinesAsItPrintsThem() throws {
    let line = #"{"v":1,"t":1,"conn":1,"event":"message","dir":"in","type":"binary","size":2,"#
    let finished = try Wscope.run(
      ["send", listener.url, "--input", "jsonl", "-1"],
      input: #"{"event":"open"}"# + "\n" + line + #""base64":"AP8="}"# + "\n")
    #expect(finished.standardOutput == [0x00, 0xFF])
    let wrong = try Wscope.run(
      ["send", listener.url, "--input", "jsonl"], input: "{}\n{nonsense\n")
    #expect(wrong.exitCode == 2)
    #expect(wrong.errorText.contains("standard input, line 1: no member \"event\""))
  }

  @Test func verboseTellsTheHandshake() throws {
    let finished = try Wscope.run(["send", listener.url, "x", "-1", "-v"])
    #expect(finished.errorText.contains("connected to 127.0.0.1:\(listener.port)"))
    #expect(finished.errorText.contains("Sec-WebSocket-Accept"))
    #expect(finished.errorText.contains("closed 1000 normal (by us)"))
    #expect(finished.outputText == "x\n")
  }

  @Test func aClosedPipeEndsItQuietly() throws {
    let finished = try Wscope.shell(
      "seq 10000 | wscope send \(listener.url) | head -n 1; echo ${PIPESTATUS[1]}")
    #expect(finished.outputText == "1\n0\n")
    #expect(finished.errorText.isEmpty)
  }

  @Test func aFullDiskIsNamed() throws {
    let finished = try Wscope.shell("wscope send \(listener.url) hello > /dev/full; echo $?")
    #expect(finished.outputText == "23\n")
    #expect(finished.errorText.contains("cannot write standard output: No space left on device"))
  }

  @Test func aSignalInterruptsIt() throws {
    let process = try Wscope.start(["send", listener.url, "-v"])
    _ = try process.readLine(from: .standardError) { $0.contains("connected") }
    process.signal(2)
    #expect(try process.wait().exitCode == 130)
  }

  @Test func subprotocolsAndHeadersReachTheServer() throws {
    let peer = try RawPeer([.readRequest, .accept, .readToEnd])
    defer { peer.stop() }
    _ = try Wscope.run([
      "send", peer.url + "path?q=1", "-H", "X-Token: abc", "-s", "chat,superchat",
      "-o", "http://example.com", "--wait", "0",
    ])
    let request = try #require(peer.requests.first)
    #expect(request.hasPrefix("GET /path?q=1 HTTP/1.1\r\n"))
    #expect(request.contains("X-Token: abc\r\n"))
    #expect(request.contains("Sec-WebSocket-Protocol: chat, superchat\r\n"))
    #expect(request.contains("Origin: http://example.com\r\n"))
    #expect(request.contains("Host: 127.0.0.1:\(peer.port)\r\n"))
  }

  @Test func compressionIsNegotiatedAndToldOf() throws {
    let text = String(repeating: "compress me ", count: 100)
    let on = try Wscope.run(["send", listener.url, text, "-1", "-v"])
    #expect(on.outputText == text + "\n")
    #expect(on.errorText.contains("compression permessage-deflate"))
    #expect(on.errorText.contains("compressed, received: 1.17 KiB in "))
    let off = try Wscope.run(["send", listener.url, text, "-1", "-v", "--no-compress"])
    #expect(off.outputText == text + "\n")
    #expect(!off.errorText.contains("ompress"))
    let asked = try Wscope.run([
      "send", listener.url, text, "-1", "-v",
      "--compress=client_max_window_bits=10,no_context_takeover",
    ])
    #expect(asked.outputText == text + "\n")
    #expect(
      asked.errorText.contains(
        "compression permessage-deflate; server_no_context_takeover; client_no_context_takeover"))
    let both = try Wscope.run(["send", listener.url, text, "--compress", "--no-compress"])
    #expect(both.exitCode == 2)
  }

  @Test func aServerMayDeclineCompression() throws {
    let declining = try Listener(["--no-compress"])
    let finished = try Wscope.run(["send", declining.url, "plain", "-1", "-v", "--compress"])
    #expect(finished.outputText == "plain\n")
    #expect(!finished.errorText.contains("compression"))
  }

  @Test func aMessageMayLookLikeAnOption() throws {
    let finished = try Wscope.run([
      "send", listener.url, "--expect", "--compress", "-1", "--", "--compress",
    ])
    #expect(finished.outputText == "--compress\n")
    #expect(finished.exitCode == 0)
  }

  @Test func aSizeMayBeTypedAsHelpPrintsIt() throws {
    let finished = try Wscope.run(["send", listener.url, "x", "-1", "--max-message", "64 MiB"])
    #expect(finished.exitCode == 0)
  }
}
