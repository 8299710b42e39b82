import Conversation
import Glibc
import TestPeers
import Testing

@testable import wscope

/// When and how often `send` does what it does: --wait-up, --repeat, --interval, --record, --timestamps,
/// and what its reports say when it is interrupted.
@Suite(.blocking) struct SendCourseTests {
  @Test func itWaitsForAServerThatComesLate() throws {
    let socket = try RawSocket.listen()
    let port = socket.port
    socket.close()
    let child = try Wscope.start(
      ["send", ":\(port)", "hi", "-1", "--wait-up", "20s"], hasInput: false)
    usleep(400_000)
    let listener = try Wscope.start(["listen", "\(port)"], hasInput: false)
    #expect(try child.readLine(from: .standardOutput) == "hi")
    #expect(try child.wait().exitCode == 0)
    withExtendedLifetime(listener) {}
  }

  @Test func whenItsTimeIsUpTheLastCauseCounts() throws {
    let socket = try RawSocket.listen()
    let port = socket.port
    socket.close()
    let refused = try Wscope.run(["send", ":\(port)", "hi", "--wait-up", "700ms"])
    #expect(refused.exitCode == 7)
    #expect(refused.errorText.hasSuffix("\n  waited: 700 ms (--wait-up)\n"))
    #expect(refused.duration > .milliseconds(650))
    #expect(refused.duration < .seconds(100))
  }

  @Test(arguments: [(503, true), (401, false), (404, false)])
  func aStatusIsWaitedOutOrNot(_ status: Int, _ isWaitedOut: Bool) throws {
    let reply = "HTTP/1.1 \(status) Status\r\nContent-Length: 0\r\n\r\n"
    let peer = try RawPeer([.readRequest, .send(Array(reply.utf8)), .readToEnd])
    defer { peer.stop() }
    let finished = try Wscope.run(["send", peer.url, "hi", "--wait-up", "500ms"])
    #expect(finished.exitCode == 22)
    #expect(finished.errorText.contains("waited: 500 ms (--wait-up)") == isWaitedOut)
    #expect(isWaitedOut ? peer.requests.count > 2 : peer.requests.count == 1)
    let wanted = try Wscope.run(
      ["send", peer.url, "--expect-status", "\(status)", "--wait-up", "500ms"], input: "")
    #expect(wanted.exitCode == 0)
  }

  @Test func itRepeatsAndTellsOfEach() throws {
    let listener = try Listener()
    let path = try Wscope.scratch("repeat") + "/out.xml"
    let finished = try Wscope.run([
      "send", listener.url, "a", "--expect", "a", "--repeat", "3", "--interval", "200ms", "--junit",
      path,
    ])
    #expect(finished.outputText == "a\na\na\n")
    #expect(finished.exitCode == 0)
    #expect(finished.duration > .milliseconds(400))
    #expect(finished.errorText.contains("* run 3 of 3: ok in "))
    #expect(finished.errorText.contains("* 3 of 3 runs: 3 ok, 0 failed\n"))
    let suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
    #expect(suite.cases.count == 6)
    #expect(suite.cases.last?["name"] == "run 3: \"a\"")
  }

  @Test func theFirstFailureIsTheExitCode() throws {
    let listener = try Listener()
    let finished = try Wscope.run([
      "send", listener.url, "a", "--expect", "b", "--linger", "50ms", "--repeat", "2",
      "--tap-output",
    ])
    #expect(finished.exitCode == 1)
    #expect(finished.outputText.contains("1..4\n"))
    #expect(finished.outputText.contains("not ok 4 - run 2: \"b\"\n"))
    #expect(
      finished.errorText.contains("! run 1 of 2: exit code 1, an expectation failed, in "))
    #expect(finished.errorText.contains("! 2 of 2 runs: 0 ok, 2 failed\n"))
  }

  @Test func standardInputIsSentByEachRun() throws {
    let listener = try Listener()
    let finished = try Wscope.run(
      ["send", listener.url, "-N2", "--repeat", "2"], input: "a\nb\n")
    #expect(finished.outputText == "a\nb\na\nb\n")
  }

  @Test(arguments: [
    (["--interval", "1s"], "--interval requires --repeat"),
    (["--repeat", "0"], "--repeat must be at least 1"),
    (["--wait-up", "0"], "--wait-up must be longer than 0"),
    (["--force"], "--force requires --record"),
    (["--timestamps", "--raw"], "--timestamps cannot be used together with --raw"),
    (["--timestamps", "--tap-output"], "--tap-output and --timestamps"),
  ])
  func whatDoesNotFitIsRefused(_ options: [String], _ words: String) throws {
    let finished = try Wscope.run(["send", ":1", "a"] + options)
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains(words), "\(finished.errorText)")
  }

  @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
  func interruptedItStillReports(_ signal: Int32, _ exitCode: Int32) throws {
    let peer = try PushPeer()
    let path = try Wscope.scratch("interrupted-\(signal)") + "/out.xml"
    let child = try Wscope.start([
      "send", peer.url, "a", "--expect", "never", "--tap-output", "--junit", path, "--wait", "60",
    ])
    try peer.wait(messages: 1)
    child.signal(signal)
    let finished = try child.wait()
    #expect(finished.exitCode == exitCode)
    let name = signal == SIGINT ? "SIGINT" : "SIGTERM"
    #expect(finished.outputText.contains("  got: 'ended by \(name)'"), "\(finished.outputText)")
    let suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
    #expect(suite.attributes["failures"] == "2")
  }

  @Test func interruptedBeforeTheOpeningItStillReports() throws {
    let peer = try RawPeer([.readRequest, .silence])
    defer { peer.stop() }
    let path = try Wscope.scratch("interrupted-early") + "/out.xml"
    let child = try Wscope.start(["send", peer.url, "a", "--junit", path], hasInput: false)
    while peer.requests.isEmpty { usleep(2000) }
    child.signal(SIGTERM)
    #expect(try child.wait().exitCode == 143)
    let suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
    #expect(suite.cases.last?["name"] == "the connection opens")
    #expect(suite.attributes["failures"] == "1")
  }

  @Test func itRecords() throws {
    let listener = try Listener()
    let path = try Wscope.scratch("send-record") + "/session.jsonl"
    unlink(path)
    let arguments = [
      "send", listener.url + "?token=secret", "a", "-1", "--repeat", "2", "--record", path,
    ]
    #expect(try Wscope.run(arguments).exitCode == 0)
    let lines = try FileContents.read(path).split(separator: 0x0A).map {
      try JSONValue.parse(Array($0))
    }
    let check = SchemaCheck(try JSONValue.parse(SessionEvent.schema))
    #expect(lines.flatMap(check.problems).isEmpty)
    #expect(
      lines.map { $0["event"]?.string } == ["record"] + [
        "open", "message", "message", "close", "open", "message", "message", "close",
      ])
    #expect(lines[0]["url"]?.string == listener.url + "?token=***")
    #expect(lines.dropFirst(5).allSatisfy { $0["conn"] == .number("2") })
    let again = try Wscope.run(arguments)
    #expect(again.exitCode == 2)
    #expect(again.errorText.contains("already exists\n  hint: --force overwrites it\n"))
  }

  @Test func timestampsStandInFrontOfText() throws {
    let listener = try Listener()
    let rel = try Wscope.run(["send", listener.url, "a", "b", "-N2", "--timestamps=rel"])
    let lines = rel.outputText.split(separator: "\n")
    #expect(lines.count == 2)
    for (line, text) in zip(lines, ["a", "b"]) {
      #expect((try? #/ *\d+\.\d{3} [ab]/#.wholeMatch(in: line)) != nil, "\(line)")
      #expect(line.hasSuffix(text))
    }
    let iso = try Wscope.run(["connect", listener.url, "-1", "--timestamps"], input: "x\n")
    #expect(iso.outputText.hasSuffix("Z x\n"), "\(iso.outputText)")
    let binary = try Wscope.run(["send", listener.url, "-b", "a", "-1", "--timestamps"])
    #expect(binary.outputText == "a")
  }
}
