import Conversation
import NIOCore
import Testing
import WebSocketProtocol

@testable import TestServer

/// Faults as they are typed.
@Suite struct FaultGrammarTests {
  @Test(arguments: [
    ("rst", "time(0)", "1.0"), ("rst,after=3", "messages(3)", "1.0"),
    ("rst,after=2s", "time(2000000000)", "1.0"), ("rst,p=30%", "time(0)", "0.3"),
    ("delay=200ms~50ms,for=10s,p=0.25,conn=2-,path=/a*b", "time(0)", "0.25"),
    ("delay=1s±1ms", "time(0)", "1.0"), ("delay=1s+-1ms,conn=1-3", "time(0)", "1.0"),
    ("slow-open=2s,conn=7", "time(0)", "1.0"), ("refuse", "time(0)", "1.0"),
    ("slice=16~8,gap=2ms", "time(0)", "1.0"), ("stall,for=2s", "time(0)", "1.0"),
    ("no-read,after=3", "messages(3)", "1.0"), ("throttle=1KB/s", "time(0)", "1.0"),
  ])
  func areRead(_ text: String, _ start: String, _ share: String) throws {
    let rule = try Faults.parse(text)
    #expect("\(rule.start)" == start)
    #expect("\(rule.share)" == share)
    #expect(rule.line == text)
    #expect(rule.text == text.split(separator: ",").first.map(String.init))
  }

  @Test(arguments: [
    ("dely", nil, "unknown fault \"dely\"; did you mean delay?"),
    ("", nil, "unknown fault \"\""),
    ("delay", "delay", "missing value (expected 200ms or 200ms~50ms)"),
    ("delay=soon", "delay", "invalid value \"soon\" (expected 200ms or 200ms~50ms)"),
    ("delay=1s~x", "delay", "invalid value \"1s~x\" (expected 200ms or 200ms~50ms)"),
    ("slow-open=-1", "slow-open", "invalid value \"-1\" (expected 200ms, 1s or 2m)"),
    ("rst=1", "rst", "rst takes no value"),
    ("drop=101%", "drop", "invalid value \"101%\" (expected 5% or 0.05)"),
    ("dup", "dup", "missing value (expected 5% or 0.05)"),
    ("corrupt=x", "corrupt", "invalid value \"x\" (expected 5% or 0.05)"),
    ("fragment=0", "fragment", "invalid value \"0\" (expected 16 or 4KB)"),
    ("fragment", "fragment", "missing value (expected 16 or 4KB)"),
    (
      "close=1006", "close",
      "invalid value \"1006\" (expected a close code, as in 1011; fin sends no Close)"
    ),
    ("limit=0", "limit", "invalid value \"0\" (expected 10KB or 1M)"),
    ("life=x", "life", "invalid value \"x\" (expected 200ms, 1s or 2m)"),
    ("life=1s,for=1s", "life", "for= is not valid with life"),
    ("refuse=503,after=1", "refuse", "after= is not valid with refuse"),
    ("refuse=", "refuse", "invalid value \"\" (expected a value after =)"),
    ("throttle=1KB", "throttle", "invalid value \"1KB\" (expected 1KB/s or 2M/s)"),
    ("throttle=0/s", "throttle", "invalid value \"0/s\" (expected 1KB/s or 2M/s)"),
    ("slice=8~8", "slice", "invalid value \"8~8\" (expected 16, 16~8 or 1KB)"),
    ("slice=0", "slice", "invalid value \"0\" (expected 16, 16~8 or 1KB)"),
    ("slice=8,gap=x", "slice", "invalid gap=x (expected a duration as in 2ms)"),
    ("stall,gap=1ms", "stall", "unknown parameter \"gap\""),
    ("slow-close=x", "slow-close", "invalid value \"x\" (expected 200ms, 1s or 2m)"),
    ("slow-close=1s,for=1s", "slow-close", "for= is not valid with slow-close"),
    ("no-pong=1", "no-pong", "no-pong takes no value"),
    ("rst,for=1s", "rst", "for= is not valid with rst"),
    ("slow-open=1s,after=1", "slow-open", "after= is not valid with slow-open"),
    ("slow-open=1s,for=1s", "slow-open", "for= is not valid with slow-open"),
    ("rst,aftr=1", "rst", "unknown parameter \"aftr\"; did you mean after?"),
    (
      "rst,after=x", "rst",
      "invalid after=x (expected a number of messages, or a duration as in 2s)"
    ),
    ("rst,p=5", "rst", "invalid p=5 (expected 30% or 0.3)"),
    ("rst,p=101%", "rst", "invalid p=101% (expected 30% or 0.3)"),
    ("rst,p=-1%", "rst", "invalid p=-1% (expected 30% or 0.3)"),
    ("rst,conn=0", "rst", "invalid conn=0 (expected N, N-M or N-)"),
    ("rst,conn=3-1", "rst", "invalid conn=3-1 (expected N, N-M or N-)"),
    ("rst,conn=1-2-3", "rst", "invalid conn=1-2-3 (expected N, N-M or N-)"),
    ("rst,path=", "rst", "invalid path= (expected a path, with * for any characters)"),
    ("delay=1s,for=0s", "delay", "invalid for=0s (expected a duration as in 2s)"),
  ])
  func mistakesAreNamed(_ text: String, _ fault: String?, _ problem: String) {
    let error = #expect(throws: FaultError.self) { try Faults.parse(text) }
    #expect(error == FaultError(fault: fault, problem: problem))
  }

  @Test(arguments: [
    ("/a", "/a", true), ("/a", "/ab", false), ("/a*", "/a/b/c", true), ("*", "/", true),
    ("/*/x", "/a/b/x", true), ("/*/x", "/a/b/y", false), ("/**a", "/bba", true),
    ("/a*b*c", "/abbc", true),
    ("/a*b*c", "/acb", false),
  ])
  func pathsAreMatched(_ glob: String, _ path: String, _ fits: Bool) throws {
    #expect(try Faults.parse("rst,path=\(glob)").fits(path: path) == fits)
  }
}

/// Which connections have which faults.
@Suite struct FaultPlanTests {
  private static func plan(_ lines: [String], seed: UInt64) throws -> FaultPlan {
    FaultPlan(rules: try lines.map { try Faults.parse($0) }, seed: seed)
  }

  /// The faults of so many connections, on two paths in turn, and the first number that each draws later.
  private static func draws(_ plan: FaultPlan, _ count: Int) -> [String] {
    let faults = ServerFaults(plan)
    return (0..<count).map { index in
      let path = index % 2 == 0 ? "/a" : "/b"
      var draw = faults.draw(path: path)
      return draw.rules.map(\.line).joined(separator: ";") + " \(draw.random.next())"
    }
  }

  @Test func theSameSeedGivesTheSameFaults() throws {
    let lines = ["rst,p=30%", "delay=1s~1s,p=50%,path=/a", "slow-open=1s,conn=3-5"]
    let one = Self.draws(try Self.plan(lines, seed: 4711), 500)
    #expect(one == Self.draws(try Self.plan(lines, seed: 4711), 500))
    #expect(one != Self.draws(try Self.plan(lines, seed: 4712), 500))
    // Each connection has numbers of its own.
    #expect(Set(one.compactMap { $0.split(separator: " ").last }).count == 500)
  }

  @Test(arguments: UInt64(1)...5) func aShareIsAShare(seed: UInt64) throws {
    let plan = try Self.plan(["rst,p=30%"], seed: seed)
    let faults = ServerFaults(plan)
    let count = (0..<10_000).count { _ in
      !faults.draw(path: "/").isEmpty
    }
    // Three times sqrt(10 000 * 0.3 * 0.7).
    #expect(abs(count - 3000) <= 138)
  }

  @Test func connectionsAreCountedForEachRule() throws {
    let plan = try Self.plan(["rst,conn=2-3,path=/b", "delay=1s,conn=4-"], seed: 1)
    let found = Self.draws(plan, 8).map { $0.split(separator: " ").first.map(String.init) ?? "" }
    let second = "rst,conn=2-3,path=/b"
    let later = "delay=1s,conn=4-"
    // Numbers 1 to 8; those with even numbers are on /b.
    let withFaults = found.map { $0.contains("=") ? $0 : "" }
    #expect(
      withFaults == ["", "", "", "\(second);\(later)", later, "\(second);\(later)", later, later])
  }

  @Test func aRuleThatDoesNotFitMovesNoOthersChance() throws {
    let alone = try Self.plan(["rst,p=50%"], seed: 9)
    let beside = try Self.plan(["rst,p=50%", "delay=1s,p=50%,path=/elsewhere"], seed: 9)
    let faults = { (plan: FaultPlan) in
      Self.draws(plan, 200).map { $0.hasPrefix("rst") }
    }
    #expect(faults(alone) == faults(beside))
  }

  @Test func delaysAreSpreadAsTyped() throws {
    guard case .message(let change) = try Faults.parse("delay=200ms~50ms").action else {
      Issue.record("not of messages")
      return
    }
    var random = SeededGenerator(seed: 1, stream: 1)
    let delays = (0..<10_000).map { _ in
      var message = OutgoingMessage()
      change(&message, &random)
      return message.delay
    }
    #expect(delays.allSatisfy { (150_000_000...250_000_000).contains($0) })
    #expect(delays.contains { $0 < 160_000_000 } && delays.contains { $0 > 240_000_000 })
  }
}

@Suite struct DelayQueueTests {
  private static func add(_ queue: inout DelayQueue, _ text: String, due: UInt64) {
    Array(text.utf8).withUnsafeBytes {
      queue.add(.init(kind: .text, payload: ByteBuffer(bytes: $0), due: .uptimeNanoseconds(due)))
    }
  }

  @Test func nothingOvertakes() {
    var queue = DelayQueue()
    Self.add(&queue, "one", due: 30)
    Self.add(&queue, "three", due: 10)
    Self.add(&queue, "four", due: 40)
    #expect(queue.bytes == 12)
    #expect(queue.nextDue == .uptimeNanoseconds(30))
    #expect(queue.takeDue(at: .uptimeNanoseconds(29)) == nil)
    var taken: [String] = []
    while let message = queue.takeDue(at: .uptimeNanoseconds(39)) {
      taken.append(String(buffer: message.payload))
    }
    #expect(taken == ["one", "three"])
    #expect(queue.bytes == 4)
    queue.removeAll()
    #expect(queue.isEmpty && queue.bytes == 0)
  }
}
