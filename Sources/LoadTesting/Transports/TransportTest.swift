import NIOCore
import NIOPosix

/// Measures all arms of a comparison, one after the other, on one event loop.
package enum TransportTest {
  /// An arm that begins now.
  package struct Step: Sendable, Hashable {
    package var arm: TransportArm
    /// From 1, over all blocks.
    package var number: Int
    package var count: Int
  }

  /// Runs the plan. A cancelled task ends after the arm that is being measured.
  ///
  /// - Parameters:
  ///   - plan: What to do.
  ///   - endpoints: The server.
  ///   - serverTime: Returns the processor time of the server so far in nanoseconds; nil if it is not known.
  ///   - begins: Called before each arm.
  /// - Returns: The results in the order in which they were measured.
  /// - Throws: `TransportFailure` when an arm cannot be measured at all.
  package static func run(
    _ plan: TransportPlan, _ endpoints: TransportEndpoints,
    serverTime: @escaping @Sendable () -> Int64?, begins: (Step) -> Void
  ) async throws(TransportFailure) -> [ArmResult] {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    defer { group.shutdownGracefully { _ in } }
    // Longer than any number of an earlier run on the same channel.
    let tag = String(UInt64.random(in: .min ... .max), radix: 36)
    let setting = ArmSetting(
      plan: plan, endpoints: endpoints, loop: group.next(), serverTime: serverTime, tag: tag)
    var results: [ArmResult] = []
    let count = plan.arms.count * plan.blocks
    for block in 0..<plan.blocks {
      for arm in plan.arms(ofBlock: block) {
        guard !Task.isCancelled else { return results }
        begins(Step(arm: arm, number: results.count + 1, count: count))
        results.append(try await measure(arm, block: block, setting).get())
      }
    }
    return results
  }

  private static func measure(
    _ arm: TransportArm, block: Int, _ setting: ArmSetting
  ) async -> Result<ArmResult, TransportFailure> {
    await withCheckedContinuation { continuation in
      setting.loop.execute {
        if arm.isEcho {
          EchoRun(arm, block: block, setting) { continuation.resume(returning: $0) }.begin()
        } else {
          UpdateRun(arm, block: block, setting) { continuation.resume(returning: $0) }.begin()
        }
      }
    }
  }
}
