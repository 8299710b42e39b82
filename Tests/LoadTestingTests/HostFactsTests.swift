import Conversation
import TestPeers
import Testing

@testable import LoadTesting

@Suite(.blocking) struct HostFactsTests {
  @Test func thisMachineTells() throws {
    let facts = HostFacts.current()
    #expect(facts.system == "Linux")
    #expect(facts.kernel?.isEmpty == false)
    #expect(try #require(facts.cores) > 0)
    #expect(try #require(facts.memory) > 1_000_000)
    #expect(try #require(facts.fileLimit) > 2)
    #expect(try #require(facts.fileLimitHard) >= #require(facts.fileLimit))
  }

  private static let cpuinfos: [(String, String?)] = [
    ("processor\t: 0\nmodel name\t: AMD EPYC 9B14\nflags\t: fpu\n", "AMD EPYC 9B14"),
    ("Model : Raspberry Pi 5\r\n", "Raspberry Pi 5"),
    ("model name\t:\n", nil), ("", nil), ("no colon here", nil),
  ]

  @Test(arguments: cpuinfos)
  func processors(cpuinfo: String, name: String?) {
    #expect(HostFacts.processor(cpuinfo: cpuinfo) == name)
  }

  private static let lines: [(String, ClosedRange<Int>?)] = [
    ("32768\t60999", 32768...60999), ("9 8", nil), ("1", nil), ("", nil),
    ("a b", nil), ("1 2 3", nil),
  ]

  @Test(arguments: lines)
  func ports(line: String, range: ClosedRange<Int>?) { #expect(HostFacts.portRange(line) == range) }
}

@Suite(.blocking) struct ClockTests {
  @Test func timeAndWorkGoOn() {
    let (wall, cpu) = (MonotonicClock.now(), ThreadClock.now())
    var sum: UInt64 = 0
    var random = SeededGenerator(seed: 1)
    // At least once: on a busy machine the time may be over before the first look.
    repeat { sum &+= random.next() } while MonotonicClock.now() - wall < 2_000_000
    #expect(sum != 0)
    #expect(ThreadClock.now() > cpu)
    // After 2020 and before 2100.
    #expect((1_577_836_800_000_000_000...4_102_444_800_000_000_000).contains(WallClock.now()))
  }

  @Test func loadIsAShareOfTheTime() {
    var load = ThreadLoad(wall: 1_000, cpu: 500)
    #expect(load.sample(wall: 2_000, cpu: 750) == 0.25)
    #expect(load.sample(wall: 2_000, cpu: 750) == nil)
    #expect(load.sample(wall: 2_100, cpu: 950) == 1)
    #expect(load.sample(wall: 2_200, cpu: 900) == 0)
  }
}
