import Testing

@testable import TestServer

@Suite struct PingRateTests {
  private static let second: Int64 = 1_000_000_000

  @Test func aFloodIsNoticedOnce() {
    var rate = PingRate()
    var floods = 0
    for index in 0..<5000 where rate.add(at: 7 * Self.second + Int64(index)) { floods += 1 }
    #expect(floods == 1)
  }

  @Test func pingsAtTheLimitAreNoFlood() {
    var rate = PingRate()
    for second in 1...20 {
      for index in 0..<PingRate.limit {
        if rate.add(at: Int64(second) * Self.second + Int64(index) * 1000) {
          Issue.record("second \(second), ping \(index)")
        }
      }
    }
  }
}
