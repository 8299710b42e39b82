import Synchronization
import TestPeers
import Testing

@testable import wscope

/// JSON as peers write it: large numbers, halves of surrogate pairs, records with separators, and what is
/// said of a message that is not JSON.
@Suite(.blocking) struct JSONExpectationTests {
  private func send(_ reply: String, _ arguments: [String]) throws -> ChildProcess.Finished {
    let peer = try PushPeer { _ in [.text(reply)] }
    return try Wscope.run(["send", peer.url, "x", "--linger", "50ms"] + arguments)
  }

  private static let count = Atomic<Int>(0)

  static let rows: [(reply: String, expression: String, exitCode: Int32)] = [
    (#"{"id":18446744073709551615}"#, ".id == 18446744073709551614", 1),
    (#"{"id":18446744073709551615}"#, ".id == 18446744073709551615.0", 0),
    (#"{"id":18446744073709551615}"#, ".id > 18446744073709551614", 0),
    (#"{"t":"a\ud83d","op":1}"#, ".op == 1", 0), (#"{"t":"\ud83d"}"#, #".t == "\ud83d""#, 0),
    ("{\"type\":6}\u{1E}", ".type == 6", 0), ("{\"type\":6}\0", ".type == 6", 0),
    ("{\"type\":6}\u{1E}{\"type\":1}\u{1E}", ".type == 1", 0),
  ]

  @Test(arguments: rows) func numbersSurrogatesAndRecords(
    _ reply: String, _ expression: String, _ exitCode: Int32
  ) throws {
    let finished = try send(reply, ["--expect-json", expression])
    #expect(finished.exitCode == exitCode, "\(finished.errorText)")
    let until = try send(reply, ["--until-json", expression, "-w", "200ms"])
    #expect((until.exitCode == 0) == (exitCode == 0), "\(until.errorText)")
    let path =
      try Wscope.scratch("json")
      + "/\(Self.count.wrappingAdd(1, ordering: .relaxed).newValue).wscope"
    try FileContents.write("> x\n<json \(expression)\n", to: path)
    let peer = try PushPeer { _ in [.text(reply)] }
    let script = try Wscope.run(["send", peer.url, "--script", path, "-w", "200ms"])
    #expect(script.exitCode == exitCode, "\(script.errorText)")
  }

  @Test func aMessageThatIsNotJSONIsSaidToBeNone() throws {
    let expected = try send(#"{"a":1,}"#, ["--expect-json", ".a"])
    #expect(expected.exitCode == 1)
    #expect(
      expected.errorText.contains(
        "  got: \"{\"a\":1,}\" (not JSON: expected a member name (byte 7))\n"),
      "\(expected.errorText)")
    let path = try Wscope.scratch("json") + "/not.wscope"
    try FileContents.write("> x\n<json .a\n", to: path)
    let peer = try PushPeer { _ in [.text("nope")] }
    let script = try Wscope.run(["send", peer.url, "--script", path, "-w", "200ms"])
    #expect(script.exitCode == 1)
    #expect(
      script.errorText.contains("  got: \"nope\" (not JSON: expected a value (byte 0))\n"),
      "\(script.errorText)")
  }

  @Test func recordsArePrettyPrinted() throws {
    let peer = try PushPeer { _ in [.text("{\"type\":6}\u{1E}[1]\u{1E}")] }
    let finished = try Wscope.run(
      ["connect", peer.url, "-x", "x", "--json", "-w", "2s", "-N", "1"], input: "")
    #expect(finished.outputText == "{\n  \"type\": 6\n}\n[\n  1\n]\n", "\(finished.errorText)")
  }
}
