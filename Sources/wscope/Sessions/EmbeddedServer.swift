import LoadTesting
import NIOCore
import NIOPosix
import TestServer
import WebSocketProtocol

/// The server that `bench` measures without a URL, an echo server unless it serves the paths of transports: one for all runs of the command. It is never stopped,
/// because the process ends after the last report.
actor EmbeddedServer {
  private var running: TestServer?
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  /// Starts the server unless it is running.
  ///
  /// - Parameter hasTransports: Whether it serves the paths under `/t/`.
  /// - Returns: Its port, and whether it was started now.
  /// - Throws: Why it cannot listen.
  func start(hasTransports: Bool = false) async throws -> (port: Int, isNew: Bool) {
    if let port = running?.localAddresses.first?.port { return (port, false) }
    var configuration = TestServerConfiguration()
    configuration.capture.messagesPerSecond = 0
    configuration.hasTransports = hasTransports
    configuration.limits = Limits(messageSize: Limits.largestMessageSize)
    let server = try await TestServer.start(
      at: .loopback(port: 0), group: group, configuration: configuration
    ) { _ in }
    running = server
    return (server.localAddresses.first?.port ?? 0, true)
  }

  /// The processor time of the server, which must be running.
  ///
  /// - Returns: A function that reads it, in nanoseconds; nil if the system does not count it.
  /// - Throws: An error of the event loops.
  func processorTime() async throws -> @Sendable () -> Int64? {
    var timers: [ThreadTimer?] = []
    var seen: Set<ObjectIdentifier> = []
    for loop in Array(group.makeIterator()) + (running?.connectionLoops ?? [])
    where seen.insert(ObjectIdentifier(loop)).inserted {
      timers.append(try await loop.submit { ThreadTimer() }.get())
    }
    return { [timers] in
      timers.contains { $0 == nil } ? nil : timers.reduce(0) { $0 + ($1?.now() ?? 0) }
    }
  }
}
