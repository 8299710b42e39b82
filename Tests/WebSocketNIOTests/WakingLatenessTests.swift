import TestPeers
import Testing

@testable import WebSocketNIO

@Suite(.blocking) struct WakingLatenessTests {
  private static func after(_ count: Int, _ lateness: (Int) -> Int64) -> Int64 {
    var seen = WakingLateness()
    for number in 0..<count { seen.add(lateness(number)) }
    return seen.expected
  }

  /// 0.5, 1, … 50 µs in an order that repeats only after all of them: 19 of 20 stay below 48 µs.
  @Test func itRestsWhereOneWakingInTwentyIsLater() {
    let expected = Self.after(100_000) { Int64($0 * 37 % 100 + 1) * 500 }
    #expect((45_000...50_000).contains(expected), "\(expected)")
  }

  @Test func aRareDelayHardlyMovesIt() {
    let expected = Self.after(100_000) { $0 % 100 == 0 ? 5_000_000 : 8_000 }
    #expect((7_000...11_000).contains(expected), "\(expected)")
  }

  @Test(
    arguments: [
      (0, 1_000), (1_000, 1_000), (99_000, 99_000), (2_000_000, 100_000), (-5, 1_000),
    ] as [(Int64, Int64)])
  func itFollowsWithinItsBounds(lateness: Int64, expected: Int64) {
    let found = Self.after(10_000) { _ in lateness }
    #expect(abs(found - expected) <= 2_000)
    #expect((1_000...100_000).contains(found))
  }
}
