import Synchronization
import TestPeers
import Testing

@testable import LoadTesting

/// What an observer of a run receives is what the report has.
@Suite(.serialized, .blocking) struct LoadStretchTests {
  /// What an observer received.
  private final class Followed: Sendable {
    private let received = Mutex<(started: [Int64], stretches: [LoadStretch])>(([], []))

    var observer: LoadObserver {
      LoadObserver(
        began: { time in self.received.withLock { $0.started.append(time) } },
        ended: { stretch in self.received.withLock { $0.stretches.append(stretch) } })
    }

    var started: [Int64] { received.withLock { $0.started } }
    var stretches: [LoadStretch] { received.withLock { $0.stretches } }
  }

  static let plans: [LoadPlan] = [
    LoadTestTests.plan(.messages(4000), .closed(inflight: 8)),
    LoadTestTests.plan(.messages(400), .open(rate: 2000, arrival: .constant)),
    LoadTestTests.plan(
      .duration(1_200 * LoadTestTests.ms), .open(rate: 500, arrival: .poisson),
      warmUp: 300 * LoadTestTests.ms),
  ]

  @Test(arguments: zip(plans, [Behavior.echo, .drop(after: 60), .echo]))
  func theStretchesAddUpToTheReport(_ plan: LoadPlan, _ behavior: Behavior) async throws {
    var plan = plan
    plan.threads = 2
    let followed = Followed()
    let report = try await LoadPeer(behavior).run(plan, observer: followed.observer).report
    LoadTestTests.checkBooks(report)
    let stretches = followed.stretches
    #expect(followed.started.map { $0 / 1_000_000 * 1_000_000 } == [report.run.started])
    for metric in plan.mode.metrics {
      var sum = LatencyHistogram()
      for samples in stretches.compactMap({ $0.samples[metric] }) {
        let part = LatencyHistogram(
          try HistogramCodec.buckets(try #require(samples.hdr)), min: samples.min, max: samples.max)
        #expect(part.count == samples.count)
        sum.merge(part)
      }
      let whole = report.metrics[metric]
      #expect(sum.count == whole?.count ?? 0, "\(metric)")
      guard let whole, whole.count > 0 else { continue }
      #expect(HistogramCodec.encode(sum) == whole.hdr, "\(metric)")
      #expect(sum.min == whole.min && sum.max == whole.max, "\(metric)")
    }
    #expect(stretches.compactMap(\.interval) == report.intervals)
    #expect(stretches.map(\.start) == stretches.map(\.start).sorted())
    #expect(stretches.first?.samples[.connect]?.count == report.connections.opened)
  }

  /// Without an observer nothing of it is collected.
  @Test func aRunThatNobodyFollowsHasTheSameReport() async throws {
    let followed = Followed()
    let plan = Self.plans[1]
    let one = try await LoadPeer(.echo).run(plan, observer: followed.observer).report
    let other = try await LoadPeer(.echo).run(plan).report
    #expect(one.messages == other.messages)
    #expect(one.metrics.mapValues(\.count) == other.metrics.mapValues(\.count))
    #expect(Set(one.metrics.keys) == Set(other.metrics.keys))
  }

  @Test func aStoredResultHasTheSamplesOfTheWholeRunOnly() async throws {
    let report = try await LoadPeer(.echo).run(Self.plans[0]).report
    let stretches = report.stretches
    #expect(stretches.compactMap(\.interval) == report.intervals)
    let samples = stretches.filter { !$0.samples.isEmpty }
    #expect(samples.map(\.samples) == [report.metrics])
    #expect(samples.first?.start == report.phase(.measure)?.start)
    #expect(samples.first?.duration == report.phase(.measure)?.duration)
  }
}
