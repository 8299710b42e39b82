import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

/// SECURITY R7 over real sockets: both sides close when they like, and the peer ends in every way
/// there is. Each run ends within the close timeout, with one Close each way at most and the right
/// outcome. A run is made of its number alone, which a failure tells.
@Suite(.blocking) struct CloseRaceTests {
  private static let runs = 5_000
  private static let workers = 24
  private static let closeTimeout = TimeAmount.milliseconds(500)
  /// Ten times the close timeout and the second that the end of a stream is waited for.
  private static let deadline = 12.0

  @Test(arguments: Road.allCases) func aServerEndsEveryRaceRight(_ road: Road) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = ServerConfiguration()
    configuration.closeTimeout = Self.closeTimeout
    configuration.loops = try road.makeLoops()
    let ends = Ends()
    let server = try await Server.bind(
      .host("127.0.0.1", port: 0), group: group, configuration: configuration
    ) { request in
      guard case .upgrade(let upgrade) = ServerHandshake.judge(request.head),
        let number = UInt64(request.head.uri.dropFirst())
      else { return .reply(HTTPReply(.badRequest, text: "?")) }
      return .upgrade(
        AcceptedUpgrade(upgrade) { _ in
          Racer(RacePlan(number), ends.note)
        })
    }
    let port = try #require(server.localAddress?.port)
    await Self.onThreads { number in
      guard let socket = try? RawSocket.connect(port: port) else { return "no connection" }
      socket.send(Array(RawClient.request(path: "/\(number)").utf8))
      guard socket.readHead().starts(with: "HTTP/1.1 101 ".utf8) else { return "no upgrade" }
      let plan = RacePlan(number)
      let heard = plan.play(on: socket, masked: true)
      return plan.complaint(heard: heard, ended: ends.wait(for: number, Self.deadline))
    }
    await server.stopAccepting()
    configuration.loops?.stop()
    try await group.shutdownGracefully()
  }

  @Test(arguments: Road.allCases) func aClientEndsEveryRaceRight(_ road: Road) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let loops = try road.makeLoops()
    await Self.onThreads { number in
      guard let listener = try? RawSocket.listen(),
        let address = try? SocketAddress(ipAddress: "127.0.0.1", port: listener.port)
      else { return "no listener" }
      defer { listener.close() }
      let ends = Ends()
      let plan = RacePlan(number)
      var configuration = ClientConfiguration(
        url: WebSocketURL(security: .plain, endpoint: .host("127.0.0.1", port: listener.port)))
      configuration.closeTimeout = Self.closeTimeout
      let opening = Client.open(
        configuration, addresses: [address], on: loop, movingTo: loops?.all.first
      ) { _ in Racer(plan, ends.note) }
      guard let socket = listener.accept() else { return "no connection" }
      // The 101 and what the plan begins with can come in one segment.
      socket.send(RawPeer.acceptance(of: socket.readHead()))
      let heard = plan.play(on: socket, masked: false)
      guard (try? opening.wait()) != nil else { return "not opened" }
      return plan.complaint(heard: heard, ended: ends.wait(for: number, Self.deadline))
    }
    loops?.stop()
    try await group.shutdownGracefully()
  }

  /// Does all runs and records what they complain of.
  private static func onThreads(_ run: @escaping @Sendable (UInt64) -> String?) async {
    let complaints = await TestThread.complaints(of: runs, workers: workers) { number in
      run(UInt64(number)).map { "run \(number): \($0)" }
    }
    for complaint in complaints.prefix(10) { Issue.record("\(complaint)") }
    #expect(complaints.isEmpty, "of \(runs) runs")
  }
}
