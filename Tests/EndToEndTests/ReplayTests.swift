import Conversation
import Glibc
import TestPeers
import Testing

@testable import wscope

/// `send --replay`: a recording is played against the server again.
@Suite(.blocking) struct ReplayTests {
  /// A session of three messages and their echoes, recorded by `send` itself.
  private func recorded(_ name: String) throws -> String {
    let path = try Wscope.scratch("replay") + "/\(name).jsonl"
    unlink(path)
    let listener = try Listener()
    let finished = try ChildProcess.run(
      "/bin/sh",
      ["-c", "(echo a; sleep 1; echo b) | $W send \(listener.url) -N2 --record \(path)"],
      environment: Wscope.environment(["W": Wscope.path]), deadline: 120)
    #expect(finished.exitCode == 0)
    return path
  }

  @Test func theSameRepliesAreAsRecorded() throws {
    let listener = try Listener()
    let path = try recorded("same")
    let fast = try Wscope.run(["send", listener.url, "--replay", path, "--linger", "100ms"])
    #expect(fast.exitCode == 0)
    #expect(fast.outputText == "a\nb\n")
    #expect(fast.errorText == "* 2 replies as recorded\n")
    let slow = try Wscope.run(
      ["send", listener.url, "--replay", path, "--linger", "100ms", "--timing", "recorded"])
    #expect(slow.exitCode == 0)
    #expect(slow.duration > .milliseconds(500))
  }

  @Test func differencesAreShown() throws {
    let path = try recorded("other")
    let peer = try PushPeer { $0 == "b" ? [.text("B"), .text("extra")] : [.text($0)] }
    let finished = try Wscope.run([
      "send", peer.url, "--replay", path, "--linger", "200ms", "--tap-output",
    ])
    #expect(finished.exitCode == 1)
    #expect(finished.errorText.contains(": the reply differs\n  recorded: \"b\"\n  got: \"B\"\n"))
    #expect(finished.errorText.contains("a message that was not recorded\n  got: \"extra\"\n"))
    #expect(finished.errorText.hasSuffix("! 2 differences to 2 recorded replies\n"))
    #expect(finished.outputText.contains("1..3\nok 1 - line "))
  }

  /// The end does not depend on the peer's being quiet for a while.
  @Test func aPeerThatGoesOnAndOnDiffersByTen() throws {
    let path = try recorded("flooded")
    let peer = try PushPeer {
      [.text($0)] + ($0 == "b" ? [PushPeer.Answer](repeating: .text("more"), count: 50) : [])
    }
    let finished = try Wscope.run(["send", peer.url, "--replay", path])
    #expect(finished.exitCode == 1)
    #expect(finished.errorText.split(separator: "a message that was not recorded").count == 11)
    #expect(finished.errorText.hasSuffix("! 10 differences to 2 recorded replies\n"))
  }

  @Test func whatDoesNotComeIsADifference() throws {
    let path = try recorded("silent")
    let peer = try PushPeer()
    let finished = try Wscope.run(["send", peer.url, "--replay", path, "--wait", "200ms"])
    #expect(finished.exitCode == 1)
    #expect(finished.errorText.contains("  got: nothing within 200 ms\n"))
    let closing = try PushPeer { _ in [.close(1011)] }
    let closed = try Wscope.run(["send", closing.url, "--replay", path])
    #expect(closed.exitCode == 1)
    #expect(closed.errorText.contains("  got: closed 1011 internal error (by the peer)\n"))
  }

  @Test func theCloseOfThePeerIsCompared() throws {
    let path = try Wscope.scratch("replay") + "/close.jsonl"
    let peer = try PushPeer { _ in [.close(4001)] }
    unlink(path)
    #expect(try Wscope.run(["send", peer.url, "x", "--record", path]).exitCode == 111)
    #expect(try Wscope.run(["send", peer.url, "--replay", path]).exitCode == 0)
    let other = try PushPeer { _ in [.close(4002)] }
    let differs = try Wscope.run(["send", other.url, "--replay", path])
    #expect(differs.exitCode == 1)
    #expect(differs.errorText.contains("recorded: closed 4001 private to the application\n"))
  }

  @Test func whatIsNoRecordingIsRefused() throws {
    let path = try Wscope.scratch("replay") + "/none.jsonl"
    try FileContents.write("{\"event\":\"record\"}\n{nonsense\n", to: path)
    let broken = try Wscope.run(["send", ":1", "--replay", path])
    #expect(broken.exitCode == 2)
    #expect(broken.errorText.hasPrefix("wscope: \(path):2: not JSON"))
    try FileContents.write("{\"event\":\"record\"}\n", to: path)
    let empty = try Wscope.run(["send", ":1", "--replay", path])
    #expect(empty.exitCode == 2)
    #expect(empty.errorText.contains("the recording is empty"))
    for (options, words) in [
      (["--timing", "fast"], "--timing requires --replay"),
      (["--replay", path, "--script", path], "cannot be used together"),
      (["--replay", path, "a"], "--replay cannot be used together with messages"),
    ] {
      let refused = try Wscope.run(["send", ":1"] + options)
      #expect(refused.exitCode == 2)
      #expect(refused.errorText.contains(words), "\(refused.errorText)")
    }
  }
}
