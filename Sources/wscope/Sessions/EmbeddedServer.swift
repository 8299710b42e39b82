import NIOCore
import NIOPosix
import TestServer
import WebSocketProtocol

/// The echo server that `bench` measures without a URL: one for all runs of the command. It is never stopped,
/// because the process ends after the last report.
actor EmbeddedServer {
  private var running: TestServer?

  /// Starts the server unless it is running.
  ///
  /// - Returns: Its port, and whether it was started now.
  /// - Throws: Why it cannot listen.
  func start() async throws -> (port: Int, isNew: Bool) {
    if let port = running?.localAddresses.first?.port { return (port, false) }
    var configuration = TestServerConfiguration()
    configuration.capture.messagesPerSecond = 0
    configuration.limits = Limits(messageSize: Limits.largestMessageSize)
    let server = try await TestServer.start(
      at: .loopback(port: 0), group: MultiThreadedEventLoopGroup(numberOfThreads: 1),
      configuration: configuration
    ) { _ in }
    running = server
    return (server.localAddresses.first?.port ?? 0, true)
  }
}
