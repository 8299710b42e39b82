import NIOCore
import NIOPosix
import TestPeers
import TestServer
import Testing
import WebSocketNIO
import WebSocketProtocol

@testable import LoadTesting

/// A comparison of transports, against a server in this process.
@Suite(.blocking) struct TransportTests {
  private static func serve(
    transports: Bool, _ test: (TransportEndpoints) async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = TestServerConfiguration()
    configuration.hasTransports = transports
    let server = try await TestServer.start(
      at: .loopback(port: 0), group: group, configuration: configuration, report: { _ in })
    let port = try #require(server.localAddresses.first?.port)
    try await test(
      TransportEndpoints(
        url: WebSocketURL(security: .plain, endpoint: .host("127.0.0.1", port: port)),
        addresses: [try SocketAddress(ipAddress: "127.0.0.1", port: port)]))
    await server.stop()
    try await group.shutdownGracefully()
  }

  private static var plan: TransportPlan {
    var plan = TransportPlan(seed: 1)
    plan.updates = 30
    plan.clients = 4
    plan.pollIntervals = [50_000_000]
    plan.duration = 600_000_000
    return plan
  }

  /// Every update reaches every client by each transport, and the bytes are those that were predicted.
  @Test func everyArmDeliversEverything() async throws {
    try await Self.serve(transports: true) { endpoints in
      let plan = Self.plan
      var began: [TransportTest.Step] = []
      let results = try await TransportTest.run(plan, endpoints, serverTime: { 7 }) {
        began.append($0)
      }
      #expect(began.map(\.arm) == plan.arms && results.map(\.arm) == plan.arms)
      #expect(began.map(\.number) == Array(1...8) && began.allSatisfy { $0.count == 8 })
      for result in results {
        #expect(result.reach == 1 && result.lost == 0 && result.foreign == 0, "\(result)")
        #expect(result.duplicates == 0 && result.serverTime == 0, "\(result)")
        let bytes = try #require(result.wireBytes)
        // What polls and long polls find at once depends on the machine. If it stalls, one acknowledgement can
        // be for two updates.
        if result.arm == .webSocket || result.arm == .eventStream {
          let isUndisturbed = result.latency.max ?? .max < 20_000_000
          let ratio = bytes / result.predictedBytes
          #expect(
            ratio < 1.03 && ratio > (isUndisturbed ? 0.97 : 0.7), "\(result.arm.key): \(ratio)")
        }
        #expect(bytes > 60, "\(result.arm.key)")
        if let interval = result.arm.interval {
          let age = try #require(result.latency[.p50]?.bound)
          #expect(age > interval / 10, "\(result.arm.key): \(age)")
        }
      }
      let pushed = results.filter { $0.arm == .webSocket || $0.arm == .eventStream }
      #expect(pushed.allSatisfy { $0.openingBytes ?? 0 > 300 })
    }
  }

  /// Why the plan cannot be measured; nil if it can.
  private static func failure(_ endpoints: TransportEndpoints) async -> TransportFailure? {
    do throws(TransportFailure) {
      _ = try await TransportTest.run(plan, endpoints, serverTime: { nil }) { _ in }
      return nil
    } catch {
      return error
    }
  }

  @Test func aServerWithoutThePathsIsNamed() async throws {
    try await Self.serve(transports: false) { endpoints in
      guard case .answer("/t/poll", 404)? = await Self.failure(endpoints) else {
        Issue.record("another failure")
        return
      }
    }
  }

  @Test func aServerThatIsNotThereIsNamed() async throws {
    let endpoints = TransportEndpoints(
      url: WebSocketURL(security: .plain, endpoint: .host("127.0.0.1", port: 1)),
      addresses: [try SocketAddress(ipAddress: "127.0.0.1", port: 1)])
    guard case .connect(.unreachable(let attempts))? = await Self.failure(endpoints) else {
      Issue.record("another failure")
      return
    }
    #expect(attempts.count == 1)
  }
}
