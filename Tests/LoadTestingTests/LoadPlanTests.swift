import TestPeers
import Testing

@testable import LoadTesting

@Suite(.blocking) struct LoadPlanTests {
  private static let second: Int64 = 1_000_000_000

  private static let warmUps: [(LoadPlan.Length, Int64?, Int64)] = [
    (.duration(10 * second), nil, 2 * second),
    (.duration(60 * second), nil, 6 * second),
    (.duration(60 * second), 0, 0),
    (.duration(60 * second), -1, 0),
    (.messages(1000), nil, 0),
    (.messages(1000), second, second),
  ]

  @Test(arguments: warmUps)
  func warmUp(length: LoadPlan.Length, asked: Int64?, expected: Int64) {
    #expect(LoadPlan(length: length, warmUp: asked, seed: 1).effectiveWarmUp == expected)
  }

  private static let matchings: [(LoadPlan.Content, LoadPlan.Matching?, LoadPlan.Matching)] = [
    (.generated(size: 64), nil, .sequence),
    (.generated(size: 64), .fifo, .fifo),
    (.generated(size: 15), .sequence, .fifo),
    (.generated(size: -1), nil, .fifo),
    (.fixed(Array("a message of more than sixteen bytes".utf8)), .sequence, .fifo),
  ]

  @Test(arguments: matchings)
  func matching(content: LoadPlan.Content, asked: LoadPlan.Matching?, expected: LoadPlan.Matching) {
    #expect(LoadPlan(content: content, matching: asked, seed: 1).matching == expected)
  }

  /// The shards of a run are the run: each connection in one of them, and all that it sends.
  @Test(arguments: [(1, 1), (7, 3), (8, 4), (5, 5)])
  func shardsAddUp(connections: Int, count: Int) {
    var whole = LoadPlan(
      pacing: .open(rate: 1000, arrival: .constant), connections: connections,
      length: .messages(100), seed: 1)
    var numbers: [Int] = []
    var rate = 0.0
    for index in 0..<count {
      whole.shard = LoadReport.Shard(index: index, count: count)
      numbers += (0..<whole.ownConnections).map(whole.number(ofOwn:))
      rate += whole.ownRate ?? 0
    }
    #expect(numbers.sorted() == Array(0..<connections))
    #expect(abs(rate - 1000) < 0.001)
    #expect(whole.quotas()?.reduce(0, +) == 100)
    whole.shard = nil
    #expect(whole.ownConnections == connections && whole.ownRate == 1000)
  }

  @Test func quotasAddUp() {
    let plan = LoadPlan(connections: 7, length: .messages(100), seed: 1)
    #expect(plan.quotas() == [15, 15, 14, 14, 14, 14, 14])
    #expect(LoadPlan(seed: 1).quotas() == nil)
  }

  @Test func onlyTheOpenModelHasASchedule() {
    #expect(LoadPlan(seed: 1).schedule() == nil)
    #expect(LoadPlan(pacing: .open(rate: 10, arrival: .constant), seed: 1).schedule() != nil)
    #expect(LoadPlan(pacing: .open(rate: 0, arrival: .constant), seed: 1).schedule() == nil)
  }
}
