import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing
import WebSocketNIO
import WebSocketProtocol

/// The two ways on which bytes travel behind the handshake; what a peer sees is the same.
enum Road: CaseIterable, Sendable {
  case channel
  case socket

  /// The loops that connections move to; nil on the road that stays.
  func makeLoops() throws -> EpollLoops? {
    self == .socket ? try EpollLoops(count: 1) : nil
  }

  /// Runs `body` with the port of a server on this road that upgrades everybody.
  func withServer<Value>(
    _ edit: (inout ServerConfiguration) -> Void = { _ in },
    page: @escaping @Sendable (HTTPRequest) -> HTTPAnswer = { _ in
      .reply(HTTPReply(.ok, text: "page"))
    },
    consumer: @escaping @Sendable () -> any ConnectionConsumer, _ body: (Int) throws -> Value
  ) async throws -> Value {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = ServerConfiguration()
    configuration.loops = try makeLoops()
    edit(&configuration)
    let server = try await Server.bind(
      .host("127.0.0.1", port: 0), group: group, configuration: configuration
    ) { request in
      let verdict =
        request.isExtendedConnect
        ? ServerHandshake.judgeExtended(request.head) : ServerHandshake.judge(request.head)
      guard case .upgrade(let upgrade) = verdict else { return page(request) }
      return .upgrade(AcceptedUpgrade(upgrade) { _ in consumer() })
    }
    let port = try #require(server.localAddress?.port)
    let result = Result { try body(port) }
    await server.stopAccepting()
    configuration.loops?.stop()
    try await group.shutdownGracefully()
    return try result.get()
  }
}

/// What consumers have told, from whichever thread.
final class Diary: Sendable {
  private let entries = Mutex<[CloseOutcome]>([])

  func write(_ outcome: CloseOutcome) { entries.withLock { $0.append(outcome) } }

  var outcomes: [CloseOutcome] { entries.withLock { $0 } }

  /// Waits until so many connections have ended.
  func outcomes(atLeast count: Int) -> [CloseOutcome] {
    let end = NIODeadline.now() + .seconds(100)
    while outcomes.count < count, NIODeadline.now() < end { usleep(2000) }
    return outcomes
  }
}

/// Sends everything back, and does not read from a client that does not read.
final class Mirror: ConnectionConsumer {
  private let diary: Diary
  private var handler: ConnectionHandler?
  private var isOver = false

  init(_ diary: Diary) {
    self.diary = diary
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    #expect(handler.isOpen && handler.isWritable)
    #expect(handler.remoteAddress?.ipAddress == "127.0.0.1")
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    try? machine.send(kind, payload)
    guard payload.elementsEqual("leave".utf8), let handler else { return }
    handler.eventLoop?.assumeIsolated().execute { handler.abandon() }
  }

  func writabilityChanged(_ isWritable: Bool) {
    #expect((handler?.bufferedBytes ?? 0) < 2 << 20)
    handler?.setReading(isWritable)
  }

  func closed(_ outcome: CloseOutcome) {
    #expect(!isOver)
    isOver = true
    handler = nil
    diary.write(outcome)
  }
}
