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
@Suite struct CloseRaceTests {
  private static let runs: UInt64 = 5_000
  private static let workers = 24
  private static let closeTimeout = TimeAmount.milliseconds(500)
  /// Ten times the close timeout and the second that the end of a stream is waited for.
  private static let deadline = 12.0

  @Test func aServerEndsEveryRaceRight() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = ServerConfiguration()
    configuration.closeTimeout = Self.closeTimeout
    let ends = Ends()
    let server = try await Server.bind(
      .host("127.0.0.1", port: 0), group: group, configuration: configuration
    ) { request in
      guard case .upgrade(let upgrade) = ServerHandshake.judge(request.head),
        let number = UInt64(request.head.uri.dropFirst())
      else { return .reply(HTTPReply(.badRequest, text: "?")) }
      return .upgrade(
        upgrade, subprotocol: nil, deflate: nil, Racer(RacePlan(number), ends.note))
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
    try await group.shutdownGracefully()
  }

  @Test func aClientEndsEveryRaceRight() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
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
      let opening = Client.open(configuration, addresses: [address], on: loop) { _ in
        Racer(plan, ends.note)
      }
      guard let socket = listener.accept() else { return "no connection" }
      // The 101 and what the plan begins with can come in one segment.
      socket.send(RawPeer.acceptance(of: socket.readHead()))
      let heard = plan.play(on: socket, masked: false)
      guard (try? opening.wait()) != nil else { return "not opened" }
      return plan.complaint(heard: heard, ended: ends.wait(for: number, Self.deadline))
    }
    try await group.shutdownGracefully()
  }

  /// Does all runs on a few threads, since they block, and records what they complain of.
  private static func onThreads(_ run: @escaping @Sendable (UInt64) -> String?) async {
    let complaints = await withCheckedContinuation { done in
      let work = Work(done, workers: workers)
      for _ in 0..<workers {
        TestThread.start {
          while let number = work.next(of: runs) {
            if let complaint = run(number) { work.note("run \(number): \(complaint)") }
          }
          work.workerIsDone()
        }
      }
    }
    for complaint in complaints.prefix(10) { Issue.record("\(complaint)") }
    #expect(complaints.isEmpty, "of \(runs) runs")
  }

  /// What the threads share.
  private final class Work: Sendable {
    private struct State {
      var taken: UInt64 = 0
      var working: Int
      var complaints: [String] = []
    }

    private let state: Mutex<State>
    private let done: CheckedContinuation<[String], Never>

    init(_ done: CheckedContinuation<[String], Never>, workers: Int) {
      self.done = done
      state = Mutex(State(working: workers))
    }

    func next(of runs: UInt64) -> UInt64? {
      state.withLock { state in
        guard state.taken < runs else { return nil }
        state.taken += 1
        return state.taken - 1
      }
    }

    func note(_ complaint: String) {
      state.withLock { $0.complaints.append(complaint) }
    }

    func workerIsDone() {
      let complaints = state.withLock { state -> [String]? in
        state.working -= 1
        return state.working == 0 ? state.complaints : nil
      }
      if let complaints { done.resume(returning: complaints) }
    }
  }
}
